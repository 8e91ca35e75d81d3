"""The Brier score."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, clusters, level_of, multiclass
from radfusion.evaluation.intervals import clustered_variance
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["brier"]


def brier(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Mean squared distance of probabilities from the outcome; 0 is perfect.

    With three or more classes the squares are summed over the classes (Brier's original, from 0 to 2); with two they
    are those of the second class (from 0 to 1, half the sum), as is usual there.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array, or (n,) array for two classes
        Probability of each class, or of the second of two.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level of the interval (mean +- z SE, not below 0).
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When shapes differ, a label is not among the classes, or a probability is not between 0 and 1.

    References
    ----------
    .. [1] Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev 1950;78:1-3.
       doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> round(brier([0, 1, 1], [0.2, 0.6, 0.9], [0, 1]).value, 4)
    0.07
    """
    matrix = np.asarray(probabilities)
    if matrix.ndim == 1 and len(classes) == 2:
        matrix = np.stack([1 - matrix, matrix], axis=1)
    ranked = multiclass(labels, matrix, classes)
    if (ranked.scores < 0).any() or (ranked.scores > 1).any():
        raise EvaluationError(
            f"probabilities reach from {ranked.scores.min():.4g} to {ranked.scores.max():.4g}; allowed is 0 to 1"
        )
    squares: Floats = (ranked.scores - ranked.positive) ** 2
    losses = squares[:, 1] if len(classes) == 2 else squares.sum(axis=1)
    groups = clusters(patients, len(losses))
    value, variance = float(losses.mean()), clustered_variance(losses, groups)
    shared = Estimate(metric="brier", value=value, level=level_of(level), n=len(losses), n_patients=groups.count)
    if variance is None:
        who = "case" if groups.codes is None else "patient"
        return shared.model_copy(update={"reason": f"an interval needs two {who}s; there is one"})
    se = float(np.sqrt(variance))
    half = float(ndtri(0.5 + level / 2)) * se
    method = "wald" if groups.codes is None else "cluster_wald"
    return shared.model_copy(update={"method": method, "se": se, "low": max(0.0, value - half), "high": value + half})


@METRICS.register("brier")
def _brier(scored: ScoredSet) -> list[Estimate]:
    return [brier(scored.labels, scored.probabilities, scored.classes, level=scored.level, patients=scored.patients)]
