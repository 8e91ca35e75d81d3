"""The solver behind the LASSO path: proximal Newton steps along decreasing lambdas.

Each step replaces the log-likelihood by a quadratic approximation with the full curvature, across classes too. The
curvature is kept as long as the steps it gives contract quickly. Strong rules admit few features to the problem, and
the Karush-Kuhn-Tucker (KKT) conditions of all features are checked before a solution is accepted.

References
----------
1. Lee JD, Sun Y, Saunders MA. Proximal Newton-type methods for minimizing composite functions. SIAM J Optim
   2014;24(3):1420-1443. doi:10.1137/130921428
2. Tibshirani R, et al. Strong rules for discarding predictors in lasso-type problems. J R Stat Soc B
   2012;74(2):245-266. doi:10.1111/j.1467-9868.2011.01004.x
"""

import warnings

import numpy as np

from radfusion.modelling._coordinate_descent import Floats, Mask, Quadratic, violations

_STEPS = 200
_HALVINGS = 40
_SLOW = 0.25  # a step that leaves more than this share of the violation asks for a new curvature
_INEXACT = 0.1  # each quadratic problem is solved to this share of the present violation
_ROUNDING = 1e-12


def class_probabilities(scores: Floats) -> Floats:
    """Turn linear predictors into probabilities.

    Parameters
    ----------
    scores : (n, V) array; the softmax is taken over V classes, the logistic function when V is 1

    Returns
    -------
    (n, V) array.
    """
    if scores.shape[1] == 1:
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores))
    exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=1, keepdims=True))


def mean_loss(scores: Floats, indicator: Floats) -> float:
    """Return -(1/n) log-likelihood of (n, V) linear predictors for the (n, V) class indicator."""
    if scores.shape[1] == 1:
        normaliser = np.logaddexp(0.0, scores[:, 0])
    else:
        top = scores.max(axis=1)
        normaliser = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float(np.mean(normaliser - (scores * indicator).sum(axis=1)))


