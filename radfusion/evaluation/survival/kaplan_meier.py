"""The Kaplan-Meier curve, survival at given times, the median, and the log-rank test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from radfusion.core.results import Comparison, Curve, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, _codes, level_of, same_length
from radfusion.evaluation.survival._follow_up import NO_EVENT, FollowUp, follow_up, horizons

__all__ = ["Survivors", "kaplan_meier", "logrank_test", "median_survival", "survival_at", "survivors"]

# As in R: a survival this near to one half is one half.
_HALF = float(np.sqrt(np.finfo(np.float64).eps))
# Smaller shares of the largest eigenvalue are rounding error.
_RANK = 1e-10


@dataclass(frozen=True)
class Survivors:
    """The Kaplan-Meier estimate at the distinct times of follow-up.

    Attributes
    ----------
    times : (k,) array
        Distinct times, rising.
    survival : (k,) array
        Estimated survival from each time on.
    log_variance : (k,) array
        Greenwood's variance of the logarithm of the survival; infinite where the survival is 0.
    """

    times: Floats
    survival: Floats
    log_variance: Floats

    def at(self, times: Floats) -> tuple[Floats, Floats]:
        """Survival, and the variance of its logarithm, at any times."""
        place = np.searchsorted(self.times, times, side="right")
        return np.concatenate([[1.0], self.survival])[place], np.concatenate([[0.0], self.log_variance])[place]

    def before(self, times: Floats) -> Floats:
        """Survival just before any times."""
        return np.concatenate([[1.0], self.survival])[np.searchsorted(self.times, times, side="left")]

    def limits(self, level: float) -> tuple[Floats, Floats]:
        """Lower and upper limits that are symmetric on the scale of the logarithm, NaN where the survival is 0."""
        half = float(ndtri(0.5 + level / 2)) * np.sqrt(np.where(self.survival > 0, self.log_variance, np.nan))
        return self.survival * np.exp(-half), np.minimum(1.0, self.survival * np.exp(half))


def survivors(followed: FollowUp) -> Survivors:
    """Kaplan-Meier estimate of cases that were checked."""
    times, place = np.unique(followed.times, return_inverse=True)
    died = np.bincount(place[followed.events], minlength=len(times))
    left = np.bincount(place, minlength=len(times))
    at_risk = followed.n - np.cumsum(left) + left
    increments = np.full(len(times), np.inf)
    np.divide(died, at_risk * (at_risk - died), out=increments, where=at_risk > died)
    increments[died == 0] = 0
    return Survivors(times, np.cumprod(1 - died / at_risk), np.cumsum(increments))


def kaplan_meier(times: ArrayLike, events: ArrayLike) -> Curve:
    """Kaplan-Meier curve: survival ``y`` from the time ``x`` on, until the next one.

    Starts at (0, 1) and holds the times of events and the end of follow-up.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, or an event is neither 0 nor 1.

    References
    ----------
    .. [1] Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.
       doi:10.1080/01621459.1958.10501452

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 2, 4], [1, 1, 0, 0])
    >>> curve.x, curve.y
    ((0.0, 1.0, 2.0, 4.0), (1.0, 0.75, 0.5, 0.5))
    """
    found = survivors(follow_up(times, events))
    kept = np.append(np.diff(found.survival, prepend=1.0)[:-1] < 0, True)
    x, y = found.times[kept].tolist(), found.survival[kept].tolist()
    return Curve(kind="kaplan_meier", x=(0.0, *x), y=(1.0, *y))


def survival_at(times: ArrayLike, events: ArrayLike, at: ArrayLike, *, level: float = 0.95) -> list[Estimate]:
    """Kaplan-Meier survival at given times, with Greenwood's standard error and R's interval on the log scale.

    With d events among r cases at risk at each time::

        variance of log S(t) = sum over times <= t of d / (r (r - d))

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    at : (m,) array
        Times that are asked for; after the longest follow-up there is no estimate.
    level : float
        Confidence level; the upper limit is cut to 1.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, or an event is neither 0 nor 1.

    References
    ----------
    .. [1] Greenwood M. The natural duration of cancer. Reports on Public Health and Medical Subjects 33. HMSO, 1926.

    Examples
    --------
    >>> found, = survival_at([1, 2, 2, 4], [1, 1, 0, 0], 3)
    >>> found.value, round(found.se, 4), round(found.low, 4), found.high
    (0.5, 0.25, 0.1877, 1.0)
    """
    followed = follow_up(times, events)
    estimates = survivors(followed)
    return [_survival(followed, estimates, float(time), level=level_of(level)) for time in horizons(at)]


def median_survival(times: ArrayLike, events: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Median survival time: the first time at which the Kaplan-Meier curve is at or below one half.

    Where the curve runs along one half, the middle of that piece. The limits are where the limits of the curve cross
    one half (Brookmeyer and Crowley, on the log scale), as in R; one that never does is not estimable.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, or an event is neither 0 nor 1.

    References
    ----------
    .. [1] Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.
       doi:10.2307/2530286

    Examples
    --------
    >>> found = median_survival([1, 2, 3, 4, 5], [1, 1, 1, 1, 0])
    >>> found.value, found.low, found.high
    (3.0, 2.0, None)
    """
    followed = follow_up(times, events)
    found = survivors(followed)
    value, low, high = (_crossing(found.times, curve) for curve in (found.survival, *found.limits(level_of(level))))
    missing = next((what for what, limit in (("lower", low), ("upper", high)) if limit is None), None)
    reason = f"the {missing} limit of the survival stays above one half" if missing else None
    return Estimate(
        metric="median_survival",
        value=value,
        low=low,
        high=high,
        level=level,
        method="kaplan_meier_log",
        n=followed.n,
        n_pos=followed.n_events,
        reason="the survival stays above one half" if value is None else reason,
    )


