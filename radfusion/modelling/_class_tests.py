"""Tests between classes and adjustment of their P values, for thousands of columns at once.

With two classes, the analysis of variance is Student's t test and Welch's is Welch's t test: F is the square of t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from radfusion.modelling._ranks import explained_share, rank_columns, unit_columns, varies

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Test = Callable[[Floats, Codes], Floats]


def anova(values: Floats, codes: Codes) -> Floats:
    """P values of the one-way analysis of variance; equal spread in every class. 1 where every class has one case."""
    from scipy.special import fdtrc

    n, n_classes = len(codes), int(codes.max()) + 1
    if n == n_classes:
        return np.ones(values.shape[1])
    return np.asarray(fdtrc(n_classes - 1, n - n_classes, f_statistic(explained_share(values, codes), n, n_classes)))


def f_statistic(share: Floats, n: int, n_classes: int) -> Floats:
    """F of the analysis of variance from the share of the variance that lies between classes; finite, if that is 1."""
    inside = np.maximum(1.0 - share, np.finfo(float).eps)
    return np.asarray((n - n_classes) / (n_classes - 1) * share / inside)


def kruskal(values: Floats, codes: Codes) -> Floats:
    """P values of the Kruskal-Wallis test: chi-squared for (n - 1) times the share of the ranks; ties are in it."""
    from scipy.special import chdtrc

    return np.asarray(chdtrc(int(codes.max()), (len(codes) - 1) * explained_share(rank_columns(values), codes)))


def mann_whitney(values: Floats, codes: Codes) -> Floats:
    """P values of the Mann-Whitney test: normal approximation with ties and with the correction for continuity."""
    from scipy.special import erfc

    ranks = rank_columns(values)
    n, first = len(codes), int((codes == 0).sum())
    distance = np.abs(ranks[codes == 0].sum(axis=0) - first * (n + 1) / 2)
    variance = first * (n - first) / (n * (n - 1)) * ((ranks - (n + 1) / 2) ** 2).sum(axis=0)
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    return np.asarray(np.where(variance > 0, np.minimum(erfc((distance - 0.5) / scale / np.sqrt(2)), 1.0), 1.0))


def welch_anova(values: Floats, codes: Codes) -> Floats:
    """P values of Welch's analysis of variance; every class its own spread.

    A column that is constant within a class has no P value of this kind, and 1 stands in for it.
    """
    from scipy.special import fdtrc

    n_classes, unit = int(codes.max()) + 1, unit_columns(values)
    groups = [unit[codes == code] for code in range(n_classes)]
    estimable = np.all([varies(group) for group in groups], axis=0)
    counts = np.array([len(group) for group in groups])[:, None]
    means = np.stack([group[:, estimable].mean(axis=0) for group in groups])
    variances = np.stack([group[:, estimable].var(axis=0) for group in groups]) * counts / np.maximum(counts - 1, 1)
    weights = counts / variances
    shares = weights / weights.sum(axis=0)
    between = (weights * (means - (shares * means).sum(axis=0)) ** 2).sum(axis=0) / (n_classes - 1)
    spread = ((1 - shares) ** 2 / np.maximum(counts - 1, 1)).sum(axis=0) / (n_classes**2 - 1)
    result = np.ones(values.shape[1])
    f = between / (1 + 2 * (n_classes - 2) * spread)
    result[estimable] = fdtrc(n_classes - 1, 1 / (3 * spread), f)
    return result


#: Tests of two classes, and of any number.
OF_TWO: dict[str, Test] = {"student-t": anova, "welch": welch_anova, "mann-whitney": mann_whitney}
OF_ANY: dict[str, Test] = {"kruskal": kruskal, "anova": anova, "welch-anova": welch_anova}
TESTS: dict[str, Test] = OF_ANY | OF_TWO


def adjusted(p: Floats, how: str) -> Floats:
    """P values adjusted for their number: ``none``, ``bonferroni``, ``holm``, ``bh`` or ``by``."""
    from scipy.stats import false_discovery_control

    count = len(p)
    if how == "none" or not count:
        return p
    if how == "bonferroni":
        return np.asarray(np.minimum(count * p, 1.0))
    if how in ("bh", "by"):
        return np.asarray(false_discovery_control(p, method=how))
    order = np.argsort(p, kind="stable")
    result = np.empty(count)
    result[order] = np.minimum(np.maximum.accumulate((count - np.arange(count)) * p[order]), 1.0)
    return result
