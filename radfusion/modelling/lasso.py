"""L1-penalised logistic regression (LASSO) for two or more classes, with the conventions of R's glmnet.

The objective is -(1/n) log-likelihood + lambda * sum |b| over columns divided by their 1/n standard deviation, with
intercepts that are not penalised. Two classes are fitted as a binomial model with one coefficient per feature, more
classes as the symmetric multinomial model with one coefficient per feature and class ("ungrouped").

References
----------
1. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
   J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import FeatureError
from radfusion.modelling._lasso_solver import LassoSolver, class_probabilities

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_TOLERANCE = 1e-6
_FOLD_TOLERANCE = 1e-5
# glmnet's rules for ending its own grid early, and its limits for probabilities in a cross-validated deviance.
_FIRST_STOP = 5
_LARGEST_RATIO = 0.999
_SMALLEST_GAIN = 1e-5
_CLIP = 1e-5
# Past this multiple of the deviance without features, the rest of the grid cannot be chosen.
_HOPELESS = 1.1


@dataclass(frozen=True, eq=False)
class LassoPath:
    """Solutions for L decreasing values of lambda; V is 1 for two classes, otherwise the number of classes.

    Attributes
    ----------
    lambdas : (L,) array
    coefficients : (L, V, p) array, on the scale of the features as given
    intercepts : (L, V) array; for more than two classes they sum to 0
    deviance_ratio : (L,) array, share of the null deviance explained
    n_nonzero : (L,) integer array, features with a non-zero coefficient in any class
    """

    lambdas: Floats
    coefficients: Floats
    intercepts: Floats
    deviance_ratio: Floats
    n_nonzero: Integers

    def predict_proba(self, x: Floats, index: int) -> Floats:
        """Predict class probabilities at one lambda.

        Parameters
        ----------
        x : (m, p) array
        index : int
            Position in `lambdas`.

        Returns
        -------
        (m, K) array whose rows sum to 1.
        """
        return _probabilities(np.asarray(x, dtype=np.float64), self.coefficients[index], self.intercepts[index])


@dataclass(frozen=True, eq=False)
class LassoCV:
    """A path with its cross-validated deviance.

    Attributes
    ----------
    path : LassoPath, fitted to all cases
    cvm : (L,) array, mean over folds (weighted by size) of the deviance per case, -2 log-likelihood
    cvsd : (L,) array, standard error of `cvm`
    index_min : int
        Position of the smallest `cvm` (the largest lambda among equals).
    index_1se : int
        Position of the largest lambda whose `cvm` is within one standard error of the smallest.
    """

    path: LassoPath
    cvm: Floats
    cvsd: Floats
    index_min: int
    index_1se: int

    @property
    def lambdas(self) -> Floats:
        """(L,) lambdas of the path and of every fold."""
        return self.path.lambdas

    @property
    def lambda_min(self) -> float:
        """Lambda with the smallest cross-validated deviance."""
        return float(self.path.lambdas[self.index_min])

    @property
    def lambda_1se(self) -> float:
        """Largest lambda within one standard error of the smallest cross-validated deviance."""
        return float(self.path.lambdas[self.index_1se])


def lasso_path(
    x: Floats,
    labels: Integers,
    n_classes: int,
    *,
    lambdas: Sequence[float] | Floats | None = None,
    n_lambdas: int = 100,
    tolerance: float = _TOLERANCE,
) -> LassoPath:
    """Fit the LASSO along decreasing values of lambda.

    Without `lambdas` the grid is glmnet's: `n_lambdas` values from the smallest lambda that leaves no feature down to
    1e-4 of it (1e-2 when there are fewer cases than features), ended early once the deviance ratio passes 0.999 or
    grows by less than 1e-5. A column gets the coefficient 0 when it does not vary, or when it repeats an earlier one up
    to shift, scale and sign.

    Parameters
    ----------
    x : (n, p) array, finite
    labels : (n,) integer array, classes 0 to `n_classes` - 1, each present
    n_classes : int
    lambdas : sequence of float, optional
        Positive values; used in decreasing order, all of them.
    n_lambdas : int
    tolerance : float
        No Karush-Kuhn-Tucker condition is missed by more than this share of lambda.

    Returns
    -------
    LassoPath

    Raises
    ------
    FeatureError
        Shapes that do not fit, values that are not finite, a class without cases, or no column that varies.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 5))
    >>> path = lasso_path(x, (x[:, 2] + 0.5 * rng.normal(size=60) > 0).astype(int), 2)
    >>> int(path.n_nonzero[0]), np.flatnonzero(path.coefficients[5, 0]).tolist()
    (0, [2])
    """
    x, labels = _checked(x, labels, n_classes)
    with _one_thread():
        fit = _Fit(x, labels, n_classes, tolerance=tolerance)
        return _path(list(_along(fit, lambdas, n_lambdas)))


def cross_validated_lasso(
    x: Floats,
    labels: Integers,
    folds: Integers,
    *,
    n_classes: int,
    lambdas: Sequence[float] | Floats | None = None,
    n_lambdas: int = 100,
) -> LassoCV:
    """Choose lambda by cross-validated deviance, as ``cv.glmnet`` does with an explicit grid.

    The grid of the full data serves every fold. Without `lambdas` it also ends where the cross-validated deviance is
    10 % worse than that of the model without features, since no lambda beyond is chosen. Probabilities are limited to
    [1e-5, 1 - 1e-5] in the deviance. A class that a fold leaves no training case of is as good as impossible there.

    Parameters
    ----------
    x : (n, p) array, finite
    labels : (n,) integer array, classes 0 to `n_classes` - 1, each present
    folds : (n,) integer array, the fold that each case is held out in; keep the cases of one patient together
    n_classes : int
    lambdas : sequence of float, optional
        Instead of glmnet's grid (see `lasso_path`).
    n_lambdas : int

    Returns
    -------
    LassoCV

    Raises
    ------
    FeatureError
        As `lasso_path`; also fewer than two folds.
    """
    x, labels = _checked(x, labels, n_classes)
    folds = np.asarray(folds)
    names, sizes = np.unique(folds, return_counts=True)
    if folds.shape != labels.shape or names.size < 2:
        raise FeatureError(f"folds has shape {folds.shape} and {names.size} folds; {labels.shape} and 2 or more needed")
    with _one_thread():
        fit = _Fit(x, labels, n_classes, tolerance=_TOLERANCE)
        parts = [_Part(x, labels, folds == name, n_classes=n_classes) for name in names]
        solutions, deviances = [], []
        for solution in _along(fit, lambdas, n_lambdas):
            solutions.append(solution)
            deviances.append([part.deviance(solution.penalty) for part in parts])
            if lambdas is None and sizes @ deviances[-1] > _HOPELESS * (sizes @ deviances[0]):
                break
    return _judged(_path(solutions), np.array(deviances), sizes)


def _one_thread() -> AbstractContextManager[object]:
    """Limit BLAS: on matrices of this size, threads wait for each other most of the time."""
    import scipy.linalg  # noqa: F401  # its BLAS can be limited only once it is loaded
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def _checked(x: Floats, labels: Integers, n_classes: int) -> tuple[Floats, Integers]:
    x, labels = np.asarray(x, dtype=np.float64), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise FeatureError(f"x has shape {x.shape} and labels {labels.shape}; (n, p) and (n,) needed")
    if not np.isfinite(x).all():
        column = int(np.flatnonzero(~np.isfinite(x).all(axis=0))[0])
        raise FeatureError(f"column {column} holds values that are not finite")
    codes = labels.astype(np.intp)
    found = np.unique(codes)
    if (codes != labels).any() or not np.array_equal(found, np.arange(n_classes)) or n_classes < 2:
        raise FeatureError(f"labels are {found.tolist()}; each of 0 to {n_classes - 1} needed, two classes or more")
    return x, codes


def _checked_lambdas(lambdas: Sequence[float] | Floats) -> Floats:
    values = np.sort(np.asarray(lambdas, dtype=np.float64))[::-1]
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > 0.0)).all():
        raise FeatureError("lambdas must be positive and finite, at least one")
    return values


def _probabilities(x: Floats, coefficients: Floats, intercepts: Floats) -> Floats:
    probabilities = class_probabilities(x @ coefficients.T + intercepts)
    return np.hstack([1.0 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities


class _Solution(NamedTuple):
    penalty: float
    coefficients: Floats  # (V, p), original scale
    intercepts: Floats  # (V,)
    deviance_ratio: float


class _Fit:
    """Cases on their way along the path; unlike the whole data, a fold may lack a class."""

    def __init__(self, x: Floats, labels: Integers, n_classes: int, *, tolerance: float) -> None:
        varies = x.max(axis=0) != x.min(axis=0)
        self._centre, self._scale = x.mean(axis=0), np.where(varies, x.std(axis=0), 1.0)
        standardised = np.asfortranarray(np.where(varies, (x - self._centre) / self._scale, 0.0))
        standardised[:, _repeated(standardised)] = 0.0
        modelled = np.arange(n_classes) if n_classes > 2 else np.array([1])
        self._solver = LassoSolver(standardised, (labels[:, None] == modelled).astype(np.float64), tolerance)
        self._null = self._solver.loss
        self._smallest = 1e-2 if len(x) < x.shape[1] else 1e-4

    def grid(self, count: int) -> Floats:
        """Return glmnet's own lambdas."""
        if self._solver.lambda_max <= 0.0:
            raise FeatureError("no column of x varies together with the labels")
        return np.asarray(self._solver.lambda_max * self._smallest ** np.linspace(0.0, 1.0, count))

    def at(self, penalty: float) -> _Solution:
        """Move on to lambda = `penalty`."""
        self._solver.solve(penalty)
        coefficients = self._solver.coefficients / self._scale
        intercepts = self._solver.intercepts - coefficients @ self._centre
        if intercepts.size > 1:
            intercepts = intercepts - intercepts.mean()
        return _Solution(penalty, coefficients, intercepts, 1.0 - self._solver.loss / self._null)


