"""Accuracy against always answering the commonest class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betainc

from radfusion.core.results import Comparison
from radfusion.evaluation._inputs import clusters, level_of
from radfusion.evaluation.intervals import effective_size, wilson_interval
from radfusion.evaluation.metrics.decisions import agreement

__all__ = ["no_information_rate_test"]


def no_information_rate_test(
    labels: ArrayLike, predicted: ArrayLike, *, level: float = 0.95, patients: ArrayLike | None = None
) -> Comparison:
    """Exact one-sided binomial test of accuracy above the no-information rate, the share of the commonest class.

    The rate is taken as known. Where patients have several cases the count is scaled to the number of independent cases
    with the same variance. The interval is Wilson's two-sided interval of the accuracy, less the rate.

    Parameters
    ----------
    labels, predicted : (n,) array
        Reference and predicted class of each case.
    level : float
        Confidence level of the interval.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.

    Examples
    --------
    >>> found = no_information_rate_test(list("aaabbc"), list("aaabbb"))
    >>> round(found.difference, 4), round(found.p, 4)
    (0.3333, 0.1094)
    """
    hits = agreement(labels, predicted)
    groups = clusters(patients, len(hits))
    share = float(hits.mean())
    rate = float(np.bincount(pd.factorize(np.asarray(labels))[0]).max() / len(hits))
    n = effective_size(hits, groups)
    low, high = wilson_interval(share, n, level=level_of(level))
    return Comparison(
        test="binomial_exact" if groups.codes is None else "cluster_binomial",
        metric="accuracy",
        difference=share - rate,
        low=low - rate,
        high=high - rate,
        level=level,
        p=float(betainc(share * n, n - share * n + 1, rate)) if share else 1.0,
        paired=False,
        values=(share, rate),
        n=len(hits),
        n_patients=groups.count,
        reason="every case is of one class: no accuracy is above the no-information rate of 1" if rate == 1 else None,
    )
