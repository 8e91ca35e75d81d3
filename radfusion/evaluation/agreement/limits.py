"""Two measurements of the same cases: bias and limits of agreement."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, _floats, level_of

__all__ = ["bland_altman"]


def bland_altman(
    values_a: ArrayLike, values_b: ArrayLike, *, multiplier: float = 1.96, level: float = 0.95
) -> list[Estimate]:
    """Bias (mean of a - b) and the lower and upper limit of agreement, bias -+ 1.96 SD, each with its interval.

    With d of n cases and standard deviation s, the standard error of the bias is s / sqrt(n) and that of either limit
    s sqrt(1 / n + 1.96**2 / (2 (n - 1))); intervals take t with n - 1 degrees of freedom. Cases must be of different
    patients.

    Parameters
    ----------
    values_a, values_b : (n,) array
        Two measurements of each case, in the same unit.
    multiplier : float
        Standard deviations between the bias and a limit; 1.96 holds 95% of normal differences.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    list of Estimate
        ``bland_altman_bias``, ``bland_altman_lower`` and ``bland_altman_upper``, in the unit of the measurements.

    Raises
    ------
    EvaluationError
        When lengths differ, a measurement is missing, or `multiplier` is not above 0.

    References
    ----------
    .. [1] Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical measurement.
       Lancet 1986;327:307-310. doi:10.1016/S0140-6736(86)90837-8
    .. [2] Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res 1999;8:135-160.
       doi:10.1177/096228029900800204

    Examples
    --------
    >>> found = bland_altman([5.1, 6.0, 7.2, 8.1], [5.0, 6.2, 7.0, 7.7])
    >>> [round(each.value, 3) for each in found]
    [0.125, -0.365, 0.615]
    """
    if not 0 < multiplier < np.inf:
        raise EvaluationError(f"multiplier is {multiplier}; allowed are numbers above 0, such as 1.96")
    a, b = pair_of(values_a, values_b)
    difference, level = a - b, level_of(level)
    n, bias = len(difference), float(difference.mean())
    if n == 1:
        reason = "one case has no spread: limits and intervals are not estimable"
        names = dict.fromkeys(("bias", "lower", "upper"))
        return [
            Estimate(metric=f"bland_altman_{name}", value=value, level=level, n=n, reason=reason)
            for name, value in (names | {"bias": bias}).items()
        ]
    sd = float(difference.std(ddof=1))
    about_bias = sd / float(np.sqrt(n))
    about_limit = sd * float(np.sqrt(1 / n + multiplier**2 / (2 * (n - 1))))
    return [
        _with_interval("bland_altman_bias", bias, about_bias, level=level, n=n),
        _with_interval("bland_altman_lower", bias - multiplier * sd, about_limit, level=level, n=n),
        _with_interval("bland_altman_upper", bias + multiplier * sd, about_limit, level=level, n=n),
    ]


def pair_of(values_a: ArrayLike, values_b: ArrayLike) -> tuple[Floats, Floats]:
    """Check two measurements of each case, (n,) arrays."""
    shape = np.shape(np.asarray(values_a, dtype=object))
    if len(shape) != 1 or not shape[0]:
        raise EvaluationError(f"values_a have shape {shape}; allowed is one dimension with at least one case")
    return _floats(values_a, "values_a", shape), _floats(values_b, "values_b", shape)


def _with_interval(metric: str, value: float, se: float, *, level: float, n: int) -> Estimate:
    bare = Estimate(metric=metric, value=value, level=level, se=se, n=n)
    if se == 0:
        return bare.model_copy(update={"reason": "all differences are equal: the interval is not estimable"})
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
    return bare.model_copy(update={"low": value - half, "high": value + half, "method": "t"})
