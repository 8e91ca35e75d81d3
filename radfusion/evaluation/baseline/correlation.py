"""Correlation of two measurements."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, level_of
from radfusion.evaluation.baseline._samples import is_one_value, paired_samples

__all__ = ["correlation_test"]

# Correlations nearer to 1 than this are 1.
_ROUNDING = 1e-14


def correlation_test(
    values_a: ArrayLike,
    values_b: ArrayLike,
    *,
    method: Literal["pearson", "spearman", "kendall"] = "pearson",
    level: float = 0.95,
) -> Comparison:
    """Correlation of two measurements of the same cases, tested against 0.

    ``difference`` is the correlation less 0. Pearson's r and Spearman's rho are tested by t with n - 2 degrees of
    freedom, Kendall's tau-b by z with the variance for ties. Intervals are Fisher's z +- quantile x SE, with
    SE² = 1 / (n - 3) for r, (1 + rho² / 2) / (n - 3) for rho and 0.437 / (n - 4) for tau.

    Parameters
    ----------
    values_a, values_b : (n,) array
        The two measurements of each case.
    method : {"pearson", "spearman", "kendall"}
        Which correlation.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When lengths differ, a value is missing, or there is no such method.

    References
    ----------
    .. [1] Bonett DG, Wright TA. Sample size requirements for estimating Pearson, Kendall and Spearman correlations.
       Psychometrika 2000;65:23-28. doi:10.1007/BF02294183

    Examples
    --------
    >>> found = correlation_test([1, 2, 3, 4, 5], [2, 1, 4, 3, 6])
    >>> round(found.difference, 4), round(found.p, 4)
    (0.822, 0.0877)
    """
    a, b = paired_samples(values_a, values_b)
    if method not in _TESTED:
        raise EvaluationError(f"method is {method!r}; allowed are {', '.join(_TESTED)}")
    bare = Comparison(test=method, metric="correlation", difference=None, level=level_of(level), n=len(a))
    if len(a) < 3:
        return bare.model_copy(update={"reason": "a correlation is tested with three or more cases"})
    if is_one_value(a) or is_one_value(b):
        return bare.model_copy(update={"reason": "a measurement has no variance: the correlation is not defined"})
    r, statistic, df, p = _TESTED[method](a, b)
    r = float(np.sign(r)) if 1 - abs(r) < _ROUNDING else r
    low, high, reason = _limits(r, len(a), method, level=level)
    found = {"difference": r, "values": (r, 0.0), "low": low, "high": high, "reason": reason}
    return bare.model_copy(update={**found, "statistic": statistic, "df": df, "p": p})


Tested = tuple[float, float | None, float | None, float | None]


def _pearson(a: Floats, b: Floats) -> Tested:
    """Correlation, t, degrees of freedom and P; the last three are None at -1 and 1."""
    x, y = a - a.mean(), b - b.mean()
    r = float(np.clip((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)), -1, 1))
    if 1 - abs(r) < _ROUNDING:
        return r, None, None, None
    df = len(a) - 2.0
    t = r * float(np.sqrt(df / ((1 - r) * (1 + r))))
    return r, t, df, float(2 * stdtr(df, -abs(t)))


def _spearman(a: Floats, b: Floats) -> Tested:
    from scipy.stats import rankdata

    return _pearson(rankdata(a), rankdata(b))


def _kendall(a: Floats, b: Floats) -> Tested:
    """Correlation tau-b, z, no degrees of freedom, and P."""
    from scipy.stats import kendalltau

    n, tau = len(a), float(kendalltau(a, b).statistic)
    ties = [np.unique(each, return_counts=True)[1].astype(float) for each in (a, b)]
    pairs, triples = ([(t * (t - 1) * (t - 2 if thrice else 1)).sum() for t in ties] for thrice in (False, True))
    odd = sum((t * (t - 1) * (2 * t + 5)).sum() for t in ties)
    variance = (n * (n - 1) * (2 * n + 5) - odd) / 18 + pairs[0] * pairs[1] / (2 * n * (n - 1))
    variance += triples[0] * triples[1] / (9 * n * (n - 1) * (n - 2))
    score = tau * np.sqrt((n * (n - 1) - pairs[0]) * (n * (n - 1) - pairs[1])) / 2
    z = float(score / np.sqrt(variance))
    return tau, z, None, float(2 * ndtr(-abs(z)))


_TESTED = {"pearson": _pearson, "spearman": _spearman, "kendall": _kendall}


def _limits(r: float, n: int, method: str, *, level: float) -> tuple[float | None, float | None, str | None]:
    if abs(r) == 1:
        return None, None, f"the correlation is {r:.0f}: its variance is estimated as 0"
    if n < 5 and (n < 4 or method == "kendall"):
        return None, None, f"an interval needs more cases than {n}"
    squared = {"pearson": 1 / (n - 3), "spearman": (1 + r**2 / 2) / (n - 3), "kendall": 0.437 / max(1, n - 4)}
    half = float(ndtri(0.5 + level / 2) * np.sqrt(squared[method]))
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half)), None
