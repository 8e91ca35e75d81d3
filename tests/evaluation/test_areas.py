"""Averages of areas, joint and pairwise tests: each against its definition and against the test it must reduce to."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

import radfusion.evaluation as ev
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Clusters, multiclass
from radfusion.evaluation.delong import pairs_influence, rising

CLASSES = ("normal", "osteoporotic", "malignant")


def study(seed, n=80, models=2):
    rng = np.random.default_rng(seed)
    codes = np.append(np.repeat([0, 1, 2], 3), rng.integers(0, 3, n - 9))
    odds = np.exp(np.round(rng.normal(size=(models, n, 3)) + np.eye(3)[codes], 1))
    return np.array(CLASSES)[codes], *(odds / odds.sum(axis=2, keepdims=True))


def averaged(labels, a, b, average, classes=CLASSES):
    models = (ev.ScoredSet(labels, each, classes) for each in (a, b))
    return ev.average_auc_test(ev.ScoredPair(*models, paired=True), average)


def pair_area(labels, scores, first, second):
    """Area by Mann and Whitney's U."""
    a, b = scores[labels == first], scores[labels == second]
    return mannwhitneyu(a, b).statistic / (len(a) * len(b))


def test_hand_till_is_the_mean_over_pairs():
    labels, matrix, _ = study(1)
    areas = [pair_area(labels, matrix[:, CLASSES.index(i)], i, j) for i, j in itertools.permutations(CLASSES, 2)]
    assert ev.hand_till_auc(labels, matrix, CLASSES).value == pytest.approx(np.mean(areas), abs=1e-14)


def test_weighted_auc_weighs_by_the_shares():
    labels, matrix, _ = study(2)
    shares = [np.mean(labels == name) for name in CLASSES]
    areas = [each.value for each in ev.one_vs_rest_auc(labels, matrix, CLASSES)[:3]]
    assert ev.weighted_auc(labels, matrix, CLASSES).value == pytest.approx(np.dot(shares, areas), abs=1e-15)


@pytest.mark.parametrize("average", [ev.macro_auc, ev.weighted_auc, ev.hand_till_auc, ev.micro_auc])
def test_standard_error_is_near_the_jackknife(average):
    labels, matrix, _ = study(3, n=150)
    n, found = len(labels), average(labels, matrix, CLASSES)
    kept = [np.arange(n) != k for k in range(n)]
    values = np.array([average(labels[each], matrix[each], CLASSES).value for each in kept])
    jackknife = np.sqrt((n - 1) / n * ((values - values.mean()) ** 2).sum())
    # Leaving a case out also changes the shares of the classes, which two of the averages hold fixed.
    tolerance = {ev.weighted_auc: 0.05, ev.micro_auc: 0.05}.get(average, 0.02)
    assert found.se == pytest.approx(jackknife, rel=tolerance)


@pytest.mark.parametrize("average", [ev.macro_auc, ev.weighted_auc, ev.hand_till_auc, ev.micro_auc])
def test_repeated_cases_of_a_patient_add_nothing(average):
    labels, matrix, _ = study(4)
    once = average(labels, matrix, CLASSES)
    twice = average(np.repeat(labels, 2), np.repeat(matrix, 2, axis=0), CLASSES, patients=np.repeat(np.arange(80), 2))
    assert twice.value == pytest.approx(once.value, abs=1e-13)
    assert twice.se == pytest.approx(once.se, rel=0.05)
    assert twice.method.startswith("cluster_influence")


def test_pairs_leave_out_cases_of_other_classes():
    labels, matrix, _ = study(5)
    found = pairs_influence(multiclass(labels, matrix, CLASSES), Clusters())
    assert (found.values[labels == "malignant", 0] == 0).all()
    assert (found.values[labels == "normal", 0] != 0).any()


binary_rows = st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 8)), min_size=6, max_size=30).filter(
    lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2
)


