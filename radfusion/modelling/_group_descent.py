"""Quadratic problems that penalise the 2-norm of each feature's coefficients over the classes.

References
----------
1. Simon N, Friedman J, Hastie T. A blockwise descent algorithm for group-penalized multiresponse and multinomial
   regression. 2013. arXiv:1311.6529
"""

import numpy as np

from radfusion.modelling._quadratic import Floats, Indices, Quadratic, Singles, compiled

_SWEEPS = 10  # at most, of block descent between two Newton steps
_ROUNDS = 50
_HALVINGS = 30
# Relative; the shift of all intercepts changes no probability and has no curvature.
_RIDGE = 1e-6


def _sweep_groups(  # noqa: PLR0917
    hessian: Singles, groups: Indices, weights: Floats, steps: Floats, coefficients: Floats, gradient: Floats
) -> float:
    """Cycle once through the groups in place; `gradient`, that of the smooth part, is kept up to date."""
    size, largest = coefficients.size, 0.0
    target = np.empty(groups.shape[1])
    for g in range(groups.shape[0]):
        norm = 0.0
        for k, j in enumerate(groups[g]):
            target[k] = steps[g] * coefficients[j] - gradient[j]
            norm += target[k] * target[k]
        norm = np.sqrt(norm)
        shrink = 0.0 if norm <= weights[g] else (1.0 - weights[g] / norm) / steps[g]
        for k, j in enumerate(groups[g]):
            change = shrink * target[k] - coefficients[j]
            if change == 0.0:
                continue
            coefficients[j] = shrink * target[k]
            largest = max(largest, steps[g] * abs(change))
            for i in range(size):
                gradient[i] += change * hessian[j, i]
    return float(largest)


class GroupDescent:
    """Minimises a quadratic with a penalty on the 2-norm of each feature's coefficients.

    Parameters
    ----------
    quadratic : Quadratic
        Holds the coefficients of all classes for each of its columns; may grow between two calls.
    """

    def __init__(self, quadratic: Quadratic) -> None:
        self._quadratic = quadratic

    def minimise(self, gradient: Floats, start: Floats, penalty: Floats, *, tolerance: float) -> Floats:
        """Minimise gradient'(b - start) + (b - start)'H(b - start)/2 + sum over groups of penalty ||b||.

        Parameters
        ----------
        gradient : (m,) array, that of the smooth part at `start`
        start : (m,) array
        penalty : (m,) array, the same within a group, zero where not penalised
        tolerance : float
            Largest KKT violation to leave.

        Returns
        -------
        (m,) array whose groups off the support are exactly zero.
        """
        sweep, groups, hessian = compiled(_sweep_groups), self._groups(), self._quadratic.hessian
        weights = penalty[groups[:, 0]]
        blocks = hessian[groups[:, :, None], groups[:, None, :]].astype(np.float64)
        steps = np.maximum(np.linalg.eigvalsh(blocks)[:, -1], np.finfo(float).tiny)
        coefficients, gradient = start.copy(), gradient.copy()
        for _ in range(_ROUNDS):
            for _ in range(_SWEEPS):
                if sweep(hessian, groups, weights, steps, coefficients, gradient) <= 0.5 * tolerance:
                    break
            if _missed(gradient[groups], coefficients[groups], weights) <= tolerance:
                break
            self._newton_step(gradient, coefficients, groups, weights=weights)
        return coefficients

    def _groups(self) -> Indices:
        """(G, V) positions of each column's coefficients, in the order of the classes."""
        classes, columns = self._quadratic.at
        order = np.lexsort((classes, columns))
        return order.reshape(-1, int(classes.max()) + 1)

    def _newton_step(self, gradient: Floats, coefficients: Floats, groups: Indices, *, weights: Floats) -> None:
        """Move all groups that are not zero at once, half as far until the objective falls."""
        present = (weights == 0.0) | coefficients[groups].any(axis=1)
        at, weight = groups[present].ravel(), weights[present]
        start, slope = coefficients[at].reshape(-1, groups.shape[1]), gradient[at]
        norm = np.where(weight > 0.0, np.linalg.norm(start, axis=1), 1.0)
        unit = start / norm[:, None]
        curvature = self._quadratic.hessian[at[:, None], at].astype(np.float64)
        curved = curvature.copy()
        across = np.eye(start.shape[1]) - unit[:, :, None] * unit[:, None, :]
        own = np.arange(len(start))
        curved.reshape(*start.shape, *start.shape)[own, :, own, :] += (weight / norm)[:, None, None] * across
        curved[np.diag_indices(at.size)] *= 1.0 + _RIDGE
        change = np.linalg.solve(curved, -slope - (weight[:, None] * unit).ravel())
        for _ in range(_HALVINGS):
            norms = np.linalg.norm(start + change.reshape(start.shape), axis=1)
            gain = slope @ change + 0.5 * change @ curvature @ change + weight @ (norms - norm)
            if gain <= 0.0:
                coefficients[at] += change
                gradient += change @ self._quadratic.hessian[at, : gradient.size].astype(np.float64)
                return
            change = 0.5 * change


def _missed(gradients: Floats, coefficients: Floats, weights: Floats) -> float:
    """By how much a Karush-Kuhn-Tucker (KKT) condition of (G, V) groups is missed at most."""
    norms = np.sqrt((coefficients**2).sum(axis=1))
    unit = coefficients / np.where(norms > 0.0, norms, 1.0)[:, None]
    slopes = np.sqrt(((gradients + weights[:, None] * unit) ** 2).sum(axis=1))
    return float(np.where(norms > 0.0, slopes, slopes - weights).max())