class LassoSolver:
    """Solutions at decreasing lambdas, each starting from those before.

    Parameters
    ----------
    x : (n, p) array, columns with mean 0 and 1/n standard deviation 1 (or all zero)
    indicator : (n, V) array of 0 and 1; V = 1 is the binomial model (1: second class), otherwise one column per class
    tolerance : float
        No KKT condition of an accepted solution is missed by more than this share of lambda.
    """

    def __init__(self, x: Floats, indicator: Floats, tolerance: float) -> None:
        self._x, self._indicator, self._tolerance = x, indicator, tolerance
        # A class without cases gets a probability too small to matter instead of an infinite intercept.
        share = np.clip(indicator.mean(axis=0), _ROUNDING, 1.0 - _ROUNDING)
        intercepts = np.log(share / (1.0 - share)) if share.size == 1 else np.log(share)
        self._scores: Floats = np.repeat(intercepts[None, :], len(x), axis=0)
        self._full_gradient: Floats = self._residual().T @ x
        self.lambda_max = float(np.abs(self._full_gradient).max(initial=0.0))
        # Column 0 is the intercept, then come the admitted features in the order of admission.
        self._columns: Floats = np.empty((len(x), x.shape[1] + 1), order="F")
        self._columns[:, 0] = 1.0
        self._features = np.empty(0, dtype=np.intp)
        self._coefficients: Floats = intercepts[:, None].copy()
        self._history: list[tuple[float, Floats]] = [(self.lambda_max, self._coefficients)]
        self._model: Quadratic | None = None

    @property
    def loss(self) -> float:
        """-(1/n) log-likelihood of the present solution."""
        return mean_loss(self._scores, self._indicator)

    @property
    def intercepts(self) -> Floats:
        """(V,) intercepts of the present solution."""
        return self._coefficients[:, 0]

    @property
    def coefficients(self) -> Floats:
        """(V, p) coefficients of the standardised columns."""
        full = np.zeros((len(self._coefficients), self._x.shape[1]))
        full[:, self._features] = self._coefficients[:, 1:]
        return full

    def solve(self, penalty: float) -> None:
        """Move to the solution at lambda = `penalty`, no larger than the lambda before."""
        strong = 2.0 * penalty - max(self._history[-1][0], penalty)
        self._admit(np.abs(self._full_gradient).max(axis=0) >= strong)
        self._extrapolate(penalty)
        while True:
            self._descend(penalty)
            self._full_gradient = self._residual().T @ self._x
            missed = np.abs(self._full_gradient).max(axis=0) > penalty * (1.0 + self._tolerance)
            missed[self._features] = False
            if not missed.any():
                break
            self._admit(missed)
        if len(self._coefficients) > 1:
            # Adding a number to a feature's coefficients in all classes changes no probability; this sum is smallest.
            self._coefficients[:, 1:] -= np.median(self._coefficients[:, 1:], axis=0)
        self._history = [self._history[-1], (penalty, self._coefficients.copy())]

    def _residual(self) -> Floats:
        return (class_probabilities(self._scores) - self._indicator) / len(self._indicator)

    def _admit(self, mask: Mask) -> None:
        mask[self._features] = False
        new = np.flatnonzero(mask)
        first = self._coefficients.shape[1]
        self._columns[:, first : first + new.size] = self._x[:, new]
        self._features = np.concatenate([self._features, new])
        self._coefficients = np.pad(self._coefficients, ((0, 0), (0, new.size)))

    def _extrapolate(self, penalty: float) -> None:
        """Start where the last two solutions point to, coefficient by coefficient where the sign holds."""
        (earlier, before), (last, present) = self._history[0], self._history[-1]
        if not 0.0 < last - penalty <= 2.0 * (earlier - last):
            return
        before = np.pad(before, ((0, 0), (0, self._coefficients.shape[1] - before.shape[1])))
        present = self._coefficients
        ahead = present + (last - penalty) / (earlier - last) * (present - before)
        holds = (before * present > 0.0) & (present * ahead > 0.0)
        holds[:, 0] = True
        self._coefficients = np.where(holds, ahead, present)
        self._scores = self._columns[:, : present.shape[1]] @ self._coefficients.T

    def _descend(self, penalty: float) -> None:
        """Minimise over the admitted features."""
        columns = self._columns[:, : self._coefficients.shape[1]]
        weights = np.full(self._coefficients.shape, penalty)
        weights[:, 0] = 0.0
        enough = max(self._tolerance * penalty, _ROUNDING)
        before = np.inf
        for _ in range(_STEPS):
            gradient = self._residual().T @ columns
            missed = violations(weights, self._coefficients, gradient)
            worst = float(missed.max())
            if worst <= enough:
                return
            if self._model is None or worst > _SLOW * before:
                self._model = Quadratic(class_probabilities(self._scores), self._columns)
            self._model.extend((missed > 0.0) | (self._coefficients != 0.0))
            self._step(self._model, gradient, weights, tolerance=max(_INEXACT * worst, 0.3 * enough))
            before = worst
        warnings.warn(f"LASSO at lambda = {penalty:.6g}: KKT conditions are missed by {worst:.3g}", RuntimeWarning, 3)

    def _step(self, model: Quadratic, gradient: Floats, weights: Floats, *, tolerance: float) -> None:
        start = self._coefficients[model.at]
        change = model.minimise(gradient[model.at], start, weights[model.at], tolerance=tolerance) - start
        direction = np.zeros_like(self._coefficients)
        direction[model.at] = change
        after = self._coefficients + direction
        gain = weights * (np.abs(after) - np.abs(self._coefficients)) + gradient * direction
        self._move(direction, model.change_of_scores(change), weights, promised=float(gain.sum()))

    def _move(self, direction: Floats, change_of_scores: Floats, weights: Floats, *, promised: float) -> None:
        """Halve the step until the objective falls by a share of what was promised, and take it."""
        start = self._coefficients

        def penalised(length: float, scores: Floats) -> float:
            return mean_loss(scores, self._indicator) + float((weights * np.abs(start + length * direction)).sum())

        now = penalised(0.0, self._scores)
        length = 1.0
        for _ in range(_HALVINGS):
            scores = self._scores + length * change_of_scores
            if penalised(length, scores) <= now + 1e-4 * length * promised + 1e-14 * abs(now):
                break
            length *= 0.5
        self._scores = scores
        self._coefficients = start + length * direction
