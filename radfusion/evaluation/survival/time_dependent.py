"""The area under the ROC curve for events until a time, weighted for censoring."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, _floats, clusters, level_of
from radfusion.evaluation.survival._follow_up import FollowUp, follow_up, horizons
from radfusion.evaluation.survival.concordance import logit_interval

__all__ = ["time_dependent_auc"]


def time_dependent_auc(  # noqa: PLR0917 - times, events and scores are arrays of the same cases
    times: ArrayLike,
    events: ArrayLike,
    scores: ArrayLike,
    at: ArrayLike,
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Cumulative/dynamic AUC at given times: cases with the event until t against those followed longer.

    Cases censored until t are in neither group; each event i stands for those by the weight 1 / G(T_i-), with G the
    Kaplan-Meier estimate of staying uncensored (events come before censorings of the same time)::

        AUC(t) = sum_i sum_j w_i [s_i > s_j] / sum_i sum_j w_i      T_i <= t, event;  T_j > t

    with ties counting half. Censoring must not depend on the scores. The standard error is the infinitesimal jackknife,
    which includes that G was estimated; the interval is symmetric on the scale of log(A / (1 - A)).

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    scores : (n,) array
        Scores; higher means an earlier event. Only their order matters.
    at : (m,) array
        Times until which events count.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a score is missing.

    References
    ----------
    .. [1] Uno H, Cai T, Tian L, Wei LJ. Evaluating prediction rules for t-year survivors with censored regression
       models. J Am Stat Assoc 2007;102:527-537. doi:10.1198/016214507000000149
    .. [2] Blanche P, Dartigues JF, Jacqmin-Gadda H. Estimating and comparing time-dependent areas under receiver
       operating characteristic curves for censored event times with competing risks. Stat Med 2013;32:5381-5397.
       doi:10.1002/sim.5958

    Examples
    --------
    >>> found, = time_dependent_auc([1, 2, 3, 4, 5], [1, 0, 1, 0, 1], [0.9, 0.3, 0.4, 0.8, 0.1], 3.5)
    >>> round(found.value, 4), found.at
    (0.7143, 3.5)
    """
    followed = follow_up(times, events)
    ranked = _floats(scores, "scores", (followed.n,))
    groups = clusters(patients, followed.n)
    return [_area(followed, ranked, groups, at=float(time), level=level_of(level)) for time in horizons(at)]


def _area(followed: FollowUp, scores: Floats, groups: Clusters, *, at: float, level: float) -> Estimate:
    cases, controls = followed.events & (followed.times <= at), followed.times > at
    bare = Estimate(
        metric="time_dependent_auc",
        at=at,
        value=None,
        level=level,
        n=followed.n,
        n_pos=int(cases.sum()),
        n_patients=groups.count,
    )
    if not cases.any() or not controls.any():
        lacking = "no event was observed until" if not cases.any() else "no case was followed beyond"
        return bare.model_copy(update={"reason": f"{lacking} {at:.6g}"})
    value, influence = _weighted_area(followed, scores, cases=cases, controls=controls)
    sums = groups.sums(influence)
    se = float(np.sqrt(sums @ sums))
    low, high, reason = logit_interval(value, se, level=level, name="AUC")
    method = f"{'cluster_' if groups.codes is not None else ''}ipcw_jackknife_logit"
    return bare.model_copy(
        update={"value": value, "se": se, "low": low, "high": high, "reason": reason, "method": method}
    )


def _weighted_area(followed: FollowUp, scores: Floats, *, cases: Booleans, controls: Booleans) -> tuple[float, Floats]:
    """The area, and its derivative by the weight of each case."""
    censoring = _Censoring(followed)
    weights = np.where(cases, 1 / censoring.before(followed.times), 0.0)
    below = _share_below(scores[controls], np.ones(int(controls.sum())), scores)
    above = weights.sum() - _share_below(scores[cases], weights[cases], scores)
    n_controls, total = controls.sum(), weights.sum() * controls.sum()
    area = float(weights @ below / total)
    # Each case's own part, then how it moves the censoring weights of all.
    gains = weights * (below - area * n_controls)
    own = gains + controls * (above - area * weights.sum())
    # Where all pairs, or none, are ranked rightly every derivative is 0.
    influence = (own - censoring.derivative(gains)) / total
    return area, influence if 0 < area < 1 else np.zeros_like(influence)


class _Censoring:
    """Kaplan-Meier estimate of staying uncensored; a case with an event at a time is not at risk of censoring then."""

    def __init__(self, followed: FollowUp) -> None:
        self._followed = followed
        self._times, self._place = np.unique(followed.times, return_inverse=True)
        count = len(self._times)
        censored = np.bincount(self._place[~followed.events], minlength=count)
        left = np.bincount(self._place, minlength=count)
        self._staying = followed.n - np.cumsum(left)
        at_risk = self._staying + censored
        self._hazard = np.divide(censored, at_risk, out=np.zeros(count), where=at_risk > 0)
        self._survival = np.cumprod(1 - self._hazard)

    def before(self, times: Floats) -> Floats:
        """Share uncensored just before any times."""
        return np.concatenate([[1.0], self._survival])[np.searchsorted(self._times, times, side="left")]

    def derivative(self, gains: Floats) -> Floats:
        """Derivative of ``gains @ log(G(T-))`` by the weight of each case."""
        by_time = np.bincount(self._place, weights=gains, minlength=len(self._times))
        later = by_time[::-1].cumsum()[::-1] - by_time
        # Where nobody stays nothing comes later either.
        per_staying = np.divide(later, self._staying, out=np.zeros(len(later)), where=self._staying > 0)
        at_risk = np.concatenate([[0.0], np.cumsum(self._hazard * per_staying)])
        censored = ~self._followed.events
        return np.asarray(at_risk[self._place + censored] - censored * per_staying[self._place])


def _share_below(values: Floats, weights: Floats, scores: Floats) -> Floats:
    """Weight of the `values` below each score, those equal to it counting half."""
    order = np.argsort(values)
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    low, high = (np.searchsorted(values[order], scores, side=side) for side in ("left", "right"))
    return np.asarray((sums[low] + sums[high]) / 2)
