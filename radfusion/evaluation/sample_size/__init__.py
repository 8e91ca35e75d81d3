"""How many cases a study needs: power of tests of areas, precision of an area, and developing a prediction model."""

from radfusion.evaluation.sample_size.development import (
    cox_snell_from_auc,
    required_cases,
    required_cases_multinomial,
)
from radfusion.evaluation.sample_size.power import AucPower, auc_power, paired_auc_power
from radfusion.evaluation.sample_size.precision import expected_auc_interval
from radfusion.evaluation.sample_size.variances import PairedDesign, binormal_design, binormal_pilot, delong_pilot

__all__ = [
    "AucPower",
    "PairedDesign",
    "auc_power",
    "binormal_design",
    "binormal_pilot",
    "cox_snell_from_auc",
    "delong_pilot",
    "expected_auc_interval",
    "paired_auc_power",
    "required_cases",
    "required_cases_multinomial",
]
