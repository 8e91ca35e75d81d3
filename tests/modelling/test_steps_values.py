"""Steps that change values: missing ones, the scale, and components."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from radfusion.modelling.rows import Rows
from radfusion.modelling.steps.missing import Missing
from radfusion.modelling.steps.pca import PrincipalComponents
from radfusion.modelling.steps.scale import Scale

CODES = np.arange(50) % 2


def applied(step, training):
    return step.fit(training).transform.apply(training.rows)


def gaps():
    values = np.random.default_rng(0).normal(size=(50, 5))
    values[:11, 0] = np.nan
    values[:10, 1] = np.inf
    values[0, 2] = -np.inf
    values[:, 4] = np.nan
    return values


@pytest.mark.parametrize(("fill", "middle"), [("median", np.median), ("mean", np.mean)])
def test_missing_and_infinite_values_are_counted_and_filled_in(training, fill, middle):
    values = gaps()
    found = Missing(fill=fill).fit(training(values=values, codes=CODES))
    assert found.transform.outputs == ("a:f001", "a:f002", "a:f003")
    assert found.told == {"filled": 11}
    expected = [middle(values[10:, 1]), middle(values[1:, 2]), middle(values[:, 3])]
    np.testing.assert_allclose(found.transform.change(np.full((1, 3), np.nan), pd.DataFrame()), [expected], rtol=1e-14)


@pytest.mark.parametrize("fill", ["median", "mean"])
def test_a_feature_that_no_case_has_always_goes(training, fill):
    found = Missing(max_share=1.0, fill=fill).fit(training(values=gaps(), codes=CODES))
    assert found.transform.outputs == ("a:f000", "a:f001", "a:f002", "a:f003")


@pytest.mark.parametrize(
    ("method", "scaler"),
    [("zscore", StandardScaler()), ("robust", RobustScaler()), ("minmax", MinMaxScaler())],
)
def test_scaling_equals_scikit_learn(training, method, scaler):
    rows = training(p=12)
    expected = scaler.fit_transform(rows.rows.values)
    np.testing.assert_allclose(applied(Scale(method=method), rows).values, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", ["zscore", "robust", "minmax"])
def test_a_constant_feature_becomes_zero_and_huge_ones_are_scaled(training, method):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5)) * np.array([0, 1e-14, 1e-200, 1e90, 1]) + np.array([7, 1, 0, 0, 0])
    scaled = applied(Scale(method=method), training(values=values, codes=np.arange(40) % 2)).values
    np.testing.assert_allclose(scaled[:, :2], 0, atol=1e-13)
    assert (np.ptp(scaled[:, 2:], axis=0) > 0.99).all()
    assert np.isfinite(scaled).all()


def test_without_interquartile_range_the_standard_deviation_stands_in(training):
    mostly = np.where(np.arange(40) < 35, 3.0, np.arange(40.0))
    rows = training(values=np.column_stack([mostly, np.arange(40.0), np.full(40, 2.0)]), codes=np.arange(40) % 2)
    found = Scale(method="robust").fit(rows)
    assert found.told == {"without_range": 1}
    np.testing.assert_allclose(found.transform.scale, [mostly.std(), 19.5, 1.0], rtol=1e-12)


def upright(components):
    """Signs by which the largest weight of each row is positive."""
    return np.sign(components[np.arange(len(components)), np.abs(components).argmax(axis=1)])


@pytest.mark.parametrize(("n", "p"), [(80, 12), (20, 60)])
def test_components_equal_scikit_learn(training, n, p):
    rows = training(n=n, p=p, factors=5)
    fitted = PCA(n_components=8, svd_solver="full").fit(rows.rows.values)
    expected = fitted.transform(rows.rows.values) * upright(fitted.components_)
    got = applied(PrincipalComponents(n_components=8), rows)
    assert got.names == tuple(f"a:pca_{number:03d}" for number in range(1, 9))
    np.testing.assert_allclose(got.values, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("variance", [0.5, 0.9, 0.95])
def test_as_many_components_as_explain_the_variance(training, variance):
    rows = training(n=80, p=30, factors=9)
    expected = PCA(n_components=variance, svd_solver="full").fit(rows.rows.values).n_components_
    found = PrincipalComponents(variance=variance).fit(rows)
    assert len(found.transform.outputs) == expected
    assert found.told == {"components": {"a": expected}}


def test_there_are_no_more_components_than_directions(training):
    assert len(PrincipalComponents(variance=1.0).fit(training(n=20, p=60)).transform.outputs) == 19
    assert len(PrincipalComponents(n_components=99).fit(training(n=80, p=6)).transform.outputs) == 6
    still = training(values=np.ones((10, 3)), codes=np.arange(10) % 2)
    assert PrincipalComponents().fit(still).transform.outputs == ()


def test_each_source_has_components_of_its_own(training):
    both = training(p=20, factors=3)
    names = tuple(f"{'ab'[at >= 12]}:f{at:03d}" for at in range(20))
    rows = training(values=both.rows.values, names=names, codes=both.labels.codes)
    found = PrincipalComponents(n_components=2).fit(rows)
    assert found.transform.outputs == ("a:pca_001", "a:pca_002", "b:pca_001", "b:pca_002")
    alone = training(values=both.rows.values[:, 12:], names=names[12:], codes=both.labels.codes)
    one = applied(PrincipalComponents(n_components=2), alone)
    np.testing.assert_allclose(found.transform.apply(rows.rows).select(one.names).values, one.values, atol=1e-12)
    restricted = found.transform.restrict(["b:pca_002"])
    assert restricted.inputs == names[12:]
    part = restricted.apply(rows.rows.select(restricted.inputs)).values
    np.testing.assert_allclose(part, one.values[:, 1:], atol=1e-12)


def test_components_of_new_cases_come_of_training_numbers(training):
    rows = training(n=60, p=10, factors=3)
    transform = PrincipalComponents(n_components=3).fit(rows).transform
    fresh = np.random.default_rng(5).normal(size=(4, 10))
    one_by_one = [transform.apply(Rows(row[None], rows.rows.names, pd.DataFrame(index=[0]))).values[0] for row in fresh]
    together = transform.apply(Rows(fresh, rows.rows.names, pd.DataFrame(index=range(4)))).values
    np.testing.assert_allclose(one_by_one, together, rtol=1e-12)
