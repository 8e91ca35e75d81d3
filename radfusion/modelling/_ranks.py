"""Column-wise ranks, tests between classes and pruning of correlated columns, for thousands of columns at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 512
_ROUNDING = 1e-12


def rank_columns(values: Floats) -> Floats:
    """Ranks within each column of an (n, p) array, equals sharing their mean rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=0), dtype=np.float64)


def explained_share(values: Floats, codes: NDArray[np.intp]) -> Floats:
    """Share of each column's variance that lies between classes.

    Parameters
    ----------
    values : (n, p) array
        No column constant.
    codes : (n,) array of int
        Classes 0, 1, ..., each with a case.

    Returns
    -------
    (p,) array in [0, 1].
    """
    centred = values - values.mean(axis=0)
    counts = np.bincount(codes)
    indicator = (codes[:, None] == np.arange(len(counts))).astype(np.float64)
    sums = indicator.T @ centred
    between = (sums**2 / counts[:, None]).sum(axis=0)
    return np.asarray(np.clip(between / (centred**2).sum(axis=0), 0.0, 1.0))


def kruskal_p(share: Floats, n: int, n_classes: int) -> Floats:
    """P values of the Kruskal-Wallis test from the explained share of the ranks; the correction for ties is implied.

    H = (n - 1) share, referred to chi-squared with n_classes - 1 degrees of freedom.
    """
    from scipy.special import chdtrc

    return np.asarray(chdtrc(n_classes - 1, (n - 1) * share))


def anova_p(share: Floats, n: int, n_classes: int) -> Floats:
    """P values of the one-way analysis of variance from the explained share of the values."""
    from scipy.special import fdtrc

    inside = np.maximum(1.0 - share, np.finfo(float).tiny)
    return np.asarray(fdtrc(n_classes - 1, n - n_classes, (n - n_classes) / (n_classes - 1) * share / inside))


def uncorrelated(ranks: Floats, order: NDArray[np.intp], limit: float) -> NDArray[np.intp]:
    """Columns that are kept when of each pair with |Spearman's rho| > `limit` the later in `order` is dropped.

    Parameters
    ----------
    ranks : (n, p) array
        Ranks within each column, no column constant.
    order : (p,) array of int
        Columns from the most to the least wanted; a column is dropped by a kept one only.
    limit : float
        Largest |rho| of two kept columns.

    Returns
    -------
    (k,) array of int, ascending.
    """
    unit = ranks[:, order] - ranks.mean(axis=0)[order]
    unit /= np.sqrt((unit**2).sum(axis=0))
    alive = np.ones(len(order), dtype=bool)
    for start in range(0, len(order), _BLOCK):
        block = start + np.flatnonzero(alive[start : start + _BLOCK])
        close = np.abs(unit[:, block].T @ unit[:, start:]) > limit + _ROUNDING
        for row, position in enumerate(block):
            if alive[position]:
                alive[position + 1 :] &= ~close[row, position + 1 - start :]
    return np.sort(order[alive])
