"""The LASSO path against R's glmnet, against its own optimality conditions, and against slow loops."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radfusion.errors import FeatureError
from radfusion.modelling import _lasso_solver
from radfusion.modelling._coordinate_descent import Quadratic
from radfusion.modelling.lasso import cross_validated_lasso, lasso_path

SMALL = ["separable", "c4_small_ungrouped"]


def simulated(n, p, n_classes, *, seed=0, strength=1.0):
    """Correlated columns of different scales, of which every third matters, and labels drawn from the model."""
    rng = np.random.default_rng(seed)
    latent = 0.7 * rng.normal(size=(n, 1)) + rng.normal(size=(n, p))
    scores = np.zeros((n, n_classes))
    for column in range(0, p, 3):
        scores[:, column % n_classes] += strength * latent[:, column]
    labels = (scores + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    labels[:n_classes] = range(n_classes)
    return latent * 10.0 ** rng.uniform(-3, 3, size=p) + rng.normal(size=p), labels


def vectors(n_classes):
    return range(n_classes) if n_classes > 2 else [1]


def probabilities(x, coefficients, intercepts):
    scores = x @ coefficients.T + intercepts
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(len(x)), scores])
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def objective(x, labels, solution, penalty):
    coefficients, intercepts = solution
    own = probabilities(x, coefficients, intercepts)[np.arange(len(x)), labels]
    return -np.log(own).mean() + penalty * np.abs(coefficients * x.std(axis=0)).sum()


def worst_kkt(x, labels, path, index):
    """Largest missed optimality condition as a share of lambda, on columns divided by their 1/n standard deviation."""
    fitted = probabilities(x, path.coefficients[index], path.intercepts[index])
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    penalty, worst = path.lambdas[index], 0.0
    for row, label in enumerate(vectors(fitted.shape[1])):
        residual = (labels == label) - fitted[:, label]
        worst = max(worst, abs(residual.mean()))
        for column, coefficient in enumerate(path.coefficients[index, row]):
            slope = residual @ standardised[:, column] / len(x)
            missed = abs(slope - penalty * np.sign(coefficient)) if coefficient else max(abs(slope) - penalty, 0.0)
            worst = max(worst, missed)
    return worst / penalty


def r_solutions(case, n_features):
    """R's coefficients (L, V, p) and intercepts (L, V)."""
    path = case["expected"]["path_tight"]
    triplets = path.get("coefficients_per_class") or [path["coefficients"]]
    coefficients = np.zeros((len(path["lambda"]), len(triplets), n_features))
    for row, triplet in enumerate(triplets):
        where = np.array(triplet["lambda_index_1based"], int) - 1, row, np.array(triplet["feature_1based"], int) - 1
        coefficients[where] = triplet["value"]
    intercepts = np.array(path.get("intercepts_class_by_lambda") or [path["intercept"]]).T
    return coefficients, intercepts


def check_against_r(case):
    x, labels, folds = (np.array(case["input"][key]) for key in ("X", "y", "foldid"))
    expected, n_classes = case["expected"], labels.max() + 1
    lambdas = np.array(expected["path_tight"]["lambda"])
    coefficients, intercepts = r_solutions(case, x.shape[1])

    path = lasso_path(x, labels, n_classes, lambdas=lambdas)
    for index, penalty in enumerate(lambdas):
        ours = objective(x, labels, (path.coefficients[index], path.intercepts[index]), penalty)
        theirs = objective(x, labels, (coefficients[index], intercepts[index]), penalty)
        assert ours == pytest.approx(theirs, rel=1e-10)
        fitted = probabilities(x, coefficients[index], intercepts[index])
        np.testing.assert_allclose(path.predict_proba(x, index), fitted, atol=1e-5)
    if case["id"] != "constant_and_duplicate_columns":  # R splits the weight of identical columns
        scale = x.std(axis=0)
        np.testing.assert_allclose(path.coefficients * scale, coefficients * scale, atol=1e-4)
        np.testing.assert_array_equal(path.coefficients != 0.0, coefficients != 0.0)
        np.testing.assert_array_equal(path.n_nonzero, expected["path_tight"]["df"])
    np.testing.assert_allclose(path.deviance_ratio, expected["path_tight"]["dev_ratio"], atol=1e-5)

    cv = cross_validated_lasso(x, labels, folds, n_classes=n_classes, lambdas=lambdas)
    r_cv = expected["cv_explicit_lambda_tight"]
    np.testing.assert_allclose(cv.cvm, r_cv["cvm"], atol=2e-4)  # glmnet leaves up to 1.5e-4 in its folds
    np.testing.assert_allclose(cv.cvsd, r_cv["cvsd"], atol=1e-4)
    assert (cv.index_min + 1, cv.index_1se + 1) == (r_cv["index_min_1based"], r_cv["index_1se_1based"])
    assert (cv.lambda_min, cv.lambda_1se) == pytest.approx((r_cv["lambda_min"], r_cv["lambda_1se"]), rel=1e-10)

    own, r_own = lasso_path(x, labels, n_classes).lambdas, expected["default_lambda"]
    common = min(len(own), len(r_own))  # where the grid ends depends on glmnet's looser convergence
    np.testing.assert_allclose(own[:common], r_own[:common], rtol=1e-10)


