"""How precise an area under the curve will be in a set of given class counts."""

from __future__ import annotations

import numpy as np

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import level_of
from radfusion.evaluation.intervals import auc_interval

__all__ = ["expected_auc_interval", "hanley_mcneil_se"]


def hanley_mcneil_se(auc: float, n_positive: int, n_negative: int) -> float:
    """Standard error of an area from itself and the class counts alone (exponential scores)."""
    square = auc**2
    spread = auc * (1 - auc) + (n_positive - 1) * (auc / (2 - auc) - square)
    spread += (n_negative - 1) * (2 * square / (1 + auc) - square)
    return float(np.sqrt(spread / (n_positive * n_negative)))


def expected_auc_interval(auc: float, n_positive: int, n_negative: int, *, level: float = 0.95) -> Estimate:
    """Interval that a set of given class counts is expected to have around an expected area.

    The standard error is Hanley and McNeil's, the interval that of :func:`radfusion.evaluation.auc`, symmetric on the
    scale of log(A / (1 - A)). With m positive and n negative cases::

        m n SE^2 = A (1 - A) + (m - 1) (A / (2 - A) - A^2) + (n - 1) (2 A^2 / (1 + A) - A^2)

    Parameters
    ----------
    auc : float
        Expected area, above 0 and below 1.
    n_positive, n_negative : int
        Number of positive and negative cases.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When the area is not between 0 and 1, or a count is below 1.

    References
    ----------
    .. [1] Hanley JA, McNeil BJ. The meaning and use of the area under a receiver operating characteristic (ROC) curve.
       Radiology 1982;143:29-36. doi:10.1148/radiology.143.1.7063747

    Examples
    --------
    >>> found = expected_auc_interval(0.8, 50, 100)
    >>> round(found.se, 4), round(found.low, 3), round(found.high, 3)
    (0.0412, 0.707, 0.869)
    """
    if not 0 < auc < 1:
        raise EvaluationError(f"auc is {auc}; allowed are numbers between 0 and 1")
    if min(n_positive, n_negative) < 1:
        raise EvaluationError(f"n_positive and n_negative are {n_positive} and {n_negative}; allowed are 1 and more")
    se = hanley_mcneil_se(auc, n_positive, n_negative)
    low, high, reason = auc_interval(auc, se, level=level_of(level), ci="logit")
    return Estimate(
        metric="expected_auc",
        value=auc,
        low=low,
        high=high,
        level=level,
        method="hanley_mcneil_logit",
        se=se,
        n=n_positive + n_negative,
        n_pos=n_positive,
        reason=reason,
    )
