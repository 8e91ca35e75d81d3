"""Power and sample size against pROC 1.18's power.roc.test."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from radfusion.evaluation import auc
from radfusion.evaluation.sample_size import (
    PairedDesign,
    auc_power,
    binormal_design,
    binormal_pilot,
    delong_pilot,
    paired_auc_power,
)
from tests.reference_values import agrees_with_r, column


def as_proc(a, b, ratio, rn, ra, difference):
    """pROC's design of two binormal curves: its variance of one curve leaves out the covariance of A and B."""
    f, g = zip(*(slopes(*each) for each in (a, b)), strict=True)

    def variance(k, A, B):
        return f[k] ** 2 * (1 + B**2 / ratio + A**2 / 2) + g[k] ** 2 * B**2 * (1 + ratio) / (2 * ratio)

    (A1, B1), (A2, B2) = a, b
    shared = f[0] * f[1] * (ra + rn * B1 * B2 / ratio + ra**2 * A1 * A2 / 2)
    shared += g[0] * g[1] * B1 * B2 * (rn**2 + ratio * ra**2) / (2 * ratio)
    shared += ra**2 / 2 * (f[0] * g[1] * A1 * B2 + f[1] * g[0] * A2 * B1)
    one, two = variance(0, *a), variance(1, *b)
    return PairedDesign(difference, one + two - 2 * shared, 2 * (one - shared), ratio)


def slopes(A, B):
    height = np.exp(-(A**2) / (2 * (1 + B**2))) / np.sqrt(2 * np.pi * (1 + B**2))
    return height, -height * A * B / (1 + B**2)


def proc_line(y, score):
    """pROC's binormal fit: specificity on sensitivity, which exchanges the roles of cases and controls."""
    cuts = np.unique(score)[1:, None]
    se, sp = (score[y == 1] >= cuts).mean(axis=1), (score[y == 0] < cuts).mean(axis=1)
    inside = (se > 0) & (se < 1) & (sp > 0) & (sp < 1)
    slope, height = np.polyfit(ndtri(se[inside]), ndtri(sp[inside]), 1)
    return height, slope


def pilot(given):
    y, a, b = (column(given[name]) for name in ("y", "score1", "score2"))
    design = delong_pilot(y, a, b, null="proc")
    needed = paired_auc_power(design, power=given["power"], significance=given["sig_level"])
    achieved = paired_auc_power(design, n_positive=design.n_positive, significance=given["sig_level"])
    ratio, difference = (y == 0).sum() / (y == 1).sum(), auc(y, a).value - auc(y, b).value
    rn, ra = (np.corrcoef(a[y == k], b[y == k])[0, 1] for k in (0, 1))
    theirs = as_proc(proc_line(y, a), proc_line(y, b), ratio, rn, ra, difference)
    proc = paired_auc_power(theirs, power=given["power"]).n_positive
    ours = paired_auc_power(binormal_pilot(y, a, b), power=given["power"]).n_positive
    # Ours is smaller than pROC's, which exchanges the groups, and nearer to DeLong's, which needs no binormal curve.
    assert ours < proc
    assert abs(np.log(ours / needed.n_positive)) < abs(np.log(proc / needed.n_positive))
    return {
        "ncases_delong": needed.n_positive,
        "ncontrols_delong": needed.n_negative,
        "power_of_pilot_delong": achieved.power,
        "ncases_obuchowski": proc,
    }


def parameters(given):
    curves = ((given["A1"], given["B1"]), (given["A2"], given["B2"]))
    proc = as_proc(*curves, 1, given["rn"], given["ra"], given["delta"])
    ours = binormal_design(
        *curves,
        correlation_positive=given["ra"],
        correlation_negative=given["rn"],
        difference=given["delta"],
    )
    asked = {"power": given["power"], "significance": given["sig_level"]}
    found = paired_auc_power(proc, **asked)
    assert paired_auc_power(ours, **asked).n_positive < 0.9 * found.n_positive
    return {"ncases": found.n_positive, "ncontrols": found.n_negative}


@agrees_with_r("roc_power")
def power(case):
    given = case["input"]
    if "score1" in given:
        return pilot(given)
    if "A1" in given:
        return parameters(given)
    sizes = {"n_positive": given["ncases"], "ratio": given["ncontrols"] / given["ncases"]} if "ncases" in given else {}
    found = auc_power(
        auc=given.get("auc"),
        power=given.get("power"),
        significance=given["sig_level"],
        alternative=given["alternative"].replace(".", "-"),
        **(sizes or {"ratio": given["kappa"]}),
    )
    return {
        "ncases": found.n_positive,
        "ncontrols": found.n_negative,
        "auc": found.auc,
        "sig_level": found.significance,
        "power": found.power,
    }


def test_solving_for_the_level_agrees_with_proc():
    # power.roc.test(auc = 0.7, ncases = 30, ncontrols = 60, sig.level = NULL, power = 0.8)
    found = auc_power(auc=0.7, n_positive=30, ratio=2, significance=None, power=0.8)
    assert found.significance == pytest.approx(0.0184016282117281, rel=1e-10)


def test_the_area_of_a_binormal_curve_is_that_of_its_parameters():
    design = binormal_design((2.6, 1), (1.9, 0.7), correlation_positive=0.6, correlation_negative=0.3)
    assert design.difference == pytest.approx(ndtr(2.6 / np.sqrt(2)) - ndtr(1.9 / np.sqrt(1.49)), rel=1e-12)
