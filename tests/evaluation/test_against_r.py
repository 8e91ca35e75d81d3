"""Every number against pROC and R: the small cases kept beside the tests, and all of them where the folder is there."""

import json
from pathlib import Path

import numpy as np
import pytest

import radfusion.evaluation as ev

KEPT = json.loads((Path(__file__).parents[1] / "reference" / "evaluation.json").read_text(encoding="utf-8"))["topics"]
SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def number(value):
    return {"NA": None, "NaN": None}.get(value, float(value) if value not in ("NA", "NaN") else None)


def scores(case, *names):
    """Arrays of the input without the rows that miss a score."""
    given = case["input"]
    columns = [[number(v) for v in given.get(name) or given[f"{name}_strings"]] for name in names]
    kept = [row for row in zip(*columns, strict=True) if None not in row]
    return [np.array(column) for column in zip(*kept, strict=True)]


def single(case, close):
    y, score = scores(case, "y", "score")
    e = case["expected"]
    found = ev.auc(y, score)
    close(found.value, e["auc"])
    close(found.se, e["delong_se"])
    assert (found.n_pos, found.n) == (e["n_cases"], e["n_cases"] + e["n_controls"])
    if found.low is None:
        assert found.reason
        assert e["delong_var"] in (0, "NA")
        return
    close((found.low, found.high), (e["ci95_logit_lower"], e["ci95_logit_upper"]))
    for level in (90, 95, 99):
        plain = ev.auc(y, score, ci="delong", level=level / 100)
        close((plain.low, plain.high), (e[f"ci{level}_lower"], e[f"ci{level}_upper"]))
    if "roc_curve" in e:
        curve, r = ev.roc_curve(y, score), e["roc_curve"]
        corners = set(zip(np.round(curve.x, 12), np.round(curve.y, 12), strict=True))
        fpr = 1 - np.array(r["specificities"])
        assert corners <= set(zip(np.round(fpr, 12), np.round(r["sensitivities"], 12), strict=True))
        close(np.trapezoid(curve.y, curve.x), e["auc"])


def paired(case, close):
    y, a, b = scores(case, "y", "score1", "score2")
    e, found = case["expected"], ev.delong_test(y, a, b)
    close(found.values, (e["auc1"], e["auc2"]))
    close(found.difference, e["auc_difference"])
    if e["z"] == "Inf":
        assert (found.p, found.low, found.statistic) == (None, None, None)
        assert "variance" in found.reason
        return
    close((found.statistic, found.p), (e["z"], e["p_two_sided"]))
    close((found.low, found.high), (e["ci95_difference_lower"], e["ci95_difference_upper"]))
    narrow = ev.delong_test(y, a, b, level=0.9)
    close((narrow.low, narrow.high), (e["ci90_difference_lower"], e["ci90_difference_upper"]))
    engine = ev.influence(y, np.stack([-a, a], axis=1), [0, 1])
    close(engine.covariance()[1, 1], e["var1"])


def unpaired(case, close):
    (y1, a), (y2, b) = scores(case, "y1", "score1"), scores(case, "y2", "score2")
    e, found = case["expected"], ev.delong_test_unpaired(y1, a, y2, b)
    close((found.statistic, found.df, found.p), (e["d"], e["df"], e["p_two_sided"]))
    close(
        (found.difference, found.low, found.high),
        (e["auc_difference"], e["ci95_difference_lower"], e["ci95_difference_upper"]),
    )


def multiclass(case, close):
    y, e = np.array(case["input"]["y"]), case["expected"]
    classes = list(range(len(e["model1"]["ovr_auc"])))
    both, without_factors = [np.array(case["input"][f"prob_model{m}"]) for m in (1, 2)], []
    for p, r in zip(both, (e["model1"], e["model2"]), strict=True):
        *areas, macro = ev.one_vs_rest_auc(y, p, classes)
        close([each.value for each in areas], r["ovr_auc"])
        close([each.se**2 for each in areas], r["ovr_delong_var"])
        close(macro.value, r["macro_auc"])
        assert [list(row) for row in ev.confusion(y, p.argmax(axis=1), classes)] == r["confusion_rows_true"]
        close(ev.accuracy(y, p.argmax(axis=1)).value, r["accuracy"])
        # R's advisory variance leaves out sqrt(m / (m - 1)), with m the size of the case's group.
        size = np.where(y[:, None] == classes, np.bincount(y)[classes], len(y) - np.bincount(y)[classes])
        phi = (ev.influence(y, p, classes).values * np.sqrt((size - 1) / size)).mean(axis=1)
        close(phi @ phi / len(y) ** 2, r["macro_auc_influence_var"])
        without_factors.append(phi)
    compared = e["comparison"]
    tests = [ev.delong_test(y, both[0][:, k], both[1][:, k], positive=k) for k in classes]
    close([each.statistic for each in tests], compared["per_class_z"])
    close([each.p for each in tests], compared["per_class_p"])
    close(ev.adjust_pvalues([each.p for each in tests]), compared["per_class_p_holm"])
    close(ev.macro_auc_test(y, *both, classes).difference, compared["macro_difference"])
    gap = without_factors[0] - without_factors[1]
    close(np.sqrt(gap @ gap) / len(y), compared["macro_se_influence"])


def multiplicity(case, close):
    p = [number(value) for value in case["input"]["p"]]
    for method in ("holm", "bonferroni", "bh"):
        close(ev.adjust_pvalues(p, method), case["expected"][method])
    assert ev.adjust_pvalues(p, "none") == p


def thresholds(case, close):
    y, score = scores(case, "y", "score")
    e = case["expected"]["at_first_best_youden"]
    cut = ev.youden_threshold(y, score)
    close(cut, case["expected"]["best_youden"][0]["threshold"])
    for name, found in zip(SHARES, ev.operating_point(y, score, cut), strict=True):
        assert (found.metric, found.n, found.n_pos) == (name, e[name]["n"], e["tp"] + e["fn"])
        if e[name]["n"]:
            close(
                (found.value, found.low, found.high), [e[name][k] for k in ("estimate", "wilson_lower", "wilson_upper")]
            )
        else:
            assert found.value is None
            assert found.reason


CHECKS = {
    "roc_single": single,
    "roc_paired": paired,
    "roc_unpaired": unpaired,
    "roc_multiclass": multiclass,
    "multiplicity": multiplicity,
    "roc_thresholds": thresholds,
}


def closeness(tolerance):
    def close(found, expected):
        found, expected = np.atleast_1d(np.array(found, dtype=object)), np.atleast_1d(np.array(expected, dtype=object))
        assert found.shape == expected.shape
        for f, e in zip(found.ravel(), map(number, expected.ravel()), strict=True):
            assert (f is None) == (e is None)
            assert f == e or abs(f - e) <= tolerance["abs"] + tolerance["rel"] * abs(e)

    return close


@pytest.mark.parametrize(("topic", "case"), [(t, c["id"]) for t in CHECKS for c in KEPT[t]["cases"]])
def test_kept_case_agrees_with_r(topic, case):
    found = next(each for each in KEPT[topic]["cases"] if each["id"] == case)
    CHECKS[topic](found, closeness(KEPT[topic]["default_tolerance"]))


@pytest.mark.data
@pytest.mark.parametrize("topic", CHECKS)
def test_every_case_agrees_with_r(topic, shared):
    reference = json.loads((shared / "reference" / f"{topic}.json").read_text(encoding="utf-8"))
    for case in reference["cases"]:
        CHECKS[topic](case, closeness(reference["default_tolerance"]))
