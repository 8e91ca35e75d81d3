"""The LASSO path and its kin against their own optimality conditions and against slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radfusion.errors import FeatureError
from radfusion.modelling import _lasso_solver
from radfusion.modelling._coordinate_descent import CoordinateDescent
from radfusion.modelling._quadratic import Quadratic
from radfusion.modelling.lasso import Penalty, cross_validated_lasso, lasso_path

PENALTIES = [Penalty(), Penalty(alpha=0.4), Penalty(grouped=True), Penalty(alpha=0.6, grouped=True)]


def simulated(n, p, n_classes, *, seed=0, strength=1.0, spread=3.0):
    """Correlated columns of different scales, of which every third matters, and labels drawn from the model."""
    rng = np.random.default_rng(seed)
    latent = 0.7 * rng.normal(size=(n, 1)) + rng.normal(size=(n, p))
    scores = np.zeros((n, n_classes))
    for column in range(0, p, 3):
        scores[:, column % n_classes] += strength * latent[:, column]
    labels = (scores + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    labels[:n_classes] = range(n_classes)
    return latent * 10.0 ** rng.uniform(-spread, spread, size=p) + rng.normal(size=p), labels


def probabilities(x, coefficients, intercepts):
    scores = x @ coefficients.T + intercepts
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(len(x)), scores])
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def worst_kkt(x, labels, path, index, penalty=PENALTIES[0]):
    """Largest missed optimality condition as a share of lambda, on columns divided by their 1/n standard deviation."""
    fitted = probabilities(x, path.coefficients[index], path.intercepts[index])
    binary = fitted.shape[1] == 2
    residual = (np.eye(fitted.shape[1])[labels] - fitted)[:, int(binary) :]
    scale = x.std(axis=0) if penalty.standardize else np.ones(x.shape[1])
    scaled, total = path.coefficients[index] * scale, path.lambdas[index]
    slopes = residual.T @ ((x - x.mean(axis=0)) / scale) / len(x) - total * (1.0 - penalty.alpha) * scaled
    # One group per feature, or per coefficient.
    shape = (len(scaled), -1) if penalty.grouped and not binary else (1, -1)
    scaled, slopes, worst = scaled.reshape(shape), slopes.reshape(shape), np.abs(residual.mean(axis=0)).max()
    for slope, group in zip(slopes.T, scaled.T, strict=True):
        norm = np.linalg.norm(group)
        toward = total * penalty.alpha * group / norm if norm else 0.0
        missed = np.linalg.norm(slope - toward) - (0.0 if norm else total * penalty.alpha)
        worst = max(worst, missed)
    return worst / total


@pytest.mark.parametrize(("n", "p", "n_classes"), [(80, 12, 2), (80, 12, 3), (90, 9, 4), (40, 70, 2), (45, 60, 3)])
def test_every_solution_is_optimal(n, p, n_classes):
    x, labels = simulated(n, p, n_classes)
    path = lasso_path(x, labels, lambdas=40)
    assert max(worst_kkt(x, labels, path, index) for index in range(len(path.lambdas))) < 5e-6
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[-1] > 3


@pytest.mark.parametrize("penalty", [*PENALTIES[1:], Penalty(standardize=False), Penalty(0.5, True, False)])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_penalty_is_minimised(penalty, n_classes):
    x, labels = simulated(80, 12, n_classes, spread=0.5)
    path = lasso_path(x, labels, penalty=penalty, lambdas=40)
    missed = [worst_kkt(x, labels, path, index, penalty) for index in range(len(path.lambdas))]
    assert max(missed) < 5e-6
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[-1] > 3


def test_a_group_enters_all_classes_together():
    x, labels = simulated(90, 9, 3)
    coefficients = lasso_path(x, labels, penalty=Penalty(grouped=True), lambdas=30).coefficients
    np.testing.assert_array_equal((coefficients != 0.0).any(axis=1), (coefficients != 0.0).all(axis=1))
    np.testing.assert_allclose(coefficients.sum(axis=1) * x.std(axis=0), 0.0, atol=1e-5)


def test_elastic_net_shares_weight_between_equal_columns():
    x, labels = simulated(80, 4, 2)
    path = lasso_path(np.column_stack([x, x[:, 0]]), labels, penalty=Penalty(alpha=0.5), lambdas=20)
    np.testing.assert_allclose(
        path.coefficients[..., 4] * x[:, 0].std(), path.coefficients[..., 0] * x[:, 0].std(), atol=1e-5
    )


@pytest.mark.parametrize("penalty", PENALTIES)
def test_agrees_with_proximal_gradient_steps(penalty):
    x, labels = simulated(50, 4, 3)
    standardised, indicator = (x - x.mean(axis=0)) / x.std(axis=0), np.eye(3)[labels]
    path = lasso_path(x, labels, lambdas=[0.03], penalty=penalty, tolerance=1e-8)
    coefficients, intercepts, step = np.zeros((3, 4)), np.zeros(3), 0.2
    weight, ridge = 0.03 * penalty.alpha, 0.03 * (1.0 - penalty.alpha)
    for _ in range(10_000):
        residual = probabilities(standardised, coefficients, intercepts) - indicator
        intercepts = intercepts - step * residual.mean(axis=0)
        moved = coefficients - step * (residual.T @ standardised / len(x) + ridge * coefficients)
        size = np.linalg.norm(moved, axis=0) if penalty.grouped else np.abs(moved)
        coefficients = moved * np.maximum(1.0 - step * weight / size, 0.0)
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
    path = lasso_path(x, labels, lambdas=20)
    other = lasso_path((x * factor + shift)[:, order], labels, lambdas=path.lambdas)
    scale = x.std(axis=0)
    expected = (path.coefficients * scale * np.sign(factor))[..., order]
    np.testing.assert_allclose(other.coefficients * (scale * np.abs(factor))[order], expected, atol=1e-4)
    np.testing.assert_allclose(other.deviance_ratio, path.deviance_ratio, atol=1e-6)


def test_two_classes_are_the_multinomial_model_of_two_vectors():
    x, labels = simulated(70, 6, 2)
    binomial = lasso_path(x, labels, lambdas=[0.05, 0.01])
    multinomial = lasso_path(np.vstack([x, x[:1]]), np.append(labels, 2), lambdas=[0.05, 0.01])
    assert binomial.coefficients.shape == (2, 1, 6)
    assert multinomial.coefficients.shape == (2, 3, 6)
    assert binomial.predict_proba(x, 1).sum(axis=1) == pytest.approx(np.ones(70))
    assert multinomial.intercepts.sum(axis=1) == pytest.approx(np.zeros(2), abs=1e-12)


def test_constant_and_repeated_columns_get_zero():
    x, labels = simulated(60, 5, 3)
    wide = np.column_stack([x, np.full(60, 7.25), x[:, 0], 3.0 - 2.0 * x[:, 1]])
    path, plain = lasso_path(wide, labels, lambdas=30), lasso_path(x, labels, lambdas=30)
    assert not path.coefficients[..., 5:].any()
    np.testing.assert_allclose(
        path.coefficients[..., :5] * x.std(axis=0), plain.coefficients * x.std(axis=0), atol=1e-5
    )


def test_grid_ends_as_glmnet_ends_it():
    x, labels = simulated(60, 30, 2, strength=3.0)
    ratio = lasso_path(x, labels).deviance_ratio
    assert ratio[-1] > 0.999 >= ratio[-2]
    x, labels = simulated(300, 4, 2)
    gain = np.diff(lasso_path(x, labels).deviance_ratio)
    assert gain[-1] < 1e-5 <= gain[3:-1].min()


def test_cross_validation_is_a_path_per_fold():
    x, labels = simulated(90, 10, 3)
    folds = np.arange(90) % 4
    cv = cross_validated_lasso(x, labels, folds, lambdas=30)
    full = lasso_path(x, labels, lambdas=30)
    np.testing.assert_array_equal(cv.lambdas, full.lambdas[: len(cv.lambdas)])
    np.testing.assert_array_equal(cv.path.coefficients, full.coefficients[: len(cv.lambdas)])
    for index in (0, 5, cv.index_min):
        deviances, sizes = [], []
        for fold in range(4):
            out = folds == fold
            fit = lasso_path(x[~out], labels[~out], lambdas=cv.lambdas)
            own = np.clip(fit.predict_proba(x[out], index), 1e-5, 1 - 1e-5)[np.arange(out.sum()), labels[out]]
            deviances.append(-2.0 * np.log(own).mean())
            sizes.append(out.sum())
        mean = np.average(deviances, weights=sizes)
        assert cv.cvm[index] == pytest.approx(mean, abs=2e-5)
        error = np.sqrt(np.average((np.array(deviances) - mean) ** 2, weights=sizes) / 3)
        assert cv.cvsd[index] == pytest.approx(error, abs=2e-5)
    assert cv.cvm[cv.index_1se] <= cv.cvm[cv.index_min] + cv.cvsd[cv.index_min] < cv.cvm[cv.index_1se - 1]


def test_measures_of_cross_validation():
    x, labels = simulated(90, 10, 2)
    folds = np.arange(90) % 3
    lambdas = np.geomspace(0.2, 0.002, 12)
    classes = cross_validated_lasso(x, labels, folds, lambdas=lambdas, measure="class")
    areas = cross_validated_lasso(x, labels, folds, lambdas=lambdas, measure="auc")
    for index in (0, 6, 11):
        wrong, area = [], []
        for fold in range(3):
            out = folds == fold
            fit = lasso_path(x[~out], labels[~out], lambdas=lambdas)
            risk, cases = fit.predict_proba(x[out], index)[:, 1], labels[out] == 1
            wrong.append(((risk > 0.5) != cases).mean())
            pairs = np.subtract.outer(risk[cases], risk[~cases])
            area.append((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
        assert classes.cvm[index] == pytest.approx(np.mean(wrong))
        assert areas.cvm[index] == pytest.approx(np.mean(area))
        assert areas.cvsd[index] == pytest.approx(np.std(area) / np.sqrt(2))
    assert areas.index_min == areas.cvm.argmax()
    limit = areas.cvm.max() - areas.cvsd[areas.index_min]
    assert areas.index_1se == np.flatnonzero(areas.cvm >= limit)[0]


def test_of_equal_measures_the_largest_lambda_is_chosen():
    x, labels = simulated(60, 5, 2)
    cv = cross_validated_lasso(x, labels, np.arange(60) % 3, lambdas=12, measure="class")
    assert (cv.cvm == cv.cvm.min()).sum() > 1
    assert cv.index_min == np.flatnonzero(cv.cvm == cv.cvm.min())[0]


def test_cross_validation_stops_where_nothing_can_be_chosen():
    x, labels = simulated(60, 40, 2)
    folds = np.arange(60) % 5
    short = cross_validated_lasso(x, labels, folds)
    whole = cross_validated_lasso(x, labels, folds, lambdas=lasso_path(x, labels).lambdas)
    assert len(short.lambdas) < len(whole.lambdas)
    assert short.cvm[-1] > 1.1 * short.cvm[0] >= short.cvm[-2]
    np.testing.assert_allclose(short.cvm, whole.cvm[: len(short.cvm)], rtol=1e-12)
    assert (short.lambda_min, short.lambda_1se) == (whole.lambda_min, whole.lambda_1se)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("present", [1, 2])
def test_folds_without_a_class_are_fitted(n_classes, present):
    x, labels = simulated(60, 5, n_classes)
    folds = np.where(labels < present, 0, 1) if present < n_classes else np.where(labels == 0, 0, np.arange(60) % 3)
    cv = cross_validated_lasso(x, labels, folds, lambdas=20)
    assert np.isfinite(cv.cvm).all()
    assert cv.cvm.max() <= -2.0 * np.log(1e-5) + 1e-9


def test_an_impossible_tolerance_is_reported(monkeypatch):
    monkeypatch.setattr(_lasso_solver, "_STEPS", 1)
    x, labels = simulated(40, 4, 2)
    with pytest.warns(RuntimeWarning, match="LASSO at lambda = .*missed by"):
        lasso_path(x, labels, lambdas=[0.001])


def test_flat_quadratic_stays_where_it_is():
    flat = Quadratic(np.ones((1, 4)), np.eye(4))
    flat.extend(np.ones((1, 4), dtype=bool))
    start = np.array([1.0, -1.0, 0.5, 0.0])
    end = CoordinateDescent(flat).minimise(np.zeros(4), start, np.ones(4), tolerance=0.0)
    np.testing.assert_array_equal(end, start)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(11, int)}, r"x has shape \(12, 3\) and labels \(11,\)"),
        ({"labels": np.zeros(12, int)}, r"labels are \[0\]; 0, 1 and so on needed, two classes or more"),
        ({"labels": np.arange(12) % 2 * 2}, r"labels are \[0, 2\]; 0, 1 and so on needed"),
        ({"labels": np.arange(12) % 2 + 0.5}, "0, 1 and so on needed"),
        ({"x": np.where(np.eye(12, 3), np.nan, 1.0)}, "column 0 holds values that are not finite"),
        ({"x": np.ones((12, 3))}, "no column of x varies"),
        ({"lambdas": [0.1, 0.0]}, "lambdas must be positive"),
    ],
)
def test_mistakes_are_named(change, message):
    x, labels = simulated(12, 3, 2)
    arguments = {"x": x, "labels": labels, **change}
    with pytest.raises(FeatureError, match=message):
        lasso_path(**arguments)


@pytest.mark.parametrize("alpha", [0.0, 1.1, np.nan])
def test_alpha_has_a_range(alpha):
    with pytest.raises(FeatureError, match=r"alpha is .*; 0.001 to 1 allowed"):
        Penalty(alpha=alpha)


@pytest.mark.parametrize(
    ("measure", "n_classes", "message"),
    [("mse", 2, "measure is 'mse'; deviance, class, auc known"), ("auc", 3, "measure auc needs two classes")],
)
def test_measures_must_be_possible(measure, n_classes, message):
    x, labels = simulated(30, 3, n_classes)
    with pytest.raises(FeatureError, match=message):
        cross_validated_lasso(x, labels, np.arange(30) % 3, measure=measure)


@pytest.mark.parametrize("folds", [np.zeros(12, int), np.arange(11)])
def test_folds_must_fit(folds):
    x, labels = simulated(12, 3, 2)
    with pytest.raises(FeatureError, match="folds has shape"):
        cross_validated_lasso(x, labels, folds)
