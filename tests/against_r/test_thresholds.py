"""Thresholds, operating points and partial areas against pROC, epiR and stats."""

from __future__ import annotations

from typing import Any

import numpy as np

from radfusion.evaluation import auc, best_thresholds, exact_operating_point, operating_point, youden_threshold
from radfusion.evaluation.partial import RocRange, partial_auc, sensitivity_at_specificity, specificity_at_sensitivity
from radfusion.evaluation.threshold_rules import ThresholdSettings
from tests.reference_values import agrees_with_r

RULES = {
    "best_youden": ("youden", 1.0),
    "best_closest_topleft": ("closest_top_left", 1.0),
    "best_youden_cost2_prev02": (ThresholdSettings(rule="cost", cost=2, prevalence=0.2), 2.0),
    "best_closest_topleft_cost05_prev03": (
        ThresholdSettings(rule="closest_top_left", cost=0.5, prevalence=0.3),
        0.7 / 0.15,
    ),
}
RATIOS = ("lr_positive", "lr_negative", "diagnostic_odds_ratio")


def arrays(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(case["input"]["y"]), np.array(case["input"]["score"], dtype=float)


def at(y: np.ndarray, score: np.ndarray, threshold: float, point: Any = operating_point) -> dict[str, Any]:
    return {each.metric: each for each in point(y, score, threshold)}


def counts(point: dict[str, Any]) -> dict[str, int]:
    """The table, from shares and what they are of."""
    se, sp = point["sensitivity"], point["specificity"]
    tp, tn = round(se.value * se.n), round(sp.value * sp.n)
    return {"tp": tp, "fn": se.n - tp, "tn": tn, "fp": sp.n - tn}


def coordinates(y: np.ndarray, score: np.ndarray, threshold: float, weight: float) -> dict[str, Any]:
    """One row of pROC's coords."""
    point = at(y, score, threshold)
    shares = {name: point[name].value for name in ("specificity", "sensitivity", "accuracy", "npv", "ppv")}
    se, sp = shares["sensitivity"], shares["specificity"]
    criteria = {"youden": se + weight * sp, "closest_topleft": (1 - se) ** 2 + weight * (1 - sp) ** 2}
    return {"threshold": threshold, **shares, **counts(point), **criteria}


def table(y: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, Any]:
    point, exact = at(y, score, threshold), at(y, score, threshold, exact_operating_point)
    found: dict[str, Any] = {"threshold": threshold, **counts(point)}
    for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        share, cp = point[name], exact[name]
        found[name] = {
            "k": 0 if share.value is None else round(share.value * share.n),
            "n": share.n,
            "estimate": share.value,
            "clopper_pearson_lower": cp.low,
            "clopper_pearson_upper": cp.high,
            "wilson_lower": share.low,
            "wilson_upper": share.high,
        }
    for name in RATIOS:
        found[name] = {"estimate": point[name].value, "lower": point[name].low, "upper": point[name].high}
    return {**found, **{name: point[name].value for name in ("f1", "mcc", "balanced_accuracy")}}


@agrees_with_r("roc_thresholds")
def thresholds(case: dict[str, Any]) -> dict[str, Any]:
    y, score = arrays(case)
    found: dict[str, Any] = {
        key: [coordinates(y, score, cut, weight) for cut in best_thresholds(y, score, rule)]
        for key, (rule, weight) in RULES.items()
    }
    first = youden_threshold(y, score)
    # Where the best is to call every case positive, or none, the file describes the lowest score instead.
    first = first if np.isfinite(first) else float(score.min())
    asked = (0.8, 0.9, 0.95)
    return {
        **found,
        "n_best_youden": len(found["best_youden"]),
        "n_best_closest_topleft": len(found["best_closest_topleft"]),
        "at_first_best_youden": table(y, score, first),
        "specificity_at_sensitivity": {
            "sensitivity": asked,
            "specificity": [specificity_at_sensitivity(y, score, each).value for each in asked],
        },
        "sensitivity_at_specificity": {
            "specificity": asked,
            "sensitivity": [sensitivity_at_specificity(y, score, each).value for each in asked],
        },
    }


@agrees_with_r("roc_partial")
def partial(case: dict[str, Any]) -> dict[str, Any]:
    y, score = arrays(case)

    def area(wanted: dict[str, Any], *, corrected: bool) -> float | None:
        between = (wanted["from"], wanted["to"])
        found = partial_auc(y, score, RocRange(wanted["focus"], between, corrected))
        assert found.value is not None or "below that of chance" in found.reason
        return found.value

    parts = [
        {
            **{key: each[key] for key in ("focus", "from", "to")},
            "partial_auc": area(each, corrected=False),
            "partial_auc_mcclish_corrected": area(each, corrected=True),
        }
        for each in case["expected"]["partial"]
    ]
    return {"full_auc": auc(y, score).value, "partial": parts}