@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_r(root, name):
    cases = json.loads((root / "tests/reference/lasso.json").read_text(encoding="utf-8"))["cases"]
    check_against_r(next(case for case in cases if case["id"] == name))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("topic", ["glmnet_binomial", "glmnet_multinomial"])
def test_agrees_with_r_on_every_lasso_case(shared, topic):
    file = shared / "reference" / f"{topic}.json"
    if not file.is_file():
        pytest.skip(f"no expected values: {file} is not a file")
    cases = json.loads(file.read_text(encoding="utf-8"))["cases"]
    ours = [case for case in cases if is_lasso(case["options"])]
    assert len(ours) >= 5
    for case in ours:
        check_against_r(case)


def is_lasso(options):
    return options["alpha"] == 1 and options["standardize"] and options.get("type_multinomial") != "grouped"


@pytest.mark.parametrize(("n", "p", "n_classes"), [(80, 12, 2), (80, 12, 3), (90, 9, 4), (40, 70, 2), (45, 60, 3)])
def test_every_solution_is_optimal(n, p, n_classes):
    x, labels = simulated(n, p, n_classes)
    path = lasso_path(x, labels, n_classes, n_lambdas=40)
    assert max(worst_kkt(x, labels, path, index) for index in range(len(path.lambdas))) < 5e-6
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[-1] > 3


def test_agrees_with_proximal_gradient_steps():
    x, labels = simulated(50, 4, 3)
    standardised, indicator = (x - x.mean(axis=0)) / x.std(axis=0), np.eye(3)[labels]
    path = lasso_path(x, labels, 3, lambdas=[0.03])
    coefficients, intercepts = np.zeros((3, 4)), np.zeros(3)
    for _ in range(20_000):
        residual = probabilities(standardised, coefficients, intercepts) - indicator
        intercepts = intercepts - 0.2 * residual.mean(axis=0)
        moved = coefficients - 0.2 * residual.T @ standardised / len(x)
        coefficients = np.sign(moved) * np.maximum(np.abs(moved) - 0.2 * 0.03, 0.0)
    np.testing.assert_allclose(path.coefficients[0] * x.std(axis=0), coefficients, atol=1e-6)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([2, 3, 4]))
def test_units_and_order_of_columns_do_not_matter(seed, n_classes):
    rng = np.random.default_rng(seed)
    x, labels = simulated(60, 8, n_classes, seed=seed)
    factor, shift, order = (
        rng.choice([-1, 1], 8) * 10.0 ** rng.uniform(-4, 4, 8),
        rng.normal(size=8),
        rng.permutation(8),
    )
    path = lasso_path(x, labels, n_classes, n_lambdas=20)
    other = lasso_path((x * factor + shift)[:, order], labels, n_classes, lambdas=path.lambdas)
    scale = x.std(axis=0)
    expected = (path.coefficients * scale * np.sign(factor))[..., order]
    np.testing.assert_allclose(other.coefficients * (scale * np.abs(factor))[order], expected, atol=1e-4)
    np.testing.assert_allclose(other.deviance_ratio, path.deviance_ratio, atol=1e-6)


def test_two_classes_are_the_multinomial_model_of_two_vectors():
    x, labels = simulated(70, 6, 2)
    binomial = lasso_path(x, labels, 2, lambdas=[0.05, 0.01])
    multinomial = lasso_path(np.vstack([x, x[:1]]), np.append(labels, 2), 3, lambdas=[0.05, 0.01])
    assert binomial.coefficients.shape == (2, 1, 6)
    assert multinomial.coefficients.shape == (2, 3, 6)
    assert binomial.predict_proba(x, 1).sum(axis=1) == pytest.approx(np.ones(70))
    assert multinomial.intercepts.sum(axis=1) == pytest.approx(np.zeros(2), abs=1e-12)


def test_constant_and_repeated_columns_get_zero():
    x, labels = simulated(60, 5, 3)
    wide = np.column_stack([x, np.full(60, 7.25), x[:, 0], 3.0 - 2.0 * x[:, 1]])
    path, plain = lasso_path(wide, labels, 3, n_lambdas=30), lasso_path(x, labels, 3, n_lambdas=30)
    assert not path.coefficients[..., 5:].any()
    np.testing.assert_allclose(
        path.coefficients[..., :5] * x.std(axis=0), plain.coefficients * x.std(axis=0), atol=1e-5
    )


def test_grid_ends_as_glmnet_ends_it():
    x, labels = simulated(60, 30, 2, strength=3.0)
    ratio = lasso_path(x, labels, 2).deviance_ratio
    assert ratio[-1] > 0.999 >= ratio[-2]
    x, labels = simulated(300, 4, 2)
    gain = np.diff(lasso_path(x, labels, 2).deviance_ratio)
    assert gain[-1] < 1e-5 <= gain[3:-1].min()


def test_cross_validation_is_a_path_per_fold():
    x, labels = simulated(90, 10, 3)
    folds = np.arange(90) % 4
    cv = cross_validated_lasso(x, labels, folds, n_classes=3, n_lambdas=30)
    full = lasso_path(x, labels, 3, n_lambdas=30)
    np.testing.assert_array_equal(cv.lambdas, full.lambdas[: len(cv.lambdas)])
    np.testing.assert_array_equal(cv.path.coefficients, full.coefficients[: len(cv.lambdas)])
    for index in (0, 5, cv.index_min):
        deviances, sizes = [], []
        for fold in range(4):
            out = folds == fold
            fit = lasso_path(x[~out], labels[~out], 3, lambdas=cv.lambdas)
            own = np.clip(fit.predict_proba(x[out], index), 1e-5, 1 - 1e-5)[np.arange(out.sum()), labels[out]]
            deviances.append(-2.0 * np.log(own).mean())
            sizes.append(out.sum())
        mean = np.average(deviances, weights=sizes)
        assert cv.cvm[index] == pytest.approx(mean, abs=2e-5)
        error = np.sqrt(np.average((np.array(deviances) - mean) ** 2, weights=sizes) / 3)
        assert cv.cvsd[index] == pytest.approx(error, abs=2e-5)
    assert cv.cvm[cv.index_1se] <= cv.cvm[cv.index_min] + cv.cvsd[cv.index_min] < cv.cvm[cv.index_1se - 1]


def test_cross_validation_stops_where_nothing_can_be_chosen():
    x, labels = simulated(60, 40, 2)
    folds = np.arange(60) % 5
    short = cross_validated_lasso(x, labels, folds, n_classes=2)
    whole = cross_validated_lasso(x, labels, folds, n_classes=2, lambdas=lasso_path(x, labels, 2).lambdas)
    assert len(short.lambdas) < len(whole.lambdas)
    assert short.cvm[-1] > 1.1 * short.cvm[0] >= short.cvm[-2]
    np.testing.assert_allclose(short.cvm, whole.cvm[: len(short.cvm)], rtol=1e-12)
    assert (short.lambda_min, short.lambda_1se) == (whole.lambda_min, whole.lambda_1se)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("present", [1, 2])
def test_folds_without_a_class_are_fitted(n_classes, present):
    x, labels = simulated(60, 5, n_classes)
    folds = np.where(labels < present, 0, 1) if present < n_classes else np.where(labels == 0, 0, np.arange(60) % 3)
    cv = cross_validated_lasso(x, labels, folds, n_classes=n_classes, n_lambdas=20)
    assert np.isfinite(cv.cvm).all()
    assert cv.cvm.max() <= -2.0 * np.log(1e-5) + 1e-9


def test_an_impossible_tolerance_is_reported(monkeypatch):
    monkeypatch.setattr(_lasso_solver, "_STEPS", 1)
    x, labels = simulated(40, 4, 2)
    with pytest.warns(RuntimeWarning, match="LASSO at lambda = .*missed by"):
        lasso_path(x, labels, 2, lambdas=[0.001])


def test_flat_quadratic_stays_where_it_is():
    flat = Quadratic(np.ones((1, 4)), np.eye(4))
    flat.extend(np.ones((1, 4), dtype=bool))
    start = np.array([1.0, -1.0, 0.5, 0.0])
    np.testing.assert_array_equal(flat.minimise(np.zeros(4), start, np.ones(4), tolerance=0.0), start)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(11, int)}, r"x has shape \(12, 3\) and labels \(11,\)"),
        ({"labels": np.zeros(12, int)}, r"labels are \[0\]; each of 0 to 1 needed"),
        ({"labels": np.arange(12) % 2 + 0.5}, "each of 0 to 1 needed"),
        ({"x": np.where(np.eye(12, 3), np.nan, 1.0)}, "column 0 holds values that are not finite"),
        ({"x": np.ones((12, 3))}, "no column of x varies"),
        ({"lambdas": [0.1, 0.0]}, "lambdas must be positive"),
    ],
)
def test_mistakes_are_named(change, message):
    x, labels = simulated(12, 3, 2)
    arguments = {"x": x, "labels": labels, **change}
    with pytest.raises(FeatureError, match=message):
        lasso_path(n_classes=2, **arguments)


@pytest.mark.parametrize("folds", [np.zeros(12, int), np.arange(11)])
def test_folds_must_fit(folds):
    x, labels = simulated(12, 3, 2)
    with pytest.raises(FeatureError, match="folds has shape"):
        cross_validated_lasso(x, labels, folds, n_classes=2)
