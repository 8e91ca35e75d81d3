"""Cases on their way along a path of lambdas: standardised, with glmnet's grid and its rules for ending it early."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import FeatureError
from radfusion.modelling._lasso_columns import Columns, View
from radfusion.modelling._lasso_solver import LassoSolver, class_probabilities, solve
from radfusion.modelling._penalties import Grouped, Separate

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# glmnet's rules for ending its own grid.
_FIRST_STOP = 5
_LARGEST_RATIO = 0.999
_SMALLEST_GAIN = 1e-5
_SMALLEST_ALPHA = 1e-3


@dataclass(frozen=True)
class Penalty:
    """What lambda is multiplied with: alpha * norm(b) + (1 - alpha)/2 * sum b^2.

    Attributes
    ----------
    alpha : float, 0.001 to 1
        1 is the LASSO, less an elastic net.
    grouped : bool
        With more than two classes, norm(b) is the sum over features of the 2-norm over classes, so that a feature
        enters all classes together; otherwise the sum of |b| over features and classes.
    standardize : bool
        Whether b belongs to features divided by their 1/n standard deviation, or to the features as given.

    Raises
    ------
    FeatureError
        When alpha is outside its range.

    References
    ----------
    1. Zou H, Hastie T. Regularization and variable selection via the elastic net. J R Stat Soc B 2005;67(2):301-320.
       doi:10.1111/j.1467-9868.2005.00503.x
    2. Yuan M, Lin Y. Model selection and estimation in regression with grouped variables. J R Stat Soc B
       2006;68(1):49-67. doi:10.1111/j.1467-9868.2005.00532.x
    """

    alpha: float = 1.0
    grouped: bool = False
    standardize: bool = True

    def __post_init__(self) -> None:
        if not _SMALLEST_ALPHA <= self.alpha <= 1.0:
            raise FeatureError(f"alpha is {self.alpha}; {_SMALLEST_ALPHA} to 1 allowed")


class Solution(NamedTuple):
    """Coefficients at one lambda."""

    penalty: float
    coefficients: Floats  # (V, p), original scale
    intercepts: Floats  # (V,)
    deviance_ratio: float


class Fit:
    """Cases on their way along the path; unlike the whole data, a fold may lack a class."""

    def __init__(self, view: View, labels: Integers, penalty: Penalty, *, n_classes: int, tolerance: float) -> None:
        modelled = np.arange(n_classes) if n_classes > 2 else np.array([1])
        norm = Grouped() if penalty.grouped and n_classes > 2 else Separate()
        indicator = (labels[view.rows, None] == modelled).astype(np.float64)
        self._view = view
        self.solver = LassoSolver(view, indicator, norm, alpha=penalty.alpha, tolerance=tolerance)
        self._null = self.solver.loss
        self._smallest = 1e-2 if len(view.rows) < len(view) else 1e-4
        self.null_deviance = 2.0 * len(view.rows) * self._null

    def along(self, lambdas: int | Sequence[float] | Floats, beside: Sequence["Fit"] = ()) -> Iterator[Solution]:
        """Yield the solutions at the given lambdas, or along glmnet's grid of that length until glmnet would end it.

        Fits `beside` move along.
        """
        own = isinstance(lambdas, int)
        ratios: list[float] = []
        for penalty in self._grid(lambdas) if isinstance(lambdas, int) else _checked_lambdas(lambdas):
            solve([each.solver for each in (self, *beside)], float(penalty))
            solution = self.solution(float(penalty))
            yield solution
            ratios.append(solution.deviance_ratio)
            flat = len(ratios) >= _FIRST_STOP and ratios[-1] - ratios[-2] < _SMALLEST_GAIN
            if own and (flat or (len(ratios) >= _FIRST_STOP and ratios[-1] > _LARGEST_RATIO)):
                return

    def solution(self, penalty: float) -> Solution:
        """What was found at lambda = `penalty`, where the fit is."""
        coefficients = self.solver.coefficients / self._view.scale
        intercepts = self.solver.intercepts - coefficients @ self._view.centre
        if intercepts.size > 1:
            intercepts = intercepts - intercepts.mean()
        return Solution(penalty, coefficients, intercepts, 1.0 - self.solver.loss / self._null)

    def _grid(self, count: int) -> Floats:
        if self.solver.lambda_max <= 0.0:
            raise FeatureError("no column of x varies together with the labels")
        return np.asarray(self.solver.lambda_max * self._smallest ** np.linspace(0.0, 1.0, count))


def fits(
    x: Floats, labels: Integers, inside: Sequence[NDArray[np.bool_]], *, penalty: Penalty, tolerances: Sequence[float]
) -> list[Fit]:
    """Fits to the cases of each mask, which may move along the lambdas together."""
    columns = Columns(x)
    # Below an alpha of 1, the split between equal columns is not arbitrary.
    views = [View(columns, each, standardize=penalty.standardize, merge=penalty.alpha == 1.0) for each in inside]
    count = int(labels.max()) + 1
    return [
        Fit(view, labels, penalty, n_classes=count, tolerance=tolerance)
        for view, tolerance in zip(views, tolerances, strict=True)
    ]


def checked(x: Floats, labels: Integers) -> tuple[Floats, Integers, int]:
    """Return the arrays and the number of classes.

    Raises
    ------
    FeatureError
        Shapes that do not fit, values that are not finite, labels that are not 0 to K - 1.
    """
    x, labels = np.asarray(x, dtype=np.float64), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise FeatureError(f"x has shape {x.shape} and labels {labels.shape}; (n, p) and (n,) needed")
    if not np.isfinite(x).all():
        column = int(np.flatnonzero(~np.isfinite(x).all(axis=0))[0])
        raise FeatureError(f"column {column} holds values that are not finite")
    codes = labels.astype(np.intp)
    found = np.unique(codes)
    if (codes != labels).any() or found.size < 2 or not np.array_equal(found, np.arange(found.size)):
        raise FeatureError(f"labels are {np.unique(labels).tolist()}; 0, 1 and so on needed, two classes or more")
    return x, codes, found.size


def _checked_lambdas(lambdas: Sequence[float] | Floats) -> Floats:
    values = np.sort(np.asarray(lambdas, dtype=np.float64))[::-1]
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > 0.0)).all():
        raise FeatureError("lambdas must be positive and finite, at least one")
    return values


def probabilities(x: Floats, coefficients: Floats, intercepts: Floats) -> Floats:
    """(n, K) probabilities of (n, p) cases from (V, p) coefficients."""
    modelled = class_probabilities(x @ coefficients.T + intercepts)
    return np.hstack([1.0 - modelled, modelled]) if modelled.shape[1] == 1 else modelled


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS: on matrices of this size, threads wait for each other most of the time."""
    import scipy.linalg  # noqa: F401  # its BLAS can be limited only once it is loaded
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits
