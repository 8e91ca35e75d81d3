"""Resampling against pairs counted one by one, and the properties that a resampling test must have."""

from dataclasses import replace

import numpy as np
import pytest

import radfusion.evaluation as ev
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Clusters, clusters, multiclass
from radfusion.evaluation.resampling import AVERAGES, area_of, case_counts, weighted_areas

CLASSES = (0, 1, 2)


def pair(labels, a, b, patients=None):
    """Two models on the same cases."""
    return ev.ScoredPair(*(ev.ScoredSet(labels, each, CLASSES, patients) for each in (a, b)), paired=True)


def study(seed, n=60, better=0.0):
    rng = np.random.default_rng(seed)
    labels = np.append(np.repeat(CLASSES, 2), rng.integers(0, 3, n - 6))
    scores = rng.normal(size=(2, n, 3)) + np.eye(3)[labels] * np.array([1.0 + better, 1.0])[:, None, None]
    odds = np.exp(np.round(scores, 1))
    return labels, *(odds / odds.sum(axis=2, keepdims=True))


@pytest.mark.parametrize("average", AVERAGES)
def test_weighted_areas_are_those_of_the_repeated_cases(average):
    labels, matrix, _ = study(1)
    ranked = multiclass(labels, matrix, CLASSES)
    (counts,) = case_counts(labels, Clusters(), 20, seed=3)
    rows = [np.repeat(np.arange(len(labels)), each) for each in counts]
    expected = [area_of(multiclass(labels[each], matrix[each], CLASSES), Clusters(), average).value for each in rows]
    # The shares of the classes are those of the study, which stratified resamples keep.
    np.testing.assert_allclose(weighted_areas(ranked, average, counts), expected, rtol=1e-13)


def test_whole_patients_are_drawn_within_their_class():
    groups = clusters(["p", "p", "q", "q", "r", "s"], 6)
    (counts,) = case_counts(np.array([0, 0, 1, 1]), groups, 50, seed=1)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 0] + counts[:, 2] == 2).all()
    assert (counts[:, 4] + counts[:, 5] == 2).all()
    assert len(np.unique(counts[:, 0])) == 3


def test_blocks_do_not_change_what_is_drawn(monkeypatch):
    strata = np.zeros(30, dtype=int)
    whole = np.concatenate(list(case_counts(strata, Clusters(), 40, seed=2)))
    monkeypatch.setattr("radfusion.evaluation.resampling._BLOCK", 30 * 7)
    assert (np.concatenate(list(case_counts(strata, Clusters(), 40, seed=2))) == whole).all()


@pytest.mark.parametrize("kind", ["bca", "percentile"])
@pytest.mark.parametrize("average", [ev.macro_auc, ev.weighted_auc, ev.hand_till_auc])
def test_bootstrap_is_near_the_closed_form(average, kind):
    labels, matrix, _ = study(2, n=300)
    closed = average(labels, matrix, CLASSES, ci="logit")
    drawn = average(labels, matrix, CLASSES, ci=ev.Bootstrap(kind=kind, n_resamples=1000))
    assert (drawn.low, drawn.high) == pytest.approx((closed.low, closed.high), abs=0.012)
    assert (drawn.value, drawn.se, drawn.method) == (closed.value, closed.se, f"stratified_bootstrap_{kind}_1000")


def test_bca_agrees_with_scipy():
    from scipy.stats import bootstrap

    rng = np.random.default_rng(4)
    negative, positive = rng.normal(size=40), rng.normal(1.0, 1.0, 40)

    def area(x, y, axis=-1):
        return (x[..., :, None] < y[..., None, :]).mean(axis=(-2, -1))

    expected = bootstrap((negative, positive), area, n_resamples=4000, rng=np.random.default_rng(1)).confidence_interval
    scores, labels = np.append(negative, positive), np.repeat([0, 1], 40)
    found = ev.auc(labels, scores, ci=ev.Bootstrap(n_resamples=4000))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_equal_calls_give_equal_numbers():
    how = ev.Bootstrap(seed=5, n_resamples=200)
    one, two = (ev.auc_bootstrap_test(pair(*study(3)), how=how) for _ in range(2))
    assert one == two
    assert one != ev.auc_bootstrap_test(pair(*study(3)), how=ev.Bootstrap(seed=6, n_resamples=200))


@pytest.mark.parametrize("better", [0.0, 1.5])
def test_three_ways_agree(better):
    given = study(5, n=150, better=better)
    closed = ev.macro_auc_test(*given, CLASSES)
    drawn = ev.auc_bootstrap_test(pair(*given))
    permuted = ev.auc_permutation_test(pair(*given), n_resamples=1000)
    assert drawn.difference == permuted.difference == closed.difference
    assert drawn.statistic == pytest.approx(closed.statistic, rel=0.06)
    assert permuted.p == pytest.approx(closed.p, abs=0.04)


@pytest.mark.parametrize("test", [ev.auc_bootstrap_test, ev.auc_permutation_test], ids=["bootstrap", "permutation"])
def test_whole_patients_count_once(test):
    labels, a, b = study(6, better=0.8)
    repeated, patients = [np.repeat(each, 4, axis=0) for each in (labels, a, b)], np.repeat(np.arange(60), 4)
    one, four = test(pair(labels, a, b)), test(pair(*repeated, patients))
    assert four.difference == pytest.approx(one.difference, abs=1e-12)
    assert four.p == pytest.approx(one.p, abs=0.03)


def test_models_of_equal_order_differ_in_no_test():
    labels, a, _ = study(7)
    for test in (ev.auc_bootstrap_test, ev.auc_permutation_test):
        found = test(pair(labels, a, a))
        assert (found.difference, found.p) == (0.0, 1.0)
    found = ev.venkatraman_test(labels, a[:, 1], np.exp(a[:, 1]), n_resamples=100)
    assert (found.statistic, found.p) == (0.0, 1.0)


def test_venkatraman_sees_curves_that_cross():
    rng = np.random.default_rng(8)
    labels = np.repeat([0, 1], 150)
    wide, narrow = rng.normal(0.0, np.where(labels, 3.0, 1.0)), rng.normal(0.0, np.where(labels, 1.0, 3.0))
    found = ev.venkatraman_test(labels, wide, narrow, n_resamples=200)
    assert found.p < 0.01 < ev.delong_test(labels, wide, narrow).p


def test_perfect_scores_have_no_bootstrap_interval():
    found = ev.auc([0, 0, 1, 1], [1, 2, 3, 4], ci=ev.Bootstrap(n_resamples=100))
    assert (found.value, found.low) == (1.0, None)
    assert "same area" in found.reason


def test_settings_that_cannot_be():
    with pytest.raises(EvaluationError, match="allowed are 'bca' and 'percentile'"):
        ev.Bootstrap(kind="basic")
    with pytest.raises(EvaluationError, match="n_resamples is 10; allowed are 100"):
        ev.Bootstrap(n_resamples=10)
    with pytest.raises(EvaluationError, match="n_resamples is 10; allowed are 100"):
        ev.auc_permutation_test(pair(*study(9)), n_resamples=10)
    with pytest.raises(EvaluationError, match="allowed are 'logit', 'delong' and Bootstrap"):
        ev.auc([0, 0, 1, 1], [1, 3, 2, 4], ci="wald")
    with pytest.raises(EvaluationError, match="allowed are two models on the same cases"):
        ev.auc_bootstrap_test(replace(pair(*study(9)), paired=False))
    with pytest.raises(EvaluationError, match="allowed are 'macro', 'weighted', 'hand_till'"):
        ev.average_auc_test(pair(*study(9)), average="micro")
