"""Survival against R's survival 3.5."""

import json

import numpy as np
import pytest

from radfusion.evaluation.survival import (
    calibration_at_horizon,
    concordance_test,
    cox_regression,
    cox_tests,
    harrell_c,
    logrank_test,
    median_survival,
    proportional_hazards_test,
    survival_at,
)
from radfusion.evaluation.survival._follow_up import follow_up
from radfusion.evaluation.survival.partial_likelihood import fit_cox
from tests.reference_values import KEPT, agrees_with_r, column

CASES = {each["id"]: each["input"] for each in json.loads((KEPT / "survival.json").read_text())["cases"]}


def columns(given, *names):
    return [column(given[name]) for name in names]


def pairs(times, events, scores):
    """R's counts of all pairs, one by one; the product keeps only those that make the index."""
    counts = dict.fromkeys(("concordant", "discordant", "tied.x", "tied.y", "tied.xy"), 0)
    for i in range(len(times)):
        for j in range(i + 1, len(times)):
            first, last = (i, j) if (times[i], -events[i]) <= (times[j], -events[j]) else (j, i)
            if not events[first]:
                continue
            order = np.sign(scores[first] - scores[last])
            if times[first] == times[last] and events[last]:
                counts["tied.y" if order else "tied.xy"] += 1
            else:
                counts[{1: "concordant", -1: "discordant", 0: "tied.x"}[int(order)]] += 1
    return counts


def cox(followed, covariates, ties):
    ratios = cox_regression(*followed, covariates, ties=ties)
    tests = cox_tests(*followed, covariates, ties=ties)
    single, ratio, score = tests[:2], tests[2], tests[3]
    fit = fit_cox(follow_up(*followed), covariates, ties)
    found = harrell_c(*followed, covariates @ [each.difference for each in single])
    return {
        "coef": [each.difference for each in single],
        "se": [each.se for each in ratios],
        "hr": [each.value for each in ratios],
        "hr_ci95_lower": [each.low for each in ratios],
        "hr_ci95_upper": [each.high for each in ratios],
        "p": [each.p for each in single],
        "loglik": [fit.null.log_likelihood, fit.fitted.log_likelihood],
        "lr_chi2": ratio.statistic,
        "lr_p": ratio.p,
        "score_chi2": score.statistic,
        "concordance": found.value,
        "concordance_se": found.se,
    }


@agrees_with_r("survival")
def survival(case):
    times, events, x1, x2, scores = columns(case["input"], "time", "event", "x1", "x2", "score")
    covariates = np.column_stack([x1, x2])
    c, logrank = harrell_c(times, events, scores), logrank_test(times, events, x2)
    medians = [median_survival(times[x2 == group], events[x2 == group]) for group in (0, 1)]
    at = np.quantile(times, [0.25, 0.5, 0.75])
    curve = survival_at(times, events, at)
    return {
        "cox_efron": cox((times, events), covariates, "efron"),
        "cox_breslow": cox((times, events), covariates, "breslow"),
        "harrell_c_score": c.value,
        "harrell_c_score_se": c.se,
        "harrell_counts": pairs(times, events, scores),
        "logrank_chi2": logrank.statistic,
        "logrank_p": logrank.p,
        "km_median_by_x2": [each.value for each in medians],
        "km_median_ci95_lower": [each.low for each in medians],
        "km_median_ci95_upper": [each.high for each in medians],
        "km_times": [each.at for each in curve],
        "km_survival": [each.value for each in curve],
        "km_se": [each.se for each in curve],
        "km_lower": [each.low for each in curve],
        "km_upper": [each.high for each in curve],
        "coxzph_p": [each.p for each in proportional_hazards_test(times, events, covariates)],
    }


# What the files do not hold, from the same R 4.2.2 and survival 3.5.3 on the input of their cases:
# concordance(coxph(y ~ score), coxph(y ~ x1)), difference and sqrt(v11 + v22 - 2 v12);
# sqrt(concordance(y ~ score, reverse = TRUE, cluster = k)$var), k = x2 + 2 (x1 > 0) + 4 (x1 > 1) + 8 (score > 0);
# survdiff(y ~ x2 + 2 (x1 > 0))$chisq; h = quantile(time, 0.6, type = 1), p = plogis(score - 0.5):
# (1 - S(h)) / mean(p), SE(S(h)) / (1 - S(h)), and coxph on log(-log(1 - p)) with times cut at h, coefficient and SE.
MORE = {
    "basic": [
        (-0.0281033396345306, 0.0205531390994220, 0.0378212005649581, 21.4644452995276),
        (1.1232910330137384, 0.0924032253085332, 0.3307133918730823, 0.1861390908762717),
    ],
    "ties": [
        (0.00019770660340046, 0.02251572087551433, 0.0259203649493734, 9.33249954202603),
        (1.2608953899609900, 0.0938580583000159, 0.4509417938125849, 0.1984609929833629),
    ],
    "small": [
        (0.0332103321033210, 0.0416683330549726, 0.0773820487854298, 10.8370383910461),
        (1.302216329569921, 0.173468283305508, 2.066242545886191, 0.581796434074659),
    ],
}


@pytest.mark.parametrize("name", MORE)
def test_paired_concordance_patients_and_four_groups_agree_with_r(name):
    times, events, x1, x2, scores = columns(CASES[name], "time", "event", "x1", "x2", "score")
    tested = concordance_test(times, events, scores, x1)
    patients = x2 + 2 * (x1 > 0) + 4 * (x1 > 1) + 8 * (scores > 0)
    found = (
        tested.difference,
        tested.difference / tested.statistic,
        harrell_c(times, events, scores, patients=patients).se,
        logrank_test(times, events, x2 + 2 * (x1 > 0)).statistic,
    )
    assert found == pytest.approx(MORE[name][0], rel=1e-10)


@pytest.mark.parametrize("name", MORE)
def test_calibration_at_a_horizon_agrees_with_r(name):
    times, events, scores = columns(CASES[name], "time", "event", "score")
    horizon = np.quantile(times, 0.6, method="inverted_cdf")
    risk, ratio, slope = calibration_at_horizon(times, events, 1 / (1 + np.exp(0.5 - scores)), at=horizon)
    assert (ratio.value, risk.se / risk.value, slope.value, slope.se) == pytest.approx(MORE[name][1], rel=1e-9)
