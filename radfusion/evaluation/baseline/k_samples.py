"""Tests of several samples of numbers, all together and in pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc

from radfusion.core.results import Comparison
from radfusion.evaluation._inputs import level_of
from radfusion.evaluation.adjustment import adjust_comparisons
from radfusion.evaluation.baseline._samples import Samples, samples
from radfusion.evaluation.baseline.two_samples import mann_whitney_test
from radfusion.evaluation.intervals import wald_test

__all__ = ["anova_test", "kruskal_test", "pairwise_mann_whitney_test", "pairwise_t_test", "tukey_test"]


def anova_test(values: ArrayLike, groups: ArrayLike, *, equal_variance: bool = True) -> Comparison:
    """Whether several means differ, by one-way analysis of variance: classic, or Welch's for unequal variances.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value.
    equal_variance : bool
        False for Welch's test, whose ``df_denominator`` is estimated.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.

    References
    ----------
    .. [1] Welch BL. On the comparison of several mean values. Biometrika 1951;38:330-336.
       doi:10.1093/biomet/38.3-4.330

    Examples
    --------
    >>> found = anova_test([3, 4, 5, 5, 6, 7, 9, 8, 7], list("aaabbbccc"))
    >>> found.statistic, found.df, found.df_denominator, round(found.p, 4)
    (12.0, 2.0, 6.0, 0.008)
    """
    found = samples(values, groups)
    bare = _bare("anova" if equal_variance else "anova_welch", "mean", found)
    if reason := _no_anova(found, equal_variance=equal_variance):
        return bare.model_copy(update={"reason": reason})
    f, df, below = (_classic if equal_variance else _welch)(found)
    return bare.model_copy(update={"statistic": f, "df": df, "df_denominator": below, "p": float(fdtrc(df, below, f))})


def kruskal_test(values: ArrayLike, groups: ArrayLike) -> Comparison:
    """Whether values of some groups tend to be larger, by the Kruskal-Wallis test with the variance for ties.

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
    .. [1] Kruskal WH, Wallis WA. Use of ranks in one-criterion variance analysis. J Am Stat Assoc 1952;47:583-621.
       doi:10.1080/01621459.1952.10483441

    Examples
    --------
    >>> found = kruskal_test([3, 4, 5, 5, 6, 7, 9, 8, 7], list("aaabbbccc"))
    >>> round(found.statistic, 4), found.df, round(found.p, 4)
    (6.5311, 2.0, 0.0382)
    """
    from scipy.stats import rankdata

    found = samples(values, groups)
    bare = _bare("kruskal_wallis", "rank", found)
    if len(found.parts) < 2:
        return bare.model_copy(update={"reason": "there is one group: no test is possible"})
    joined = np.concatenate(found.parts)
    _, tied = np.unique(joined, return_counts=True)
    if len(tied) == 1:
        return bare.model_copy(update={"reason": "all values are tied: no test is possible"})
    n, sizes = len(joined), found.sizes
    ranks = np.split(rankdata(joined) - (n + 1) / 2, np.cumsum(sizes[:-1]).astype(int))
    between = sum(part.sum() ** 2 / len(part) for part in ranks)
    h = 12 / (n * (n + 1)) * between / (1 - (tied.astype(float) ** 3 - tied).sum() / (n**3 - n))
    df = len(sizes) - 1
    return bare.model_copy(update={"statistic": float(h), "df": float(df), "p": float(chdtrc(df, h))})


def tukey_test(values: ArrayLike, groups: ArrayLike, *, level: float = 0.95) -> list[Comparison]:
    """Every pair of means by Tukey's honest significant difference, with Kramer's form for unequal groups.

    Differences are the first minus the second of the two groups; P values and intervals hold for all pairs together, so
    ``p_adjusted`` is ``p``. The groups come in order of appearance.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value.
    level : float
        Simultaneous confidence level of the intervals.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.

    References
    ----------
    .. [1] Kramer CY. Extension of multiple range tests to group means with unequal numbers of replications. Biometrics
       1956;12:307-310. doi:10.2307/3001469

    Examples
    --------
    >>> [round(each.p_adjusted, 4) for each in tukey_test([3, 4, 5, 5, 6, 7, 9, 8, 7], list("aaabbbccc"))]
    [0.1089, 0.0065, 0.1089]
    """
    from scipy.stats import studentized_range

    found = samples(values, groups)
    bare = [each.model_copy(update={"level": level_of(level)}) for each in _pairs("tukey", found)]
    if reason := _no_anova(found, equal_variance=True):
        return [each.model_copy(update={"reason": reason}) for each in bare]
    k, df = len(found.parts), float(found.sizes.sum() - len(found.parts))
    width = float(studentized_range.ppf(level, k, df)) / np.sqrt(2)
    tests = []
    for each, se in zip(bare, _pooled_errors(found), strict=True):
        difference = each.difference or 0.0
        q = abs(difference) / se * np.sqrt(2)
        limits = {"low": difference - width * se, "high": difference + width * se}
        p = min(1.0, float(studentized_range.sf(q, k, df)))
        tested = {**limits, "statistic": q, "df": df, "p": p, "p_adjusted": p, "adjustment": "tukey"}
        tests.append(each.model_copy(update=tested))
    return tests


def pairwise_t_test(
    values: ArrayLike, groups: ArrayLike, *, adjustment: str = "holm", level: float = 0.95
) -> list[Comparison]:
    """Every pair of means by t tests with the variance pooled over all groups.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value; pairs come in order of appearance, differences are the first minus the second.
    adjustment : str
        How the P values are adjusted, as in :func:`radfusion.evaluation.adjust_pvalues`.
    level : float
        Confidence level of each interval, which is not adjusted.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.
    UnknownNameError
        When there is no such adjustment.

    Examples
    --------
    >>> [round(each.p_adjusted, 4) for each in pairwise_t_test([3, 4, 5, 5, 6, 7, 9, 8, 7], list("aaabbbccc"))]
    [0.0997, 0.0081, 0.0997]
    """
    found = samples(values, groups)
    bare = [each.model_copy(update={"level": level_of(level)}) for each in _pairs("t_pooled", found)]
    if reason := _no_anova(found, equal_variance=True):
        tests = [each.model_copy(update={"reason": reason}) for each in bare]
    else:
        df = float(found.sizes.sum() - len(found.parts))
        tests = [
            each.model_copy(update=vars(wald_test(each.difference or 0.0, se, level=each.level, df=df)))
            for each, se in zip(bare, _pooled_errors(found), strict=True)
        ]
    return adjust_comparisons(tests, adjustment)


def pairwise_mann_whitney_test(
    values: ArrayLike,
    groups: ArrayLike,
    *,
    adjustment: str = "holm",
    exact: bool | None = None,
    continuity: bool = True,
) -> list[Comparison]:
    """Every pair of groups by the Mann-Whitney test.

    Parameters
    ----------
    values : (n,) array
        Values of all groups.
    groups : (n,) array
        Group of each value; pairs come in order of appearance.
    adjustment : str
        How the P values are adjusted, as in :func:`radfusion.evaluation.adjust_pvalues`.
    exact, continuity : bool
        As in :func:`radfusion.evaluation.mann_whitney_test`.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.
    UnknownNameError
        When there is no such adjustment.

    Examples
    --------
    >>> found = pairwise_mann_whitney_test([1, 2, 3, 4, 5, 6, 7, 8, 9], list("aaabbbccc"))
    >>> [round(each.p_adjusted, 4) for each in found]
    [0.3, 0.3, 0.3]
    """
    found = samples(values, groups)
    tests = []
    for (name_a, a), (name_b, b) in combinations(zip(found.names, found.parts, strict=True), 2):
        tested = mann_whitney_test(a, b, exact=exact, continuity=continuity)
        tests.append(tested.model_copy(update={"models": (name_a, name_b), "family": "pairwise_mann_whitney"}))
    return adjust_comparisons(tests, adjustment)


def _bare(test: str, metric: str, found: Samples) -> Comparison:
    return Comparison(test=test, metric=metric, difference=None, paired=False, n=int(found.sizes.sum()))


def _pairs(test: str, found: Samples) -> list[Comparison]:
    """Differences of means of every pair of groups, not tested yet."""
    means = found.means.tolist()
    return [
        Comparison(
            test=test,
            metric="mean",
            difference=means[i] - means[j],
            values=(means[i], means[j]),
            models=(found.names[i], found.names[j]),
            family=f"pairwise_{test}",
            paired=False,
            n=len(found.parts[i]) + len(found.parts[j]),
        )
        for i, j in combinations(range(len(means)), 2)
    ]


def _pooled_errors(found: Samples) -> list[float]:
    """Standard error of each pair's difference, from the variance within all groups."""
    sizes = found.sizes
    variance = found.squares.sum() / (sizes.sum() - len(sizes))
    return [float(np.sqrt(variance * (1 / sizes[i] + 1 / sizes[j]))) for i, j in combinations(range(len(sizes)), 2)]


