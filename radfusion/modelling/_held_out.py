"""What held-out predictions are judged by when lambda is chosen, with the conventions of R's ``cv.glmnet``."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import FeatureError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_CLIP = 1e-5  # glmnet's limits for probabilities in a cross-validated deviance
_ROUNDING = 1e-12  # means that differ by less are equal


class Measure(NamedTuple):
    """A number per fold from (m, K) probabilities and (m,) labels; `sign` is -1 where more is better."""

    of: Callable[[Floats, Integers], float]
    sign: float


class Judgement(NamedTuple):
    """Mean and standard error of a measure along the path, and the two positions that are commonly chosen."""

    cvm: Floats
    cvsd: Floats
    index_min: int
    index_1se: int


def deviance(probabilities: Floats, labels: Integers) -> float:
    """Return the mean of -2 log of the probability of the own class, limited to [1e-5, 1 - 1e-5]."""
    own = probabilities[np.arange(labels.size), labels]
    return float(-2.0 * np.log(np.clip(own, _CLIP, 1.0 - _CLIP)).mean())


def misclassified(probabilities: Floats, labels: Integers) -> float:
    """Return the share of cases whose own class is not the most probable one; equals go to the first class."""
    return float((probabilities.argmax(axis=1) != labels).mean())


def area(probabilities: Floats, labels: Integers) -> float:
    """Return the AUC of two classes, ties counted half."""
    from scipy.stats import rankdata

    cases = labels == 1
    n_cases, n_controls = int(cases.sum()), int((~cases).sum())
    if probabilities.shape[1] != 2 or not n_cases or not n_controls:
        raise FeatureError("measure auc needs two classes, and cases of both in every fold")
    ranks = rankdata(probabilities[:, 1])[cases].sum()
    return float((ranks - 0.5 * n_cases * (n_cases + 1)) / (n_cases * n_controls))


MEASURES = {"deviance": Measure(deviance, 1.0), "class": Measure(misclassified, 1.0), "auc": Measure(area, -1.0)}


def judged(values: Floats, sizes: Integers, sign: float) -> Judgement:
    """Average (L, folds) values over folds, weighted by their sizes.

    The smaller lambda of two equals is never chosen; the standard error is sqrt(weighted variance / (folds - 1)).
    """
    cvm = np.average(values, axis=1, weights=sizes)
    cvsd = np.sqrt(np.average((values - cvm[:, None]) ** 2, axis=1, weights=sizes) / (sizes.size - 1))
    loss = sign * cvm
    index_min = int(np.argmax(loss <= loss.min() + _ROUNDING))
    index_1se = int(np.argmax(loss <= loss[index_min] + cvsd[index_min] + _ROUNDING))
    return Judgement(cvm, cvsd, index_min, index_1se)
