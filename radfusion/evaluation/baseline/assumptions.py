"""Tests of what other tests assume: equal variances and the normal distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtr, fdtrc

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation.baseline._samples import is_one_value, sample, samples
from radfusion.evaluation.baseline.k_samples import anova_test

__all__ = ["bartlett_test", "levene_test", "shapiro_test", "variance_test"]

_CENTRES = ("median", "mean")
# Royston's approximation was made for sizes up to this.
_SHAPIRO_MOST = 5000


def variance_test(values_a: ArrayLike, values_b: ArrayLike) -> Comparison:
    """Whether two variances differ, by the F test of their ratio a / b; it trusts in normal distributions.

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    Examples
    --------
    >>> found = variance_test([1, 2, 3, 4, 5], [2, 4, 6, 8, 11])
    >>> round(found.statistic, 4), round(found.p, 4)
    (0.2049, 0.1539)
    """
    a, b = sample(values_a, "values_a"), sample(values_b, "values_b")
    bare = Comparison(test="f_variance", metric="variance", difference=None, paired=False, n=len(a) + len(b))
    if min(len(a), len(b)) < 2:
        return bare.model_copy(update={"reason": "a group has one value: its variance is not estimable"})
    if is_one_value(a) or is_one_value(b):
        return bare.model_copy(update={"reason": "a group has no variance: the ratio is not testable"})
    above, below = float(a.var(ddof=1)), float(b.var(ddof=1))
    f, df, df_denominator = above / below, len(a) - 1.0, len(b) - 1.0
    p = 2 * min(fdtr(df, df_denominator, f), fdtrc(df, df_denominator, f))
    found = {"difference": above - below, "values": (above, below), "statistic": f}
    return bare.model_copy(update={**found, "df": df, "df_denominator": df_denominator, "p": min(1.0, float(p))})


def levene_test(values: ArrayLike, groups: ArrayLike, *, center: Literal["median", "mean"] = "median") -> Comparison:
    """Whether variances differ, by analysis of variance of the distances from each group's centre.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value.
    center : {"median", "mean"}
        Median (Brown and Forsythe's form, robust to skewness) or mean (Levene's own).

    Raises
    ------
    EvaluationError
        When lengths differ, an entry is missing, or there is no such centre.

    References
    ----------
    .. [1] Brown MB, Forsythe AB. Robust tests for the equality of variances. J Am Stat Assoc 1974;69:364-367.
       doi:10.1080/01621459.1974.10482955

    Examples
    --------
    >>> found = levene_test([1, 2, 3, 4, 9, 2, 4, 6, 8, 30], list("aaaaabbbbb"))
    >>> round(found.statistic, 4), round(found.p, 4)
    (0.9281, 0.3636)
    """
    found = samples(values, groups)
    if center not in _CENTRES:
        raise EvaluationError(f"center is {center!r}; allowed are {', '.join(_CENTRES)}")
    centre = np.mean if center == "mean" else np.median
    distances = np.concatenate([np.abs(part - centre(part)) for part in found.parts])
    tested = anova_test(distances, np.repeat(np.arange(len(found.parts)), found.sizes.astype(int)))
    return tested.model_copy(update={"test": f"levene_{center}", "metric": "variance"})


def bartlett_test(values: ArrayLike, groups: ArrayLike) -> Comparison:
    """Whether variances differ, by Bartlett's test; it trusts in normal distributions.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.

    References
    ----------
    .. [1] Bartlett MS. Properties of sufficiency and statistical tests. Proc R Soc Lond A 1937;160:268-282.
       doi:10.1098/rspa.1937.0109

    Examples
    --------
    >>> found = bartlett_test([1, 2, 3, 4, 9, 2, 4, 6, 8, 30], list("aaaaabbbbb"))
    >>> round(found.statistic, 4), round(found.p, 4)
    (4.8108, 0.0283)
    """
    found = samples(values, groups)
    bare = Comparison(test="bartlett", metric="variance", difference=None, paired=False, n=int(found.sizes.sum()))
    k, degrees = len(found.parts), found.sizes - 1
    if k < 2:
        return bare.model_copy(update={"reason": "there is one group: no test is possible"})
    if degrees.min() < 1:
        return bare.model_copy(update={"reason": "a group has one value: its variance is not estimable"})
    if not found.squares.all():
        return bare.model_copy(update={"reason": "a group has no variance: no test is possible"})
    pooled = found.squares.sum() / degrees.sum()
    spread = degrees.sum() * np.log(pooled) - degrees @ np.log(found.squares / degrees)
    statistic = float(spread / (1 + ((1 / degrees).sum() - 1 / degrees.sum()) / (3 * (k - 1))))
    return bare.model_copy(update={"statistic": statistic, "df": k - 1.0, "p": float(chdtrc(k - 1, statistic))})


def shapiro_test(values: ArrayLike) -> Comparison:
    """Whether a sample comes from a normal distribution, by the Shapiro-Wilk test (3 to 5000 values).

    Parameters
    ----------
    values : (n,) array
        The sample.

    Raises
    ------
    EvaluationError
        When the sample is empty or a value is missing.

    References
    ----------
    .. [1] Shapiro SS, Wilk MB. An analysis of variance test for normality. Biometrika 1965;52:591-611.
       doi:10.1093/biomet/52.3-4.591
    .. [2] Royston P. Remark AS R94. Appl Stat 1995;44:547-551. doi:10.2307/2986146

    Examples
    --------
    >>> found = shapiro_test([1, 2, 2, 3, 3, 3, 4, 4, 20])
    >>> round(found.statistic, 4), round(found.p, 5)
    (0.5499, 2e-05)
    """
    from scipy.stats import shapiro

    found = sample(values)
    bare = Comparison(test="shapiro_wilk", metric="normality", difference=None, paired=False, n=len(found))
    if not 3 <= len(found) <= _SHAPIRO_MOST:
        return bare.model_copy(
            update={"reason": f"the test is for 3 to {_SHAPIRO_MOST} values; there are {len(found)}"}
        )
    if is_one_value(found):
        return bare.model_copy(update={"reason": "all values are the same: no test is possible"})
    tested = shapiro(found)
    return bare.model_copy(update={"statistic": float(tested.statistic), "p": float(tested.pvalue)})
