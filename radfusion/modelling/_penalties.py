"""What a penalty must say to the solver: of each coefficient on its own, or of a feature's coefficients together."""

from typing import Protocol

import numpy as np

from radfusion.modelling._coordinate_descent import CoordinateDescent
from radfusion.modelling._group_descent import GroupDescent
from radfusion.modelling._quadratic import Floats, Mask, Quadratic, compiled


class Descent(Protocol):
    """Minimises a penalised quadratic."""

    def minimise(self, gradient: Floats, start: Floats, penalty: Floats, *, tolerance: float) -> Floats:
        """Return the minimum, starting at `start`, to a largest KKT violation of `tolerance`."""


class Norm(Protocol):
    """A norm of (V, q) coefficients whose first column, the intercepts, does not count."""

    def strengths(self, gradients: Floats) -> Floats:
        """Return the (p,) weights of the penalty at which each feature's zero coefficients would leave zero."""

    def value(self, coefficients: Floats) -> float:
        """Return the norm."""

    def examine(self, weight: float, coefficients: Floats, gradient: Floats, *, wanted: Mask) -> float:
        """Mark what is not zero or should not be; return by how much a KKT condition is missed."""

    def centre(self, coefficients: Floats) -> None:
        """Choose, in place, among coefficients that give the same probabilities those of the smallest norm."""

    def descent(self, quadratic: Quadratic) -> Descent:
        """Return a minimiser of this penalty."""


class Separate:
    """The sum of |b| over features and classes."""

    def strengths(self, gradients: Floats) -> Floats:
        """Largest absolute derivative in any class."""
        return np.asarray(np.abs(gradients).max(axis=0))

    def value(self, coefficients: Floats) -> float:
        """Sum of absolute values."""
        return float(np.abs(coefficients[:, 1:]).sum())

    def examine(self, weight: float, coefficients: Floats, gradient: Floats, *, wanted: Mask) -> float:
        """Examine each coefficient."""
        worst: float = compiled(_examine)(weight, coefficients, gradient, wanted)
        return worst

    def centre(self, coefficients: Floats) -> None:
        """Subtract each feature's median over the classes: a shift of all of them changes no probability."""
        n_vectors = len(coefficients)
        if n_vectors > 1:
            several = 1 + np.flatnonzero(2 * np.count_nonzero(coefficients[:, 1:], axis=0) >= n_vectors)
            ordered = np.sort(coefficients[:, several], axis=0)
            coefficients[:, several] -= 0.5 * (ordered[(n_vectors - 1) // 2] + ordered[n_vectors // 2])

    def descent(self, quadratic: Quadratic) -> Descent:
        """Coordinate descent."""
        return CoordinateDescent(quadratic)


class Grouped:
    """The sum over features of the 2-norm over classes, so that a feature enters all classes together."""

    def strengths(self, gradients: Floats) -> Floats:
        """2-norm of the derivatives."""
        return np.asarray(np.linalg.norm(gradients, axis=0))

    def value(self, coefficients: Floats) -> float:
        """Sum of 2-norms."""
        return float(np.linalg.norm(coefficients[:, 1:], axis=0).sum())

    def examine(self, weight: float, coefficients: Floats, gradient: Floats, *, wanted: Mask) -> float:
        """Examine each feature's coefficients together."""
        norms = np.linalg.norm(coefficients, axis=0)
        weights = np.where(np.arange(norms.size) > 0, weight, 0.0)
        toward = weights / np.where(norms > 0.0, norms, 1.0) * coefficients
        slopes = np.linalg.norm(gradient + toward, axis=0)
        missed = np.where(norms > 0.0, slopes, slopes - weights)
        wanted[:] = (norms > 0.0) | (missed > 0.0) | (weights == 0.0)
        return float(missed.max())

    def centre(self, coefficients: Floats) -> None:
        """Leave them: the smallest norm is that of coefficients with mean 0, which the solution has."""

    def descent(self, quadratic: Quadratic) -> Descent:
        """Block descent."""
        return GroupDescent(quadratic)


def _examine(penalty: float, coefficients: Floats, gradient: Floats, wanted: Mask) -> float:  # noqa: PLR0917
    worst = 0.0
    for v in range(coefficients.shape[0]):
        for j in range(coefficients.shape[1]):
            weight = penalty if j > 0 else 0.0
            if coefficients[v, j] == 0.0:
                missed = abs(gradient[v, j]) - weight
                wanted[v, j] = missed > 0.0
            else:
                missed = abs(gradient[v, j] + np.copysign(weight, coefficients[v, j]))
                wanted[v, j] = True
            worst = max(worst, missed)
    return float(worst)
