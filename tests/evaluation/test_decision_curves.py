"""Net benefit and reclassification: by counting, in edge cases, and the known misuse of the NRI."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from radfusion.errors import EvaluationError
from radfusion.evaluation import auc, brier
from radfusion.evaluation.comparisons.reclassification import reclassification
from radfusion.evaluation.decision_curves import (
    decision_curve,
    net_benefit,
    net_benefit_in_population,
    net_benefit_test,
)


def drawn(seed, n=150):
    rng = np.random.default_rng(seed)
    lp = rng.normal(-0.5, 1.2, n)
    y = (rng.random(n) < expit(lp)).astype(int)
    return y, expit(lp + rng.normal(0, 0.5, n)), expit(0.5 * lp + rng.normal(0, 0.8, n))


def by_name(found):
    return {each.metric: each for each in found}


def counted(y, p, t):
    """Net benefit, one case at a time."""
    return sum((1 if label else -t / (1 - t)) for label, risk in zip(y, p, strict=True) if risk >= t) / len(y)


def net_benefit_at(y, p, prevalence):
    if prevalence is None:
        return net_benefit(y, p, 0.3)
    return net_benefit_in_population(y, p, 0.3, prevalence)


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.2, 0.5, 0.9]))
def test_net_benefit_is_counted(seed, t):
    y, p, _ = drawn(seed)
    found = by_name(net_benefit(y, p, t))
    assert found["net_benefit"].value == pytest.approx(counted(y, p, t), abs=1e-12)
    assert found["net_benefit_treat_all"].value == pytest.approx(counted(y, np.ones(len(y)), t), abs=1e-12)
    assert found["standardized_net_benefit"].value <= 1


def test_a_risk_at_the_threshold_is_treated():
    assert by_name(net_benefit([1, 0], [0.3, 0.2], 0.3))["net_benefit"].value == 0.5


def test_the_prevalence_of_the_sample_changes_no_value():
    y, p, _ = drawn(1)
    own, given_share = net_benefit(y, p, [0.2, 0.5]), net_benefit_in_population(y, p, [0.2, 0.5], y.mean())
    assert [each.value for each in own] == pytest.approx([each.value for each in given_share], abs=1e-12)
    assert by_name(given_share)["net_benefit_treat_all"].low is None


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_standard_errors_are_those_of_resampling(prevalence):
    y, p, _ = drawn(2, n=400)
    rng, groups = np.random.default_rng(0), (np.flatnonzero(y == 1), np.flatnonzero(y == 0))
    values = []
    for _ in range(400):
        pick = rng.integers(0, len(y), len(y))
        if prevalence:
            pick = np.concatenate([rng.choice(each, len(each)) for each in groups])
        values.append([each.value for each in net_benefit_at(y[pick], p[pick], prevalence)])
    for each, sd in zip(net_benefit_at(y, p, prevalence), np.std(values, axis=0), strict=True):
        assert (each.se or 0) == pytest.approx(sd, rel=0.12, abs=1e-12), each.metric


def test_every_patient_twice_has_the_intervals_of_patients():
    y, p, q = drawn(3)
    twice = [np.repeat(each, 2) for each in (y, p, q)]
    patients = np.repeat(np.arange(len(y)), 2)
    once, again = net_benefit(y, p, 0.3), net_benefit(*twice[:2], 0.3, patients=patients)
    assert [each.se for each in once if each.se] == pytest.approx([each.se for each in again if each.se])
    assert net_benefit_test(*twice, 0.3, patients=patients).p == pytest.approx(net_benefit_test(y, p, q, 0.3).p)


def test_equal_models_are_not_different():
    y, p, _ = drawn(4)
    found = net_benefit_test(y, p, p, 0.4)
    assert (found.difference, found.p) == (0, 1)


def test_paired_test_uses_the_pairs():
    y, p, q = drawn(5)
    found, a, b = net_benefit_test(y, p, q, 0.3), *(by_name(net_benefit(y, each, 0.3)) for each in (p, q))
    assert found.difference == pytest.approx(a["net_benefit"].value - b["net_benefit"].value)
    assert found.values == (a["net_benefit"].value, b["net_benefit"].value)
    se = (found.high - found.low) / (2 * 1.959964)
    assert se < np.hypot(a["net_benefit"].se, b["net_benefit"].se)


def test_curves_are_the_estimates():
    y, p, _ = drawn(6)
    model, treat_all, treat_none = decision_curve(y, p)
    assert (len(model.x), model.x[0], model.x[-1]) == (99, 0.01, 0.99)
    assert model.y[49] == by_name(net_benefit(y, p, 0.5))["net_benefit"].value
    assert treat_all.y[0] > treat_all.y[-1]
    assert set(treat_none.y) == {0.0}


def test_a_missing_group_has_a_reason():
    found = by_name(net_benefit(np.zeros(4), [0.1, 0.2, 0.3, 0.4], 0.2))
    assert found["net_benefit"].value == pytest.approx(-0.1875)
    assert found["standardized_net_benefit"].reason == "no case is of class 1"
    asked = by_name(net_benefit_in_population(np.ones(4), [0.1, 0.2, 0.3, 0.4], 0.2, 0.3))
    assert asked["net_benefit"].reason == "every case is of class 1"
    assert {each.reason for each in reclassification(np.ones(2), [0.1, 0.2], [0.3, 0.4], cutoffs=[0.5])} == {
        "every case is of class 1"
    }


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("thresholds hold 1.0", lambda: net_benefit([0, 1], [0.5, 0.5], [0.5, 1.0])),
        ("thresholds hold nan", lambda: net_benefit([0, 1], [0.5, 0.5], np.nan)),
        ("thresholds are not numbers", lambda: net_benefit([0, 1], [0.5, 0.5], "high")),
        ("prevalence is 0", lambda: net_benefit_in_population([0, 1], [0.5, 0.5], 0.5, 0)),
        ("allowed is one dimension", lambda: decision_curve([0, 1], [0.5, 0.5], thresholds=[])),
        ("there is no decision curve", lambda: decision_curve(np.ones(2), [0.5, 0.5], prevalence=0.2)),
        ("threshold has 2 entries", lambda: net_benefit_test([0, 1], [0.5, 0.5], [0.5, 0.5], [0.1, 0.2])),
        ("cutoffs are", lambda: reclassification([0, 1], [0.5, 0.5], [0.5, 0.5], cutoffs=[0.5, 0.2])),
        ("cutoffs are not numbers", lambda: reclassification([0, 1], [0.5, 0.5], [0.5, 0.5], cutoffs=["low"])),
        ("reach from", lambda: reclassification([0, 1], [0.5, 1.5], [0.5, 0.5])),
    ],
)
def test_bad_input_is_named(message, call):
    with pytest.raises(EvaluationError, match=message):
        call()


@given(st.integers(0, 1000))
def test_reclassification_back_is_the_opposite(seed):
    y, p, q = drawn(seed)
    for one, other in zip(
        reclassification(y, p, q, cutoffs=[0.2, 0.5]), reclassification(y, q, p, cutoffs=[0.2, 0.5]), strict=True
    ):
        assert one.difference == pytest.approx(-other.difference, abs=1e-12)
        assert one.p == pytest.approx(other.p, abs=1e-12)


def test_the_same_change_of_every_risk_improves_nothing():
    y, p, _ = drawn(7)
    idi = reclassification(y, 0.5 * p, 0.5 * p + 0.1)[-1]
    assert (idi.difference, idi.p) == (pytest.approx(0, abs=1e-15), 1)


def test_reclassification_by_patients():
    y, p, q = drawn(8)
    once = reclassification(y, p, q)
    patients = np.repeat(np.arange(len(y)), 2)
    twice = reclassification(*(np.repeat(each, 2) for each in (y, p, q)), patients=patients)
    for one, other in zip(once, twice, strict=True):
        assert other.statistic == pytest.approx(one.statistic, rel=0.02)
    one_patient = reclassification(y, p, q, patients=np.zeros(len(y)))
    assert one_patient[0].reason == "the variance needs two patients of each group"


def test_nri_and_idi_improve_without_information():
    """The known misuse: right risks made bolder rank cases alike and are worse, and both measures call it progress."""
    rng = np.random.default_rng(0)
    lp = rng.normal(-1, 1, 5000)
    y = (rng.random(5000) < expit(lp)).astype(int)
    old, new = expit(lp), expit(lp + 0.7 * (lp + 1))
    found = by_name(reclassification(y, old, new))
    assert found["nri"].difference > 0.4
    assert found["idi"].difference > 0.05
    assert max(found["nri"].p, found["idi"].p) < 1e-6
    assert auc(y, new).value == auc(y, old).value
    assert brier(y, new, [0, 1]).value > brier(y, old, [0, 1]).value
