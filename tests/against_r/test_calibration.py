"""Calibration against R: rms::val.prob, glm, loess, lowess and the Hosmer-Lemeshow test.

R's val.prob leaves risks of exactly 0 and 1 out of its logistic parts; the product keeps them. These parts are
therefore compared on the cases that R kept.
"""

import numpy as np
import pytest

import radfusion.evaluation as ev
from radfusion.evaluation.calibration_curves import (
    calibration_curve,
    calibration_errors,
    expected_calibration_error,
    hosmer_lemeshow_test,
)
from radfusion.evaluation.metrics.calibration import calibration
from radfusion.evaluation.recalibration import calibration_test, spiegelhalter_test
from tests.reference_values import agrees_with_r


def log_loss(y, p):
    return -float((y * np.log(p) + (1 - y) * np.log(1 - p)).sum())


def by_name(found):
    return {each.metric: each for each in found}


def limits(found, name):
    return {
        name: found.value,
        f"{name}_se": found.se,
        f"{name}_ci95_lower": found.low,
        f"{name}_ci95_upper": found.high,
    }


@agrees_with_r("calibration")
def calibration_of(case):
    y, p = (np.array(case["input"][key]) for key in ("y", "p"))
    kept = (p > 0) & (p < 1)
    every, inside = by_name(calibration(y, p)), by_name(calibration(y[kept], p[kept]))
    if not kept.all():
        # The boldest errors are not left out: the slope falls.
        assert every["calibration_slope"].value < inside["calibration_slope"].value
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    large = inside["calibration_in_the_large"]
    return {
        "n": len(y),
        "events": every["brier"].n_pos,
        "brier": every["brier"].value,
        "brier_scaled": every["brier_scaled"].value,
        "log_loss_clip_1e15": log_loss(y, clipped) / len(y),
        "observed_expected_ratio": every["observed_expected"].value,
        "calibration_in_the_large": {
            "intercept": large.value,
            "se": large.se,
            "ci95_lower": large.low,
            "ci95_upper": large.high,
        },
        "logistic_recalibration": {
            **limits(inside["calibration_intercept"], "intercept"),
            **limits(inside["calibration_slope"], "slope"),
            "lr_test_intercept0_slope1": likelihood_ratio(y[kept], p[kept]),
        },
        "hosmer_lemeshow_10": hosmer_lemeshow(y, p, 10),
        "hosmer_lemeshow_5": hosmer_lemeshow(y, p, 5),
        "val_prob": val_prob(y, p, every, inside),
        "loess_direct": distances(y, p, "loess_direct"),
        "loess_interpolate": distances(y, p, "loess"),
        "ece_equal_width_10": bins(y, p),
    }


def likelihood_ratio(y, p):
    found = calibration_test(y, p)
    return {"chi2": found.statistic, "df": found.df, "p": found.p}


def distances(y, p, smoother):
    names = {"ici": "ici", "e50": "e50", "e90": "e90", "emax": "emax", "eci": "eci_van_hoorde"}
    return {names[each.metric]: each.value for each in calibration_errors(y, p, smoother=smoother)}


def hosmer_lemeshow(y, p, groups):
    """The groups are R's by-product; the test is ours."""
    found = hosmer_lemeshow_test(y, p, n_groups=groups, fitted=True)
    breaks = np.unique(np.quantile(p, np.linspace(0, 1, groups + 1)))
    # A quantile that is a case differs from it in the last digit at most.
    nearest = p[np.abs(p[:, None] - breaks).argmin(axis=0)]
    breaks = np.where(np.abs(nearest - breaks) < 1e-12, nearest, breaks)
    place = np.clip(np.searchsorted(breaks, p) - 1, 0, None)
    count, observed, expected = (np.bincount(place, weights=each) for each in (np.ones_like(p), y, p))
    return {
        "groups_requested": groups,
        "groups_used": len(count),
        "statistic": found.statistic,
        "df": found.df,
        "p": found.p,
        "breaks": breaks,
        "n": count,
        "observed": observed,
        "expected": expected,
    }


def bins(y, p):
    """The observed shares are those of our curve; R lists empty bins too."""
    ece, mce = expected_calibration_error(y, p)
    curve = calibration_curve(y, p, smoother="bins")
    place = np.clip(np.ceil(np.round(p * 10, 9)).astype(int) - 1, 0, 9)
    counts = np.bincount(place, minlength=10)
    mean, share = np.full((2, 10), np.nan)
    mean[counts > 0], share[counts > 0] = curve.x, curve.y
    return {"ece": ece.value, "mce": mce.value, "n": counts, "mean_predicted": mean, "fraction_positive": share}


def val_prob(y, p, every, inside):
    """What val.prob prints; what is only its own is written out from its formula.

    R2, D and Q are of the risks as they are, not recalibrated. Dxy and C count risks that share one of 5000 bins as
    ties: ours is the exact area. Brier, z and the curve have all cases, the rest those with risks between 0 and 1.
    """
    kept = (p > 0) & (p < 1)
    some, risk = y[kept], p[kept]
    n, tested, z = len(some), calibration_test(some, risk), spiegelhalter_test(y, p)
    null = log_loss(some, np.full(n, some.mean()))
    gain = 2 * (null - log_loss(some, risk))
    area = ev.auc(some, np.floor(5000 * risk)).value
    assert area == pytest.approx(ev.auc(some, risk).value, abs=1e-4)
    smooth = {each.metric: each.value for each in calibration_errors(y, p, smoother="lowess")}
    d, u = (gain - 1) / n, (tested.statistic - 2) / n
    return {
        "dxy": 2 * area - 1,
        "c_roc": area,
        "r2": np.expm1(-gain / n) / np.expm1(-2 * null / n),
        "d": d,
        "d_chisq": gain,
        # val.prob gives no P value for it.
        "d_p": None,
        "u": u,
        "u_chisq": tested.statistic,
        "u_p": tested.p,
        "q": d - u,
        "brier": every["brier"].value,
        "intercept": inside["calibration_intercept"].value,
        "slope": inside["calibration_slope"].value,
        "emax": smooth["emax"],
        "e90": smooth["e90"],
        "eavg": smooth["ici"],
        "spiegelhalter_z": z.statistic,
        "spiegelhalter_p": z.p,
    }
