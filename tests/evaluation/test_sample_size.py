"""Power and sample size: published examples, simulations, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.errors import EvaluationError
from radfusion.evaluation import auc, delong_test
from radfusion.evaluation.sample_size import (
    PairedDesign,
    auc_power,
    binormal_design,
    binormal_pilot,
    cox_snell_from_auc,
    delong_pilot,
    expected_auc_interval,
    paired_auc_power,
    required_cases,
    required_cases_multinomial,
)

CURVES = ((1.5, 0.7), (1.0, 1.2))


def binormal_pair(rng, n_positive, n_negative):
    """Two scores whose curves are CURVES, correlated 0.6 among positive and 0.3 among negative cases."""
    one = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n_positive)
    other = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n_negative)
    labels = np.repeat([1, 0], [n_positive, n_negative])
    return labels, *(np.append((a + one[:, k]) / b, other[:, k]) for k, (a, b) in enumerate(CURVES))


def simulated_power(rng, n):
    trials = [binormal_pair(rng, n, 2 * n) for _ in range(500)]
    return np.mean([delong_test(*trial).p < 0.05 for trial in trials])


def values(estimates):
    return {each.metric.removeprefix("required_cases").strip("_") or "all": each.value for each in estimates}


def test_the_four_questions_about_one_area_have_one_answer():
    known = auc_power(auc=0.7, power=0.85, ratio=2.5)
    asked = {"ratio": 2.5, "auc": 0.7, "n_positive": known.n_positive, "significance": 0.05, "power": 0.85}
    for name in ("auc", "n_positive", "significance", "power"):
        found = auc_power(**{**asked, name: None})
        assert getattr(found, name) == pytest.approx(asked[name], rel=1e-9)
        assert found.n_negative == pytest.approx(2.5 * found.n_positive)


@given(st.floats(0.55, 0.95), st.floats(0.2, 5), st.floats(0.5, 0.95))
def test_more_power_needs_more_cases(area, ratio, power):
    fewer, more = (auc_power(auc=area, ratio=ratio, power=each).n_positive for each in (power, power + 0.02))
    assert fewer < more


def test_the_power_of_one_area_is_that_of_simulated_studies():
    rng, needed = np.random.default_rng(1), auc_power(auc=0.65, power=0.8, ratio=1)
    n = round(needed.n_positive)
    labels = np.repeat([1, 0], n)
    found = 0
    for _ in range(600):
        scores = rng.normal(size=2 * n) + labels * np.sqrt(2) * 0.3853
        each = auc(labels, scores, ci="delong")
        found += abs(each.value - 0.5) > 1.96 * each.se
    assert found / 600 == pytest.approx(0.8, abs=0.05)


def test_the_power_of_two_binormal_areas_is_that_of_simulated_studies():
    rng = np.random.default_rng(2)
    design = binormal_design(*CURVES, correlation_positive=0.6, correlation_negative=0.3, ratio=2)
    needed = paired_auc_power(design, power=0.8).n_positive
    assert simulated_power(rng, round(needed)) == pytest.approx(0.8, abs=0.05)


def test_the_null_variance_of_proc_gives_studies_that_are_too_small():
    rng = np.random.default_rng(6)
    pilot = binormal_pair(rng, 5_000, 10_000)
    ours, proc = (
        round(paired_auc_power(delong_pilot(*pilot, null=null), power=0.8).n_positive) for null in ("delong", "proc")
    )
    assert simulated_power(rng, ours) == pytest.approx(0.8, abs=0.05)
    assert simulated_power(rng, proc) < 0.7


def test_pilots_find_the_design_that_made_them():
    trial = binormal_pair(np.random.default_rng(3), 20_000, 40_000)
    design = binormal_design(*CURVES, correlation_positive=0.6, correlation_negative=0.3, ratio=2)
    for pilot in (binormal_pilot(*trial), delong_pilot(*trial)):
        assert pilot.n_positive == 20_000
        assert pilot.difference == pytest.approx(design.difference, rel=0.03)
        assert pilot.variance == pytest.approx(design.variance, rel=0.08)


def test_equal_curves_have_no_difference_to_find():
    twin = binormal_design((1, 1), (1, 1), correlation_positive=1, correlation_negative=1)
    assert (twin.difference, twin.variance) == (0, pytest.approx(0, abs=1e-12))
    assert "no difference" in paired_auc_power(twin, power=0.8).reason
    still = PairedDesign(0.1, variance=0.0, null_variance=0.0, ratio=1.0)
    assert "no test" in paired_auc_power(still, power=0.8).reason


def test_what_has_no_answer_says_why():
    assert "no difference" in auc_power(auc=0.5, power=0.8).reason
    assert "below 1" in auc_power(n_positive=2, power=0.9).reason
    assert "more than the level" in auc_power(auc=0.9, power=0.001).reason
    constant = delong_pilot([0, 0, 1, 1], [1, 2, 3, 4], [1, 1, 1, 1])
    assert "estimated as 0" in paired_auc_power(constant, power=0.8).reason


def test_the_expected_interval_is_near_that_of_simulated_normal_scores():
    expected = expected_auc_interval(0.8, 40, 80)
    rng, labels = np.random.default_rng(4), np.repeat([1, 0], [40, 80])
    found = [auc(labels, rng.normal(size=120) + 1.19 * labels) for _ in range(300)]
    width = np.mean([each.high - each.low for each in found])
    assert expected.high - expected.low == pytest.approx(width, rel=0.12)
    assert (expected.n, expected.n_pos) == (120, 40)


def test_the_example_of_pmsampsize():
    # pmsampsize(type = "b", csrsquared = 0.288, parameters = 24, prevalence = 0.174): n = 662.
    assert values(required_cases(24, 0.174, r2=0.288)) == {
        "shrinkage": 623,
        "optimism": 662,
        "overall_risk": 221,
        "all": 662,
    }


def test_the_example_of_riley_and_others():
    # BMJ 2020;368:m441, pre-eclampsia: 5% of women, 30 parameters, R2 0.05: 5249 women for a shrinkage of 0.9.
    found = required_cases(30, 0.05, r2=0.05)
    assert values(found)["shrinkage"] == values(found)["all"] == 5249
    assert found[-1].n_pos == 263


def test_the_example_of_pate_and_others():
    # Ovarian masses, 17 parameters: 13136, 1477 and 524; the first from simulated R2, here from their integral.
    areas = np.zeros((5, 5))
    areas[np.triu_indices(5, 1)] = [0.85, 0.92, 0.99, 0.95, 0.75, 0.95, 0.87, 0.87, 0.71, 0.82]
    found = values(required_cases_multinomial(17, [2557, 186, 176, 467, 120], pair_aucs=areas))
    assert (found["optimism"], found["overall_risk"]) == (1477, 524)
    assert found["shrinkage"] == pytest.approx(13136, rel=0.01)


def test_the_second_example_of_multsampsize():
    # pmsampsize_mult_general(nagrsquared = 0.15 of each pair, 17 parameters, 50, 100 and 150 cases): 2660, 714, 664.
    # Its third number is that of five classes (chi-squared of 1 - 0.05 / 5), whatever their number; here are three.
    found = required_cases_multinomial(17, [50, 100, 150])
    assert list(values(found).values()) == [2660, 714, 574, 2660]
    assert values(required_cases_multinomial(17, [50, 100, 150], level=1 - 0.03))["overall_risk"] == 664


def test_the_order_of_classes_does_not_matter_and_counts_are_shares():
    found = required_cases_multinomial(5, [0.2, 0.3, 0.5])
    assert found == required_cases_multinomial(5, [50, 20, 30])


@pytest.mark.parametrize(("area", "prevalence"), [(0.7, 0.3), (0.81, 0.77), (0.95, 0.05)])
def test_r2_from_the_area_is_that_of_simulated_predictors(area, prevalence):
    rng, n = np.random.default_rng(5), 400_000
    labels = rng.random(n) < prevalence
    distance = np.sqrt(2) * {0.7: 0.5244005127, 0.81: 0.8778962950, 0.95: 1.6448536270}[area]
    odds = np.log(prevalence / (1 - prevalence)) + distance * (rng.normal(size=n) + labels * distance) - distance**2 / 2
    gained = np.where(labels, -np.logaddexp(0, -odds), -np.logaddexp(0, odds)).mean()
    null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)
    assert cox_snell_from_auc(area, prevalence) == pytest.approx(1 - np.exp(2 * (null - gained)), rel=0.02)
    assert cox_snell_from_auc(area, prevalence) == pytest.approx(cox_snell_from_auc(area, 1 - prevalence), rel=1e-9)


def test_the_three_ways_to_say_how_good_a_model_is_agree():
    largest = 1 - (0.3**0.3 * 0.7**0.7) ** 2
    by_area = required_cases(10, 0.3, auc=0.8)
    assert by_area == required_cases(10, 0.3, r2=cox_snell_from_auc(0.8, 0.3))
    assert required_cases(10, 0.3, nagelkerke=0.15) == required_cases(10, 0.3, r2=0.15 * largest)


def test_an_area_of_one_half_explains_nothing():
    assert cox_snell_from_auc(0.5, 0.2) == pytest.approx(0, abs=1e-12)
    with pytest.raises(EvaluationError, match="above 0"):
        required_cases(10, 0.2, auc=0.5)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"auc": 0.7}, "2 of auc, n_positive, significance, power are None"),
        ({"auc": 0.7, "power": 0.8, "n_positive": 20}, "0 of auc"),
        ({"auc": 1.2, "power": 0.8}, "auc is 1.2"),
        ({"auc": 0.7, "power": 1}, "power is 1"),
        ({"auc": 0.7, "n_positive": -3}, "n_positive is -3"),
        ({"auc": 0.7, "power": 0.8, "ratio": 0}, "ratio is 0"),
        ({"auc": 0.7, "power": 0.8, "alternative": "both"}, "'two-sided' and 'one-sided'"),
    ],
)
def test_bad_questions_about_power_are_refused(asked, message):
    with pytest.raises(EvaluationError, match=message):
        auc_power(**asked)


def test_bad_designs_are_refused():
    with pytest.raises(EvaluationError, match="-1 to 1"):
        binormal_design((1, 1), (2, 1), correlation_positive=2, correlation_negative=0)
    with pytest.raises(EvaluationError, match="positive numbers"):
        binormal_design((1, 0), (2, 1), correlation_positive=0, correlation_negative=0)
    with pytest.raises(EvaluationError, match="'delong' and 'proc'"):
        delong_pilot([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4], null="wald")
    with pytest.raises(EvaluationError, match="needs two that are"):
        delong_pilot([0, 0, 1], [1, 2, 3], [1, 2, 3])
    with pytest.raises(EvaluationError, match="fewer than two points"):
        binormal_pilot([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4])
    with pytest.raises(EvaluationError, match="auc is 1"):
        expected_auc_interval(1, 10, 10)
    with pytest.raises(EvaluationError, match="1 and more"):
        expected_auc_interval(0.8, 0, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: required_cases(10, 0.3), "exactly one"),
        (lambda: required_cases(10, 0.3, r2=0.1, auc=0.7), "exactly one"),
        (lambda: required_cases(0, 0.3, r2=0.1), "parameters are 0"),
        (lambda: required_cases(10, 1, r2=0.1), "prevalence is 1"),
        (lambda: required_cases(10, 0.05, r2=0.4), "allowed is below"),
        (lambda: required_cases(10, 0.3, auc=1), "auc is 1"),
        (lambda: required_cases_multinomial(10, [1, 0]), "two or more positive numbers"),
        (lambda: required_cases_multinomial(10, [1, 2], pair_aucs=[0.8]), "pair_aucs have shape"),
        (lambda: required_cases_multinomial(10, [1, 2], nagelkerke=0), "nagelkerke is 0"),
    ],
)
def test_bad_questions_about_development_are_refused(call, message):
    with pytest.raises(EvaluationError, match=message):
        call()
