"""Penalised quadratic problems, solved by coordinate descent and, on the support it finds, exactly.

References
----------
1. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
   J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
"""

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

_SWEEPS = 40  # at most, of coordinate descent between two exact solutions
_ROUNDS = 50
_FEW = 6  # rows, up to which plain loops beat BLAS
# Relative; lets the exact solution pass over directions that no probability depends on (a shift of all classes).
_RIDGE = 1e-6


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


def _sweep(  # noqa: PLR0917
    hessian: Singles, penalty: Floats, coefficients: Floats, gradient: Floats, tolerance: float
) -> None:
    """Cycle through the coordinates in place; `gradient`, that of the smooth part, is kept up to date."""
    size = coefficients.size
    for _ in range(_SWEEPS):
        largest = 0.0
        for j in range(size):
            curvature = hessian[j, j]
            if curvature <= 0.0:
                continue
            target = curvature * coefficients[j] - gradient[j]
            excess = abs(target) - penalty[j]
            new = 0.0 if excess <= 0.0 else np.copysign(excess, target) / curvature
            change = new - coefficients[j]
            if change == 0.0:
                continue
            coefficients[j] = new
            largest = max(largest, curvature * abs(change))
            for i in range(size):
                gradient[i] += change * hessian[j, i]
        if largest <= tolerance:
            break


def _worst(penalty: Floats, coefficients: Floats, gradient: Floats) -> float:
    """Largest amount by which a coefficient misses its Karush-Kuhn-Tucker (KKT) condition."""
    worst = 0.0
    for j in range(coefficients.size):
        if coefficients[j] == 0.0:
            worst = max(worst, abs(gradient[j]) - penalty[j])
        else:
            worst = max(worst, abs(gradient[j] + np.copysign(penalty[j], coefficients[j])))
    return worst


def _factorised(hessian: Singles, at: Indices, factor: Floats, first: int) -> bool:  # noqa: PLR0917
    """Fill in the rows from `first` of L, where L L' is the Hessian at `at`; False for dependent columns."""
    for i in range(first, at.size):
        for j in range(i):
            rest = hessian[at[i], at[j]]
            for k in range(j):
                rest -= factor[i, k] * factor[j, k]
            factor[i, j] = rest / factor[j, j]
        rest = hessian[at[i], at[i]] * (1.0 + _RIDGE)
        for k in range(i):
            rest -= factor[i, k] * factor[i, k]
        if rest <= 0.0:
            return False
        factor[i, i] = np.sqrt(rest)
    return True


def _substituted(factor: Floats, target: Floats) -> None:
    """Solve L L' z = target in place."""
    for i in range(target.size):
        known = 0.0
        for j in range(i):
            known += factor[i, j] * target[j]
        target[i] = (target[i] - known) / factor[i, i]
    for i in range(target.size - 1, -1, -1):
        target[i] /= factor[i, i]
        for j in range(i):
            target[j] -= factor[i, j] * target[i]


def _moved(  # noqa: PLR0917
    hessian: Singles, penalty: Floats, coefficients: Floats, gradient: Floats, at: Indices, change: Floats
) -> None:
    """Change the coefficients at `at` in place by as much of `change` as makes no penalised one change its sign."""
    reach = 1.0
    for k, j in enumerate(at):
        if penalty[j] > 0.0 and coefficients[j] * (coefficients[j] + change[k]) <= 0.0 and change[k] != 0.0:
            reach = min(reach, -coefficients[j] / change[k])
    for k, j in enumerate(at):
        step = reach * change[k]
        if penalty[j] > 0.0 and change[k] != 0.0 and -coefficients[j] / change[k] == reach:
            step = -coefficients[j]
        coefficients[j] += step
        for i in range(coefficients.size):
            gradient[i] += step * hessian[j, i]


