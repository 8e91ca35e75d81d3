"""Second-order approximation of a multinomial loss, and the compiled products it is made of."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Real = TypeVar("Real", np.float32, np.float64)
Singles = NDArray[np.float32]

_FEW = 6  # rows, up to which plain loops beat BLAS


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers with numba, on its first use."""
    from numba import njit

    # Sums may be reordered, which is what lets them use vector instructions; the order stays that of the compiled code.
    result: Callable[..., Any] = njit(cache=True, fastmath={"reassoc", "contract"})(function)
    return result


def products(left: NDArray[Real], right: NDArray[Real]) -> NDArray[Real]:
    """Return the (a, b) products of (a, n) rows with (b, n) rows; made for few rows on the left."""
    return np.asarray(left @ right.T if len(left) > _FEW else compiled(_few_products)(left, right))


def _few_products(left: NDArray[Real], right: NDArray[Real]) -> NDArray[Real]:
    result = np.empty((left.shape[0], right.shape[0]), left.dtype)
    for b in range(right.shape[0]):
        for a in range(left.shape[0]):
            total = left[a, 0] * right[b, 0]
            for i in range(1, right.shape[1]):
                total += left[a, i] * right[b, i]
            result[a, b] = total
    return result


class Quadratic:
    """Second-order approximation of a multinomial loss at fixed probabilities, grown as coefficients join.

    A coefficient is named by its class `v` and its column. Adding coefficients leaves the curvature of those already
    there as it is, so that one matrix serves several steps and several lambdas. Being an approximation, it is held in
    single precision: the exact gradient, not the curvature, decides where the steps end.

    Parameters
    ----------
    probabilities : (V, n) array at which the curvature is taken; V = 1 for the binomial loss
    columns : (q, n) array, the first for the intercept
    """

    def __init__(self, probabilities: Floats, columns: Floats) -> None:
        n_vectors, n = probabilities.shape
        self.ridge = 0.0
        self._probabilities = probabilities
        self._columns = columns
        self._designs: list[Singles] = [np.empty((16, n), np.float32) for _ in range(n_vectors)]
        self._rows: list[Indices] = [np.empty(0, dtype=np.intp) for _ in range(n_vectors)]
        self._has = np.zeros((n_vectors, len(columns)), dtype=bool)
        self._hessian: Singles = np.empty((64, 64), np.float32)
        self._at: tuple[Indices, Indices] = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))

    @property
    def at(self) -> tuple[Indices, Indices]:
        """(class, column) of the m coefficients, in the order of every vector taken and given."""
        return self._at

    @property
    def hessian(self) -> Singles:
        """Storage whose first m rows and columns are the curvature."""
        return self._hessian

    def damp(self, ridge: float) -> None:
        """Add ridge/2 times the sum of squares of all coefficients but intercepts, instead of the ridge before."""
        if ridge != self.ridge:
            penalised = np.flatnonzero(self._at[1])
            self._hessian[penalised, penalised] += np.float32(ridge - self.ridge)
            self.ridge = ridge

    def extend(self, wanted: Mask) -> None:
        """Add the coefficients marked in the (V, columns) mask that are not there yet."""
        lacking = wanted & ~self._has[:, : wanted.shape[1]]
        if not lacking.any():
            return
        for v in np.flatnonzero(lacking.any(axis=1)):
            self._extend_class(int(v), np.flatnonzero(lacking[v]))
        self._has[:, : wanted.shape[1]] |= lacking

    def _extend_class(self, v: int, added: Indices) -> None:
        size, before = self._at[0].size, self._rows[v].size
        self._hessian = reserved(self._hessian, size, size + added.size, square=True)
        self._designs[v] = reserved(self._designs[v], before, before + added.size)
        design = self._columns[added].astype(np.float32)
        self._designs[v][before : before + added.size] = design
        joined = np.arange(size, size + added.size)
        self._rows[v] = np.concatenate([self._rows[v], joined])
        self._at = (np.concatenate([self._at[0], np.full(added.size, v)]), np.concatenate([self._at[1], added]))
        new, share = slice(size, size + added.size), self._probabilities / self._probabilities.shape[1]
        for w, (other, rows) in enumerate(zip(self._designs, self._rows, strict=True)):
            if rows.size:
                weight = (share[v] * (float(v == w) - self._probabilities[w])).astype(np.float32)
                block = products(weight * design, other[: rows.size])
                self._hessian[new, rows] = block
                self._hessian[rows, new] = block.T
        self._hessian[joined, joined] += np.where(added > 0, self.ridge, 0.0).astype(np.float32)


def reserved(storage: NDArray[Real], used: int, needed: int, *, square: bool = False) -> NDArray[Real]:
    """Return `storage`, or a larger array with the same content if it has fewer than the rows needed."""
    if needed <= len(storage):
        return storage
    length = int(1.3 * needed) + 64
    larger = np.empty((length, length if square else storage.shape[1]), storage.dtype)
    width = used if square else storage.shape[1]
    larger[:used, :width] = storage[:used, :width]
    return larger
