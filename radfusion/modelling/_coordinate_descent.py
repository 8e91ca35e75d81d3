"""Penalised quadratic problems, solved by coordinate descent and, on the support it finds, exactly.

References
----------
1. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
   J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
"""

import numpy as np

from radfusion.modelling._quadratic import Floats, Indices, Mask, Quadratic, Singles, compiled, reserved

_SWEEPS = 40  # at most, of coordinate descent between two exact solutions
_ROUNDS = 50
# Relative; lets the exact solution pass over directions that no probability depends on (a shift of all classes).
_RIDGE = 1e-6


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


class CoordinateDescent:
    """Minimises a quadratic with an absolute-value penalty on each coefficient.

    Parameters
    ----------
    quadratic : Quadratic
        May grow between two calls.
    """

    def __init__(self, quadratic: Quadratic) -> None:
        self._quadratic = quadratic
        self._ridge = quadratic.ridge
        self._order: Indices = np.empty(0, dtype=np.intp)  # of the coefficients in the factor
        self._factor: Floats = np.empty((64, 64))

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
            sweep(self._quadratic.hessian, penalty, coefficients, gradient, 0.5 * tolerance)
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
        compiled(_moved)(self._quadratic.hessian, penalty, coefficients, gradient, at, change)

    def _factorise(self, support: Mask) -> bool:
        """Keep the rows before the first coefficient that left; those that joined come last."""
        if self._ridge != self._quadratic.ridge:
            self._order, self._ridge = self._order[:0], self._quadratic.ridge
        stays = support[self._order]
        joins = support.copy()
        joins[self._order] = False
        first = stays.size if stays.all() else int(stays.argmin())
        self._order = np.concatenate([self._order[stays], np.flatnonzero(joins)])
        self._factor = reserved(self._factor, first, self._order.size, square=True)
        done: bool = compiled(_factorised)(self._quadratic.hessian, self._order, self._factor, first)
        if not done:  # coordinate descent alone goes on
            self._order = self._order[:0]
        return done
