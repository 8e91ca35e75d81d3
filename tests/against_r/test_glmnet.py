"""The LASSO and its kin against R's glmnet 4.1.6, every value.

R's paths are polished to Karush-Kuhn-Tucker (KKT) violations below 1e-12 and are met to 1e-6 on the standardised scale.
What glmnet itself left unpolished (deviance ratios, cross-validated measures, everything with its default threshold) is
as good as glmnet's convergence: good up to the lambda of least deviance, worse along the rest of the path, where the
KKT conditions, which `tests/modelling/test_lasso.py` checks, say who is right.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from radfusion.modelling._held_out import MEASURES, judged
from radfusion.modelling._lasso_fit import probabilities
from radfusion.modelling.lasso import LassoPath, Penalty, cross_validated_lasso, lasso_path
from tests.reference_values import Within, agrees_with_r

# Of standardised coefficients: tolerances for polished ones and for those of glmnet's default threshold.
POLISHED, DEFAULT = 1e-6, 2e-2
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Problem:
    x: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    penalty: Penalty
    best: int  # position of R's least deviance, up to which glmnet is accurate

    @property
    def scale(self):
        """What turns coefficients into standardised ones."""
        return self.x.std(axis=0) if self.penalty.standardize else np.ones(self.x.shape[1])

    @property
    def binomial(self):
        return self.labels.max() == 1

    def accurate(self, size, early, late):
        """Tolerances along a path: `early` where glmnet is accurate."""
        return np.where(np.arange(size) <= self.best, early, late)


@agrees_with_r("glmnet_binomial", slow=True)
def binomial(case):
    return computed(case)


@agrees_with_r("glmnet_multinomial", slow=True)
def multinomial(case):
    return computed(case)


def computed(case):
    expected, options = case["expected"], case["options"]
    grouped = options.get("type_multinomial") == "grouped"
    problem = Problem(
        *(np.array(case["input"][key]) for key in ("X", "y", "foldid")),
        Penalty(alpha=options["alpha"], grouped=grouped, standardize=options["standardize"]),
        expected["cv_explicit_lambda_tight"]["index_min_1based"] - 1,
    )
    theirs = r_path(expected["path_tight"], problem)
    path = lasso_path(problem.x, problem.labels, lambdas=theirs.lambdas, penalty=problem.penalty, tolerance=1e-10)
    missed = [kkt_violation(problem, theirs, index) for index in range(len(theirs.lambdas))]
    found = {
        **default_path(problem, expected),
        "null_deviance": path.null_deviance,
        "path_tight": tight_path(problem, expected["path_tight"], path),
        "max_kkt_violation_of_this_reference": Within(max(missed), 1e-10),
        # The path of glmnet's own that was polished is not in the file; by so much it may differ.
        "glmnet_minus_polished_max_abs_standardized_coefficient": Within(0.0, 1e-2),
        "fitted_probability_at_lambda_min_tight": within(path.predict_proba(problem.x, problem.best)[:, 1], 1e-6),
        "cv_default": cv_default(problem, expected),
    }
    found["path_tight"]["lambdas_polished"] = sum(each < 1e-10 for each in missed)
    for measure in MEASURES:
        key = "cv_explicit_lambda_tight" if measure == "deviance" else f"cv_{measure}_explicit_lambda_tight"
        if isinstance(expected.get(key), dict):
            found[key] = cv_explicit(problem, expected[key], path, theirs, measure=measure)
        else:  # cv.glmnet has no AUC with fewer than ten cases per fold
            found[key] = None
    return found


def default_path(problem, expected):
    """glmnet's own grid; where it ends is for its deviance ratios to say, which are less converged than ours."""
    n, ratios = len(expected["default_lambda"]), np.array(expected["default_dev_ratio"])
    start = lasso_path(problem.x, problem.labels, penalty=problem.penalty).lambdas[:2]
    lambdas = start[0] * (start[1] / start[0]) ** np.arange(n)
    enough = (np.diff(ratios, prepend=-np.inf) < 1e-5) | (ratios > 0.999)
    enough[:4] = False
    own = lasso_path(problem.x, problem.labels, lambdas=lambdas, penalty=problem.penalty)
    if enough.any():
        ended = int(np.argmax(enough)) + 1
    elif n == 100:
        ended = n
    else:  # glmnet gave up at its largest number of sweeps; ours goes at least as far
        whole = len(lasso_path(problem.x, problem.labels, penalty=problem.penalty).lambdas)
        ended = Within(whole, max(whole - n, 0))
    return {
        "lambda_max": Within(lambdas[0], 1e-10),
        "default_lambda": within(lambdas, 1e-10 * lambdas),
        "default_n_lambda": ended,
        "default_dev_ratio": within(own.deviance_ratio, problem.accurate(n, 1e-3, 0.05)),
    }


