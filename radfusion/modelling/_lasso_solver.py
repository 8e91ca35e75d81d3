"""The solver behind the LASSO path and its kin: proximal Newton steps along decreasing lambdas.

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
from collections.abc import Sequence

import numpy as np

from radfusion.modelling._lasso_columns import View, products_of
from radfusion.modelling._penalties import Descent, Norm
from radfusion.modelling._quadratic import Floats, Indices, Mask, Quadratic, compiled

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


def _binomial(scores: Floats, indicator: Floats, probabilities: Floats) -> float:
    """Fill in the (1, n) probabilities and return -(1/n) log-likelihood."""
    loss = 0.0
    for i in range(scores.shape[1]):
        score = scores[0, i]
        small = np.exp(-abs(score))
        probabilities[0, i] = (1.0 if score > 0.0 else small) / (1.0 + small)
        loss += max(score, 0.0) + np.log1p(small) - score * indicator[0, i]
    return float(loss / scores.shape[1])


def _multinomial(scores: Floats, indicator: Floats, probabilities: Floats) -> float:
    """Fill in the (V, n) probabilities and return -(1/n) log-likelihood."""
    n_classes, n = scores.shape
    loss = 0.0
    for i in range(n):
        top = scores[0, i]
        for v in range(1, n_classes):
            top = max(top, scores[v, i])
        total = 0.0
        for v in range(n_classes):
            probabilities[v, i] = np.exp(scores[v, i] - top)
            total += probabilities[v, i]
            loss += (top - scores[v, i]) * indicator[v, i]
        loss += np.log(total)
        for v in range(n_classes):
            probabilities[v, i] /= total
    return float(loss / n)


def _scores(coefficients: Floats, columns: Floats) -> Floats:
    """Return the (V, n) products of (V, q) coefficients, few of which are not zero, and (q, n) columns."""
    scores = np.zeros((coefficients.shape[0], columns.shape[1]))
    for v in range(coefficients.shape[0]):
        for j in range(coefficients.shape[1]):
            coefficient = coefficients[v, j]
            if coefficient == 0.0:
                continue
            for i in range(columns.shape[1]):
                scores[v, i] += coefficient * columns[j, i]
    return scores


def _some_products(left: Floats, right: Floats, at: Indices, result: Floats) -> None:  # noqa: PLR0917
    """Fill in the (a, b) products of (a, n) with (b, n) rows at some of b."""
    for b in at:
        for a in range(left.shape[0]):
            total = 0.0
            for i in range(right.shape[1]):
                total += left[a, i] * right[b, i]
            result[a, b] = total


def solve(solvers: Sequence["LassoSolver"], penalty: float) -> None:
    """Move solvers of the same columns to their solutions at lambda = `penalty`, together."""
    for solver in solvers:
        solver.begin(penalty)
    moving = list(solvers)
    while moving:
        gradients = products_of([solver.view for solver in moving], [solver.residual for solver in moving])
        done = [solver.settle(penalty, found) for solver, found in zip(moving, gradients, strict=True)]
        moving = [solver for solver, settled in zip(moving, done, strict=True) if not settled]


class LassoSolver:
    """Solutions at decreasing lambdas, each starting from those before.

    Parameters
    ----------
    view : View
        p columns of n cases, with mean 0.
    indicator : (n, V) array of 0 and 1; V = 1 is the binomial model (1: second class), otherwise one column per class
    norm : Norm
        What lambda alpha is multiplied with; lambda (1 - alpha) goes to half the sum of squares.
    alpha : float
    tolerance : float
        No KKT condition of an accepted solution is missed by more than this share of lambda alpha.
    """

    def __init__(self, view: View, indicator: Floats, norm: Norm, *, alpha: float, tolerance: float) -> None:
        self.view = view
        self._indicator = np.ascontiguousarray(indicator.T)
        self._norm, self._alpha, self._tolerance = norm, alpha, tolerance
        self._weight = self._ridge = 0.0  # lambda alpha and lambda (1 - alpha)
        self._evaluate = compiled(_binomial if indicator.shape[1] == 1 else _multinomial)
        # Column 0 is the intercept, then come the admitted features in the order of admission.
        self._columns: Floats = np.empty((len(view) + 1, len(indicator)))
        self._columns[0] = 1.0
        self._features = np.empty(0, dtype=np.intp)
        self._place = np.zeros(len(view), dtype=np.intp)  # among the columns; 0: not admitted
        self._working = np.zeros(1, dtype=np.intp)  # columns that are looked at, of those admitted so far
        # A class without cases gets a probability too small to matter instead of an infinite intercept.
        share = np.clip(indicator.mean(axis=0), _ROUNDING, 1.0 - _ROUNDING)
        intercepts = np.log(share / (1.0 - share)) if share.size == 1 else np.log(share)
        self._probabilities: Floats = np.empty_like(self._indicator)
        self._start_at(intercepts[:, None])
        self._strengths = norm.strengths(view.products_with(self.residual))
        self.lambda_max = float(self._strengths.max(initial=0.0)) / alpha
        self._history: list[tuple[float, Floats]] = [(self.lambda_max, self._coefficients)]
        self._model: tuple[Quadratic, Descent] | None = None

    @property
    def loss(self) -> float:
        """-(1/n) log-likelihood of the present solution."""
        return self._loss

    @property
    def intercepts(self) -> Floats:
        """(V,) intercepts of the present solution."""
        return self._coefficients[:, 0]

    @property
    def coefficients(self) -> Floats:
        """(V, p) coefficients of the standardised columns."""
        full = np.zeros((len(self._coefficients), len(self.view)))
        full[:, self._features] = self._coefficients[:, 1:]
        return full

    @property
    def residual(self) -> Floats:
        """(V, n) derivatives of the loss by the scores."""
        return np.asarray((self._probabilities - self._indicator) / self._indicator.shape[1])

    def begin(self, penalty: float) -> None:
        """Move to lambda = `penalty`, no larger than the one before, as far as strong rules see the solution."""
        self._weight, self._ridge = penalty * self._alpha, penalty * (1.0 - self._alpha)
        strong = 2.0 * penalty - max(self._history[-1][0], penalty)
        self._working = self._present()
        self._admit(self._strengths >= strong * self._alpha)
        self._extrapolate(penalty)
        self._descend(penalty)

    def settle(self, penalty: float, gradients: Floats) -> bool:
        """Look at the (V, p) derivatives by all features; False: more had to be admitted, look again."""
        self._strengths = self._norm.strengths(gradients)
        missed = self._strengths > self._weight * (1.0 + self._tolerance)
        missed[self._features[self._working[1:] - 1]] = False
        if missed.any():
            self._admit(missed)
            self._descend(penalty)
            return False
        if self._ridge == 0.0:
            self._norm.centre(self._coefficients)
        self._history = [self._history[-1], (penalty, self._coefficients.copy())]
        return True

    def _start_at(self, coefficients: Floats) -> None:
        self._coefficients = coefficients
        self._scores: Floats = compiled(_scores)(coefficients, self._columns)
        self._loss: float = self._evaluate(self._scores, self._indicator, self._probabilities)

    def _gradient(self, at: Indices) -> Floats:
        """(V, q) derivatives of the smooth part by some of the admitted features; 0 elsewhere."""
        gradient = np.zeros_like(self._coefficients)
        compiled(_some_products)(self.residual, self._columns, at, gradient)
        if self._ridge > 0.0:
            gradient[:, 1:] += self._ridge * self._coefficients[:, 1:]
        return gradient

    def _penalty(self, coefficients: Floats) -> float:
        """Value of the part of the objective that is not the loss."""
        squares = float((coefficients[:, 1:] ** 2).sum()) if self._ridge > 0.0 else 0.0
        return self._weight * self._norm.value(coefficients) + 0.5 * self._ridge * squares

    def _admit(self, mask: Mask) -> None:
        """Add features to those that are looked at."""
        new = np.flatnonzero(mask & (self._place == 0))
        first = self._coefficients.shape[1]
        self._columns[first : first + new.size] = self.view.columns(new)
        self._features = np.concatenate([self._features, new])
        self._place[new] = first + np.arange(new.size)
        self._working = np.union1d(self._working, self._place[mask])
        self._coefficients = np.hstack([self._coefficients, np.zeros((len(self._coefficients), new.size))])

    def _extrapolate(self, penalty: float) -> None:
        """Start where the last two solutions point to, coefficient by coefficient where the sign holds."""
        (earlier, before), (last, _) = self._history[0], self._history[-1]
        if not 0.0 < last - penalty <= 2.0 * (earlier - last):
            return
        start = self._coefficients.copy()
        present = start[:, : before.shape[1]]
        ahead = present + (last - penalty) / (earlier - last) * (present - before)
        holds = (before * present > 0.0) & (present * ahead > 0.0)
        holds[:, 0] = True
        np.copyto(present, ahead, where=holds)
        self._start_at(start)

    def _descend(self, penalty: float) -> None:
        """Minimise over the working features; between a first and a last look at all, over those that matter."""
        enough = max(self._tolerance * self._weight, _ROUNDING)
        before, wanted = np.inf, np.empty(self._coefficients.shape, dtype=bool)
        at = self._working
        for _ in range(_STEPS):
            gradient = self._gradient(at)
            worst = self._norm.examine(self._weight, self._coefficients, gradient, wanted=wanted)
            if worst <= enough and at is not self._working:
                at = self._working
                continue
            if worst <= enough:
                return
            if self._model is None or worst > _SLOW * before:
                quadratic = Quadratic(self._probabilities.copy(), self._columns)
                self._model = quadratic, self._norm.descent(quadratic)
            quadratic, descent = self._model
            quadratic.extend(wanted)
            quadratic.damp(self._ridge)
            start, slope = self._coefficients[quadratic.at], gradient[quadratic.at]
            weights = np.where(quadratic.at[1] > 0, self._weight, 0.0)
            tolerance = max(_INEXACT * worst, 0.3 * enough)
            change = descent.minimise(slope, start, weights, tolerance=tolerance) - start
            direction = np.zeros_like(self._coefficients)
            direction[quadratic.at] = change
            self._move(direction, float(slope @ change))
            at, before = self._present(), worst
        warnings.warn(f"LASSO at lambda = {penalty:.6g}: KKT conditions are missed by {worst:.3g}", RuntimeWarning, 3)

    def _present(self) -> Indices:
        """Admitted features that are not zero or have a part in the quadratic."""
        present = (self._coefficients != 0.0).any(axis=0)
        present[0] = True
        if self._model is not None:
            present[self._model[0].at[1]] = True
        return np.flatnonzero(present)

    def _move(self, direction: Floats, slope: float) -> None:
        """Halve the step along `direction` until the objective falls by a share of what is promised."""
        start, penalty = self._coefficients, self._penalty(self._coefficients)
        promised = slope + self._weight * (self._norm.value(start + direction) - self._norm.value(start))
        now = self._loss + penalty
        change_of_scores = compiled(_scores)(direction, self._columns)
        length = 1.0
        for _ in range(_HALVINGS):
            scores = self._scores + length * change_of_scores
            self._loss = self._evaluate(scores, self._indicator, self._probabilities)
            self._coefficients = start + length * direction
            objective = self._loss + self._penalty(self._coefficients)
            if objective <= now + 1e-4 * length * promised + 1e-14 * abs(now):
                break
            length *= 0.5
        self._scores = scores
