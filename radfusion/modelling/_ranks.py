"""Column-wise ranks, shares between classes and pruning of correlated columns, for thousands of columns at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_BLOCK = 512
#: A range below this share of the largest absolute value is rounding, not variation.
ROUNDING = 1e-12
#: Digits of a share or correlation that decide which feature is preferred; beyond them the order of cases speaks.
DIGITS = 10


def varies(values: Floats) -> NDArray[np.bool_]:
    """Whether each column of an (n, p) array, n at least 1, varies by more than rounding."""
    return np.asarray(np.ptp(values, axis=0) > ROUNDING * np.abs(values).max(axis=0))


def rank_columns(values: Floats) -> Floats:
    """Ranks within each column of an (n, p) array, equals sharing their mean rank; scipy's own take twice as long."""
    rows = np.ascontiguousarray(values.T)
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    places = np.broadcast_to(np.arange(1.0, len(values) + 1), rows.shape).copy()
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    places[tied] = _mean_places(ordered[tied])
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, places, axis=1)
    return np.ascontiguousarray(ranks.T)


def _mean_places(ordered: Floats) -> Floats:
    """Of each value in rows that ascend: the mean of the first and the last place of its equals, from 1."""
    step = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(ordered), 1), dtype=bool)
    places = np.arange(1.0, ordered.shape[1] + 1)
    first = np.maximum.accumulate(np.where(np.hstack([edge, step]), places, 0.0), axis=1)
    last = np.minimum.accumulate(np.where(np.hstack([step, edge]), places, np.inf)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((first + last) / 2)


def explained_share(values: Floats, codes: Codes) -> Floats:
    """Share of each column's variance that lies between classes.

    Parameters
    ----------
    values : (n, p) array
    codes : (n,) array of int
        Classes 0, 1, ..., each with a case.

    Returns
    -------
    (p,) array in [0, 1]; 0 for a constant column.
    """
    unit = unit_columns(values)
    counts = np.bincount(codes)
    indicator = (codes[:, None] == np.arange(len(counts))).astype(np.float64)
    sums = indicator.T @ unit
    return np.asarray(np.clip((sums**2 / counts[:, None]).sum(axis=0), 0.0, 1.0))


def unit_columns(values: Floats) -> Floats:
    """Columns less their mean and of length 1, so that products are correlations; 0 where a column is constant."""
    largest = np.abs(values).max(axis=0, initial=0.0)
    # Through the unit range, so that squares of very large and very small values are numbers.
    centred = values / np.where(largest > 0, largest, 1.0)
    constant = np.ptp(centred, axis=0) <= ROUNDING
    centred -= centred.mean(axis=0)
    centred[:, constant] = 0.0
    centred /= np.where(constant, 1.0, np.sqrt((centred**2).sum(axis=0)))
    return np.asarray(centred)


def mean_correlations(unit: Floats) -> Floats:
    """(p,) mean absolute correlation of each column with the others, of (n, p) :func:`unit_columns`."""
    count = unit.shape[1]
    sums = [
        np.abs(unit[:, start : start + _BLOCK].T @ unit).sum(axis=1) for start in range(0, count, _BLOCK)
    ]  # A block at a time: thousands of columns squared do not fit in the memory of many processes.
    own = (unit**2).sum(axis=0)
    return np.asarray((np.concatenate(sums) - own) / max(count - 1, 1)) if sums else np.zeros(0)


def uncorrelated(unit: Floats, order: Codes, limit: float) -> Codes:
    """Columns that are kept when of each pair with a larger absolute correlation the later in `order` is dropped.

    Parameters
    ----------
    unit : (n, p) array
        Of :func:`unit_columns`; of ranks for Spearman's rho.
    order : (p,) array of int
        Columns from the most to the least wanted; a column is dropped by a kept one only.
    limit : float
        Largest absolute correlation of two kept columns.

    Returns
    -------
    (k,) array of int, ascending.
    """
    waiting, kept = np.asarray(order), np.empty(0, dtype=np.intp)
    while waiting.size:
        block = waiting[:_BLOCK]
        close = np.abs(unit[:, block].T @ unit[:, waiting]) > limit + ROUNDING
        alive = np.ones(len(waiting), dtype=bool)
        for row in range(len(block)):
            if alive[row]:
                alive[row + 1 :] &= ~close[row, row + 1 :]
        kept = np.concatenate([kept, block[alive[: len(block)]]])
        waiting = waiting[len(block) :][alive[len(block) :]]
    return np.sort(kept)