@given(binary_rows)
def test_every_average_of_two_classes_is_the_auc(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    y, a, b = y.astype(int), a / 8, b / 8
    plain, test = ev.auc(y, a), ev.delong_test(y, a, b)
    for average, name in ((ev.macro_auc, "macro"), (ev.weighted_auc, "weighted"), (ev.hand_till_auc, "hand_till")):
        found = average(y, a, [0, 1])
        assert found.value == pytest.approx(plain.value, abs=1e-14)
        assert found.se == pytest.approx(plain.se, abs=1e-14)
        compared = averaged(y, a, b, name, (0, 1))
        assert (compared.p is None) == (test.p is None)
        assert compared.p is None or compared.p == pytest.approx(test.p, abs=1e-9)


@given(binary_rows)
def test_joint_test_of_two_classes_is_delongs(rows):
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    joint, plain = ev.joint_auc_test(y.astype(int), a / 8, b / 8, [0, 1]), ev.delong_test(y, a, b)
    assert (joint.p is None) == (plain.p is None)
    if joint.p is not None and joint.df:
        assert (joint.df, joint.p) == (1, pytest.approx(plain.p, rel=1e-6, abs=1e-12))


def test_joint_test_is_a_chi_square_of_all_classes():
    labels, a, b = study(6)
    found = ev.joint_auc_test(labels, a, b, CLASSES)
    one, two = (ev.influence(labels, each, CLASSES) for each in (a, b))
    gap, values = one.aucs - two.aucs, one.values - two.values
    assert found.df == 3
    assert found.statistic == pytest.approx(gap @ np.linalg.solve(values.T @ values / len(labels) ** 2, gap), rel=1e-10)


def test_swapped_models_turn_the_sign():
    labels, a, b = study(7)
    for average in ("macro", "weighted", "hand_till"):
        one, two = (averaged(labels, *pair, average) for pair in ((a, b), (b, a)))
        assert (one.difference, one.statistic, one.low, one.p) == (-two.difference, -two.statistic, -two.high, two.p)


def test_unpaired_test_adds_the_variances():
    labels, a, b = study(8)
    found = ev.macro_auc_test_unpaired(labels, a, labels, b, CLASSES)
    one, two = (ev.macro_auc(labels, each, CLASSES) for each in (a, b))
    assert found.statistic == pytest.approx((one.value - two.value) / np.hypot(one.se, two.se), rel=1e-12)
    assert (found.df, found.paired, found.test) == (None, False, "influence_macro_unpaired")


def test_pairs_of_many_models_are_the_single_tests():
    labels, *models = study(9, models=4)
    named, patients = {f"model {k}": each for k, each in enumerate(models)}, np.arange(80) // 2
    found = ev.compare_macro_aucs(labels, named, CLASSES, patients=patients)
    assert [each.model for each in found.estimates] == list(named)
    for each in found.comparisons:
        single = ev.macro_auc_test(labels, *(named[name] for name in each.models), CLASSES, patients=patients)
        assert (each.difference, each.p, each.low) == (single.difference, single.p, single.low)
    assert [each.p_adjusted for each in found.comparisons] == ev.adjust_pvalues([each.p for each in found.comparisons])
    assert {each.family for each in found.comparisons} == {"all pairs of 4 models"}


def test_equal_areas_of_many_models():
    labels, *models = study(10, models=4)
    y, scores = labels == "malignant", {str(k): each[:, 2] for k, each in enumerate(models)}
    found = ev.equal_auc_test(y, scores, positive=True)
    assert found.df == 3
    two = {name: scores[name] for name in ("0", "1")}
    assert ev.equal_auc_test(y, two, positive=True).p == pytest.approx(
        ev.delong_test(y, *two.values(), positive=True).p, rel=1e-9
    )
    assert ev.equal_auc_test(y, {"a": scores["0"], "b": scores["0"]}, positive=True).p == 1.0
    assert "two are needed" in ev.equal_auc_test(y, {"a": scores["0"]}, positive=True).reason
    with pytest.raises(EvaluationError, match="no model was given"):
        ev.compare_aucs(y, {}, positive=True)


def test_a_class_without_cases_has_no_average():
    labels, a, b = study(11)
    kept = labels != "malignant"
    for found in (
        ev.hand_till_auc(labels[kept], a[kept], CLASSES),
        averaged(labels[kept], a[kept], b[kept], "hand_till"),
        ev.joint_auc_test(labels[kept], a[kept], b[kept], CLASSES),
    ):
        assert found.reason == "no case is of class 'malignant'"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_order_is_that_of_sorting(values):
    scores = np.array(values)
    assert (scores[rising(scores)] == np.sort(scores)).all()


def test_order_of_scores_that_differ_in_their_last_bits():
    scores = np.random.default_rng(1).permutation(np.repeat(1 + np.arange(400) * 2.0**-52, 3))
    assert (np.diff(scores[rising(scores)]) >= 0).all()
    assert ev.auc(np.arange(1200) % 2, scores).value == pytest.approx(
        pair_area(np.arange(1200) % 2, scores, 1, 0), abs=1e-15
    )
