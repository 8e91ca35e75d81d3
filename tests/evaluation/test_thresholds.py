"""Threshold rules against a plain search, their settings, and parts of the ROC curve."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from radfusion.core.predictions import Predictions
from radfusion.errors import EvaluationError, UnknownNameError
from radfusion.evaluation import auc, operating_point, training_thresholds, youden_threshold
from radfusion.evaluation.partial import RocRange, partial_auc, sensitivity_at_specificity, specificity_at_sensitivity
from radfusion.evaluation.settings import EvaluationSettings
from radfusion.evaluation.threshold_rules import THRESHOLD_RULES, ThresholdSettings, best_thresholds

NUMBERS = {"value": 0.75, "cost": 2.0, "prevalence": 0.25}
Y, SCORE = [0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8, 0.2]

scored = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=30).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def part(labels, scores, *, positive=1, patients=None, **over):
    """Partial area over a range given by keywords."""
    return partial_auc(labels, scores, RocRange(**over), positive=positive, patients=patients)


def columns(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores, dtype=float)


def drawn(seed, n_pos=40, n_neg=60, shift=1.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [n_pos, n_neg])
    return labels, np.round(rng.normal(size=n_pos + n_neg) + shift * labels, 1)


def settings(name):
    """A rule with the numbers that it needs."""
    return ThresholdSettings(rule=name, **{each: NUMBERS[each] for each in THRESHOLD_RULES[name].needs})


def worth(name, sensitivity, specificity):
    """What the rules promise to maximise, in words of the study guide."""
    return {
        "youden": (sensitivity + specificity,),
        "closest_top_left": (-math.hypot(1 - sensitivity, 1 - specificity),),
        # Per patient: the costs 2 and 1 of the errors, at a prevalence of 0.25.
        "cost": (-(2 * 0.25 * (1 - sensitivity) + 1 * 0.75 * (1 - specificity)),),
        "sensitivity": (sensitivity >= 0.75, specificity, sensitivity),
        "specificity": (specificity >= 0.75, sensitivity, specificity),
    }[name]


@pytest.mark.parametrize("name", THRESHOLD_RULES)
@given(scored)
def test_no_other_threshold_is_better(name, rows):
    labels, scores = columns(rows)

    def found(cut):
        called = scores >= cut
        return worth(name, called[labels].mean(), (~called)[~labels].mean())

    cuts = best_thresholds(labels, scores, settings(name), positive=True)
    assert list(cuts) == sorted(set(cuts))
    for other in (-np.inf, *np.unique(scores), np.inf):
        assert found(cuts[0]) >= tuple(each - 1e-9 for each in found(other))
    assert all(found(cut) == pytest.approx(found(cuts[0]), abs=1e-12) for cut in cuts)


@given(scored)
def test_youden_is_the_first_of_the_best(rows):
    labels, scores = columns(rows)
    assert youden_threshold(labels, scores, positive=True) == best_thresholds(labels, scores, positive=True)[0]


def test_all_equally_good_thresholds_are_listed():
    assert best_thresholds([0, 1, 0, 1], [1, 2, 3, 4]) == (1.5, 3.5)
    assert best_thresholds([1, 0], [1, 2]) == (-math.inf, math.inf)


def test_cost_and_prevalence_of_equal_weight_are_youden():
    labels, scores = drawn(1)
    even = ThresholdSettings(rule="cost", cost=1, prevalence=0.5)
    assert best_thresholds(labels, scores, even) == best_thresholds(labels, scores)


def test_a_sensitivity_of_whole_shares_is_reached_exactly():
    labels, scores = np.tile([0, 1], 10), np.arange(20.0)
    cut = best_thresholds(labels, scores, ThresholdSettings(rule="sensitivity", value=0.9))[0]
    assert operating_point(labels, scores, cut)[0].value == 0.9
    assert best_thresholds(labels, -scores, ThresholdSettings(rule="specificity", value=1.0)) == (math.inf,)


@pytest.mark.parametrize(
    "labels", [["yes", "no", "yes", "no"], [True, False, True, False], pd.Categorical(["no", "yes"] * 2)[[1, 0, 1, 0]]]
)
def test_labels_may_be_words_truths_and_categories(labels):
    positive = True if labels[0] is True else "yes"
    assert best_thresholds(labels, [0.9, 0.1, 0.6, 0.4], positive=positive) == (0.5,)


@pytest.mark.parametrize("name", THRESHOLD_RULES)
def test_every_rule_can_be_named_in_a_study_and_applied(name):
    given_ = settings(name).model_dump()
    chosen = EvaluationSettings.model_validate({"threshold": given_})
    assert chosen.model_dump()["threshold"] == given_
    found = training_thresholds(predictions(), chosen)
    assert {each.class_ for each in found} == {"a", "b"}
    assert all(np.isfinite(each.value) and each.rule.startswith(name) for each in found)


def test_a_rule_alone_is_its_name():
    assert EvaluationSettings().threshold.words == "youden"
    assert EvaluationSettings.model_validate({"threshold": "closest_top_left"}).model_dump()["threshold"] == (
        "closest_top_left"
    )
    asked = EvaluationSettings.model_validate({"threshold": {"rule": "sensitivity", "value": 0.9}}).threshold
    assert asked.words == "sensitivity (value 0.9)"
    assert training_thresholds(predictions(), EvaluationSettings(threshold=asked))[0].rule == asked.words


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ("youdn", "did you mean 'youden'"),
        ({"rule": "best"}, "no threshold rule is named 'best'; known: youden"),
        ("sensitivity", "the rule 'sensitivity' needs value"),
        ({"rule": "cost", "cost": 2}, "the rule 'cost' needs prevalence"),
        ({"rule": "youden", "value": 0.9}, "the rule 'youden' takes no value; it takes no number"),
        ({"rule": "specificity", "value": 90}, "less than or equal to 1"),
        ({"rule": "cost", "cost": 1, "prevalence": 1}, "less than 1"),
        ({"rule": "youden", "threshold": 0.5}, "Extra inputs"),
        (3, "valid dictionary"),
    ],
)
def test_wrong_rules_are_answered(given_, message):
    with pytest.raises(ValidationError, match=message):
        EvaluationSettings.model_validate({"threshold": given_})


def test_the_schema_takes_a_name_or_a_mapping():
    name, mapping = ThresholdSettings.model_json_schema()["anyOf"]
    assert name["enum"] == ["youden", "closest_top_left"]
    assert mapping["properties"]["rule"]["enum"] == list(THRESHOLD_RULES)


def test_rules_of_a_function_call_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'youden'"):
        best_thresholds(Y, SCORE, "yuden")
    with pytest.raises(EvaluationError, match="the rule 'cost' needs cost and prevalence"):
        best_thresholds(Y, SCORE, "cost")
    with pytest.raises(EvaluationError, match="at least one must be, and one not"):
        best_thresholds([1, 1], [0.1, 0.2])


def predictions():
    rng = np.random.default_rng(5)
    codes = np.arange(40) % 2
    first = np.clip(0.5 + 0.15 * (1 - 2 * codes) + 0.1 * rng.normal(size=40), 0, 1)
    rows = pd.DataFrame({"patient": range(40), "set": "training", "label": np.array(["a", "b"])[codes]})
    rows.index = pd.Index([f"case {k}" for k in range(40)], name="case")
    return Predictions.from_arrays(rows, np.stack([first, 1 - first], axis=1), ("a", "b"), "radiomics/svm")


@given(scored, st.sampled_from(["specificity", "sensitivity"]), st.floats(0, 0.9), st.floats(0.05, 0.1))
def test_partial_areas_add_up(rows, focus, low, width):
    labels, scores = columns(rows)
    parts = [(0, low), (low, low + width), (low + width, 1)]
    found = [part(labels, scores, focus=focus, between=each, positive=True) for each in parts if each[0] < each[1]]
    assert sum(each.value for each in found) == pytest.approx(auc(labels, scores, positive=True).value, abs=1e-12)


@pytest.mark.parametrize("patients", [None, np.arange(100) // 3])
@pytest.mark.parametrize("focus", ["specificity", "sensitivity"])
def test_the_whole_range_is_the_auc_with_delongs_error(focus, patients):
    labels, scores = drawn(2)
    whole = part(labels, scores, focus=focus, between=(0, 1), patients=patients)
    plain = auc(labels, scores, patients=patients)
    for name in ("value", "se", "low", "high"):
        assert getattr(whole, name) == pytest.approx(getattr(plain, name), rel=1e-12)
    assert part(labels, scores, between=(0, 1), corrected=True).value == pytest.approx(plain.value, rel=1e-12)


def test_the_error_of_a_partial_area_is_that_of_repeated_samples():
    found = [part(*drawn(seed), between=(1, 0.7)) for seed in range(300)]
    assert np.mean([each.se for each in found]) == pytest.approx(np.std([each.value for each in found]), rel=0.1)
    centre = np.mean([each.value for each in found])
    assert 0.92 <= np.mean([each.low <= centre <= each.high for each in found]) <= 0.98


@pytest.mark.parametrize("fpr", [0.1, 0.25, 0.9])
def test_the_corrected_area_is_scikit_learns(fpr):
    labels, scores = drawn(3)
    found = part(labels, scores, between=(1 - fpr, 1), corrected=True)
    assert found.value == pytest.approx(roc_auc_score(labels, scores, max_fpr=fpr), rel=1e-12)
    raw = part(labels, scores, between=(1, 1 - fpr))
    assert (found.high - found.value) / (raw.high - raw.value) == pytest.approx(found.se / raw.se)


def test_partial_areas_say_what_is_not_estimable():
    flat = part(Y, np.zeros(6), corrected=True)
    assert flat.value == pytest.approx(0.5, abs=1e-14)
    assert part(Y, np.array(Y)).reason == "the variance is estimated as 0: the interval is not estimable"
    below = part(*drawn(4, shift=-1.0), corrected=True)
    assert (below.value, below.se, below.low) == (None, None, None)
    assert "below that of chance" in below.reason
    assert part([1, 1], [0.1, 0.2], focus="sensitivity").reason == "every case is of class 1"
    assert part([0, 0], [0.1, 0.2]).reason == "no case is of class 1"
    assert "needs two" in part([0, 1, 0], [0.1, 0.2, 0.3]).reason
    assert "needs two" in part(Y, SCORE, patients=[1, 2, 3, 4, 4, 4]).reason


@given(scored, st.floats(0, 1))
def test_the_height_of_the_curve_is_between_its_points(rows, place):
    labels, scores = columns(rows)
    found = sensitivity_at_specificity(labels, scores, place, positive=True)
    cuts = (-np.inf, *np.unique(scores), np.inf)
    points = [((scores < cut)[~labels].mean(), (scores >= cut)[labels].mean()) for cut in cuts]
    assert max(up for across, up in points if across >= place) <= found.value + 1e-12
    assert found.value <= min([1, *(up for across, up in points if across < place)]) + 1e-12
    # Exchanging the groups exchanges the axes.
    other = specificity_at_sensitivity(~labels, -scores, place, positive=True)
    assert other.value == found.value


def test_heights_say_where_and_why_there_is_no_interval():
    found = sensitivity_at_specificity(Y, SCORE, 0.9)
    assert (found.metric, found.at, found.low) == ("sensitivity", 0.9, None)
    assert "bootstrap" in found.reason
    assert specificity_at_sensitivity([0, 0], [1, 2], 0.9).reason == "no case is of class 1"


WRONG = {
    "focus is 'auc'; allowed are": lambda: part(Y, SCORE, focus="auc"),
    r"between is \(0.9, 0.9\)": lambda: part(Y, SCORE, between=(0.9, 0.9)),
    r"between is \(1, 90\)": lambda: part(Y, SCORE, between=(1, 90)),
    "threshold is not a number": lambda: operating_point(Y, SCORE, None),
    "specificity is 95": lambda: sensitivity_at_specificity(Y, SCORE, 95),
    "sensitivity is nan": lambda: specificity_at_sensitivity(Y, SCORE, math.nan),
    "scores are missing": lambda: part(Y, [math.nan, *SCORE[1:]]),
    "no label equals positive=2": lambda: part(Y, SCORE, positive=2),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input_is_named(message):
    with pytest.raises(EvaluationError, match=message):
        WRONG[message]()
