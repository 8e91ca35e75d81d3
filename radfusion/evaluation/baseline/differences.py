"""Standardised differences of two groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Integers, level_of
from radfusion.evaluation.baseline._samples import counts, is_one_value, mean, sample

__all__ = ["cohen_d", "hedges_g", "smd", "smd_counts"]


def smd(values_a: ArrayLike, values_b: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Standardised mean difference of two groups, a minus b: the difference over the root of the mean of the variances.

    Its size does not grow with the number of cases, so that it says how different groups are where a P value says how
    sure that is. Interval: +- z SE with SE² = (n_a + n_b) / (n_a n_b) + d² / (2 (n_a + n_b)).

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    References
    ----------
    .. [1] Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between treatment groups
       in propensity-score matched samples. Stat Med 2009;28:3083-3107. doi:10.1002/sim.3697

    Examples
    --------
    >>> round(smd([62, 55, 71, 66], [58, 49, 60, 61]).value, 4)
    1.0568
    """
    return _standardised("smd", values_a, values_b, level=level)


def cohen_d(values_a: ArrayLike, values_b: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Cohen's d: difference of means, a minus b, over the pooled standard deviation; the interval is that of `smd`.

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    Examples
    --------
    >>> round(cohen_d([62, 55, 71, 66], [58, 49, 60]).value, 4)
    1.2214
    """
    return _standardised("cohen_d", values_a, values_b, level=level)


def hedges_g(values_a: ArrayLike, values_b: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Hedges' g: Cohen's d times 1 - 3 / (4 (n_a + n_b - 2) - 1), which takes its bias in small samples away.

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.
    level : float
        Confidence level of the interval, that of d times the same factor.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    References
    ----------
    .. [1] Hedges LV. Distribution theory for Glass's estimator of effect size and related estimators. J Educ Stat
       1981;6:107-128. doi:10.3102/10769986006002107

    Examples
    --------
    >>> round(hedges_g([62, 55, 71, 66], [58, 49, 60]).value, 4)
    1.0285
    """
    found = _standardised("hedges_g", values_a, values_b, level=level)
    factor = 1 - 3 / (4 * (found.n - 2) - 1)
    scaled = {key: None if (each := getattr(found, key)) is None else factor * each for key in _NUMBERS}
    return found.model_copy(update=scaled)


def smd_counts(table: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Standardised difference of two groups in their categories.

    With two categories it is the difference of the shares of the first, row 1 less row 2, over the root of the mean of
    p (1 - p). With more it is the distance of the shares in units of their mean covariance (Mahalanobis), which has no
    sign. The interval is that of `smd`, from 0 where there is no sign. Empty categories say nothing and are left out.

    Parameters
    ----------
    table : (2, c) array of int
        Counts of two groups in c categories.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When the table does not have two rows, or does not hold counts.

    References
    ----------
    .. [1] Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using SAS. SAS Global
       Forum 2012, paper 335.

    Examples
    --------
    >>> round(smd_counts([[22, 32], [28, 13]]).value, 4), round(smd_counts([[6, 21, 17], [10, 17, 17]]).value, 4)
    (-0.5758, 0.2562)
    """
    found = counts(table)
    if len(found) != 2:
        raise EvaluationError(f"table has shape {found.shape}; allowed are two rows, one per group")
    sizes = found.sum(axis=1)
    bare = Estimate(metric="smd", value=None, level=level_of(level), n=int(sizes.sum()))
    if not sizes.all():
        return bare.model_copy(update={"reason": f"row {int(np.argmin(sizes)) + 1} of the table holds no case"})
    a, b = found[:, found.any(axis=0)] / sizes[:, None]
    if np.array_equal(a, b):
        return _with_interval(bare, 0.0, sizes, signed=found.shape[1] == 2)
    if found.shape[1] == 2:
        variance = (a[0] * (1 - a[0]) + b[0] * (1 - b[0])) / 2
        if variance == 0:
            return bare.model_copy(update={"reason": _NO_SPREAD})
        return _with_interval(bare, float((a[0] - b[0]) / np.sqrt(variance)), sizes, signed=True)
    covariance = np.mean([np.diag(p) - np.outer(p, p) for p in (a[1:], b[1:])], axis=0)
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(covariance):
        return bare.model_copy(update={"reason": _NO_SPREAD})
    distance = (a - b)[1:] @ np.linalg.solve(covariance, (a - b)[1:])
    return _with_interval(bare, float(np.sqrt(max(0.0, distance))), sizes, signed=False)


_NUMBERS = ("value", "se", "low", "high")
_NO_SPREAD = "the groups have no spread: the difference has no unit"


def _standardised(metric: str, values_a: ArrayLike, values_b: ArrayLike, *, level: float) -> Estimate:
    a, b = sample(values_a, "values_a"), sample(values_b, "values_b")
    sizes = np.array([len(a), len(b)])
    bare = Estimate(metric=metric, value=None, level=level_of(level), n=len(a) + len(b))
    if sizes.min() < 2:
        return bare.model_copy(update={"reason": "a group has one value: its variance is not estimable"})
    if is_one_value(a) and is_one_value(b):
        return bare.model_copy(update={"reason": _NO_SPREAD})
    weights = np.array([0.5, 0.5]) if metric == "smd" else (sizes - 1) / (sizes.sum() - 2)
    unit = float(np.sqrt(weights @ [a.var(ddof=1), b.var(ddof=1)]))
    return _with_interval(bare, (mean(a) - mean(b)) / unit, sizes, signed=True)


def _with_interval(bare: Estimate, value: float, sizes: Integers, *, signed: bool) -> Estimate:
    n_a, n_b = sizes.tolist()
    se = float(np.sqrt((n_a + n_b) / (n_a * n_b) + value**2 / (2 * (n_a + n_b))))
    half = float(ndtri(0.5 + bare.level / 2)) * se
    low = value - half if signed else max(0.0, value - half)
    return bare.model_copy(
        update={"value": value, "se": se, "low": low, "high": value + half, "method": "large_sample"}
    )
