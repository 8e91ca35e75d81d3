"""Cox's partial likelihood and what each event contributes to it; fit and tests are sums of these contributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from radfusion.evaluation._inputs import Floats, Integers
from radfusion.evaluation.survival._follow_up import NO_EVENT, FollowUp

__all__ = ["CoxFit", "PartialLikelihood", "Ties", "fit_cox", "partial_likelihood"]

Ties = Literal["efron", "breslow"]

_STEPS = 50
# Of coefficients per standard deviation: a smaller step changes nothing, a larger predictor has no finite coefficient.
_CONVERGED = 1e-10
_DIVERGED = 100.0
# A smaller share of the largest eigenvalue is rounding error.
_RANK = 1e-10


@dataclass(frozen=True)
class PartialLikelihood:
    """Partial likelihood at given coefficients, one row for each event in the order of time.

    Attributes
    ----------
    log_likelihood : float
        Logarithm of the partial likelihood.
    times : (events,) array
        Times of the events.
    residuals : (events, p) array
        Covariates of the case with the event less their mean in the risk set (Schoenfeld); the sum is the score.
    variances : (events, p, p) array
        Covariance of the covariates in the risk set; the sum is the information.
    """

    log_likelihood: float
    times: Floats
    residuals: Floats
    variances: Floats

    @property
    def score(self) -> Floats:
        """(p,) derivative of the log likelihood."""
        return np.asarray(self.residuals.sum(axis=0))

    @property
    def information(self) -> Floats:
        """(p, p) negative second derivative of the log likelihood."""
        return np.asarray(self.variances.sum(axis=0))


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model, or the reason why there is none.

    Attributes
    ----------
    coefficients : (p,) array
        Log hazard ratios per unit of each covariate.
    covariance : (p, p) array
        Inverse of the information.
    null, fitted : PartialLikelihood
        At coefficients of 0 and at the maximum, of covariates divided by `scale`.
    scale : (p,) array
        Standard deviations by which covariates were divided.
    reason : str or None
        Why there is no fit; the coefficients are then meaningless.
    """

    coefficients: Floats
    covariance: Floats
    null: PartialLikelihood
    fitted: PartialLikelihood
    scale: Floats
    reason: str | None = None


def partial_likelihood(
    followed: FollowUp, covariates: Floats, coefficients: Floats, *, ties: Ties
) -> PartialLikelihood:
    """Partial likelihood of (n, p) covariates at (p,) coefficients, in O(n p^2 + n log n).

    Of d events at one time, the l-th (from 0) is taken from a risk set in which the d cases count 1 - l / d each
    (Efron), or 1 each (Breslow).

    References
    ----------
    .. [1] Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565.
       doi:10.1080/01621459.1977.10480613
    """
    n, p = covariates.shape
    predictor = covariates @ coefficients
    top = predictor.max()
    squares = (covariates[:, :, None] * covariates[:, None, :]).reshape(n, p * p)
    moments = np.exp(predictor - top)[:, None] * np.hstack([np.ones((n, 1)), covariates, squares])
    times, place = np.unique(followed.times, return_inverse=True)
    at_risk = _sums(moments, place, len(times))[::-1].cumsum(axis=0)[::-1]
    events = np.flatnonzero(followed.events)
    events = events[np.argsort(place[events], kind="stable")]
    k = place[events]
    dying = _sums(moments[events], k, len(times))
    passed = _position_among_ties(k) if ties == "efron" else np.zeros(len(k))
    sums = at_risk[k] - (passed / np.bincount(k, minlength=len(times))[k])[:, None] * dying[k]
    mean = sums[:, 1 : p + 1] / sums[:, :1]
    return PartialLikelihood(
        float((predictor[events] - top - np.log(sums[:, 0])).sum()),
        times[k],
        covariates[events] - mean,
        (sums[:, p + 1 :] / sums[:, :1]).reshape(-1, p, p) - mean[:, :, None] * mean[:, None, :],
    )


def fit_cox(followed: FollowUp, covariates: Floats, ties: Ties) -> CoxFit:
    """Maximise the partial likelihood by Newton's method with halved steps.

    References
    ----------
    .. [1] Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
       doi:10.1111/j.2517-6161.1972.tb00899.x
    """
    scale = covariates.std(axis=0)
    scale[scale == 0] = 1.0
    standard = (covariates - covariates.mean(axis=0)) / scale
    coefficients: Floats = np.zeros(covariates.shape[1])
    null = now = partial_likelihood(followed, standard, coefficients, ties=ties)
    reason = _not_identified(followed, null)
    step = np.full_like(coefficients, np.inf)
    for _ in range(0 if reason else _STEPS):
        step = np.asarray(np.linalg.lstsq(now.information, now.score)[0], dtype=np.float64)
        coefficients, now = _improved(followed, standard, ties, start=(coefficients, now), step=step)
        if np.abs(step).max() < _CONVERGED or np.ptp(standard @ coefficients) > _DIVERGED:
            break
    if not reason and not np.abs(step).max() < _CONVERGED:
        reason = "a hazard ratio has no finite estimate: a combination of covariates orders the events"
    covariance = np.zeros_like(null.information) if reason else np.linalg.inv(now.information)
    return CoxFit(coefficients / scale, covariance / np.outer(scale, scale), null, now, scale, reason)


def _improved(
    followed: FollowUp, covariates: Floats, ties: Ties, *, start: tuple[Floats, PartialLikelihood], step: Floats
) -> tuple[Floats, PartialLikelihood]:
    """Coefficients after the step, which is halved until the likelihood does not fall."""
    coefficients, before = start
    for halvings in range(_STEPS):
        moved = coefficients + step / 2**halvings
        found = partial_likelihood(followed, covariates, moved, ties=ties)
        if found.log_likelihood >= before.log_likelihood - 1e-10 * abs(before.log_likelihood):
            return moved, found
    return coefficients, before


def _not_identified(followed: FollowUp, null: PartialLikelihood) -> str | None:
    if not followed.n_events:
        return NO_EVENT
    eigenvalues = np.linalg.eigvalsh(null.information)
    if eigenvalues[0] <= _RANK * max(1.0, eigenvalues[-1]):
        return "covariates are constant, or add up to one another, among the cases at risk at the events"
    return None


def _sums(values: Floats, place: Integers, count: int) -> Floats:
    found = np.zeros((count, values.shape[1]))
    np.add.at(found, place, values)
    return found


def _position_among_ties(sorted_places: Integers) -> Floats:
    return np.asarray(np.arange(len(sorted_places)) - np.searchsorted(sorted_places, sorted_places), dtype=np.float64)
