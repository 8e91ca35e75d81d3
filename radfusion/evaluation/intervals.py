"""Intervals and tests from a number and its standard error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import betaincinv, expit, logit, ndtr, ndtri, stdtr, stdtrit

from radfusion.evaluation._inputs import Booleans, Clusters, Floats

__all__ = [
    "WaldTest",
    "auc_interval",
    "clopper_pearson_interval",
    "clustered_variance",
    "effective_size",
    "wald_test",
    "wilson_interval",
]

# Areas are ratios of integers: a smaller difference of their means is rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class WaldTest:
    """Two-sided test of a difference against 0; the fields are those of ``core.results.Comparison``."""

    difference: float
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    df: float | None = None
    p: float | None = None
    reason: str | None = None


def auc_interval(
    auc: float, se: float, *, level: float, ci: Literal["logit", "delong"]
) -> tuple[float | None, float | None, str | None]:
    """Lower and upper limit, or the reason why there is none.

    ``"logit"`` is symmetric on the scale of log(A / (1 - A)) and stays inside (0, 1); ``"delong"`` is A +- z SE cut to
    [0, 1], as pROC gives it.
    """
    if auc in (0.0, 1.0):
        return None, None, f"the AUC is {auc:.0f}, where its variance is estimated as 0: the interval is not estimable"
    if se == 0:
        return None, None, "the variance is estimated as 0 (scores without spread): the interval is not estimable"
    z = float(ndtri(0.5 + level / 2))
    if ci == "delong":
        return max(0.0, auc - z * se), min(1.0, auc + z * se), None
    centre, half = float(logit(auc)), z * se / (auc * (1 - auc))
    return float(expit(centre - half)), float(expit(centre + half)), None


def wald_test(difference: float, se: float, *, level: float, df: float | None = None) -> WaldTest:
    """Test by z, or by t with `df` degrees of freedom.

    A difference of 0 with variance 0 (models of equal order) gives z = 0 and P = 1; another difference with variance 0
    is not testable.
    """
    if se == 0 and abs(difference) > _ROUNDING:
        return WaldTest(difference, reason="the variance of the difference is estimated as 0: no test is possible")
    if se == 0:
        return WaldTest(0.0, 0.0, 0.0, 0.0, df, 1.0)
    statistic = difference / se
    tail = ndtr(-abs(statistic)) if df is None else stdtr(df, -abs(statistic))
    half = se * float(ndtri(0.5 + level / 2) if df is None else stdtrit(df, 0.5 + level / 2))
    return WaldTest(difference, difference - half, difference + half, statistic, df, min(1.0, 2 * float(tail)))


def wilson_interval(share: float, n: float, *, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share among `n` cases, without continuity correction.

    References
    ----------
    .. [1] Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc
       1927;22:209-212. doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> low, high = wilson_interval(45 / 60, 60, level=0.95)
    >>> round(low, 6), round(high, 6)
    (0.627679, 0.842235)
    """
    z = float(ndtri(0.5 + level / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)
    return max(0.0, centre - half) if share > 0 else 0.0, min(1.0, centre + half) if share < 1 else 1.0


def clopper_pearson_interval(share: float, n: float, *, level: float) -> tuple[float, float]:
    """Exact binomial interval of a share among `n` cases, from quantiles of the beta distribution.

    With k = share * n the limits are the quantiles a/2 of Beta(k, n - k + 1) and 1 - a/2 of Beta(k + 1, n - k), where
    a = 1 - level. `n` may be an effective size that is not whole.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the binomial.
       Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404
    .. [2] Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive counts
       estimated from survey data. Surv Methodol 1998;24:193-201.

    Examples
    --------
    >>> low, high = clopper_pearson_interval(45 / 60, 60, level=0.95)
    >>> round(low, 6), round(high, 6)
    (0.621404, 0.852814)
    """
    hits, tail = share * n, (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if share < 1 else 1.0
    return low, high


def clustered_variance(values: Floats | Booleans, groups: Clusters) -> float | None:
    """Variance of the mean of (n,) values, from sums per patient where patients have several; None for one unit."""
    centred = values - values.mean()
    sums = groups.sums(centred)
    units = len(sums)
    return float(sums @ sums / len(values) ** 2 * units / (units - 1)) if units > 1 else None


def effective_size(hits: Booleans, groups: Clusters) -> float:
    """Number of independent cases that would give a share of `hits` the same variance; at most the number of cases.

    Where all or none are hits the patients' likeness cannot be seen, and each patient counts once.

    References
    ----------
    .. [1] Rao JNK, Scott AJ. A simple method for the analysis of clustered binary data. Biometrics 1992;48:577-585.
       doi:10.2307/2532311
    """
    n, share = len(hits), float(hits.mean())
    if groups.codes is None:
        return float(n)
    variance = clustered_variance(hits, groups)
    if not variance or share in (0.0, 1.0):
        return float(len(np.unique(groups.codes)))
    return min(float(n), share * (1 - share) / variance)
