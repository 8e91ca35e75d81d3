"""Cleaning against slow and obviously right versions, and on features that are fit for nothing."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from radfusion.errors import FeatureError
from radfusion.modelling._ranks import anova_p, explained_share, kruskal_p, rank_columns, uncorrelated
from radfusion.modelling.cleaning import CleaningSettings, fit_cleaning

KEEP_ALL = CleaningSettings(univariate="none", max_correlation=1.0)


def frame_of(values, names=None):
    return pd.DataFrame(values, columns=names or [f"a:f{i}" for i in range(values.shape[1])])


@pytest.fixture
def tied():
    """Features with many ties, three classes of unequal size."""
    rng = np.random.default_rng(3)
    codes = rng.permutation(np.repeat([0, 1, 2], [20, 12, 8]))
    return rng.integers(0, 6, size=(40, 15)).astype(float) + 0.7 * codes[:, None], codes


def test_kruskal_p_equals_scipy_with_ties(tied):
    values, codes = tied
    expected = [stats.kruskal(*(column[codes == k] for k in range(3))).pvalue for column in values.T]
    got = kruskal_p(explained_share(rank_columns(values), codes), len(codes), 3)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_anova_p_equals_scipy(tied):
    values, codes = tied
    expected = [stats.f_oneway(*(column[codes == k] for k in range(3))).pvalue for column in values.T]
    np.testing.assert_allclose(anova_p(explained_share(values, codes), len(codes), 3), expected, rtol=1e-10)


def test_pruning_equals_the_pairwise_loop():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 700)) + 0.3 * rng.normal(size=(60, 700))
    order = rng.permutation(700)
    rho = np.abs(stats.spearmanr(values).statistic)
    kept = []
    for column in order:
        if all(rho[column, other] <= 0.8 + 1e-9 for other in kept):
            kept.append(column)
    assert 5 < len(kept) < 600
    assert uncorrelated(rank_columns(values), order, 0.8).tolist() == sorted(kept)


def test_of_a_correlated_pair_the_stronger_stays():
    codes = np.repeat([0, 1], 30)
    rng = np.random.default_rng(0)
    strong = codes * 2.0 + rng.normal(size=60)
    weak = strong + 0.2 * rng.normal(size=60)
    frame = frame_of(np.column_stack([weak, strong]), ["a:weak", "a:strong"])
    assert fit_cleaning(frame, codes).names == ("a:strong",)
    assert fit_cleaning(frame[["a:strong", "a:weak"]], codes).names == ("a:strong",)


def test_missing_and_infinite_values_are_counted_imputed_and_never_pass_through():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 4))
    values[:11, 0] = np.nan
    values[:10, 1] = np.inf
    values[0, 2] = -np.inf
    cleaning = fit_cleaning(frame_of(values), np.repeat([0, 1], 25), KEEP_ALL)
    assert cleaning.names == ("a:f1", "a:f2", "a:f3")
    assert cleaning.medians[0] == np.median(values[10:, 1])
    fresh = np.full((2, 4), np.nan)
    expected = (cleaning.medians - cleaning.means) / cleaning.scales
    np.testing.assert_array_equal(cleaning.transform(frame_of(fresh)), [expected, expected])
    standard = cleaning.transform(frame_of(values))
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), 1, rtol=1e-12)


def test_constant_features_go_and_huge_or_tiny_ones_stay():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5)) * np.array([0, 1e-14, 1e-200, 1e200, 1]) + np.array([7, 1, 0, 0, 0])
    cleaning = fit_cleaning(frame_of(values), np.arange(40) % 2, KEEP_ALL)
    assert cleaning.names == ("a:f2", "a:f3", "a:f4")
    assert np.isfinite(cleaning.transform(frame_of(values))).all()


def test_all_missing_is_constant_even_where_missing_is_allowed():
    values = np.column_stack([np.full(20, np.nan), np.arange(20.0)])
    settings = CleaningSettings(max_missing=1.0, univariate="none")
    assert fit_cleaning(frame_of(values), np.arange(20) % 2, settings).names == ("a:f1",)


@pytest.mark.parametrize("values", [np.zeros((20, 3)), np.full((20, 2), np.nan), np.zeros((20, 0))])
def test_nothing_may_be_left(values):
    cleaning = fit_cleaning(frame_of(values), np.arange(20) % 2)
    assert cleaning.names == ()
    assert cleaning.steps[-1].n_out == 0
    assert cleaning.transform(frame_of(values)).shape == (20, 0)


def test_steps_count_what_goes_in_and_out():
    rng = np.random.default_rng(0)
    frame = frame_of(rng.normal(size=(60, 30)))
    steps = fit_cleaning(frame, np.arange(60) % 3, CleaningSettings(alpha=0.5)).steps
    assert [step.name for step in steps] == ["missing", "constant", "univariate", "correlation"]
    assert all(before.n_out == after.n_in for before, after in itertools.pairwise(steps))
    assert steps[2].settings == {"test": "kruskal", "alpha": 0.5}
    assert 0 < steps[2].n_out < 30


def test_the_order_of_columns_does_not_matter():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(80, 4)) @ rng.normal(size=(4, 60)) + 0.5 * rng.normal(size=(80, 60))
    frame, codes = frame_of(values), np.arange(80) % 2
    settings = CleaningSettings(univariate="none", max_correlation=0.7)
    shuffled = frame.iloc[:, rng.permutation(60)]
    assert set(fit_cleaning(frame, codes, settings).names) == set(fit_cleaning(shuffled, codes, settings).names)


def test_an_absent_column_is_named_with_its_source():
    frame = frame_of(np.random.default_rng(0).normal(size=(20, 3)), ["imagenet:x", "imagenet:y", "radiomics:z"])
    cleaning = fit_cleaning(frame, np.arange(20) % 2, KEEP_ALL)
    with pytest.raises(FeatureError, match=r"lacks 1 features .*source imagenet\): imagenet:y"):
        cleaning.transform(frame.drop(columns="imagenet:y"))
