"""What each function says when all is well, when something cannot be estimated, and when the input is wrong."""

import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import radfusion.evaluation as ev
from radfusion.core.predictions import Predictions
from radfusion.core.results import Comparison, Estimate, Threshold
from radfusion.errors import EvaluationError, UnknownNameError

CLASSES = ("normal", "osteoporotic", "malignant")
Y, SCORE = [0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8, 0.2]


def predictions(seed, n=60, *, model="radiomics/svm", set_="internal", start=0, classes=CLASSES):
    """One model on one set; cases and patients are numbered from `start`, three cases to a patient."""
    rng = np.random.default_rng(seed)
    codes = np.arange(start, start + n) % len(classes)
    matrix = rng.dirichlet(np.ones(len(classes)), n) + 0.5 * np.eye(len(classes))[codes]
    case = pd.Index([f"case {k}" for k in range(start, start + n)], name="case")
    patient = [f"patient {k // 3}" for k in range(start, start + n)]
    rows = pd.DataFrame({"patient": patient, "set": set_, "label": np.array(classes)[codes]}, index=case)
    return Predictions.from_arrays(rows, matrix / matrix.sum(axis=1, keepdims=True), classes, model)


def survives(found):
    """A result with NaN, infinity or a numpy number would not come back from JSON as it went."""
    for each in found:
        assert type(each).model_validate_json(each.model_dump_json(by_alias=True)) == each


@pytest.mark.parametrize("name", ev.METRICS)
def test_every_metric_gives_estimates(name):
    data = predictions(1)
    scored = ev.ScoredSet(
        data.labels, data.probabilities, CLASSES, data.patients, thresholds={"normal": 0.4, "malignant": None}
    )
    found = ev.METRICS[name](scored)
    assert found
    survives(found)
    assert all((each.value is None) == (each.reason is not None) for each in found)


@pytest.mark.parametrize("name", ev.COMPARISONS)
@pytest.mark.parametrize("paired", [True, False])
def test_every_comparison_gives_a_test(name, paired):
    a, b = predictions(1), predictions(2, start=0 if paired else 60)
    pair = [ev.ScoredSet(each.labels, each.probabilities, CLASSES, each.patients) for each in (a, b)]
    found = ev.COMPARISONS[name](ev.ScoredPair(*pair, paired=paired))
    survives(found)
    assert all(0 <= each.p <= 1 and each.paired is paired for each in found)


