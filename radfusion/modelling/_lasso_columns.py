"""The columns of a table as several fits see them, each standardised by its own cases, without a copy for each.

Looking through all columns for those that should join a fit takes most of the time of a path, and there the memory is
the limit. Fits that move along the same lambdas therefore look together: one product serves them all.
"""

from collections.abc import Sequence

import numpy as np

from radfusion.modelling._quadratic import Floats, Indices, Mask, compiled, products

# A column that hardly varies beside cases outside the fit is standardised by itself, as products would lose its digits.
_HARDLY = 1e-3


class Columns:
    """All cases: columns of mean 0 and standard deviation 1, one after the other.

    Parameters
    ----------
    x : (N, p) array, finite
    """

    def __init__(self, x: Floats) -> None:
        varies = x.max(axis=0) != x.min(axis=0)
        self.raw = x
        self.centre = x.mean(axis=0)
        self.scale = np.where(varies, x.std(axis=0), 1.0)
        self.unit = np.ascontiguousarray(np.where(varies, (x - self.centre) / self.scale, 0.0).T)


class View:
    """Columns as a fit to n of the cases sees them.

    Parameters
    ----------
    of : Columns
    inside : (N,) mask, the cases of the fit
    standardize : bool
        Whether columns are divided by their standard deviation among these cases.
    merge : bool
        Whether columns that repeat an earlier one are 0.

    Attributes
    ----------
    rows : (n,) integer array, the cases
    centre, scale : (p,) arrays
        A column is the value less its centre, divided by its scale.
    void : (p,) mask
        Columns that are 0: they do not vary, or repeat another.
    """

    def __init__(self, of: Columns, inside: Mask, *, standardize: bool, merge: bool) -> None:
        self.of, self.rows = of, np.flatnonzero(inside)
        self._mean, deviation, varies = compiled(_moments)(of.unit, self.rows)
        self.void = ~varies
        self._divisor = np.where(varies, deviation, 1.0) if standardize else 1.0 / of.scale
        self.centre, self.scale = of.centre + self._mean * of.scale, self._divisor * of.scale
        self._own = np.flatnonzero(varies & (deviation < _HARDLY))
        values = of.raw[np.ix_(self.rows, self._own)]
        self.centre[self._own] = values.mean(axis=0)
        self.scale[self._own] = values.std(axis=0) if standardize else 1.0
        self._exact = np.ascontiguousarray(((values - self.centre[self._own]) / self.scale[self._own]).T)
        if merge:
            self.void |= self._repeated(np.where(varies, deviation / self._divisor, 0.0) ** 2 * len(self.rows))

    def __len__(self) -> int:
        return len(self.void)

    def columns(self, which: Indices) -> Floats:
        """(k, n) array of some of the columns."""
        found = self.of.unit[which[:, None], self.rows]
        found -= self._mean[which, None]
        found /= self._divisor[which, None]
        _, at, place = np.intersect1d(which, self._own, return_indices=True)
        found[at] = self._exact[place]
        found[self.void[which]] = 0.0
        return np.asarray(found)

    def products_with(self, rows: Floats) -> Floats:
        """(V, p) products of (V, n) rows with all columns."""
        return products_of([self], [rows])[0]

    def all_cases(self, rows: Floats) -> Floats:
        """(V, N) array: (V, n) rows, 0 for the cases outside."""
        found = np.zeros((len(rows), self.of.unit.shape[1]))
        found[:, self.rows] = rows
        return found

    def standardised(self, found: Floats, rows: Floats) -> Floats:
        """Turn (V, p) products with the columns of all cases into those with the columns of the fit, in place."""
        found -= rows.sum(axis=1)[:, None] * self._mean
        found /= self._divisor
        found[:, self._own] = rows @ self._exact.T
        found[:, self.void] = 0.0
        return found

    def _repeated(self, squares: Floats) -> Mask:
        """Mark the columns that equal an earlier one or its negative: the split between them would be arbitrary."""
        n, p = len(self.rows), len(self)
        key = np.abs(self.products_with(np.cos(np.arange(n))[None])[0])
        order = np.argsort(key, kind="stable")
        squares = squares[order]
        same = np.diff(key[order]) < 1e-9 * np.maximum(np.sqrt(n * squares[1:]), squares[1:] == 0.0)
        left, right = order[:-1][same], order[1:][same]
        alike = np.einsum("ij,ij->i", self.columns(left), self.columns(right))
        same[same] = np.abs(alike) >= np.maximum(squares[:-1], squares[1:])[same] * (1.0 - 1e-12)
        first = np.minimum.reduceat(order, np.flatnonzero(np.concatenate([[True], ~same])))
        repeated = np.ones(p, dtype=bool)
        repeated[first] = False
        return repeated


def products_of(views: Sequence[View], rows: Sequence[Floats]) -> list[Floats]:
    """(V, p) products of the (V, n) rows of each view with its columns, looked up together."""
    stacked = np.vstack([view.all_cases(each) for view, each in zip(views, rows, strict=True)])
    found = products(stacked, views[0].of.unit)
    ends = np.cumsum([len(each) for each in rows])[:-1]
    parts = zip(views, np.split(found, ends), rows, strict=True)
    return [view.standardised(part, each) for view, part, each in parts]


def _moments(columns: Floats, rows: Indices) -> tuple[Floats, Floats, Mask]:
    """(p,) means, 1/n standard deviations, and whether they vary, of some of the cases of (p, N) columns."""
    size = len(columns)
    means, deviations, varies = np.empty(size), np.empty(size), np.empty(size, dtype=np.bool_)
    for j in range(size):
        column = columns[j]
        total, low, high = 0.0, np.inf, -np.inf
        for i in rows:
            total += column[i]
            low, high = min(low, column[i]), max(high, column[i])
        mean, squares = total / len(rows), 0.0
        for i in rows:
            squares += (column[i] - mean) ** 2
        means[j], deviations[j], varies[j] = mean, np.sqrt(squares / len(rows)), low != high
    return means, deviations, varies
