"""Adjusted P values as those of R's ``p.adjust``."""

from radfusion.evaluation.adjustment import ADJUSTMENTS, adjust_pvalues
from tests.reference_values import agrees_with_r, number


@agrees_with_r("multiplicity")
def adjusted(case):
    p = [number(each) for each in case["input"]["p"]]
    return {name: adjust_pvalues(p, name) for name in ADJUSTMENTS}
