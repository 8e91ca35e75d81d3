"""Intervals by the delta method, of numbers that are smooth functions of means over the cases.

The influence of a case on such a number is the change of the number when the case gains weight. With influence values
F_i, scaled so that their mean is 0, the variance is sum(F_i^2) / n^2; where patients have several cases it is the same
sum over sums per patient, times C / (C - 1) for C patients.

References
----------
.. [1] Hampel FR. The influence curve and its role in robust estimation. J Am Stat Assoc 1974;69:383-393.
   doi:10.1080/01621459.1974.10482962
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import expit, logit, ndtri

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Clusters, Floats
from radfusion.evaluation.intervals import clustered_variance

__all__ = ["Influenced", "Scale", "delta_estimate", "delta_interval", "influence_se", "with_interval"]

Scale: TypeAlias = Literal["plain", "log", "logit", "fisher_z"]

# Below this a standard error is rounding error of influence values that are 0.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Influenced:
    """A number and the influence of each case on it.

    Attributes
    ----------
    value : float or None
        The number; None where it is not defined.
    values : (n,) array or None
        Influence values; None where there are none.
    reason : str or None
        Why the number, or its interval, is not estimable.
    """

    value: float | None
    values: Floats | None = None
    reason: str | None = None


def influence_se(values: Floats, groups: Clusters) -> float | None:
    """Standard error of a number with these (n,) influence values; None where there is only one patient."""
    if groups.codes is None:
        return float(np.sqrt(values @ values)) / len(values)
    sums = np.bincount(groups.codes, weights=values)
    if len(sums) == 1:
        return None
    return float(np.sqrt(sums @ sums * len(sums) / (len(sums) - 1))) / len(values)


# Of each scale: the transformation, its derivative and its inverse.
_SCALES: dict[Scale, tuple[Callable[[float], float], Callable[[float], float], Callable[[float], float]]] = {
    "plain": (float, lambda _: 1.0, float),
    "log": (np.log, lambda x: 1 / x, np.exp),
    "logit": (logit, lambda x: 1 / (x * (1 - x)), expit),
    "fisher_z": (np.arctanh, lambda x: 1 / (1 - x**2), np.tanh),
}


def delta_interval(value: float, se: float, *, level: float, scale: Scale) -> tuple[float, float]:
    """Limits that are symmetric on a scale: plain, log for (0, inf), logit for (0, 1), Fisher's z for (-1, 1).

    Examples
    --------
    >>> low, high = delta_interval(0.6, 0.1, level=0.95, scale="fisher_z")
    >>> round(low, 4), round(high, 4)
    (0.3687, 0.7613)
    """
    there, slope, back = _SCALES[scale]
    centre, half = there(value), float(ndtri(0.5 + level / 2)) * se * slope(value)
    return float(back(centre - half)), float(back(centre + half))


def delta_estimate(metric: str, found: Influenced, groups: Clusters, *, level: float, scale: Scale) -> Estimate:
    """Number with its interval on a scale, or the reason why there is none."""
    bare = Estimate(metric=metric, value=found.value, level=level, n_patients=groups.count, reason=found.reason)
    if found.values is None:
        return bare
    bare = bare.model_copy(update={"n": len(found.values)})
    if found.value is None or found.reason:
        return bare
    return _with_limits(bare, influence_se(found.values, groups), groups, scale=scale)


def with_interval(bare: Estimate, values: Floats, groups: Clusters, *, scale: Scale = "plain") -> Estimate:
    """Estimate of a mean, or of what is smooth in one, with its interval on a scale, or the reason why there is none.

    Parameters
    ----------
    bare : Estimate
        With its value and level.
    values : (n,) array
        Values, or influence values, whose mean has the standard error of the estimate.
    groups : Clusters
        Patients of the cases.
    scale : {"plain", "log", "logit", "fisher_z"}
        Scale on which the interval is symmetric.
    """
    variance = clustered_variance(values, groups)
    return _with_limits(bare, None if variance is None else float(np.sqrt(variance)), groups, scale=scale)


def _with_limits(bare: Estimate, se: float | None, groups: Clusters, *, scale: Scale) -> Estimate:
    value = bare.value or 0.0
    if se is None:
        who = "case" if groups.codes is None else "patient"
        return bare.model_copy(update={"reason": f"an interval needs two {who}s; there is one"})
    if se <= _ROUNDING * max(abs(value), 1.0):
        reason = "the variance is estimated as 0: the interval is not estimable"
        return bare.model_copy(update={"se": 0.0, "reason": reason})
    low, high = delta_interval(value, se, level=bare.level, scale=scale)
    name = "wald" if scale == "plain" else f"delta_{scale}"
    method = name if groups.codes is None else f"cluster_{name}"
    return bare.model_copy(update={"se": se, "low": low, "high": high, "method": method})
