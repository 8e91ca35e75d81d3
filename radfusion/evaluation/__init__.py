"""Predictions to results: pure functions of arrays; every number says how its interval was made, or why it has none."""

from radfusion.evaluation import baseline, sample_size, survival
from radfusion.evaluation.adjustment import ADJUSTMENTS, adjust_comparisons, adjust_pvalues, family_sizes
from radfusion.evaluation.agreement import (
    bland_altman,
    cohen_kappa,
    icc,
    icc_of_features,
    icc_test,
    kappa_test,
    lin_ccc,
)
from radfusion.evaluation.calibration_curves import (
    calibration_curve,
    calibration_errors,
    expected_calibration_error,
    hosmer_lemeshow_test,
)
from radfusion.evaluation.comparisons import COMPARISONS, ScoredPair
from radfusion.evaluation.comparisons.areas import (
    average_auc_test,
    delong_test,
    delong_test_unpaired,
    joint_auc_test,
    macro_auc_test,
    macro_auc_test_unpaired,
)
from radfusion.evaluation.comparisons.no_information import no_information_rate_test
from radfusion.evaluation.comparisons.pairwise import compare_aucs, compare_macro_aucs, equal_auc_test
from radfusion.evaluation.comparisons.reclassification import reclassification
from radfusion.evaluation.comparisons.resampled import (
    auc_bootstrap_test,
    auc_permutation_test,
    venkatraman_test,
)
from radfusion.evaluation.curves import macro_roc_curve, roc_curve
from radfusion.evaluation.decision_curves import (
    decision_curve,
    net_benefit,
    net_benefit_in_population,
    net_benefit_test,
)
from radfusion.evaluation.delong import Influence, influence
from radfusion.evaluation.evaluate import (
    class_comparisons,
    compare_models,
    compare_with_no_information,
    evaluate_set,
    roc_curves,
)
from radfusion.evaluation.intervals import clopper_pearson_interval, wilson_interval
from radfusion.evaluation.mcnemar import mcnemar_test
from radfusion.evaluation.metrics import METRICS, ScoredSet
from radfusion.evaluation.metrics.areas import (
    auc,
    hand_till_auc,
    macro_auc,
    micro_auc,
    one_vs_rest_auc,
    weighted_auc,
)
from radfusion.evaluation.metrics.calibration import calibration
from radfusion.evaluation.metrics.classes import class_scores
from radfusion.evaluation.metrics.decisions import accuracy, confusion
from radfusion.evaluation.metrics.operating import exact_operating_point, operating_point
from radfusion.evaluation.metrics.precision_recall import average_precision, pr_curve
from radfusion.evaluation.metrics.squared_error import brier, brier_scaled
from radfusion.evaluation.partial import RocRange, partial_auc, sensitivity_at_specificity, specificity_at_sensitivity
from radfusion.evaluation.recalibration import calibration_test, multinomial_calibration, spiegelhalter_test
from radfusion.evaluation.resampling import Bootstrap
from radfusion.evaluation.settings import EvaluationSettings, PrimaryComparison
from radfusion.evaluation.threshold_rules import THRESHOLD_RULES, ThresholdSettings, best_thresholds, youden_threshold
from radfusion.evaluation.thresholds import training_thresholds

__all__ = [
    "ADJUSTMENTS",
    "COMPARISONS",
    "METRICS",
    "THRESHOLD_RULES",
    "Bootstrap",
    "EvaluationSettings",
    "Influence",
    "PrimaryComparison",
    "RocRange",
    "ScoredPair",
    "ScoredSet",
    "ThresholdSettings",
    "accuracy",
    "adjust_comparisons",
    "adjust_pvalues",
    "auc",
    "auc_bootstrap_test",
    "auc_permutation_test",
    "average_auc_test",
    "average_precision",
    "baseline",
    "best_thresholds",
    "bland_altman",
    "brier",
    "brier_scaled",
    "calibration",
    "calibration_curve",
    "calibration_errors",
    "calibration_test",
    "class_comparisons",
    "class_scores",
    "clopper_pearson_interval",
    "cohen_kappa",
    "compare_aucs",
    "compare_macro_aucs",
    "compare_models",
    "compare_with_no_information",
    "confusion",
    "decision_curve",
    "delong_test",
    "delong_test_unpaired",
    "equal_auc_test",
    "evaluate_set",
    "exact_operating_point",
    "expected_calibration_error",
    "family_sizes",
    "hand_till_auc",
    "hosmer_lemeshow_test",
    "icc",
    "icc_of_features",
    "icc_test",
    "influence",
    "joint_auc_test",
    "kappa_test",
    "lin_ccc",
    "macro_auc",
    "macro_auc_test",
    "macro_auc_test_unpaired",
    "macro_roc_curve",
    "mcnemar_test",
    "micro_auc",
    "multinomial_calibration",
    "net_benefit",
    "net_benefit_in_population",
    "net_benefit_test",
    "no_information_rate_test",
    "one_vs_rest_auc",
    "operating_point",
    "partial_auc",
    "pr_curve",
    "reclassification",
    "roc_curve",
    "roc_curves",
    "sample_size",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "spiegelhalter_test",
    "survival",
    "training_thresholds",
    "venkatraman_test",
    "weighted_auc",
    "wilson_interval",
    "youden_threshold",
]
