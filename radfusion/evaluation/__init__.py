"""Predictions to results: pure functions of arrays; every number says how its interval was made, or why it has none."""

from radfusion.evaluation.adjustment import ADJUSTMENTS, adjust_comparisons, adjust_pvalues
from radfusion.evaluation.comparisons import COMPARISONS, ScoredPair
from radfusion.evaluation.comparisons.areas import delong_test, delong_test_unpaired, macro_auc_test
from radfusion.evaluation.comparisons.no_information import no_information_rate_test
from radfusion.evaluation.curves import macro_roc_curve, roc_curve
from radfusion.evaluation.delong import Influence, influence
from radfusion.evaluation.evaluate import (
    class_comparisons,
    compare_models,
    compare_with_no_information,
    evaluate_set,
    roc_curves,
)
from radfusion.evaluation.intervals import wilson_interval
from radfusion.evaluation.metrics import METRICS, ScoredSet
from radfusion.evaluation.metrics.areas import auc, one_vs_rest_auc
from radfusion.evaluation.metrics.decisions import accuracy, confusion, operating_point
from radfusion.evaluation.metrics.squared_error import brier
from radfusion.evaluation.settings import EvaluationSettings, PrimaryComparison
from radfusion.evaluation.thresholds import training_thresholds
from radfusion.evaluation.youden import THRESHOLD_RULES, youden_threshold

__all__ = [
    "ADJUSTMENTS",
    "COMPARISONS",
    "METRICS",
    "THRESHOLD_RULES",
    "EvaluationSettings",
    "Influence",
    "PrimaryComparison",
    "ScoredPair",
    "ScoredSet",
    "accuracy",
    "adjust_comparisons",
    "adjust_pvalues",
    "auc",
    "brier",
    "class_comparisons",
    "compare_models",
    "compare_with_no_information",
    "confusion",
    "delong_test",
    "delong_test_unpaired",
    "evaluate_set",
    "influence",
    "macro_auc_test",
    "macro_roc_curve",
    "no_information_rate_test",
    "one_vs_rest_auc",
    "operating_point",
    "roc_curve",
    "roc_curves",
    "training_thresholds",
    "wilson_interval",
    "youden_threshold",
]
