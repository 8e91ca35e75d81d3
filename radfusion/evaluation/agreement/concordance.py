"""Lin's concordance correlation of two measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Floats, level_of
from radfusion.evaluation.agreement.limits import pair_of

__all__ = ["lin_ccc"]

# A variance below this share of the largest value, squared, is rounding error of equal values.
_ROUNDING = (64 * np.finfo(np.float64).eps) ** 2


def lin_ccc(values_a: ArrayLike, values_b: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Concordance correlation coefficient: how near pairs lie to the line of equality.

    With means m, variances s**2 (divisor n) and covariance c, the coefficient is p = 2 c / (s_a**2 + s_b**2 + d**2),
    d = m_a - m_b. The interval is symmetric on the scale of atanh(p). With r the correlation, B = p / r and
    u**2 = d**2 / (s_a s_b), the variance of p is

        ((1 - r**2) B**2 (1 - p**2) + 2 p**2 B (1 - p) u**2 - p**2 B**2 u**4 / 2) / (n - 2).

    Parameters
    ----------
    values_a, values_b : (n,) array
        Two measurements of each case, in the same unit.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When lengths differ or a measurement is missing.

    References
    ----------
    .. [1] Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 1989;45:255-268.
       doi:10.2307/2532051
    .. [2] Lin LI. A note on the concordance correlation coefficient. Biometrics 2000;56:324-325.
       doi:10.1111/j.0006-341X.2000.00324.x

    Examples
    --------
    >>> found = lin_ccc([1.0, 2.0, 3.0, 4.0, 5.0], [1.2, 1.9, 3.3, 4.2, 4.7])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.9857, 0.8882, 0.9982)
    """
    a, b = pair_of(values_a, values_b)
    n = len(a)
    bare = Estimate(metric="lin_ccc", value=None, level=level_of(level), n=n)
    shift, spread_a, spread_b = float(a.mean() - b.mean()), _spread(a), _spread(b)
    total = spread_a**2 + spread_b**2 + shift**2
    if total == 0:
        return bare.model_copy(update={"reason": "all values are equal: the concordance is 0 / 0"})
    covariance = float(((a - a.mean()) * (b - b.mean())).mean()) if spread_a and spread_b else 0.0
    value = 2 * covariance / total
    if not spread_a or not spread_b:
        reason = "one of the measurements does not vary: the interval is not estimable"
        return bare.model_copy(update={"value": value, "reason": reason})
    if n < 3:
        return bare.model_copy(update={"value": value, "reason": "two cases have no interval; three or more have"})
    r, bias, u2 = covariance / (spread_a * spread_b), 2 * spread_a * spread_b / total, shift**2 / (spread_a * spread_b)
    variance = (
        (1 - r**2) * bias**2 * (1 - value**2) + 2 * value**2 * bias * (1 - value) * u2 - (value * bias * u2) ** 2 / 2
    )
    if variance <= _ROUNDING or abs(value) >= 1:
        return bare.model_copy(
            update={"value": value, "reason": "the variance is estimated as 0: the interval is not estimable"}
        )
    se = float(np.sqrt(variance / (n - 2)))
    half, centre = float(ndtri(0.5 + level / 2)) * se / (1 - value**2), float(np.arctanh(value))
    low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    return bare.model_copy(update={"value": value, "low": low, "high": high, "se": se, "method": "z_transform"})


def _spread(values: Floats) -> float:
    variance = float(values.var())
    return float(np.sqrt(variance)) if variance > _ROUNDING * float(np.abs(values).max()) ** 2 else 0.0
