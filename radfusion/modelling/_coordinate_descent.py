"""Penalised quadratic problems, solved by coordinate descent and, on the support it finds, exactly.

References
----------
1. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
   J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

_SWEEPS = 4  # of coordinate descent between two exact solutions
_ROUNDS = 50
# Relative; lets the exact solution pass over directions that no probability depends on (a shift of all classes).
_RIDGE = 1e-11


def _sweep(hessian: Floats, penalty: Floats, coefficients: Floats, gradient: Floats) -> None:  # noqa: PLR0917
    """Cycle through the coordinates in place; `gradient`, that of the smooth part, is kept up to date."""
    size = coefficients.size
    for _ in range(_SWEEPS):
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
            for i in range(size):
                gradient[i] += change * hessian[j, i]


@cache
def _compiled_sweep() -> Callable[[Floats, Floats, Floats, Floats], None]:
    from numba import njit

    compiled: Callable[[Floats, Floats, Floats, Floats], None] = njit(cache=True)(_sweep)
    return compiled


def violations(penalty: Floats, coefficients: Floats, gradient: Floats) -> Floats:
    """Say by how much each coefficient misses its Karush-Kuhn-Tucker (KKT) condition.

    Parameters
    ----------
    penalty : array, weight of each coefficient's absolute value
    coefficients : array of the same shape
    gradient : array of the same shape, derivative of the smooth part

    Returns
    -------
    Array of the same shape, zero or positive; all zero at the minimum.
    """
    at_zero = np.maximum(np.abs(gradient) - penalty, 0.0)
    return np.where(coefficients == 0.0, at_zero, np.abs(gradient + penalty * np.sign(coefficients)))


class Quadratic:
    """Second-order approximation of a multinomial loss at fixed probabilities, grown as coefficients join.

    A coefficient is named by its class `v` and its column. Adding coefficients leaves the curvature of those already
    there as it is, so that one matrix serves several steps and several lambdas.

    Parameters
    ----------
    probabilities : (n, V) array at which the curvature is taken; V = 1 for the binomial loss
    columns : (n, q) array, Fortran order
    """

    def __init__(self, probabilities: Floats, columns: Floats) -> None:
        n, n_vectors = probabilities.shape
        self._probabilities = probabilities
        self._columns = columns
        self._designs: list[Floats] = [np.empty((n, 0)) for _ in range(n_vectors)]
        self._rows: list[Indices] = [np.empty(0, dtype=np.intp) for _ in range(n_vectors)]
        self._storage: Floats = np.empty((64, 64))
        self._support: Mask = np.empty(0, dtype=bool)
        self._factor: tuple[Floats, bool] | None = None
        self._at: tuple[Indices, Indices] = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))

    @property
    def at(self) -> tuple[Indices, Indices]:
        """(class, column) of the coefficients, in the order of every vector taken and given."""
        return self._at

    @property
    def _hessian(self) -> Floats:
        size = self._at[0].size
        return self._storage[:size, :size]

    def extend(self, wanted: Mask) -> None:
        """Add the coefficients marked in the (V, columns) mask that are not there yet."""
        lacking = wanted.copy()
        lacking[self._at] = False
        for v in np.flatnonzero(lacking.any(axis=1)):
            self._extend_class(int(v), np.flatnonzero(lacking[v]))

    def _extend_class(self, v: int, added: Indices) -> None:
        size = self._at[0].size
        self._reserve(size + added.size)
        new = slice(size, size + added.size)
        design = self._columns[:, added]
        self._designs[v] = np.asfortranarray(np.hstack([self._designs[v], design]))
        self._rows[v] = np.concatenate([self._rows[v], np.arange(size, size + added.size)])
        self._at = (np.concatenate([self._at[0], np.full(added.size, v)]), np.concatenate([self._at[1], added]))
        for w, (other, rows) in enumerate(zip(self._designs, self._rows, strict=True)):
            weight = self._probabilities[:, v] * (float(v == w) - self._probabilities[:, w]) / len(other)
            block = (weight[:, None] * design).T @ other
            self._storage[new, rows] = block
            self._storage[rows, new] = block.T

    def _reserve(self, size: int) -> None:
        if size > len(self._storage):
            storage = np.empty((int(1.3 * size) + 64,) * 2)
            present = self._hessian
            storage[: len(present), : len(present)] = present
            self._storage = storage

    def change_of_scores(self, change: Floats) -> Floats:
        """Turn a change of the coefficients into the (n, V) change of the linear predictors."""
        return np.column_stack([design @ change[rows] for design, rows in zip(self._designs, self._rows, strict=True)])

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
        sweep, coefficients, gradient = _compiled_sweep(), start.copy(), gradient.copy()
        for _ in range(_ROUNDS):
            sweep(self._hessian, penalty, coefficients, gradient)
            if violations(penalty, coefficients, gradient).max() <= tolerance:
                break
            change = self._change_on_support(gradient, coefficients, penalty)
            coefficients += change
            gradient += self._hessian @ change
            if violations(penalty, coefficients, gradient).max() <= tolerance:
                break
        return coefficients

    def _change_on_support(self, gradient: Floats, coefficients: Floats, penalty: Floats) -> Floats:
        """Go to the minimum for the present signs, or as far towards it as no sign changes."""
        from scipy.linalg import cho_solve

        support = (coefficients != 0.0) | (penalty == 0.0)
        if self._factor is None or not np.array_equal(support, self._support):
            self._factorise(support)
        change = np.zeros_like(coefficients)
        if self._factor is None:
            return change
        target = -gradient[support] - penalty[support] * np.sign(coefficients[support])
        change[support] = cho_solve(self._factor, target, check_finite=False)
        crosses = (penalty > 0.0) & (coefficients * (coefficients + change) <= 0.0) & (change != 0.0)
        if crosses.any():
            reach = -coefficients[crosses] / change[crosses]
            change *= reach.min()
            first = np.flatnonzero(crosses)[reach == reach.min()]
            change[first] = -coefficients[first]
        return change

    def _factorise(self, support: Mask) -> None:
        from scipy.linalg import LinAlgError, cho_factor

        inner = self._hessian[support][:, support]
        inner.flat[:: len(inner) + 1] *= 1.0 + _RIDGE
        try:
            self._factor = cho_factor(inner, overwrite_a=True, check_finite=False)
        except LinAlgError:  # dependent columns: coordinate descent alone goes on
            self._factor = None
        self._support = support