def tight_path(problem, expected, path):
    theirs = r_path(expected, problem)
    ours, errors = aligned(problem, path.coefficients, theirs.coefficients, tolerance=POLISHED)
    found = {
        "lambda": path.lambdas,
        "df": (ours != 0.0).any(axis=1).sum(axis=1),
        "dev_ratio": within(path.deviance_ratio, problem.accurate(len(ours), 1e-5, 1e-4)),
    }
    triplets = []
    for vector, error in zip(ours.swapaxes(0, 1), errors.swapaxes(0, 1), strict=True):
        at = np.nonzero(vector)
        values = within(vector[at], error[at])
        triplets.append({"lambda_index_1based": at[0] + 1, "feature_1based": at[1] + 1, "value": values})
    if not problem.binomial:
        intercepts = [within(row, POLISHED) for row in path.intercepts.T]
        return found | {"intercepts_class_by_lambda": intercepts, "coefficients_per_class": triplets}
    objectives = [objective(problem, path, index) for index in range(len(ours))]
    return found | {
        "intercept": within(path.intercepts[:, 0], POLISHED),
        "objective": within(objectives, 1e-10 * np.array(objectives)),
        "coefficients": triplets[0],
    }


def cv_explicit(problem, expected, path, theirs, *, measure):
    cv = cross_validated_lasso(
        problem.x, problem.labels, problem.folds, lambdas=path.lambdas, penalty=problem.penalty, measure=measure
    )
    size = len(path.lambdas)
    if measure == "deviance":
        errors = problem.accurate(size, 1e-5 if problem.binomial else 1e-4, 1e-3)
        errors, doubts = (errors, errors), np.full(size, 5e-7)
    else:
        errors = doubtful(problem, path, measure)
        doubts = errors[0] + 5e-7
    ours = aligned(problem, path.coefficients, theirs.coefficients, tolerance=POLISHED)[0]
    found = choices(problem, expected, cv, ours, errors=errors, doubts=doubts, sign=MEASURES[measure].sign)
    for name in ("min", "1se"):
        at = found[f"index_{name}_1based"] - 1
        polished = theirs.coefficients[at]
        found[f"at_{name}"] = solution(problem, path, at, polished, tolerance=POLISHED)
    return found


def cv_default(problem, expected):
    """cv.glmnet without `lambda`: each fold has a path of its own, whose coefficients are interpolated in lambda."""
    expected, lambdas = expected["cv_default"], np.array(expected["default_lambda"])
    parts = [problem.folds == name for name in np.unique(problem.folds)]
    values = [held_out_deviance(problem, inside, lambdas) for inside in parts]
    cv = judged(np.transpose(values), np.array([inside.sum() for inside in parts]), 1.0)
    path = lasso_path(problem.x, problem.labels, lambdas=lambdas, penalty=problem.penalty)
    # At the end of the path glmnet's default threshold leaves fold deviances wrong by a third.
    errors = problem.accurate(lambdas.size, 1e-3, 1e-3 + 0.5 * cv.cvm)
    both = errors, errors
    doubts = np.full(lambdas.size, 5e-7)
    found = choices(problem, expected, cv, path.coefficients, errors=both, doubts=doubts, counts=(1, 12))
    for name in ("min", "1se"):
        key = f"index_{name}_1based"
        if abs(found[key] - expected[key]) == 1:  # as far as the two forms of cross-validation may differ
            found[key], found[f"lambda_{name}"] = expected[key], lambdas[expected[key] - 1]
        at = found[key] - 1
        their = r_solution(expected[f"at_{name}"], problem)
        found[f"at_{name}"] = solution(problem, path, at, their, tolerance=DEFAULT)
    return found | {"lambda": within(path.lambdas, 1e-10 * path.lambdas)}


def held_out_deviance(problem, inside, lambdas):
    x, labels = problem.x[~inside], problem.labels[~inside]
    path = lasso_path(x, labels, penalty=problem.penalty)

    def interpolated(values):
        columns = values.reshape(len(values), -1)[::-1].T
        rows = np.transpose([np.interp(lambdas, path.lambdas[::-1], column) for column in columns])
        return rows.reshape(-1, *values.shape[1:])

    solutions = zip(interpolated(path.coefficients), interpolated(path.intercepts), strict=True)
    x, labels = problem.x[inside], problem.labels[inside]
    return [MEASURES["deviance"].of(probabilities(x, *each), labels) for each in solutions]


