"""ICC of every feature at once: against ICC one by one, and on readings whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from radfusion.errors import EvaluationError
from radfusion.evaluation.agreement import icc
from radfusion.evaluation.agreement.features import (
    FORMS,
    feature_stability,
    rank_correlations,
    shared_ratings,
    stable_features,
)


def readings(values):
    """Tables of a (readings, cases, features) array."""
    names = [f"f{at}" for at in range(values.shape[2])]
    return [pd.DataFrame(each, columns=names, index=[f"c{at}" for at in range(len(each))]) for each in values]


def simulated(n=40, k=3, features=30, seed=0):
    rng = np.random.default_rng(seed)
    noise = np.geomspace(0.05, 3, features)
    return rng.normal(size=(1, n, features)) + noise * rng.normal(size=(k, n, features))


@pytest.mark.parametrize("form", FORMS)
def test_all_at_once_equals_one_by_one(form):
    values = simulated()
    values[1, 3, 5] = values[0, 7, 5] = values[2, 3, 9] = np.nan
    for at, each in enumerate(feature_stability(readings(values), form=form, level=0.9)):
        table = values[:, :, at].T
        alone = icc(table[np.isfinite(table).all(axis=1)], form=FORMS[form], level=0.9)
        assert (each.value, each.low, each.high) == pytest.approx((alone.value, alone.low, alone.high), abs=1e-12)
        assert each.n_cases == alone.n


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("use", ["estimate", "lower"])
@pytest.mark.parametrize("form", FORMS)
def test_verdicts_without_numbers_are_those_with_numbers(form, use, n):
    values = simulated(n=n, features=60)
    values[1, 2, 5] = values[0, 0, 5] = values[2, 1, 9] = np.nan
    values[:, :, 12], values[:, :, 20] = 3.0, values[0, :, 20]
    values[:, :, 30] = np.arange(3)[:, None]
    frames = readings(values)
    expected = [each.kept for each in feature_stability(frames, form=form, use=use, level=0.9)]
    names, cases, ratings = shared_ratings(frames)
    assert (len(names), len(cases)) == (60, n)
    assert stable_features(ratings, form=form, use=use, level=0.9).tolist() == expected
    assert 0 < sum(expected) < 60


def test_the_true_correlation_is_estimated():
    found = feature_stability(readings(simulated(n=2000)), form="ICC(1,1)")
    truth = 1 / (1 + np.geomspace(0.05, 3, 30) ** 2)
    np.testing.assert_allclose([each.value for each in found], truth, atol=0.04)
    covered = [each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]
    assert np.mean(covered) > 0.85


def test_identical_readings_agree_perfectly_and_stay_under_either_rule():
    one = simulated(k=1)
    for use in ("estimate", "lower"):
        found = feature_stability(readings(np.concatenate([one, one])), use=use)
        assert {(each.value, each.kept) for each in found} == {(1.0, True)}


def test_shuffled_readings_agree_by_chance():
    one = simulated(n=500, k=1)[0]
    other = np.random.default_rng(1).permuted(one, axis=0)
    found = feature_stability(readings(np.stack([one, other])))
    assert abs(np.mean([each.value for each in found])) < 0.05
    assert not any(each.kept for each in found)


def test_a_shift_between_readers_counts_against_absolute_agreement_only():
    one = simulated(k=1)
    one /= one.std(axis=1, keepdims=True)
    shifted = np.concatenate([one, one + 2])
    absolute, consistent = (feature_stability(readings(shifted), form=form) for form in ("ICC(A,1)", "ICC(C,1)"))
    assert all(each.value < 0.6 for each in absolute)
    assert all(each.value == pytest.approx(1) for each in consistent)


def test_the_lower_limit_is_the_stricter_rule():
    values = simulated(n=15)
    by_estimate, by_limit = (feature_stability(readings(values), use=use) for use in ("estimate", "lower"))
    kept = {use: {each.feature for each in found if each.kept} for use, found in (("e", by_estimate), ("l", by_limit))}
    assert kept["l"] < kept["e"]
    assert all(each.kept == (each.low >= 0.75) for each in by_limit)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e9])
def test_a_constant_feature_is_left_to_cleaning(constant):
    values = simulated(features=2)
    values[:, :, 0] = constant * np.array([1, 1 + 1e-15, 1 - 1e-15])[:, None]
    flat, _ = feature_stability(readings(values))
    assert (flat.value, flat.kept) == (None, True)
    assert "does not vary" in flat.reason


def test_a_feature_with_too_few_values_is_not_kept():
    values = simulated(features=2)
    values[0, 1:, 1] = np.nan
    full, bare = feature_stability(readings(values))
    assert (bare.value, bare.kept, bare.n_cases) == (None, False, 1)
    assert "1 cases have a value" in bare.reason
    assert full.kept


def test_cases_and_features_that_one_table_lacks_are_left_out():
    first, second = readings(simulated(k=2, features=3))
    found = feature_stability([first, second.drop(index=["c0", "c5"], columns=["f1"])[["f2", "f0"]]])
    assert [each.feature for each in found] == ["f0", "f2"]
    assert {each.n_cases for each in found} == {38}


def test_what_cannot_be_compared_is_refused():
    first, second = readings(simulated(k=2, features=2))
    with pytest.raises(EvaluationError, match="1 readings; stability needs two or more"):
        feature_stability([first])
    with pytest.raises(EvaluationError, match="1 cases have every reading"):
        feature_stability([first, second.iloc[:1]])
    with pytest.raises(EvaluationError, match=r"allowed are ICC\(1,1\), ICC\(A,1\)"):
        feature_stability([first, second], form="ICC(2,1)")


def test_rank_correlations_are_spearmans():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    first, second = readings(rng.integers(0, 6, size=(2, 25, 4)).astype(float))
    first.iloc[3, 2] = np.nan
    second["f3"] = 1.0
    expected = [abs(spearmanr(first[name], second[name], nan_policy="omit")[0]) for name in ("f0", "f1", "f2")]
    np.testing.assert_allclose(rank_correlations(first, second), [*expected, 0.0], atol=1e-12)
