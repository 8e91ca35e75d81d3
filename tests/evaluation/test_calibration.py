"""Calibration: against plain numerical optimisation, in edge cases, and under what must not change it."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax

from radfusion.errors import EvaluationError
from radfusion.evaluation import ScoredSet, brier
from radfusion.evaluation.calibration_curves import (
    calibration_curve,
    calibration_errors,
    expected_calibration_error,
    hosmer_lemeshow_test,
)
from radfusion.evaluation.local_regression import loess, loess_direct, lowess
from radfusion.evaluation.metrics import METRICS
from radfusion.evaluation.metrics.calibration import calibration
from radfusion.evaluation.metrics.squared_error import brier_scaled
from radfusion.evaluation.recalibration import calibration_test, multinomial_calibration, spiegelhalter_test

CLASSES = ("a", "b", "c")


def two_classes(seed, n=200, slope=0.7, shift=0.3):
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(0, 1.5, n))
    return (rng.random(n) < expit(shift + slope * logit(p))).astype(int), p


def three_classes(seed, n=300):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1.2, (n, 3))
    shares = softmax(0.8 * scores + [0.3, 0.0, -0.2], axis=1)
    labels = np.array(CLASSES)[[rng.choice(3, p=each) for each in shares]]
    return labels, softmax(scores, axis=1)


def by_name(found):
    return {each.metric: each for each in found}


def test_multinomial_recalibration_is_the_maximum_of_the_likelihood():
    labels, matrix = three_classes(1)
    hits, ratio = labels[:, None] == np.array(CLASSES), np.log(matrix[:, 1:] / matrix[:, :1])

    def loss(beta):
        logits = np.column_stack([np.zeros(len(labels)), beta[:2] + beta[2:] * ratio])
        return -log_softmax(logits, axis=1)[hits].sum()

    best = minimize(loss, [0, 0, 1, 1], method="BFGS", options={"gtol": 1e-7})
    found = [each for each in multinomial_calibration(labels, matrix, CLASSES) if each.metric.startswith("multi")]
    intercepts, slopes = ([each.value for each in found if each.metric.endswith(end)] for end in ("intercept", "slope"))
    np.testing.assert_allclose([*intercepts, *slopes], best.x, atol=1e-5)
    # The curvature of the likelihood gives the standard errors.
    se = [each.se for end in ("intercept", "slope") for each in found if each.metric.endswith(end)]
    np.testing.assert_allclose(se, np.sqrt(np.diag(best.hess_inv)), rtol=0.1)


def test_multinomial_recalibration_of_two_classes_is_the_binary_one():
    y, p = two_classes(2)
    found = multinomial_calibration(y, p, [0, 1])
    multinomial, against_rest = found[:3], found[6:]
    for one, other in zip(multinomial, against_rest, strict=True):
        assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-9)
        assert one.metric == f"multinomial_{other.metric}"


def test_reference_class_changes_signs_only_with_two_classes():
    y, p = two_classes(3)
    first = multinomial_calibration(y, p, [0, 1])[:3]
    second = multinomial_calibration(y, p, [0, 1], reference=1)[:3]
    assert [each.value for each in first] == pytest.approx([-second[0].value, -second[1].value, second[2].value])


def test_calibration_in_the_large_makes_the_mean_risk_right():
    y, p = two_classes(4)
    shift = by_name(calibration(y, p))["calibration_in_the_large"].value
    assert expit(logit(p) + shift).mean() == pytest.approx(y.mean(), abs=1e-12)


@given(st.integers(0, 1000))
def test_recalibrated_risks_are_calibrated(seed):
    y, p = two_classes(seed)
    line = by_name(calibration(y, p))
    right = expit(line["calibration_intercept"].value + line["calibration_slope"].value * logit(p))
    again = by_name(calibration(y, right))
    assert again["calibration_intercept"].value == pytest.approx(0, abs=1e-7)
    assert again["calibration_slope"].value == pytest.approx(1, abs=1e-7)
    assert again["observed_expected"].value == pytest.approx(1, abs=1e-7)
    assert calibration_test(y, right).p == pytest.approx(1, abs=1e-7)


@given(st.integers(0, 1000))
def test_calibration_of_the_other_class_is_the_mirror(seed):
    y, p = two_classes(seed)
    one, other = by_name(calibration(y, p)), by_name(calibration(y, 1 - p, positive=0))
    for name, sign in {"calibration_intercept": -1, "calibration_slope": 1, "brier": 1, "brier_scaled": 1}.items():
        assert other[name].value == pytest.approx(sign * one[name].value, abs=1e-9)
        assert other[name].se == pytest.approx(one[name].se, rel=1e-7)


def test_every_patient_twice_has_the_intervals_of_patients():
    y, p = two_classes(5)
    once, names = by_name(calibration(y, p)), ("brier", "brier_scaled", "observed_expected")
    twice = by_name(calibration(np.repeat(y, 2), np.repeat(p, 2), patients=np.repeat(np.arange(len(y)), 2)))
    for name in names:
        assert (twice[name].low, twice[name].high) == pytest.approx((once[name].low, once[name].high), rel=1e-9)
    slope = twice["calibration_slope"]
    assert slope.method == "cluster_sandwich"
    assert slope.se == pytest.approx(once["calibration_slope"].se, rel=0.15)


@pytest.mark.slow
def test_intervals_hold_the_truth_in_about_95_of_100_samples():
    names = {"calibration_intercept": 0.3, "calibration_slope": 0.7, "observed_expected": None, "brier_scaled": None}
    y, p = two_classes(0, n=1_000_000)
    large = by_name(calibration(y, p))
    truth = {name: large[name].value if value is None else value for name, value in names.items()}
    hits = dict.fromkeys(names, 0)
    for seed in range(1, 501):
        found = by_name(calibration(*two_classes(seed)))
        for name in names:
            hits[name] += found[name].low <= truth[name] <= found[name].high
    assert all(0.92 <= each / 500 <= 0.98 for each in hits.values()), hits


def test_risks_of_0_and_1_are_kept():
    y, p = [0, 1, 0, 1, 1, 0, 1], [0.0, 1.0, 0.3, 0.6, 0.4, 1.0, 0.7]
    found = by_name(calibration(y, p))
    assert found["calibration_slope"].n == 7
    nearly = by_name(calibration(y, np.clip(p, 1e-8, 1 - 1e-8)))
    assert found["calibration_slope"].value == nearly["calibration_slope"].value


@pytest.mark.parametrize(
    ("y", "p", "reason"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7], "the risks separate the classes: the likelihood has no maximum"),
        ([0, 1, 1, 1], [0.1, 0.2, 0.6, 0.7], "the risks separate the classes: the likelihood has no maximum"),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], "all cases have the same risk: no slope can be estimated"),
        ([1, 1, 1, 1], [0.1, 0.2, 0.6, 0.7], "every case is of class 1"),
        ([0, 0, 0, 0], [0.1, 0.2, 0.6, 0.7], "no case is of class 1"),
    ],
)
def test_no_slope_where_there_is_none(y, p, reason):
    if y == [0, 0, 0, 0]:
        y = np.zeros(4)
    found = by_name(calibration(y, p))
    assert (found["calibration_slope"].value, found["calibration_slope"].reason) == (None, reason)
    assert calibration_test(y, p).reason == reason
    assert (found["calibration_in_the_large"].value is None) == ("case is of class" in reason)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_samples_have_reasons_not_warnings(n):
    y, p = np.arange(n) % 2, np.linspace(0.2, 0.7, n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = calibration(y, p)
    assert all(each.value is not None or each.reason for each in found)
    assert all(each.reason for each in calibration_errors(y, p))


def test_one_patient_has_no_interval():
    y, p = two_classes(6)
    found = by_name(calibration(y, p, patients=np.zeros(len(y))))
    for name in ("calibration_slope", "observed_expected", "brier", "brier_scaled"):
        assert found[name].low is None
        assert found[name].reason == "an interval needs two patients; there is one"


def test_loess_meets_the_direct_curve_at_its_corners_and_follows_it_between():
    y, p = two_classes(7, n=500)
    assert np.abs(loess(p, y, p) - loess_direct(p, y, p)).max() < 0.02


def local_line(x, y, at, near):
    """Weighted least squares at one place, as the textbook has it."""
    distance = np.abs(x - at)
    h = np.sort(distance)[near - 1]
    weight = np.where(distance < h, (1 - (distance / h) ** 3) ** 3, 0)
    design = np.vander(x - at, 3)
    return np.linalg.lstsq(design * np.sqrt(weight)[:, None], y * np.sqrt(weight), rcond=None)[0][-1]


def test_direct_loess_is_weighted_least_squares():
    y, p = two_classes(8, n=60)
    expected = [local_line(p, y, each, 45) for each in p]
    np.testing.assert_allclose(loess_direct(p, y.astype(float), p), expected, atol=1e-10)


def test_lowess_equals_statsmodels():
    from statsmodels.nonparametric.smoothers_lowess import lowess as theirs

    y, p = two_classes(9, n=150)
    expected = theirs(y, p, frac=2 / 3, it=0, delta=0.01 * np.ptp(p), return_sorted=False)
    np.testing.assert_allclose(lowess(p, y.astype(float), p), expected, atol=1e-10)


@pytest.mark.parametrize("smooth", [loess, loess_direct, lowess])
@given(st.integers(0, 1000), st.integers(1, 3))
def test_a_line_stays_a_line(smooth, seed, decimals):
    x = np.round(np.random.default_rng(seed).random(40), decimals)
    if len(np.unique(x)) > 5:
        np.testing.assert_allclose(smooth(x, 2 * x + 1, x), 2 * x + 1, atol=1e-8)


def test_curve_reaches_from_the_lowest_to_the_highest_risk():
    y, p = two_classes(10)
    curve = calibration_curve(y, p)
    assert (curve.kind, len(curve.x), curve.x[0], curve.x[-1]) == ("calibration", 101, p.min(), p.max())


def test_bins_leave_out_the_empty_ones():
    curve = calibration_curve([0, 1, 1], [0.05, 0.1, 0.95], smoother="bins")
    assert curve.x == pytest.approx((0.075, 0.95))
    assert curve.y == pytest.approx((0.5, 1))


def test_distances_are_ordered():
    y, p = two_classes(11)
    found = by_name(calibration_errors(y, p))
    assert 0 <= found["e50"].value <= found["e90"].value <= found["emax"].value
    assert found["ici"].value <= found["emax"].value
    ece, mce = expected_calibration_error(y, p)
    assert 0 <= ece.value <= mce.value


def test_spiegelhalter_compares_two_brier_scores():
    y, p = two_classes(12)
    found = spiegelhalter_test(y, p)
    assert found.values == pytest.approx((brier(y, p, [0, 1]).value, (p * (1 - p)).mean()))
    assert found.difference == pytest.approx(found.values[0] - found.values[1], abs=1e-12)


def test_hosmer_lemeshow_is_no_test_of_few_groups():
    assert hosmer_lemeshow_test([0, 1, 1], [0.5, 0.5, 0.5]).reason.startswith("the quantiles of the risks leave")
    assert hosmer_lemeshow_test([0, 1, 1, 0], [0, 0, 0, 1.0], n_groups=3).reason is not None
    with pytest.raises(EvaluationError, match="allowed are 3 or more"):
        hosmer_lemeshow_test([0, 1], [0.5, 0.5], n_groups=2)


def test_scaled_brier_of_the_shares_is_0():
    labels, _ = three_classes(13)
    shares = np.tile([(labels == name).mean() for name in CLASSES], (len(labels), 1))
    assert brier_scaled(labels, shares, CLASSES).value == pytest.approx(0, abs=1e-12)
    assert brier_scaled(["a", "a"], [[1, 0, 0]] * 2, CLASSES).reason.startswith("all cases are of one class")


def test_metric_gives_every_class_and_the_macro_index():
    labels, matrix = three_classes(14)
    found = METRICS["calibration"](ScoredSet(labels, matrix, CLASSES))
    assert [each.class_ for each in found] == [*np.repeat(CLASSES, 4), None]
    ici = [each.value for each in found if each.metric == "ici"]
    assert found[-1].value == pytest.approx(np.mean(ici))
    one = by_name(calibration(labels == "b", matrix[:, 1], positive=True))
    assert [each.value for each in found[4:8]] == pytest.approx(
        [one[name].value for name in ("calibration_in_the_large", "calibration_intercept", "calibration_slope", "ici")]
    )


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("reach from", lambda: calibration([0, 1], [0.5, 1.5])),
        ("no label equals", lambda: calibration([0, 1], [0.5, 0.5], positive=2)),
        ("smoother is 'spline'", lambda: calibration_curve(*two_classes(1), smoother="spline")),
        ("needs 4 cases; there are 3", lambda: calibration_curve([0, 1, 1], [0.1, 0.2, 0.3])),
        ("needs 3 different risks; there are 2", lambda: calibration_curve([0, 1, 1, 0], [0.1, 0.2, 0.2, 0.1])),
        ("n_bins is 0", lambda: expected_calibration_error([0, 1], [0.5, 0.5], n_bins=0)),
        ("reference is 'd'", lambda: multinomial_calibration(*three_classes(1), CLASSES, reference="d")),
    ],
)
def test_bad_input_is_named(message, call):
    with pytest.raises(EvaluationError, match=message):
        call()
