"""Exact distributions of tables of counts whose row and column totals are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from radfusion.evaluation._inputs import Floats, Integers

__all__ = ["MOST_TABLES", "FirstCell", "exact_p", "simulated_p"]

#: Tables of half the columns that are enumerated at most; the whole tables are those of both halves together.
MOST_TABLES = 4_000_000

# Probabilities within this share of the observed one count as equal to it, as in R.
_TIE = 1e-7
_BATCH = 10_000


class FirstCell:
    """Distribution of the first cell of a 2 x 2 table, by the (non-central) hypergeometric law.

    Parameters
    ----------
    table : (2, 2) array of int
        The observed counts.

    Attributes
    ----------
    support : (m,) array
        Values that the first cell can take.
    observed : float
        The value that it has.
    """

    def __init__(self, table: Integers) -> None:
        (row, other), column = table.sum(axis=1).tolist(), int(table[:, 0].sum())
        self.observed = float(table[0, 0])
        self.support: Floats = np.arange(max(0, column - other), min(row, column) + 1, dtype=np.float64)
        x = self.support[:-1]
        steps = np.log((row - x) * (column - x)) - np.log((x + 1) * (other - column + x + 1))
        self._log_p = np.concatenate([[0.0], np.cumsum(steps)])

    def p(self, log_odds: float = 0.0) -> Floats:
        """Probability of each value in `support` under an odds ratio, (m,) array."""
        log_p = self._log_p + self.support * log_odds
        p: Floats = np.exp(log_p - log_p.max())
        p /= p.sum()
        return p

    def two_sided_p(self) -> float:
        """Sum of the probabilities that are not larger than that of the observed value, for an odds ratio of 1."""
        p = self.p()
        seen = p[int(self.observed - self.support[0])]
        return min(1.0, float(p[p <= seen * (1 + _TIE)].sum()))

    def log_odds(self, level: float) -> tuple[float, float, float]:
        """Conditional maximum-likelihood log odds ratio and its exact limits; infinite at the ends of the support."""
        x, support, tail = self.observed, self.support, (1 - level) / 2
        bottom, top = x == support[0], x == support[-1]
        low = -np.inf if bottom else _root(lambda odds: float(self.p(odds)[support >= x].sum()) - tail)
        high = np.inf if top else _root(lambda odds: float(self.p(odds)[support <= x].sum()) - tail)
        if bottom or top:
            return (np.nan if bottom and top else -np.inf if bottom else np.inf), low, high
        return _root(lambda odds: float(self.p(odds) @ support) - x), low, high


def exact_p(table: Integers) -> float | None:
    """P of Fisher's exact test of an r x c table; None where there are too many tables.

    All tables of one half of the columns are met with those of the other half that complete the row totals. The latter
    are sorted by probability, so that those small enough are found by bisection.

    Parameters
    ----------
    table : (r, c) array of int
        Counts without empty rows or columns.
    """
    columns = table if table.shape[0] > table.shape[1] else table.T
    rows = columns.sum(axis=0)
    # Row totals are numbered in mixed radix; a number must fit into 64 bits.
    if np.prod(rows + 1.0) > 2**62:
        return None
    halves = [_tables(half, rows) for half in _halves(columns, rows)]
    first, second = halves
    if first is None or second is None:
        return None
    limit = float(_log_p(columns, rows).sum()) + _TIE
    whole = int(np.ravel_multi_index(tuple(rows), tuple(rows + 1)))
    total = extreme = 0.0
    for number, left in first.items():
        right = second.get(whole - number)
        if right is not None:
            below = np.concatenate([[0.0], np.cumsum(np.exp(right))])
            total += float(np.exp(left).sum() * below[-1])
            extreme += float(np.exp(left) @ below[np.searchsorted(right, limit - left, side="right")])
    return min(1.0, extreme / total)


def simulated_p(table: Integers, *, n_resamples: int, seed: int) -> float:
    """P of Fisher's test from random tables with the given totals, the observed one counted among them."""
    from scipy.stats import random_table

    drawn = random_table(table.sum(axis=1), table.sum(axis=0))
    generator = np.random.default_rng(seed)
    limit, extreme = float(gammaln(table + 1.0).sum()) - _TIE, 0
    for start in range(0, n_resamples, _BATCH):
        tables = drawn.rvs(min(_BATCH, n_resamples - start), random_state=generator)
        extreme += int((gammaln(tables + 1.0).sum(axis=(1, 2)) >= limit).sum())
    return (1 + extreme) / (1 + n_resamples)


def _root(function: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, -100.0, 100.0, xtol=1e-15, rtol=4 * np.finfo(float).eps, maxiter=500))


def _halves(columns: Integers, rows: Integers) -> tuple[list[Integers], list[Integers]]:
    """Two sets of columns with about the same number of tables."""
    halves: tuple[list[Integers], list[Integers]] = ([], [])
    possible = [np.prod(np.minimum(rows, total) + 1.0) for total in columns.sum(axis=1)]
    sizes = [1.0, 1.0]
    for k in np.argsort(possible)[::-1]:
        smaller = int(sizes[1] < sizes[0])
        halves[smaller].append(columns[k])
        sizes[smaller] *= possible[k]
    return halves


def _tables(columns: list[Integers], rows: Integers) -> dict[int, Floats] | None:
    """Sorted log probabilities of all tables with these column totals, by their row totals; None for too many."""
    used, log_p = np.zeros((1, len(rows)), dtype=np.int64), np.zeros(1)
    for column in columns:
        cells = _fillings(int(column.sum()), rows)
        if cells is None or len(used) * len(cells) > MOST_TABLES:
            return None
        joint = used[:, None] + cells
        fitting = (joint <= rows).all(axis=2)
        used, log_p = joint[fitting], (log_p[:, None] + _log_p(cells, rows))[fitting]
    numbers = np.asarray(np.ravel_multi_index(tuple(used.T), tuple(rows + 1)), dtype=np.int64)
    order = np.argsort(log_p)
    order = order[np.argsort(numbers[order], kind="stable")]
    known, starts = np.unique(numbers[order], return_index=True)
    return dict(zip(known.tolist(), np.split(log_p[order], starts[1:]), strict=True))


def _fillings(total: int, rows: Integers) -> Integers | None:
    """Every column with this total whose cells fit into the rows, (m, r) array; None for too many."""
    found = np.zeros((1, 0), dtype=np.int64)
    for k, row in enumerate(rows):
        rest = total - found.sum(axis=1)
        least = np.maximum(0, rest - rows[k + 1 :].sum())
        choices = np.minimum(row, rest) - least + 1
        if choices.sum() > MOST_TABLES:
            return None
        kept = np.repeat(np.arange(len(found)), choices)
        place = np.arange(len(kept)) - np.repeat(np.cumsum(choices) - choices, choices)
        found = np.column_stack([found[kept], least[kept] + place])
    return found


def _log_p(cells: Integers, rows: Integers) -> Floats:
    """Log probability of each column, (m,) array, drawn from the shares of the rows.

    Given the row totals those shares cancel: only the ratios of whole tables' probabilities are used.
    """
    log_p: Floats = gammaln(cells.sum(axis=1) + 1.0) - gammaln(cells + 1.0).sum(axis=1)
    log_p += cells @ np.log(rows / rows.sum())
    return log_p