@pytest.mark.parametrize("score", [[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [2, 2, 2, 2, 2, 2]])
def test_no_interval_without_variance(score):
    found = ev.auc(Y, score)
    assert (found.se, found.low, found.high) == (0, None, None)
    assert "not estimable" in found.reason


def test_absent_class_has_a_reason_and_no_macro():
    *areas, macro = ev.one_vs_rest_auc(["a", "b", "b"], np.eye(3), ["a", "b", "c"])
    assert areas[2].value is macro.value is None
    assert areas[2].reason == macro.reason == "no case is of class 'c'"
    assert areas[1].value is not None
    survives([*areas, macro])


def test_single_case_has_an_area_without_variance():
    *areas, macro = ev.one_vs_rest_auc(["a", "b", "b", "c", "c"], np.eye(3)[[0, 1, 2, 0, 1]], ["a", "b", "c"])
    assert (areas[0].value, areas[0].se, macro.low) == (0.875, None, None)
    assert "two cases whose class is 'a'" in macro.reason
    test = ev.macro_auc_test(
        ["a", "b", "b", "c", "c"], np.eye(3)[[0, 1, 2, 0, 1]], np.eye(3)[[0, 1, 2, 1, 0]], ["a", "b", "c"]
    )
    assert test.difference is not None
    assert (test.p, test.reason) == (None, macro.reason)


def test_positives_of_one_patient_have_no_variance():
    found = ev.auc(Y, SCORE, patients=["p", "q", "r", "s", "s", "s"])
    assert found.value is not None
    assert "two patients" in found.reason


def test_area_below_half_is_not_flipped():
    assert ev.auc(["no", "no", "yes", "yes"], [3, 2, 1, 2.5], positive="yes").value == 0.25


def test_clustered_share_is_less_certain():
    hits, patients = np.repeat([1, 1, 1, 0, 1, 0], 4), np.repeat(np.arange(6), 4)
    plain, clustered = ev.accuracy(np.ones(24), hits), ev.accuracy(np.ones(24), hits, patients=patients)
    assert plain.value == clustered.value
    # Six patients, each all right or all wrong: as good as six cases (five, with the variance's n - 1).
    assert (clustered.low, clustered.high) == pytest.approx(ev.wilson_interval(4 / 6, 5, level=0.95))
    perfect = ev.accuracy(hits, hits, patients=patients)
    assert (perfect.low, perfect.high) == pytest.approx(ev.wilson_interval(1, 6, level=0.95))
    assert clustered.method == "cluster_wilson"


def test_brier_of_two_and_of_three_classes():
    assert ev.brier(["n", "y"], [[0.75, 0.25], [0.5, 0.5]], ["n", "y"]).value == (0.25**2 + 0.5**2) / 2
    three = ev.brier(["a", "c"], [[0.5, 0.25, 0.25], [0, 0, 1]], ["a", "b", "c"])
    assert three.value == (0.5**2 + 2 * 0.25**2) / 2
    assert ev.brier([1], [0.5], [0, 1]).reason == "an interval needs two cases; there is one"


def test_no_information_rate_is_the_binomial_tail():
    labels, predicted = list("aaaaaabbbb"), list("aaaaaabbba")
    found = ev.no_information_rate_test(labels, predicted)
    tail = sum(math.comb(10, k) * 0.6**k * 0.4 ** (10 - k) for k in (9, 10))
    assert found.p == pytest.approx(tail, rel=1e-12)
    assert found.values == (0.9, 0.6)
    assert ev.no_information_rate_test(["a"], ["b"]).p == 1


def test_threshold_between_neighbouring_numbers_separates_them():
    low, high = 0.3, math.nextafter(0.3, 1)
    assert ev.youden_threshold([0, 1], [low, high]) == high
    assert ev.youden_threshold([1, 0], [0.1, 0.2]) == -math.inf


WRONG = {
    "scores have shape": lambda: ev.auc(Y, SCORE[:-1]),
    r"missing or infinite in 1 of 6 cases \(positions 0\)": lambda: ev.auc(Y, [math.nan, *SCORE[1:]]),
    "scores are not numbers": lambda: ev.auc(Y, list("abcdef")),
    "no label equals positive='malignant'; the labels are 0, 1": lambda: ev.auc(Y, SCORE, positive="malignant"),
    "labels are missing": lambda: ev.auc([None, *Y[1:]], SCORE),
    "at least one case": lambda: ev.auc([], []),
    "level is 95": lambda: ev.auc(Y, SCORE, level=95),
    "ci is 'wald'; allowed": lambda: ev.auc(Y, SCORE, ci="wald"),
    "patients has 2 entries": lambda: ev.auc(Y, SCORE, patients=["p", "q"]),
    "labels hold 'x'; allowed are the classes 'a', 'b'": lambda: ev.influence(["a", "x"], np.eye(2), ["a", "b"]),
    "two or more different names": lambda: ev.influence(["a", "b"], np.eye(2), ["a", "a"]),
    "predicted has 1 entries": lambda: ev.confusion(["a", "b"], ["a"], ["a", "b"]),
    "allowed is 0 to 1": lambda: ev.brier(["a", "b"], 2 * np.eye(2), ["a", "b"]),
    "threshold is not a number": lambda: ev.operating_point(Y, SCORE, math.nan),
    "at least one must be, and one not": lambda: ev.roc_curve([1, 1], [0.1, 0.2]),
    "numbers from 0 to 1": lambda: ev.adjust_pvalues([0.1, math.nan]),
    "sets external, internal": lambda: ev.evaluate_set(both_sets()),
    "a class has two thresholds": lambda: ev.evaluate_set(predictions(1), [threshold(0.5), threshold(0.4)]),
    "thresholds from the set 'internal'": lambda: ev.training_thresholds(predictions(1), ev.EvaluationSettings()),
    "allowed are the same": lambda: ev.compare_models(predictions(1), predictions(1, classes=("a", "b"))),
    "label is .* allowed is the same": lambda: ev.compare_models(predictions(1), relabelled()),
    "occurs twice": lambda: ev.compare_models(predictions(1), doubled()),
}


def threshold(value, name="normal"):
    return Threshold(model="radiomics/svm", class_=name, value=value, rule="youden", fitted_on="training")


def both_sets():
    a, b = predictions(1), predictions(1, set_="external", start=60)
    return Predictions(pd.concat([a.frame, b.frame]), CLASSES, a.model)


def relabelled():
    a = predictions(2)
    return Predictions(a.frame.assign(label="normal"), CLASSES, a.model)


def doubled():
    a = predictions(2)
    return Predictions(pd.concat([a.frame, a.frame[:1]]), CLASSES, a.model)


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input_is_named(message):
    with pytest.raises(EvaluationError, match=message):
        WRONG[message]()


def test_set_is_evaluated_by_every_metric_and_carries_its_names():
    cuts = [threshold(0.4), threshold(None, "malignant"), threshold(0.4).model_copy(update={"model": "other"})]
    found = ev.evaluate_set(predictions(1), cuts, level=0.9)
    assert {(each.model, each.set, each.level, each.n_patients) for each in found if each.value is not None} == {
        ("radiomics/svm", "internal", 0.9, 20)
    }
    assert {each.metric for each in found} >= {"auc", "macro_auc", "sensitivity", "accuracy", "brier"}
    assert {each.class_ for each in found if each.metric == "sensitivity"} == {"normal", "malignant"}
    survives(found)


def test_curves_of_a_set_leave_out_an_absent_class():
    data = predictions(1)
    assert [each.class_ for each in ev.roc_curves(data)] == [*CLASSES, None]
    fewer = Predictions(data.frame[data.frame["label"] != "malignant"], CLASSES, data.model)
    assert [each.class_ for each in ev.roc_curves(fewer)] == ["normal", "osteoporotic"]


def test_training_thresholds_say_where_they_are_from():
    data = predictions(1, set_="training")
    found = ev.training_thresholds(data, ev.EvaluationSettings())
    assert [each.class_ for each in found] == list(CLASSES)
    first = ev.youden_threshold(data.labels, data.probabilities[:, 0], positive="normal")
    assert (found[0].value, found[0].fitted_on) == (first, "training out-of-fold predictions")
    flat = Predictions(data.frame.assign(p_normal=0.5), CLASSES, data.model)
    gone = Predictions(data.frame[data.frame["label"] == "normal"], CLASSES, data.model)
    assert "no threshold tells" in ev.training_thresholds(flat, ev.EvaluationSettings())[0].reason
    reasons = [each.reason for each in ev.training_thresholds(gone, ev.EvaluationSettings())]
    assert reasons[:2] == ["every training case is of class 'normal'", "no training case is of class 'osteoporotic'"]


def test_same_cases_are_compared_paired_in_any_order():
    a, b = predictions(1), predictions(2, model="deep/svm")
    found = ev.compare_models(a, Predictions(b.frame[::-1], CLASSES[::-1], b.model))
    direct = ev.macro_auc_test(a.labels, a.probabilities, b.probabilities, CLASSES, patients=a.patients)
    assert found == direct.model_copy(update={"models": ("radiomics/svm", "deep/svm"), "set": "internal"})
    assert (found.n, found.n_patients, found.paired) == (60, 20, True)
    per_class = ev.class_comparisons(a, b)
    assert [each.class_ for each in per_class] == list(CLASSES)
    survives([found, *per_class])


def test_shared_cases_are_compared_paired_and_said_so():
    a, b = predictions(1), predictions(2, start=15)
    found = ev.compare_models(a, b)
    assert (found.n, found.paired, found.p is not None) == (45, True, True)
    assert found.reason == "paired on the 45 cases that both models have, of 60 and 60"


def test_other_cases_are_compared_unpaired():
    a, b = predictions(1), predictions(2, start=60, set_="external")
    found = ev.compare_models(a, b)
    se = [ev.one_vs_rest_auc(x.labels, x.probabilities, CLASSES, patients=x.patients)[-1].se for x in (a, b)]
    assert found.statistic == pytest.approx(found.difference / math.hypot(*se), rel=1e-12)
    assert (found.df, found.n, found.n_patients, found.set) == (None, 120, 40, "internal and external")
    assert found.test == "cluster_influence_unpaired"


def test_other_cases_of_the_same_patients_are_not_compared():
    a, b = predictions(1, n=61), predictions(2, start=61)
    found = ev.compare_models(a, b)
    assert (found.p, found.low, found.statistic) == (None, None, None)
    assert found.difference is not None
    assert "1 patients are in both sets" in found.reason


def test_two_classes_are_compared_as_by_delong():
    two = ("benign", "malignant")
    a, b, c = (predictions(k, classes=two, start=60 * (k == 3)) for k in (1, 2, 3))
    alone = [each.frame.assign(patient=each.frame.index) for each in (a, b, c)]
    a, b, c = (Predictions(frame, two, "m") for frame in alone)
    score = [each.probabilities[:, 1] for each in (a, b, c)]
    paired = ev.delong_test(a.labels, score[0], score[1], positive="malignant")
    unpaired = ev.delong_test_unpaired(a.labels, score[0], c.labels, score[2], positive="malignant")
    for found, expected in ((ev.compare_models(a, b), paired), (ev.compare_models(a, c), unpaired)):
        assert (found.difference, found.low, found.p) == pytest.approx((expected.difference, expected.low, expected.p))
        assert found.df == pytest.approx(expected.df)


def test_accuracy_is_compared_with_the_commonest_class():
    found = ev.compare_with_no_information(predictions(1))
    assert found.models == ("radiomics/svm", "no_information_rate")
    assert found.test == "cluster_binomial"
    survives([found])


def test_families_are_adjusted_apart_and_the_primary_not_at_all():
    p = [("primary", 0.04), ("secondary", 0.01), ("secondary", None), ("secondary", 0.03), ("exploratory", 0.02)]
    tests = [Comparison(test="t", metric="m", difference=0, p=each, family=role, role=role) for role, each in p]
    found = ev.adjust_comparisons(tests, "bonferroni")
    assert [each.p_adjusted for each in found] == [0.04, 0.02, None, 0.06, 0.02]
    assert [each.adjustment for each in found] == ["none", *["bonferroni"] * 4]


def test_settings_refuse_what_is_not_there():
    assert ev.EvaluationSettings().adjustment == "holm"
    primary = {"models": ["early-a", "radiomics"], "set": "external"}
    assert ev.EvaluationSettings(primary=primary).primary == ev.PrimaryComparison(**primary)
    for wrong, message in (
        ({"adjustment": "holms"}, "did you mean 'holm'"),
        ({"threshold": "best"}, "known: youden"),
        ({"level": 95}, "less than 1"),
        ({"primary": {**primary, "set": "training"}}, "internal"),
        ({"primary": {"models": ["a", "a"], "set": "external"}}, "two different arms"),
    ):
        with pytest.raises(ValidationError, match=message):
            ev.EvaluationSettings.model_validate(wrong)
    with pytest.raises(UnknownNameError, match="did you mean 'bonferroni'"):
        ev.adjust_pvalues([0.1], "bonferoni")


def test_public_names_are_one_sorted_list():
    assert [*ev.__all__] == sorted(ev.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(ev, name) for name in ev.__all__)
    assert isinstance(ev.auc(Y, SCORE), Estimate)


def test_a_threshold_that_nobody_reaches_is_no_crash_with_several_cases_per_patient() -> None:
    found = {
        each.metric: each
        for each in ev.operating_point([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], 0.9, patients=["a", "a", "b", "b"])
    }
    assert found["ppv"].value is None
    assert found["ppv"].reason == "no case is called positive at the threshold"
    assert found["sensitivity"].value == 0.0
