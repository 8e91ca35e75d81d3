"""L1-penalised logistic regression (LASSO) for two or more classes, with the conventions of R's glmnet.

The objective is -(1/n) log-likelihood + lambda * sum |b| over columns divided by their 1/n standard deviation, with
intercepts that are not penalised. Two classes are fitted as a binomial model with one coefficient per feature, more
classes as the symmetric multinomial model with one coefficient per feature and class ("ungrouped"). `Penalty` names
the other penalties: the elastic net, groups over the classes, and columns that are not standardised.

References
----------
1. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
   J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radfusion.errors import FeatureError
from radfusion.modelling._held_out import MEASURES, judged
from radfusion.modelling._lasso_fit import (
    Fit,
    Floats,
    Integers,
    Penalty,
    Solution,
    checked,
    fits,
    one_thread,
    probabilities,
)

__all__ = ["LassoCV", "LassoPath", "Penalty", "cross_validated_lasso", "lasso_path"]

_LASSO = Penalty()
_TOLERANCE = 1e-6
_FOLD_TOLERANCE = 1e-5
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
    null_deviance : float
        -2 log-likelihood of the model without features, summed over the cases.
    """

    lambdas: Floats
    coefficients: Floats
    intercepts: Floats
    deviance_ratio: Floats
    null_deviance: float

    @property
    def n_nonzero(self) -> Integers:
        """(L,) integer array, features with a non-zero coefficient in any class."""
        return np.asarray((self.coefficients != 0.0).any(axis=1).sum(axis=1))

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
        return probabilities(np.asarray(x, dtype=np.float64), self.coefficients[index], self.intercepts[index])


@dataclass(frozen=True, eq=False)
class LassoCV:
    """A path with its cross-validated measure.

    Attributes
    ----------
    path : LassoPath, fitted to all cases
    cvm : (L,) array, mean over folds (weighted by size) of the measure, by default the deviance per case
    cvsd : (L,) array, standard error of `cvm`
    index_min : int
        Position of the best `cvm` (the largest lambda among equals).
    index_1se : int
        Position of the largest lambda whose `cvm` is within one standard error of the best.
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
        """Lambda with the best cross-validated measure."""
        return float(self.path.lambdas[self.index_min])

    @property
    def lambda_1se(self) -> float:
        """Largest lambda within one standard error of the best cross-validated measure."""
        return float(self.path.lambdas[self.index_1se])


def lasso_path(
    x: Floats,
    labels: Integers,
    *,
    lambdas: int | Sequence[float] | Floats = 100,
    penalty: Penalty = _LASSO,
    tolerance: float = _TOLERANCE,
) -> LassoPath:
    """Fit the LASSO along decreasing values of lambda.

    Where `lambdas` is a number the grid is glmnet's: so many values from the smallest lambda that leaves no feature
    down to 1e-4 of it (1e-2 when there are fewer cases than features), ended early once the deviance ratio passes
    0.999 or grows by less than 1e-5. A column gets the coefficient 0 when it does not vary, or, in a LASSO, when it
    repeats an earlier one up to shift and sign (and scale, where columns are standardised).

    Parameters
    ----------
    x : (n, p) array, finite
    labels : (n,) integer array, classes 0 to K - 1, each present
    lambdas : int or sequence of float
        Length of the grid, or positive values; those are used in decreasing order, all of them.
    penalty : Penalty
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
    >>> path = lasso_path(x, (x[:, 2] + 0.5 * rng.normal(size=60) > 0).astype(int))
    >>> int(path.n_nonzero[0]), np.flatnonzero(path.coefficients[5, 0]).tolist()
    (0, [2])
    """
    x, labels, _ = checked(x, labels)
    with one_thread():
        (fit,) = fits(x, labels, [np.ones(len(x), dtype=bool)], penalty=penalty, tolerances=[tolerance])
        return _path(list(fit.along(lambdas)), fit)


def cross_validated_lasso(
    x: Floats,
    labels: Integers,
    folds: Integers,
    *,
    lambdas: int | Sequence[float] | Floats = 100,
    penalty: Penalty = _LASSO,
    measure: Literal["deviance", "class", "auc"] = "deviance",
) -> LassoCV:
    """Choose lambda by cross-validation, as ``cv.glmnet`` does with an explicit grid.

    The grid of the full data serves every fold. glmnet's own grid (see `lasso_path`) also ends where the
    cross-validated deviance is 10 % worse than that of the model without features, unless another measure is asked
    for, since no lambda beyond is chosen. A class that a fold leaves no training case of is as good as impossible
    there.

    Parameters
    ----------
    x : (n, p) array, finite
    labels : (n,) integer array, classes 0 to K - 1, each present
    folds : (n,) integer array, the fold that each case is held out in; keep the cases of one patient together
    lambdas : int or sequence of float
        As `lasso_path`.
    penalty : Penalty
    measure : str
        Of the held-out cases: ``deviance`` (-2 log-likelihood per case, probabilities limited to [1e-5, 1 - 1e-5]),
        ``class`` (share misclassified) or ``auc`` (two classes, within each fold, ties counted half where glmnet
        breaks them at random).

    Returns
    -------
    LassoCV

    Raises
    ------
    FeatureError
        As `lasso_path`; also fewer than two folds, an unknown measure, or folds without an AUC.
    """
    x, labels, _ = checked(x, labels)
    folds = np.asarray(folds)
    names, sizes = np.unique(folds, return_counts=True)
    if folds.shape != labels.shape or names.size < 2:
        raise FeatureError(f"folds has shape {folds.shape} and {names.size} folds; {labels.shape} and 2 or more needed")
    if measure not in MEASURES:
        raise FeatureError(f"measure is {measure!r}; {', '.join(MEASURES)} known")
    of, sign = MEASURES[measure]
    with one_thread():
        outside = [np.ones(len(x), dtype=bool), *(folds != name for name in names)]
        tolerances = [_TOLERANCE] + [_FOLD_TOLERANCE] * names.size
        whole, *parts = fits(x, labels, outside, penalty=penalty, tolerances=tolerances)
        held_out = [(x[folds == name], labels[folds == name]) for name in names]
        solutions: list[Solution] = []
        values: list[list[float]] = []
        for solution in whole.along(lambdas, parts):
            solutions.append(solution)
            found = (part.solution(solution.penalty) for part in parts)
            predicted = (
                probabilities(cases, each.coefficients, each.intercepts)
                for (cases, _), each in zip(held_out, found, strict=True)
            )
            values.append([of(each, own) for each, (_, own) in zip(predicted, held_out, strict=True)])
            endable = isinstance(lambdas, int) and measure == "deviance"
            if endable and sizes @ values[-1] > _HOPELESS * (sizes @ values[0]):
                break
    return LassoCV(_path(solutions, whole), *judged(np.array(values), sizes, sign))


def _path(solutions: list[Solution], fit: Fit) -> LassoPath:
    lambdas, coefficients, intercepts, ratio = (np.array(values) for values in zip(*solutions, strict=True))
    return LassoPath(lambdas, coefficients, intercepts, ratio, fit.null_deviance)