def _no_anova(found: Samples, *, equal_variance: bool) -> str | None:
    """Why means cannot be compared."""
    if len(found.parts) < 2:
        return "there is one group: no test is possible"
    if equal_variance:
        if found.sizes.sum() == len(found.parts):
            return "every group has one value: the variance is not estimable"
        return None if found.squares.any() else "no group has variance: no test is possible"
    if found.sizes.min() < 2:
        return "a group has one value: its variance is not estimable"
    return None if found.squares.all() else "a group has no variance: Welch's test is not possible"


def _classic(found: Samples) -> tuple[float, float, float]:
    sizes, means = found.sizes, found.means
    df, below = float(len(sizes) - 1), float(sizes.sum() - len(sizes))
    between = sizes @ (means - sizes @ means / sizes.sum()) ** 2
    return float(between / df / (found.squares.sum() / below)), df, below


def _welch(found: Samples) -> tuple[float, float, float]:
    sizes, means = found.sizes, found.means
    k, weights = len(sizes), sizes * (sizes - 1) / found.squares
    shares = weights / weights.sum()
    loss = ((1 - shares) ** 2 / (sizes - 1)).sum() / (k**2 - 1)
    between = weights @ (means - shares @ means) ** 2 / (k - 1)
    return float(between / (1 + 2 * (k - 2) * loss)), float(k - 1), float(1 / (3 * loss))