def logrank_test(times: ArrayLike, events: ArrayLike, groups: ArrayLike) -> Comparison:
    """Log-rank test of the survival of two or more groups, as R's ``survdiff``: chi-squared.

    A group of which no case was at risk at any event is left out.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    groups : (n,) array
        Group of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or there is one group only.

    References
    ----------
    .. [1] Peto R, Peto J. Asymptotically efficient rank invariant test procedures. J R Stat Soc A 1972;135:185-207.
       doi:10.2307/2344317

    Examples
    --------
    >>> found = logrank_test([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 1], list("aaabbb"))
    >>> round(found.statistic, 4), found.df, round(found.p, 4)
    (5.0517, 1.0, 0.0246)
    """
    followed = follow_up(times, events)
    same_length("groups", groups, followed.n)
    codes, known = _codes(groups, "groups")
    if len(known) < 2:
        raise EvaluationError(f"groups hold {known[0]!r} only; allowed are two or more groups")
    bare = Comparison(test="logrank", metric="survival", difference=None, paired=False, n=followed.n)
    if not followed.n_events:
        return bare.model_copy(update={"reason": NO_EVENT})
    surplus, covariance = _surplus_events(followed, np.eye(len(known))[codes])
    # One group's surplus follows from the others': the covariance has at most K - 1 dimensions.
    df = int(np.linalg.matrix_rank(covariance, rtol=_RANK, hermitian=True)) if covariance.any() else 0
    if not df:
        return bare.model_copy(update={"reason": "at no event were cases of two groups at risk"})
    statistic = float(surplus @ np.linalg.pinv(covariance, rtol=_RANK, hermitian=True) @ surplus)
    return bare.model_copy(update={"statistic": statistic, "df": float(df), "p": float(chdtrc(df, statistic))})


def _surplus_events(followed: FollowUp, member: Floats) -> tuple[Floats, Floats]:
    """Observed less expected events of each group, and their (K, K) covariance; `member` is (n, K) of 0 and 1."""
    times, place = np.unique(followed.times, return_inverse=True)
    groups = range(member.shape[1])
    left = np.stack([np.bincount(place, weights=member[:, k], minlength=len(times)) for k in groups], axis=1)
    at_risk = left[::-1].cumsum(axis=0)[::-1]
    died = np.bincount(place[followed.events], minlength=len(times))
    total = at_risk.sum(axis=1)
    share = at_risk / total[:, None]
    weight = died * (total - died) / np.maximum(total - 1, 1)
    covariance = np.diag(weight @ share) - (share * weight[:, None]).T @ share
    return member[followed.events].sum(axis=0) - died @ share, covariance


def _survival(followed: FollowUp, found: Survivors, time: float, *, level: float) -> Estimate:
    bare = Estimate(metric="survival", at=time, value=None, level=level, n=followed.n, n_pos=followed.n_events)
    if time > found.times[-1]:
        return bare.model_copy(update={"reason": f"no case was followed for longer than {found.times[-1]:.6g}"})
    value, variance = (float(each[0]) for each in found.at(np.array([time])))
    filled = {"value": value, "method": "kaplan_meier_log"}
    if value == 0:
        return bare.model_copy(update={**filled, "reason": "the survival is 0, where its variance is not estimable"})
    factor = float(np.exp(ndtri(0.5 + level / 2) * np.sqrt(variance)))
    limits = {"low": value / factor, "high": min(1.0, value * factor)}
    return bare.model_copy(update={**filled, **limits, "se": value * float(np.sqrt(variance))})


def _crossing(times: Floats, curve: Floats) -> float | None:
    """First time at which a falling curve is at or below one half; NaN is passed over."""
    reached = np.flatnonzero(curve < 0.5 + _HALF)
    if not len(reached):
        return None
    first = reached[0]
    below = np.flatnonzero(curve < curve[first])
    along = abs(curve[first] - 0.5) < _HALF and len(below)
    return float((times[first] + times[below[0]]) / 2 if along else times[first])
