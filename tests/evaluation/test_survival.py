"""Survival: slow obvious versions, properties, edge cases, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.errors import EvaluationError
from radfusion.evaluation import auc
from radfusion.evaluation import survival as sv

SIZES = st.integers(2, 40)


def cohort(seed, n, *, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    happened, ended = rng.exponential(np.exp(-0.7 * scores)), rng.exponential(1.5, size=n)
    times = np.minimum(happened, ended)
    return np.ceil(times * 3) if ties else times, happened <= ended, np.round(scores, 1) if ties else scores


def slow_concordance(times, events, scores):
    """Wins and comparable pairs of each case, pair by pair."""
    n = len(times)
    wins, pairs = np.zeros(n), np.zeros(n)
    for i in range(n):
        for j in range(n):
            if events[i] and (times[i] < times[j] or (times[i] == times[j] and not events[j])):
                win = (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2
                wins[[i, j]] += win
                pairs[[i, j]] += 1
    return wins, pairs


@given(st.integers(0, 10**6), SIZES, st.booleans())
def test_concordance_and_its_error_are_those_of_all_pairs(seed, n, ties):
    times, events, scores = cohort(seed, n, ties=ties)
    wins, pairs = slow_concordance(times, events, scores)
    found = sv.harrell_c(times, events, scores)
    if not pairs.any():
        assert found.value is None
        assert "comparable" in found.reason
        return
    index = wins.sum() / pairs.sum()
    assert found.value == pytest.approx(index, rel=1e-12)
    assert found.se == pytest.approx(np.sqrt(((wins - index * pairs) ** 2).sum()) / (pairs.sum() / 2), abs=1e-12)


@given(st.integers(0, 10**6), SIZES)
def test_concordance_of_reversed_scores_is_one_minus(seed, n):
    times, events, scores = cohort(seed, n, ties=True)
    up, down = sv.harrell_c(times, events, scores), sv.harrell_c(times, events, -scores)
    if up.value is not None:
        assert up.value + down.value == pytest.approx(1)
        assert up.se == pytest.approx(down.se)


def test_concordance_of_many_cases_is_quick_and_right():
    times, events, scores = cohort(1, 20_000)
    found = sv.harrell_c(times, events, scores)
    assert found.low < found.value < found.high
    assert found.se < 0.01


def test_scores_of_equal_order_give_a_difference_of_exactly_0():
    times, events, scores = cohort(2, 60)
    same = sv.concordance_test(times, events, scores, np.exp(scores))
    assert (same.difference, same.statistic, same.p) == (0, 0, 1)


def test_every_case_alone_is_a_patient_and_copies_change_no_error():
    times, events, scores = cohort(3, 50, ties=True)
    alone = sv.harrell_c(times, events, scores, patients=np.arange(50))
    assert alone.se == sv.harrell_c(times, events, scores).se
    twice = [np.repeat(each, 2) for each in (times, events, scores, np.arange(50))]
    copied = sv.harrell_c(*twice[:3], patients=twice[3])
    assert copied.value == pytest.approx(sv.harrell_c(*twice[:3]).value)
    assert copied.se > 1.3 * sv.harrell_c(*twice[:3]).se
    assert copied.n_patients == 50


def test_the_interval_of_the_concordance_covers_the_truth():
    # Scores that have nothing to do with the times: the truth is 0.5.
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        times, events = rng.exponential(size=80), rng.random(80) < 0.7
        found = sv.harrell_c(times, events, rng.normal(size=80))
        inside += found.low <= 0.5 <= found.high
    assert 0.91 <= inside / 400 <= 0.985


def test_without_censoring_the_time_dependent_auc_is_the_auc_with_its_error():
    times, _, scores = cohort(5, 80)
    (found,) = sv.time_dependent_auc(times, np.ones(80), scores, np.median(times) + 1e-9)
    plain = auc(times <= found.at, scores, positive=True)
    assert found.value == pytest.approx(plain.value)
    assert found.se == pytest.approx(plain.se, rel=0.03)


@pytest.mark.parametrize("ties", [False, True])
def test_the_time_dependent_auc_is_that_of_all_weighted_pairs(ties):
    times, events, scores = cohort(6, 60, ties=ties)
    at = float(np.median(times))
    (found,) = sv.time_dependent_auc(times, events, scores, at)
    top = bottom = 0.0
    for i in range(60):
        if not (events[i] and times[i] <= at):
            continue
        # Kaplan-Meier of staying uncensored before the event, factor by factor.
        weight = 1.0
        for u in np.unique(times[(times < times[i]) & ~events]):
            at_risk = ((times > u) | ((times == u) & ~events)).sum()
            weight /= 1 - ((times == u) & ~events).sum() / at_risk
        for j in np.flatnonzero(times > at):
            top += weight * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
            bottom += weight
    assert found.value == pytest.approx(top / bottom, rel=1e-12)


def test_the_time_dependent_auc_agrees_with_scikit_survival():
    # cumulative_dynamic_auc of scikit-survival 0.28, no tied times.
    times = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    events = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0]
    scores = [2.5, 0.4, 0.9, 1.8, 1.1, 0.3, 1.5, 0.2, 0.7, 0.1]
    found = sv.time_dependent_auc(times, events, scores, [3.5, 6.5, 8.5])
    assert [each.value for each in found] == pytest.approx(
        [0.773109243697479, 0.7921195652173914, 0.75390625], rel=1e-12
    )


def test_the_error_of_the_time_dependent_auc_is_the_derivative_by_the_weights():
    times, events, scores = cohort(7, 25, ties=True)
    at, copies = float(np.median(times)), 400

    def value(counts):
        (found,) = sv.time_dependent_auc(*(np.repeat(each, counts) for each in (times, events, scores)), at)
        return found.value

    derivatives = []
    for k in range(25):
        more, less = np.full(25, copies), np.full(25, copies)
        more[k], less[k] = copies + 1, copies - 1
        derivatives.append((value(more) - value(less)) / 2 * copies)
    (found,) = sv.time_dependent_auc(times, events, scores, at)
    assert found.se == pytest.approx(np.linalg.norm(derivatives), rel=1e-4)


@given(st.integers(0, 10**6), SIZES, st.booleans())
def test_kaplan_meier_falls_from_one_and_is_the_share_alive_without_censoring(seed, n, ties):
    times, events, _ = cohort(seed, n, ties=ties)
    curve = sv.kaplan_meier(times, events)
    assert curve.y[0] == 1
    assert (np.diff(curve.y) <= 0).all()
    assert curve.y[-1] >= 0
    alive = sv.survival_at(times, np.ones(n), times.min())[0].value
    assert alive == pytest.approx((times > times.min()).mean())


def test_the_survival_agrees_with_statsmodels():
    from statsmodels.duration.survfunc import SurvfuncRight, survdiff

    times, events, scores = cohort(8, 70, ties=True)
    slow = SurvfuncRight(times, events)
    found = sv.survival_at(times, events, slow.surv_times)
    assert [each.value for each in found] == pytest.approx(slow.surv_prob)
    errors = [(each.se, se) for each, se in zip(found, slow.surv_prob_se, strict=True) if each.se is not None]
    assert np.array(errors)[:, 0] == pytest.approx(np.array(errors)[:, 1])
    tested = sv.logrank_test(times, events, scores > 0)
    assert (tested.statistic, tested.p) == pytest.approx(survdiff(times, events, scores > 0))


def test_cox_regression_agrees_with_statsmodels():
    from statsmodels.duration.hazard_regression import PHReg

    times, events, scores = cohort(9, 90, ties=True)
    covariates = np.column_stack([scores, np.random.default_rng(9).normal(1e4, 3, 90)])
    for ties in ("efron", "breslow"):
        slow = PHReg(times, covariates - [0, 1e4], status=events, ties=ties).fit()
        found = sv.cox_regression(times, events, covariates, ties=ties)
        assert np.log([each.value for each in found]) == pytest.approx(slow.params, rel=1e-5, abs=1e-7)
        assert [each.se for each in found] == pytest.approx(slow.bse, rel=1e-5)


def test_the_score_test_of_groups_without_ties_is_the_logrank_test():
    times, events, scores = cohort(10, 60)
    score = sv.cox_tests(times, events, scores > 0)[2]
    assert score.test == "cox_score"
    assert score.statistic == pytest.approx(sv.logrank_test(times, events, scores > 0).statistic)


def test_proportional_hazards_are_kept_where_true_and_rejected_where_not():
    rng = np.random.default_rng(11)
    group = np.repeat([0.0, 1.0], 300)
    crossing = np.where(group == 1, rng.weibull(3, 600), rng.weibull(0.7, 600))
    assert sv.proportional_hazards_test(crossing, np.ones(600), group)[0].p < 1e-6
    parallel = rng.exponential(np.exp(-group))
    assert sv.proportional_hazards_test(parallel, np.ones(600), group)[0].p > 0.05


def test_right_risks_are_calibrated_at_the_horizon():
    rng = np.random.default_rng(12)
    rate = np.exp(rng.normal(0, 0.7, size=4000))
    happened, ended = rng.exponential(1 / rate), rng.exponential(2, size=4000)
    times, events = np.minimum(happened, ended), happened <= ended
    risk, ratio, slope = sv.calibration_at_horizon(times, events, 1 - np.exp(-rate), at=1.0)
    assert risk.low < (1 - np.exp(-rate)).mean() < risk.high
    assert ratio.low < 1 < ratio.high
    assert slope.low < 1 < slope.high


def test_what_is_undefined_says_why():
    times, none, all_ = [1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0], [1, 1, 1, 1]
    scores = [4, 3, 2, 1]
    for reason in (
        sv.harrell_c(times, none, scores).reason,
        sv.concordance_test(times, none, scores, scores).reason,
        sv.logrank_test(times, none, [0, 0, 1, 1]).reason,
        sv.cox_regression(times, none, scores)[0].reason,
        sv.cox_tests(times, none, scores)[-1].reason,
        sv.proportional_hazards_test(times, none, scores)[-1].reason,
        sv.time_dependent_auc(times, none, scores, 2)[0].reason,
        sv.calibration_at_horizon(times, none, [0.1] * 4, at=2)[2].reason,
    ):
        assert "event" in reason
    assert "one half" in sv.median_survival(times, none).reason
    assert "longer" in sv.survival_at(times, all_, 9)[0].reason
    assert "beyond" in sv.time_dependent_auc(times, all_, scores, 4)[0].reason
    assert "longer" in sv.calibration_at_horizon(times, all_, [0.1] * 4, at=9)[1].reason
    assert "not estimable" in sv.harrell_c(times, all_, scores).reason
    assert "finite" in sv.cox_regression(times, all_, scores)[0].reason
    assert "constant" in sv.cox_regression(times, all_, [[1, 0.1]] * 4)[1].reason
    assert "two groups" in sv.logrank_test(times, [0, 0, 1, 0], [0, 0, 1, 1]).reason
    assert "0 or 1" in sv.calibration_at_horizon(times, all_, [0.0, 0.2, 0.3, 0.4], at=2)[2].reason
    assert "every predicted risk is 0" in sv.calibration_at_horizon(times, all_, [0.0] * 4, at=2)[1].reason
    assert "change with time" in sv.proportional_hazards_test([1, 1, 2], [1, 1, 0], [3, 1, 2])[0].reason


def test_a_hazard_ratio_beyond_all_numbers_says_so():
    times, events, scores = cohort(13, 60)
    (found,) = sv.cox_regression(times, events, scores * 1e-6)
    assert found.value is None
    assert found.se > 0
    assert "larger unit" in found.reason


def test_one_case_is_answered():
    assert sv.harrell_c([1], [1], [0.5]).value is None
    assert sv.kaplan_meier([1], [1]).y == (1, 0)
    assert sv.median_survival([1], [1]).value == 1
    assert sv.survival_at([1], [1], 1)[0].value == 0
    assert sv.cox_regression([1], [1], [0.5])[0].value is None


@pytest.mark.parametrize(
    ("times", "events", "message"),
    [
        ([1, 0], [1, 0], "not positive in 1 of 2"),
        ([1, np.inf], [1, 0], "infinite"),
        ([1, 2], [1, 2], "neither 0 nor 1"),
        ([1, 2], [1], "events have shape"),
        ([1, 2], ["yes", "no"], "not numbers"),
        ([], [], "at least one case"),
        ([[1, 2]], [[1, 0]], "one dimension"),
    ],
)
def test_bad_times_and_events_are_refused(times, events, message):
    with pytest.raises(EvaluationError, match=message):
        sv.kaplan_meier(times, events)


def test_other_bad_input_is_refused():
    times, events = [1, 2, 3], [1, 0, 1]
    with pytest.raises(EvaluationError, match="'efron' and 'breslow'"):
        sv.cox_regression(times, events, [1, 2, 3], ties="exact")
    with pytest.raises(EvaluationError, match="covariates have shape"):
        sv.cox_regression(times, events, [1, 2])
    with pytest.raises(EvaluationError, match="no column"):
        sv.cox_regression(times, events, np.zeros((3, 0)))
    with pytest.raises(EvaluationError, match="two or more groups"):
        sv.logrank_test(times, events, [1, 1, 1])
    with pytest.raises(EvaluationError, match="after 0"):
        sv.survival_at(times, events, 0)
    with pytest.raises(EvaluationError, match="allowed is 0 to 1"):
        sv.calibration_at_horizon(times, events, [0.5, 2, 0.1], at=2)
    with pytest.raises(EvaluationError, match="level is 95"):
        sv.harrell_c(times, events, [1, 2, 3], level=95)
