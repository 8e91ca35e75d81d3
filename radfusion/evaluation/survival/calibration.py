"""Calibration of predicted risks of an event until a horizon."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, _floats, level_of
from radfusion.evaluation.survival._follow_up import FollowUp, follow_up, horizons
from radfusion.evaluation.survival.kaplan_meier import survivors
from radfusion.evaluation.survival.partial_likelihood import fit_cox

__all__ = ["calibration_at_horizon"]


def calibration_at_horizon(
    times: ArrayLike, events: ArrayLike, probabilities: ArrayLike, *, at: float, level: float = 0.95
) -> list[Estimate]:
    """Observed risk, its ratio to the mean predicted risk, and the calibration slope, at one horizon.

    The observed risk is 1 - S(at) of Kaplan-Meier. With o that risk and e the mean predicted risk::

        observed_expected_ratio = o / e         interval: exp(log(o / e) +- z SE(o) / o)
        calibration_slope       = coefficient of log(-log(1 - p)) in Cox's model, follow-up ending at the horizon

    Ratio and slope are 1 for risks that are right.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    probabilities : (n,) array
        Predicted risk of an event until the horizon, 0 to 1.
    at : float
        The horizon, in the unit of the times.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a risk is not between 0 and 1.

    References
    ----------
    .. [1] McLernon DJ, Giardiello D, Van Calster B, et al. Assessing performance and clinical usefulness in prediction
       models with survival outcomes. Ann Intern Med 2023;176:105-114. doi:10.7326/M22-0844

    Examples
    --------
    >>> found = calibration_at_horizon([1, 2, 3, 4, 5], [1, 0, 1, 0, 1], [0.6, 0.3, 0.4, 0.5, 0.2], at=3)
    >>> [(each.metric, round(each.value, 4)) for each in found]
    [('observed_risk', 0.4667), ('observed_expected_ratio', 1.1667), ('calibration_slope', 2.8655)]
    """
    followed = follow_up(times, events)
    predicted = _floats(probabilities, "probabilities", (followed.n,))
    if predicted.min() < 0 or predicted.max() > 1:
        raise EvaluationError(
            f"probabilities reach from {predicted.min():.4g} to {predicted.max():.4g}; allowed is 0 to 1"
        )
    horizon = float(horizons(at)[0])
    seen = followed.until(horizon)
    bare = Estimate(
        metric="observed_risk", at=horizon, value=None, level=level_of(level), n=seen.n, n_pos=seen.n_events
    )
    observed = _observed(followed, horizon, bare)
    ratio = _ratio(observed, float(predicted.mean()))
    return [observed, ratio, _slope(seen, predicted, bare.model_copy(update={"metric": "calibration_slope"}))]


def _observed(followed: FollowUp, at: float, bare: Estimate) -> Estimate:
    if at > followed.times.max():
        return bare.model_copy(update={"reason": f"no case was followed for longer than {followed.times.max():.6g}"})
    survival, variance = (float(each[0]) for each in survivors(followed).at(np.array([at])))
    filled = {"value": 1 - survival, "method": "kaplan_meier_log"}
    if survival in (0.0, 1.0):
        return bare.model_copy(
            update={**filled, "reason": f"the risk is {1 - survival:.0f}, where its variance is not estimable"}
        )
    factor = float(np.exp(ndtri(0.5 + bare.level / 2) * np.sqrt(variance)))
    limits = {"low": max(0.0, 1 - survival * factor), "high": 1 - survival / factor}
    return bare.model_copy(update={**filled, **limits, "se": survival * float(np.sqrt(variance))})


def _ratio(observed: Estimate, expected: float) -> Estimate:
    shared = {"metric": "observed_expected_ratio", "low": None, "high": None, "se": None}
    if observed.value is None or not expected:
        reason = observed.reason if expected else "every predicted risk is 0"
        return observed.model_copy(update={**shared, "value": None, "method": "none", "reason": reason})
    ratio = observed.value / expected
    if observed.se is None:
        return observed.model_copy(update={**shared, "value": ratio})
    factor = float(np.exp(ndtri(0.5 + observed.level / 2) * observed.se / observed.value))
    filled = {"value": ratio, "low": ratio / factor, "high": ratio * factor, "se": observed.se / expected}
    return observed.model_copy(update={**shared, **filled})


def _slope(seen: FollowUp, predicted: Floats, bare: Estimate) -> Estimate:
    if predicted.min() == 0 or predicted.max() == 1:
        return bare.model_copy(update={"reason": "a predicted risk is 0 or 1: log(-log(1 - p)) is infinite"})
    fit = fit_cox(seen, np.log(-np.log1p(-predicted))[:, None], "efron")
    if fit.reason:
        return bare.model_copy(update={"reason": fit.reason})
    value, se = float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0]))
    half = float(ndtri(0.5 + bare.level / 2)) * se
    return bare.model_copy(
        update={"value": value, "se": se, "low": value - half, "high": value + half, "method": "wald"}
    )