def _repeated(standardised: Floats) -> NDArray[np.bool_]:
    """Mark the columns that equal an earlier one or its negative: the split between them would be arbitrary."""
    n, p = standardised.shape
    key = np.abs(np.cos(np.arange(n)) @ standardised)
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) < 1e-9 * n
    left, right = order[:-1][same], order[1:][same]
    products = np.einsum("ij,ij->j", standardised[:, left], standardised[:, right])
    same[same] = np.abs(products) > n * (1.0 - 1e-12)
    first = np.minimum.reduceat(order, np.flatnonzero(np.concatenate([[True], ~same])))
    repeated = np.ones(p, dtype=bool)
    repeated[first] = False
    return repeated


class _Part:
    """One fold: a fit to the cases outside it, judged on those inside."""

    def __init__(self, x: Floats, labels: Integers, inside: NDArray[np.bool_], *, n_classes: int) -> None:
        self._fit = _Fit(x[~inside], labels[~inside], n_classes, tolerance=_FOLD_TOLERANCE)
        self._x, self._labels = x[inside], labels[inside]

    def deviance(self, penalty: float) -> float:
        """Return the mean deviance of the fold's cases at lambda = `penalty`."""
        solution = self._fit.at(penalty)
        probabilities = _probabilities(self._x, solution.coefficients, solution.intercepts)
        own = probabilities[np.arange(self._labels.size), self._labels]
        return float(-2.0 * np.log(np.clip(own, _CLIP, 1.0 - _CLIP)).mean())


