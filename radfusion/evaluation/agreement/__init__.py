"""How far raters, or measurements, agree: kappa for categories, ICC and limits of agreement for numbers."""

from radfusion.evaluation.agreement.concordance import lin_ccc
from radfusion.evaluation.agreement.intraclass import icc, icc_of_features, icc_test
from radfusion.evaluation.agreement.kappa import cohen_kappa, kappa_test
from radfusion.evaluation.agreement.limits import bland_altman

__all__ = ["bland_altman", "cohen_kappa", "icc", "icc_of_features", "icc_test", "kappa_test", "lin_ccc"]