class Quadratic:
    """Second-order approximation of a multinomial loss at fixed probabilities, grown as coefficients join.

    A coefficient is named by its class `v` and its column. Adding coefficients leaves the curvature of those already
    there as it is, so that one matrix serves several steps and several lambdas. Being an approximation, it is held in
    single precision: the exact gradient, not the curvature, decides where the steps end.

    Parameters
    ----------
    probabilities : (V, n) array at which the curvature is taken; V = 1 for the binomial loss
    columns : (q, n) array
    """

    def __init__(self, probabilities: Floats, columns: Floats) -> None:
        n_vectors, n = probabilities.shape
        self._probabilities = probabilities
        self._columns = columns
        self._designs: list[Singles] = [np.empty((16, n), np.float32) for _ in range(n_vectors)]
        self._rows: list[Indices] = [np.empty(0, dtype=np.intp) for _ in range(n_vectors)]
        self._has = np.zeros((n_vectors, len(columns)), dtype=bool)
        self._hessian: Singles = np.empty((64, 64), np.float32)  # the part in use is as large as `at`
        self._order: Indices = np.empty(0, dtype=np.intp)  # of the coefficients in the factor
        self._factor: Floats = np.empty((64, 64))
        self._at: tuple[Indices, Indices] = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))

    @property
    def at(self) -> tuple[Indices, Indices]:
        """(class, column) of the coefficients, in the order of every vector taken and given."""
        return self._at

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
        self._hessian = _reserved(self._hessian, size, size + added.size, square=True)
        self._designs[v] = _reserved(self._designs[v], before, before + added.size)
        design = self._columns[added].astype(np.float32)
        self._designs[v][before : before + added.size] = design
        self._rows[v] = np.concatenate([self._rows[v], np.arange(size, size + added.size)])
        self._at = (np.concatenate([self._at[0], np.full(added.size, v)]), np.concatenate([self._at[1], added]))
        new, share = slice(size, size + added.size), self._probabilities / self._probabilities.shape[1]
        for w, (other, rows) in enumerate(zip(self._designs, self._rows, strict=True)):
            if rows.size:
                weight = (share[v] * (float(v == w) - self._probabilities[w])).astype(np.float32)
                block = products(weight * design, other[: rows.size])
                self._hessian[new, rows] = block
                self._hessian[rows, new] = block.T

    def minimise(self, gradient: Floats, start: Floats, penalty: Floats, *, tolerance: float) -> Floats:
        """Minimise gradient'(b - start) + (b - start)'H(b - start)/2 + sum penalty |b|.

        Parameters
        ----------
        gradient : (m,) array, that of the smooth part at `start`
        start : (m,) array
        penalty : (m,) array, zero for a coefficient that is not penalised
        tolerance : float
            Largest KKT violation to leave.

        Returns
        -------
        (m,) array with exact zeros off the support.
        """
        sweep, worst = compiled(_sweep), compiled(_worst)
        coefficients, gradient = start.copy(), gradient.copy()
        for _ in range(_ROUNDS):
            sweep(self._hessian, penalty, coefficients, gradient, 0.5 * tolerance)
            if worst(penalty, coefficients, gradient) <= tolerance:
                break
            self._move_on_support(gradient, coefficients, penalty)
            if worst(penalty, coefficients, gradient) <= tolerance:
                break
        return coefficients

    def _move_on_support(self, gradient: Floats, coefficients: Floats, penalty: Floats) -> None:
        """Go to the minimum for the present signs, or as far towards it as no sign changes."""
        support = (coefficients != 0.0) | (penalty == 0.0)
        if not self._factorise(support):
            return
        at = self._order
        change = -gradient[at] - penalty[at] * np.sign(coefficients[at])
        compiled(_substituted)(self._factor, change)
        compiled(_moved)(self._hessian, penalty, coefficients, gradient, at, change)

    def _factorise(self, support: Mask) -> bool:
        """Keep the rows before the first coefficient that left; those that joined come last."""
        stays = support[self._order]
        joins = support.copy()
        joins[self._order] = False
        first = stays.size if stays.all() else int(stays.argmin())
        self._order = np.concatenate([self._order[stays], np.flatnonzero(joins)])
        self._factor = _reserved(self._factor, first, self._order.size, square=True)
        done: bool = compiled(_factorised)(self._hessian, self._order, self._factor, first)
        if not done:  # coordinate descent alone goes on
            self._order = self._order[:0]
        return done


def _reserved(storage: NDArray[Real], used: int, needed: int, *, square: bool = False) -> NDArray[Real]:
    """Return `storage`, or a larger array with the same content if it has fewer than the rows needed."""
    if needed <= len(storage):
        return storage
    length = int(1.3 * needed) + 64
    larger = np.empty((length, length if square else storage.shape[1]), storage.dtype)
    width = used if square else storage.shape[1]
    larger[:used, :width] = storage[:used, :width]
    return larger