def _along(fit: _Fit, lambdas: Sequence[float] | Floats | None, n_lambdas: int) -> Iterator[_Solution]:
    """Yield the solutions at the given lambdas, or along glmnet's grid until glmnet would end it."""
    ratios: list[float] = []
    for penalty in fit.grid(n_lambdas) if lambdas is None else _checked_lambdas(lambdas):
        solution = fit.at(float(penalty))
        yield solution
        ratios.append(solution.deviance_ratio)
        flat = len(ratios) >= _FIRST_STOP and ratios[-1] - ratios[-2] < _SMALLEST_GAIN
        if lambdas is None and (flat or (len(ratios) >= _FIRST_STOP and ratios[-1] > _LARGEST_RATIO)):
            return


def _path(solutions: list[_Solution]) -> LassoPath:
    lambdas, coefficients, intercepts, ratio = (np.array(values) for values in zip(*solutions, strict=True))
    return LassoPath(lambdas, coefficients, intercepts, ratio, (coefficients != 0.0).any(axis=1).sum(axis=1))


def _judged(path: LassoPath, deviances: Floats, sizes: Integers) -> LassoCV:
    """Average the (L, folds) deviances and find the two lambdas that are commonly chosen."""
    cvm = np.average(deviances, axis=1, weights=sizes)
    spread = np.average((deviances - cvm[:, None]) ** 2, axis=1, weights=sizes)
    cvsd = np.sqrt(spread / (sizes.size - 1))
    index_min = int(np.argmin(cvm))
    index_1se = int(np.argmax(cvm <= cvm[index_min] + cvsd[index_min]))
    return LassoCV(path, cvm, cvsd, index_min, index_1se)
