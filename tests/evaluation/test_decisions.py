"""Operating points and class scores against scikit-learn, scipy and derivatives of the numbers themselves."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import (
    balanced_accuracy_score,
    class_likelihood_ratios,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from radfusion.errors import EvaluationError
from radfusion.evaluation import accuracy, confusion, exact_operating_point, no_information_rate_test, operating_point
from radfusion.evaluation.intervals import clopper_pearson_interval
from radfusion.evaluation.metrics import METRICS, ScoredSet
from radfusion.evaluation.metrics.classes import class_scores

CLASSES = ("a", "b", "c")
SHARES = ["sensitivity", "specificity", "ppv", "npv", "accuracy"]
RATIOS = ["lr_positive", "lr_negative", "diagnostic_odds_ratio"]


def drawn(seed, n=120, right=0.6):
    rng = np.random.default_rng(seed)
    labels = np.array(CLASSES)[rng.choice(3, n, p=(0.5, 0.3, 0.2))]
    return labels, np.where(rng.random(n) < right, labels, np.array(CLASSES)[rng.integers(0, 3, n)])


def named(found):
    return {(each.metric, each.class_): each for each in found}


def at(labels, scores, threshold=0.5, point=operating_point, **options):
    return {each.metric: each for each in point(labels, scores, threshold, **options)}


def decided(tp, fp, fn, tn):
    """Labels and scores of a table at the threshold 0.5."""
    return np.repeat([1, 0, 1, 0], [tp, fp, fn, tn]), np.repeat([1.0, 1.0, 0.0, 0.0], [tp, fp, fn, tn])


def test_scores_of_classes_are_scikit_learns():
    labels, predicted = drawn(1)
    found = named(class_scores(labels, predicted, CLASSES))
    for metric, score in (("recall", recall_score), ("precision", precision_score), ("f1", f1_score)):
        theirs = score(labels, predicted, labels=CLASSES, average=None)
        assert [found[metric, name].value for name in CLASSES] == pytest.approx(list(theirs), rel=1e-14)
    for metric, value in (
        ("macro_f1", f1_score(labels, predicted, average="macro")),
        ("weighted_f1", f1_score(labels, predicted, average="weighted")),
        ("balanced_accuracy", balanced_accuracy_score(labels, predicted)),
        ("mcc", matthews_corrcoef(labels, predicted)),
    ):
        assert found[metric, None].value == pytest.approx(value, rel=1e-13)


def weighted_score(metric):
    return {
        "macro_f1": lambda y, p, w: f1_score(y, p, average="macro", sample_weight=w),
        "weighted_f1": lambda y, p, w: f1_score(y, p, average="weighted", sample_weight=w),
        "balanced_accuracy": lambda y, p, w: balanced_accuracy_score(y, p, sample_weight=w),
        "mcc": lambda y, p, w: matthews_corrcoef(y, p, sample_weight=w),
    }[metric]


@pytest.mark.parametrize("metric", ["macro_f1", "weighted_f1", "balanced_accuracy", "mcc"])
@pytest.mark.parametrize("clustered", [False, True])
def test_standard_errors_follow_from_what_each_case_changes(metric, clustered):
    labels, predicted = drawn(2, n=40)
    patients = np.arange(40) // 3 if clustered else np.arange(40)
    score, step = weighted_score(metric), 1e-5

    def change(k):
        more, less = (1 + sign * step * (np.arange(40) == k) for sign in (1, -1))
        return (score(labels, predicted, more) - score(labels, predicted, less)) / (2 * step)

    sums = np.bincount(patients, weights=[change(k) for k in range(40)])
    units = len(sums)
    se = np.sqrt(sums @ sums * (units / (units - 1) if clustered else 1))
    found = named(class_scores(labels, predicted, CLASSES, patients=patients))[metric, None]
    assert found.se == pytest.approx(se, rel=1e-6)
    assert found.method.startswith("cluster_delta_" if clustered else "delta_")


def test_intervals_of_class_scores_cover():
    centre = {key: each.value for key, each in named(class_scores(*drawn(0, n=200_000), CLASSES)).items()}
    found = [named(class_scores(*drawn(seed), CLASSES)) for seed in range(300)]
    for key in [("macro_f1", None), ("weighted_f1", None), ("balanced_accuracy", None), ("mcc", None), ("f1", "c")]:
        assert 0.91 <= np.mean([each[key].low <= centre[key] <= each[key].high for each in found]) <= 0.98


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=20))
def test_class_scores_are_never_nan_and_say_why(rows):
    labels, predicted = map(list, zip(*rows, strict=True))
    for each in class_scores(labels, predicted, CLASSES):
        assert type(each).model_validate_json(each.model_dump_json(by_alias=True)) == each
        assert (each.low is None) == (each.reason is not None)
        assert each.low is None or -1 <= each.low <= each.value <= each.high <= 1


def test_undefined_class_scores_have_reasons_where_scikit_learn_gives_0():
    found = named(class_scores(["a", "a", "b"], ["a", "b", "b"], CLASSES))
    assert found["recall", "c"].reason == "no case is of class 'c'"
    assert found["precision", "c"].reason == "no case is called class 'c'"
    assert found["f1", "c"].reason == "no case is of class 'c' or called so" == found["macro_f1", None].reason
    assert found["balanced_accuracy", None].reason == "no case is of class 'c'"
    assert found["weighted_f1", None].value == pytest.approx(2 / 3)
    one = named(class_scores(["a", "a"], ["a", "b"], ["a", "b"]))
    assert (one["mcc", None].value, one["f1", "b"].value) == (None, 0)
    assert one["mcc", None].reason == "every case is of one class: the correlation is not defined"
    called = named(class_scores(["a", "b"], ["a", "a"], ["a", "b"]))
    assert called["mcc", None].reason == "every case is called one class: the correlation is not defined"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert matthews_corrcoef(["a", "a"], ["a", "b"]) == 0


def test_a_perfect_classification_has_no_interval():
    found = named(class_scores(list("aabbcc"), list("aabbcc"), CLASSES))
    for metric in ("macro_f1", "balanced_accuracy", "mcc"):
        assert (found[metric, None].value, found[metric, None].low) == (1, None)
        assert "the variance is estimated as 0" in found[metric, None].reason
    assert found["recall", "a"].low is not None


def test_the_metric_of_a_set_is_of_the_most_probable_classes():
    labels, _ = drawn(3)
    probabilities = np.random.default_rng(3).dirichlet(np.ones(3), len(labels))
    found = METRICS["classes"](ScoredSet(labels, probabilities, CLASSES))
    assert [each.metric for each in found] == ["macro_f1", "balanced_accuracy", "mcc"]
    predicted = np.array(CLASSES)[probabilities.argmax(axis=1)]
    assert found == [each for each in class_scores(labels, predicted, CLASSES)[-4:] if each.metric != "weighted_f1"]


def test_an_operating_point_is_scikit_learns():
    labels, scores = decided(45, 34, 15, 56)
    found, called = at(labels, scores), scores >= 0.5
    assert found["f1"].value == pytest.approx(f1_score(labels, called), rel=1e-14)
    assert found["mcc"].value == pytest.approx(matthews_corrcoef(labels, called), rel=1e-14)
    assert found["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(labels, called), rel=1e-14)
    theirs = class_likelihood_ratios(labels, called)
    assert (found["lr_positive"].value, found["lr_negative"].value) == pytest.approx(theirs, rel=1e-14)


def test_errors_of_ratios_are_simels():
    found = at(*decided(45, 34, 15, 56))
    logs = {
        "lr_positive": 1 / 45 - 1 / 60 + 1 / 34 - 1 / 90,
        "lr_negative": 1 / 15 - 1 / 60 + 1 / 56 - 1 / 90,
        "diagnostic_odds_ratio": 1 / 45 + 1 / 34 + 1 / 15 + 1 / 56,
    }
    for name, variance in logs.items():
        assert found[name].se == pytest.approx(found[name].value * np.sqrt(variance), rel=1e-13)
        assert found[name].low * found[name].high == pytest.approx(found[name].value ** 2, rel=1e-13)


def test_copies_of_a_patient_add_nothing():
    labels, scores = decided(20, 10, 8, 30)
    units = len(labels)
    once, twice = (
        at(labels, scores),
        at(np.repeat(labels, 2), np.repeat(scores, 2), patients=np.repeat(range(units), 2)),
    )
    for name in (*RATIOS, "f1", "balanced_accuracy", "mcc"):
        assert twice[name].se == pytest.approx(once[name].se * np.sqrt(units / (units - 1)), rel=1e-12)
        assert (once[name].method, twice[name].method) == (once[name].method, f"cluster_{once[name].method}")
        assert (twice[name].n, twice[name].n_pos, twice[name].n_patients) == (2 * units, 56, units)


@pytest.mark.parametrize(
    ("table", "name", "value", "reason"),
    [
        ((0, 0, 3, 4), "ppv", None, "no case is called positive at the threshold"),
        ((0, 0, 3, 4), "f1", 0, "the variance is estimated as 0"),
        ((0, 0, 3, 4), "mcc", None, "every case is called one class"),
        ((3, 0, 1, 4), "lr_positive", None, "no negative case is called positive: the ratio is not defined"),
        ((0, 2, 3, 4), "lr_positive", 0, "no positive case is called positive: the ratio is 0, without an interval"),
        ((3, 1, 0, 4), "lr_negative", 0, "no positive case is called negative: the ratio is 0"),
        ((3, 4, 2, 0), "lr_negative", None, "no negative case is called negative: the ratio is not defined"),
        ((3, 0, 0, 4), "diagnostic_odds_ratio", None, "the ratio is not defined"),
        ((0, 2, 0, 4), "sensitivity", None, "no case is positive"),
        ((0, 2, 0, 4), "balanced_accuracy", None, "no case is positive"),
        ((0, 2, 0, 4), "lr_positive", None, "no case is positive"),
        ((0, 0, 0, 4), "f1", None, "no case is positive or called positive"),
        ((2, 0, 4, 0), "specificity", None, "no case is negative"),
        ((2, 0, 4, 0), "balanced_accuracy", None, "no case is negative"),
        ((2, 0, 4, 0), "diagnostic_odds_ratio", None, "no case is negative"),
        ((2, 0, 4, 0), "mcc", None, "every case is of one class"),
    ],
)
def test_what_is_not_defined_says_why(table, name, value, reason):
    found = at(*decided(*table))[name]
    assert (found.value, found.low) == (value, None)
    assert reason in found.reason


@given(st.tuples(*[st.integers(0, 4)] * 4).filter(any), st.booleans())
def test_an_operating_point_is_never_nan(table, clustered):
    labels, scores = decided(*table)
    for each in operating_point(labels, scores, 0.5, patients=np.arange(len(labels)) // 2 if clustered else None):
        assert type(each).model_validate_json(each.model_dump_json(by_alias=True)) == each
        assert (each.low is None) == (each.reason is not None)


def test_clopper_pearson_is_the_exact_binomial_interval():
    labels, scores = decided(45, 0, 15, 56)
    found = at(labels, scores, point=exact_operating_point, level=0.9)
    for name, (hits, n) in {"sensitivity": (45, 60), "specificity": (56, 56), "npv": (56, 71)}.items():
        theirs = binomtest(hits, n).proportion_ci(0.9, method="exact")
        assert (found[name].low, found[name].high) == pytest.approx((theirs.low, theirs.high), rel=1e-10)
        assert found[name].method == "clopper_pearson"
    assert clopper_pearson_interval(0, 5, level=0.95)[0] == 0
    clustered = at(labels, scores, point=exact_operating_point, patients=np.arange(len(labels)) // 4)
    assert clustered["sensitivity"].method == "cluster_clopper_pearson"
    assert clustered["sensitivity"].low < at(labels, scores, point=exact_operating_point)["sensitivity"].low


@pytest.mark.parametrize("kind", ["words", "truths", "categories"])
def test_labels_of_every_kind_give_the_same(kind):
    labels, scores = decided(5, 3, 2, 6)
    words = np.where(labels == 1, "ill", "well")
    other = {"words": words, "truths": labels == 1, "categories": pd.Categorical(words)}[kind]
    positive = True if kind == "truths" else "ill"
    assert operating_point(other, scores, 0.5, positive=positive) == operating_point(labels, scores, 0.5)
    guess = np.where(scores > 0.5, "ill", "well")
    theirs = scores > 0.5 if kind == "truths" else guess
    assert accuracy(other, theirs) == accuracy(words, guess)
    assert confusion(other, theirs, list(dict.fromkeys(np.asarray(other).tolist()))) == ((5, 2), (3, 6))
    assert no_information_rate_test(other, theirs) == no_information_rate_test(words, guess)


def test_one_class_alone_is_no_better_than_always_naming_it():
    found = no_information_rate_test(list("aaa"), list("aab"))
    assert (found.p, found.values) == (1, (pytest.approx(2 / 3), 1))
    assert "every case is of one class" in found.reason
    assert no_information_rate_test(list("aab"), list("aab")).reason is None


@pytest.mark.parametrize("check", [accuracy, no_information_rate_test])
def test_wrong_predictions_are_named(check):
    with pytest.raises(EvaluationError, match="predicted has 1 entries"):
        check(["a", "b"], ["a"])
    with pytest.raises(EvaluationError, match="predicted are missing"):
        check(["a", "b"], ["a", None])
    with pytest.raises(EvaluationError, match="labels have shape"):
        check([["a", "b"]], ["a", "b"])