def choices(problem, expected, cv, coefficients, *, errors, doubts, counts=(0, 1), sign=1.0):
    """Measures along the path and what is chosen; a choice in doubt by no more than `doubts` is free."""
    lambdas, loss = np.array(expected["lambda"]), sign * cv.cvm
    least, one = (expected[f"index_{name}_1based"] - 1 for name in ("min", "1se"))
    index_min = least if loss[least] - doubts[least] <= loss[cv.index_min] + doubts[cv.index_min] else cv.index_min
    limit = loss[index_min] + cv.cvsd[index_min]
    slack = doubts + doubts[index_min] + (errors[1][index_min] if (doubts > 1e-6).any() else 0.0)
    free = loss[one] <= limit + slack[one] and (loss[:one] > limit - slack[:one]).all()
    index_1se = one if free else cv.index_1se
    others = np.delete(np.arange(len(loss)), index_min)
    rival = others[loss[others].argmin()]
    margin_1se = None
    if index_1se > 0 and sign > 0:
        margin_1se = Within(loss[index_1se - 1] - limit, 2 * errors[0][[index_1se - 1, index_min]].sum() + 1e-9)
    return {
        "lambda": lambdas_of(cv, lambdas),
        "cvm": within(cv.cvm, errors[0]),
        "cvsd": within(cv.cvsd, errors[1]),
        "nzero": n_nonzero(problem, coefficients, *counts),
        "lambda_min": lambdas[index_min],
        "lambda_1se": lambdas[index_1se],
        "index_min_1based": index_min + 1,
        "index_1se_1based": index_1se + 1,
        "margin_min": Within(loss[rival] - loss[index_min], errors[0][[rival, index_min]].sum()),
        "margin_1se": margin_1se,
    }


def lambdas_of(cv, lambdas):
    return getattr(cv, "lambdas", lambdas)


def n_nonzero(problem, coefficients, early, late):
    """Counts as cv.glmnet gives them: the median over classes, or features and one more (the intercept) if grouped.

    glmnet, not converged, may have a few features on the other side of zero.
    """
    counts = (coefficients != 0.0).sum(axis=2)
    grouped = problem.penalty.grouped
    middle = counts.max(axis=1) + 1 if grouped else np.ceil(np.median(counts, axis=1))
    return within(middle, problem.accurate(len(middle), early, late))


def doubtful(problem, path, measure):
    """Largest errors of mean and standard error when close calls between held-out probabilities go the other way."""
    names, sizes = np.unique(problem.folds, return_counts=True)
    close = problem.accurate(len(path.lambdas), 1e-5, 2e-3)
    doubts = np.empty((len(path.lambdas), names.size))
    for column, name in enumerate(names):
        inside = problem.folds == name
        part = lasso_path(
            problem.x[~inside], problem.labels[~inside], lambdas=path.lambdas, penalty=problem.penalty, tolerance=1e-8
        )
        cases = problem.labels[inside] == 1
        for index, limit in enumerate(close):
            fitted = part.predict_proba(problem.x[inside], index)
            if measure == "auc":  # glmnet breaks ties at random
                near = np.abs(np.subtract.outer(fitted[cases, 1], fitted[~cases, 1])) < limit
            else:
                ordered = np.sort(fitted, axis=1)
                near = ordered[:, -1] - ordered[:, -2] < limit
            doubts[index, column] = near.mean()
    mean = np.average(doubts, axis=1, weights=sizes)
    return mean + ROUNDING, np.sqrt(np.average(doubts**2, axis=1, weights=sizes) / (names.size - 1)) + ROUNDING


def solution(problem, path, index, theirs, *, tolerance):
    """Coefficients at one lambda, in the form of the file."""
    ours, errors = (
        each[0] for each in aligned(problem, path.coefficients[index][None], theirs[None], tolerance=tolerance)
    )
    features = np.flatnonzero((ours != 0.0).any(axis=0))
    intercepts = within(path.intercepts[index], tolerance)
    if problem.binomial:
        values = within(ours[0, features], errors[0, features])
        return {"intercept": intercepts[0], "features_1based": features + 1, "coefficients": values}
    return {
        "intercepts": intercepts,
        "features_any_class_1based": features + 1,
        "features_per_class_1based": [np.flatnonzero(row) + 1 for row in ours],
        "coefficients_rows_features": [within(ours[:, j], errors[:, j]) for j in features],
    }


