"""Times to an event: discrimination, survival curves, Cox regression, and calibration at a horizon."""

from radfusion.evaluation.survival.calibration import calibration_at_horizon
from radfusion.evaluation.survival.concordance import concordance_test, harrell_c
from radfusion.evaluation.survival.cox import cox_regression, cox_tests, proportional_hazards_test
from radfusion.evaluation.survival.kaplan_meier import kaplan_meier, logrank_test, median_survival, survival_at
from radfusion.evaluation.survival.time_dependent import time_dependent_auc

__all__ = [
    "calibration_at_horizon",
    "concordance_test",
    "cox_regression",
    "cox_tests",
    "harrell_c",
    "kaplan_meier",
    "logrank_test",
    "median_survival",
    "proportional_hazards_test",
    "survival_at",
    "time_dependent_auc",
]
