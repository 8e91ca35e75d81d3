"""Tests of two samples of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from radfusion.core.results import Comparison
from radfusion.evaluation._inputs import Floats, level_of
from radfusion.evaluation.baseline._samples import is_one_value, mean, paired_samples, sample
from radfusion.evaluation.intervals import wald_test

__all__ = ["mann_whitney_test", "paired_t_test", "t_test", "wilcoxon_signed_rank_test"]

# Rank tests of smaller samples without ties are exact unless told otherwise, as in R.
_EXACT_BELOW = 50
_NO_VARIANCE = "the values have no variance: no test is possible"


def t_test(
    values_a: ArrayLike, values_b: ArrayLike, *, equal_variance: bool = False, level: float = 0.95
) -> Comparison:
    """Difference of two means, a minus b, by Welch's t test, or by Student's with `equal_variance`.

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.
    equal_variance : bool
        Pool the two variances (n_a + n_b - 2 degrees of freedom).
    level : float
        Confidence level of the interval of the difference.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    References
    ----------
    .. [1] Welch BL. The generalization of "Student's" problem when several different population variances are
       involved. Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28

    Examples
    --------
    >>> found = t_test([5.1, 4.8, 6.0, 5.5], [6.2, 6.8, 5.9, 7.1])
    >>> round(found.difference, 2), round(found.df, 2), round(found.p, 4)
    (-1.15, 5.98, 0.0227)
    """
    a, b = sample(values_a, "values_a"), sample(values_b, "values_b")
    name = "t_equal_variance" if equal_variance else "t_welch"
    bare = _bare(name, "mean", (a, b), level, (mean(a), mean(b)))
    if min(len(a), len(b)) < 2 and not (equal_variance and len(a) + len(b) > 2):
        return bare.model_copy(update={"reason": "a group has one value: its variance is not estimable"})
    if is_one_value(a) and is_one_value(b):
        return bare.model_copy(update={"reason": _NO_VARIANCE})
    shares = (_pooled if equal_variance else _separate)(a, b)
    variance = shares.sum()
    weights = shares / variance
    df = len(a) + len(b) - 2 if equal_variance else 1 / (weights**2 / [len(a) - 1, len(b) - 1]).sum()
    return _tested(bare, mean(a) - mean(b), float(np.sqrt(variance)), df=float(df))


def paired_t_test(values_a: ArrayLike, values_b: ArrayLike, *, level: float = 0.95) -> Comparison:
    """Mean difference of two measurements of the same cases, a minus b, by Student's t test.

    Parameters
    ----------
    values_a, values_b : (n,) array
        The two measurements of each case.
    level : float
        Confidence level of the interval of the mean difference.

    Raises
    ------
    EvaluationError
        When lengths differ or a value is missing.

    Examples
    --------
    >>> found = paired_t_test([5.1, 4.8, 6.0, 5.5], [5.4, 5.0, 6.1, 6.1])
    >>> round(found.difference, 2), round(found.p, 4)
    (-0.3, 0.0691)
    """
    a, b = paired_samples(values_a, values_b)
    differences: Floats = a - b
    bare = _bare("t_paired", "mean", (a, b), level, (mean(a), mean(b)), paired=True)
    if len(a) < 2:
        return bare.model_copy(update={"reason": "there is one pair: the variance is not estimable"})
    if is_one_value(differences):
        return bare.model_copy(update={"reason": "the differences have no variance: no test is possible"})
    se = float(differences.std(ddof=1) / np.sqrt(len(a)))
    return _tested(bare, mean(differences), se, df=len(a) - 1)


def mann_whitney_test(
    values_a: ArrayLike, values_b: ArrayLike, *, exact: bool | None = None, continuity: bool = True
) -> Comparison:
    """Whether values of one sample tend to be larger, by the Mann-Whitney (Wilcoxon rank-sum) test.

    ``statistic`` is U of a: the number of pairs in which a is larger, ties counting one half; ``values`` are the shares
    of such pairs for a and for b, and ``difference`` (a minus b) is the rank-biserial correlation.

    Parameters
    ----------
    values_a, values_b : (n_a,), (n_b,) array
        The two samples.
    exact : bool, optional
        The exact distribution of U, which is defined without ties; otherwise the normal one with the variance for
        ties. By default exact when both samples have fewer than 50 values and none are tied, as in R.
    continuity : bool
        Correct the normal approximation for continuity by one half.

    Raises
    ------
    EvaluationError
        When a sample is empty or a value is missing.

    References
    ----------
    .. [1] Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically larger than the
       other. Ann Math Stat 1947;18:50-60. doi:10.1214/aoms/1177730491

    Examples
    --------
    >>> found = mann_whitney_test([1.1, 2.3, 3.0], [2.9, 4.1, 5.2, 6.6])
    >>> found.statistic, round(found.p, 4)
    (1.0, 0.1143)
    """
    from scipy.stats import mannwhitneyu, rankdata

    a, b = sample(values_a, "values_a"), sample(values_b, "values_b")
    both, pairs = np.concatenate([a, b]), len(a) * len(b)
    _, tied = np.unique(both, return_counts=True)
    u = float(rankdata(both)[: len(a)].sum() - len(a) * (len(a) + 1) / 2)
    bare = _bare("mann_whitney", "superiority", (a, b), 0.95, (u / pairs, 1 - u / pairs))
    bare = bare.model_copy(update={"difference": 2 * u / pairs - 1, "statistic": u})
    if len(tied) == 1:
        return bare.model_copy(update={"reason": "all values are tied: no test is possible"})
    ties = len(tied) < len(both)
    if exact is None:
        exact = not ties and max(len(a), len(b)) < _EXACT_BELOW
    if exact and ties:
        return bare.model_copy(update={"reason": "values are tied: the exact distribution is not defined"})
    if exact:
        p = float(mannwhitneyu(a, b, method="exact").pvalue)
        return bare.model_copy(update={"test": "mann_whitney_exact", "p": p})
    n = len(both)
    variance = pairs / 12 * (n + 1 - (tied.astype(float) ** 3 - tied).sum() / (n * (n - 1)))
    return bare.model_copy(update={"p": _normal_p(u - pairs / 2, variance, continuity=continuity)})


def wilcoxon_signed_rank_test(
    values_a: ArrayLike, values_b: ArrayLike, *, exact: bool | None = None, continuity: bool = True
) -> Comparison:
    """Whether two measurements of the same cases differ, by Wilcoxon's signed-rank test.

    ``statistic`` is V, the sum of the ranks of positive differences a - b; ``values`` are the shares of that sum for
    positive and negative differences. Pairs without a difference are left out, as in R.

    Parameters
    ----------
    values_a, values_b : (n,) array
        The two measurements of each case.
    exact : bool, optional
        The exact distribution of V, which is defined without ties and zeros; otherwise the normal one with the variance
        for ties. By default exact for fewer than 50 pairs without ties and zeros, as in R.
    continuity : bool
        Correct the normal approximation for continuity by one half.

    Raises
    ------
    EvaluationError
        When lengths differ or a value is missing.

    References
    ----------
    .. [1] Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bull 1945;1:80-83. doi:10.2307/3001968

    Examples
    --------
    >>> found = wilcoxon_signed_rank_test([5.1, 4.8, 6.0, 5.5], [5.4, 5.0, 6.1, 5.1])
    >>> found.statistic, found.p
    (4.0, 0.875)
    """
    from scipy.stats import rankdata, wilcoxon

    a, b = paired_samples(values_a, values_b)
    kept: Floats = (a - b)[a != b]
    bare = _bare("wilcoxon_signed_rank", "signed_rank", (a, b), 0.95, (None, None), paired=True)
    if not len(kept):
        return bare.model_copy(update={"reason": "no pair differs: no test is possible"})
    ranks = rankdata(np.abs(kept))
    v, total = float(ranks[kept > 0].sum()), float(ranks.sum())
    found = {"statistic": v, "values": (v / total, 1 - v / total), "difference": 2 * v / total - 1}
    _, tied = np.unique(ranks, return_counts=True)
    inexact = len(tied) < len(a)
    if exact is None:
        exact = not inexact and len(a) < _EXACT_BELOW
    if exact and inexact:
        why = "differences are tied or zero: the exact distribution is not defined"
        return bare.model_copy(update={**found, "reason": why})
    if exact:
        p = float(wilcoxon(a, b, method="exact").pvalue)
        return bare.model_copy(update={**found, "test": "wilcoxon_signed_rank_exact", "p": p})
    n = len(kept)
    variance = n * (n + 1) * (2 * n + 1) / 24 - (tied.astype(float) ** 3 - tied).sum() / 48
    return bare.model_copy(update={**found, "p": _normal_p(v - total / 2, variance, continuity=continuity)})


def _bare(  # noqa: PLR0917 - what every test says of its samples
    test: str,
    metric: str,
    both: tuple[Floats, Floats],
    level: float,
    values: tuple[float | None, float | None],
    *,
    paired: bool = False,
) -> Comparison:
    a, b = both
    n = len(a) if paired else len(a) + len(b)
    return Comparison(
        test=test, metric=metric, difference=None, level=level_of(level), values=values, paired=paired, n=n
    )


def _tested(bare: Comparison, difference: float, se: float, *, df: float) -> Comparison:
    found: dict[str, Any] = vars(wald_test(difference, se, level=bare.level, df=df))
    return bare.model_copy(update=found)


def _separate(a: Floats, b: Floats) -> Floats:
    return np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])


def _pooled(a: Floats, b: Floats) -> Floats:
    squares = a.var() * len(a) + b.var() * len(b)
    shares: Floats = squares / (len(a) + len(b) - 2) / np.array([len(a), len(b)])
    return shares


def _normal_p(distance: float, variance: float, *, continuity: bool) -> float:
    """Two-sided P of a rank sum's distance from its mean."""
    z = (distance - 0.5 * np.sign(distance) * continuity) / np.sqrt(variance)
    return float(2 * ndtr(-abs(z)))