def r_path(expected, problem):
    triplets = expected.get("coefficients_per_class") or [expected["coefficients"]]
    coefficients = np.zeros((len(expected["lambda"]), len(triplets), problem.x.shape[1]))
    for row, triplet in enumerate(triplets):
        where = np.array(triplet["lambda_index_1based"], int) - 1, row, np.array(triplet["feature_1based"], int) - 1
        coefficients[where] = triplet["value"]
    intercepts = np.array(expected.get("intercepts_class_by_lambda") or [expected["intercept"]]).T
    return LassoPath(np.array(expected["lambda"]), coefficients, intercepts, np.array(expected["dev_ratio"]), np.nan)


def r_solution(expected, problem):
    binomial = "coefficients" in expected
    features = np.array(expected["features_1based" if binomial else "features_any_class_1based"], int) - 1
    n_vectors = 1 if binomial else len(expected["intercepts"])
    coefficients = np.zeros((n_vectors, problem.x.shape[1]))
    values = np.array(expected["coefficients" if binomial else "coefficients_rows_features"], float)
    coefficients[:, features] = values.reshape(-1, n_vectors).T
    return coefficients


def aligned(problem, ours, theirs, *, tolerance):
    """(L, V, p) coefficients of ours and their tolerances, the weight of repeated columns split as R splits it.

    A coefficient that one side has and the other has not is allowed where it is negligible: below 1e-4 for a polished
    solution, 1e-3 for glmnet's default.
    """
    scale = np.where(problem.scale > 0.0, problem.scale, 1.0)
    ours, theirs = ours * scale, theirs * scale
    with np.errstate(invalid="ignore"):
        alike = np.corrcoef(problem.x - problem.x.mean(axis=0), rowvar=False)
    for first in range(len(alike)):
        same = np.flatnonzero(np.abs(alike[first]) > 1.0 - 1e-12)
        if same.size > 1 and same[0] == first:
            signs = np.sign(alike[first, same])
            total, whole = ours[..., same] @ signs, theirs[..., same] @ signs
            share = np.divide(
                theirs[..., same], whole[..., None], out=ours[..., same] * 0.0, where=whole[..., None] != 0.0
            )
            ours[..., same] = np.where((whole != 0.0)[..., None], share * total[..., None], ours[..., same])
    limit = 1e-4 if tolerance == POLISHED else 1e-3
    negligible = ((ours == 0.0) != (theirs == 0.0)) & (np.maximum(np.abs(ours), np.abs(theirs)) < limit)
    ours = np.where(negligible, np.where(theirs == 0.0, 0.0, np.finfo(float).tiny), ours)
    return ours / scale, np.where(negligible, limit, tolerance) / scale


def within(values, errors) -> list[Any]:
    return [
        Within(value, error) for value, error in zip(values, np.broadcast_to(errors, np.shape(values)), strict=True)
    ]


def objective(problem, path, index):
    """-(1/n) log-likelihood + lambda (alpha |b| + (1 - alpha)/2 b^2) of the binomial model."""
    scores = problem.x @ path.coefficients[index, 0] + path.intercepts[index, 0]
    scaled, alpha = path.coefficients[index, 0] * problem.scale, problem.penalty.alpha
    penalty = alpha * np.abs(scaled).sum() + (1.0 - alpha) / 2.0 * (scaled**2).sum()
    return (np.logaddexp(0.0, scores) - problem.labels * scores).mean() + path.lambdas[index] * penalty


def kkt_violation(problem, path, index):
    """Largest missed optimality condition of one solution, on columns as the penalty sees them."""
    fitted = path.predict_proba(problem.x, index)
    residual = np.eye(fitted.shape[1])[problem.labels] - fitted
    residual = residual[:, 1:] if problem.binomial else residual
    scale = np.where(problem.scale > 0.0, problem.scale, np.inf)
    slopes = residual.T @ ((problem.x - problem.x.mean(axis=0)) / scale) / len(problem.x)
    scaled, penalty, alpha = path.coefficients[index] * problem.scale, path.lambdas[index], problem.penalty.alpha
    slopes = slopes - penalty * (1.0 - alpha) * scaled
    if problem.penalty.grouped:
        norms = np.linalg.norm(scaled, axis=0)
        toward = penalty * scaled / np.where(norms > 0.0, norms, 1.0)
        missed = np.linalg.norm(slopes - toward, axis=0) - np.where(norms > 0.0, 0.0, penalty)
    else:
        missed = np.abs(slopes - penalty * alpha * np.sign(scaled)) - np.where(scaled != 0.0, 0.0, penalty * alpha)
    return missed.max(initial=0.0)
