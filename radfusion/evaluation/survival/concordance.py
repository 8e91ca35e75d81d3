"""Harrell's concordance of a score with times to an event, and the test of two scores on the same cases.

Every case's derivative of the index, by the weight of the case (the infinitesimal jackknife), gives the variance, as in
R's ``survival::concordance``; sums per patient give it for patients with several cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from radfusion.core.results import Comparison, Estimate
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Integers, _floats, clusters, level_of
from radfusion.evaluation.intervals import wald_test
from radfusion.evaluation.survival._follow_up import FollowUp, follow_up

__all__ = ["concordance_test", "harrell_c", "logit_interval"]

# A smaller standard error is rounding error of influence values that cancel, as those of a single patient do.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class _Pairs:
    """Comparable pairs that hold each case, (n,) arrays: ranked rightly, wrongly, or with equal scores."""

    concordant: Integers
    discordant: Integers
    tied: Integers

    @property
    def comparable(self) -> Integers:
        return self.concordant + self.discordant + self.tied

    @property
    def index(self) -> float | None:
        # Counts are doubled so that half wins are whole; each pair is seen from both its cases.
        total = int(self.comparable.sum())
        return (2 * int(self.concordant.sum()) + int(self.tied.sum())) / (2 * total) if total else None

    def influence(self, groups: Clusters) -> Floats:
        """Derivative of the index by the weight of each case, or each patient: the squares sum to the variance."""
        wins = self.concordant + self.tied / 2
        index = wins.sum() / self.comparable.sum()
        values = 2 * (wins - index * self.comparable) / self.comparable.sum()
        return groups.sums(np.asarray(values, dtype=np.float64))


def harrell_c(
    times: ArrayLike, events: ArrayLike, scores: ArrayLike, *, level: float = 0.95, patients: ArrayLike | None = None
) -> Estimate:
    """Harrell's C: the share of comparable pairs in which the higher score has the earlier event, ties counting half.

    A pair is comparable when the earlier of its two times is an event; a case censored at the time of an event counts
    as later, and two events at one time are not comparable. With C of all m pairs and, of those that hold case i, the
    number m_i and the sum w_i of wins::

        variance = sum_i ((w_i - C m_i) / m)^2

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    scores : (n,) array
        Scores; higher means an earlier event. Only their order matters.
    level : float
        Confidence level of the interval, which is symmetric on the scale of log(C / (1 - C)).
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a score is missing.

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Stat Med 1996;15:361-387.
       doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
    .. [2] Therneau TM, Watson DA. The concordance statistic and the Cox model. Mayo Clinic Department of Health Science
       Research Technical Report 85, 2017.

    Examples
    --------
    >>> found = harrell_c([1, 2, 3, 4, 5], [1, 1, 0, 1, 1], [0.9, 0.3, 0.8, 0.4, 0.1])
    >>> found.value, round(found.se, 4)
    (0.75, 0.2119)
    """
    followed = follow_up(times, events)
    groups = clusters(patients, followed.n)
    pairs = _pairs(followed, _floats(scores, "scores", (followed.n,)))
    bare = Estimate(
        metric="harrell_c",
        value=pairs.index,
        level=level_of(level),
        n=followed.n,
        n_pos=followed.n_events,
        n_patients=groups.count,
    )
    if bare.value is None:
        return bare.model_copy(update={"reason": "no pair of cases is comparable: no event has a case followed longer"})
    influence = pairs.influence(groups)
    se = float(np.sqrt(influence @ influence))
    low, high, reason = logit_interval(bare.value, se, level=level, name="concordance")
    method = f"{'cluster_' if groups.codes is not None else ''}infinitesimal_jackknife_logit"
    return bare.model_copy(update={"se": se, "low": low, "high": high, "reason": reason, "method": method})


def concordance_test(  # noqa: PLR0917 - times, events and two scores are arrays of the same cases
    times: ArrayLike,
    events: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Comparison:
    """Test of Harrell's C of two scores on the same cases: z of the difference a minus b.

    The variance is the sum of squared differences of the two scores' influence values, as R's ``concordance`` of two
    fits gives it.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    scores_a, scores_b : (n,) array
        Scores of the two models; higher means an earlier event.
    level : float
        Confidence level of the interval of the difference.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a score is missing.

    References
    ----------
    .. [1] Kang L, Chen W, Petrick NA, Gallas BD. Comparing two correlated C indices with right-censored survival
       outcome: a one-shot nonparametric approach. Stat Med 2015;34:685-703. doi:10.1002/sim.6370

    Examples
    --------
    >>> found = concordance_test([1, 2, 3, 4], [1, 1, 1, 0], [4, 2, 3, 1], [1, 2, 3, 4])
    >>> round(found.difference, 4), found.values
    (0.8333, (0.8333333333333334, 0.0))
    """
    followed = follow_up(times, events)
    groups = clusters(patients, followed.n)
    pairs = [
        _pairs(followed, _floats(scores, name, (followed.n,)))
        for scores, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    ]
    values = (pairs[0].index, pairs[1].index)
    bare = Comparison(
        test="concordance_paired",
        metric="harrell_c",
        difference=None,
        level=level_of(level),
        values=values,
        n=followed.n,
        n_patients=groups.count,
    )
    if values[0] is None or values[1] is None:
        return bare.model_copy(update={"reason": "no pair of cases is comparable: no event has a case followed longer"})
    difference = pairs[0].influence(groups) - pairs[1].influence(groups)
    se = float(np.sqrt(difference @ difference))
    tested = wald_test(values[0] - values[1], se if se > _ROUNDING else 0.0, level=level)
    return bare.model_copy(update=vars(tested))


def logit_interval(
    value: float, se: float, *, level: float, name: str
) -> tuple[float | None, float | None, str | None]:
    """Limits that are symmetric on the scale of log(v / (1 - v)), or the reason why there are none."""
    if value in (0.0, 1.0) or se <= _ROUNDING:
        return None, None, f"the {name} is {value:.4g} with a variance estimated as 0: the interval is not estimable"
    centre, half = float(logit(value)), float(ndtri(0.5 + level / 2)) * se / (value * (1 - value))
    return float(expit(centre - half)), float(expit(centre + half)), None


def _pairs(followed: FollowUp, scores: Floats) -> _Pairs:
    # A case censored at the time of an event is later than it: it gets the next place.
    place = 2 * np.unique(followed.times, return_inverse=True)[1] + ~followed.events
    rank = np.unique(scores, return_inverse=True)[1]
    everyone, events = np.ones(followed.n, dtype=bool), followed.events
    later_below = _before_and_below(-place, rank, everyone) * events
    later_above = _before_and_below(-place, -rank, everyone) * events
    earlier_below = _before_and_below(place, rank, events)
    earlier_above = _before_and_below(place, -rank, events)
    later = (followed.n - np.searchsorted(np.sort(place), place, side="right")) * events
    earlier = np.searchsorted(np.sort(place[events]), place, side="left")
    tied = later + earlier - later_below - later_above - earlier_below - earlier_above
    return _Pairs(later_below + earlier_above, later_above + earlier_below, tied)


def _before_and_below(place: Integers, rank: Integers, counted: Booleans) -> Integers:
    """For each case, how many counted ones have both a lower place and a lower rank; one sort for each bit of n.

    Two different ranks have a highest bit in which they differ: the lower one has a 0 there, and the bits above it are
    the same. So for each bit, cases of equal higher bits are put in the order of their places, and the zeros that came
    before are counted. In one place the higher ranks come first, so that equal places are never counted.
    """
    rank = rank - rank.min()
    order = np.lexsort((-rank, place))
    ranks, given = rank[order], counted[order]
    found = np.zeros(len(ranks), dtype=np.int64)
    for bit in range(int(ranks.max()).bit_length()):
        above = ranks >> (bit + 1)
        sorting = np.argsort(above, kind="stable")
        one = (ranks[sorting] >> bit & 1).astype(bool)
        zeros = np.concatenate([[0], np.cumsum(given[sorting] & ~one)])
        start = np.searchsorted(above[sorting], above[sorting])
        found[sorting] += np.where(one, zeros[1:] - zeros[start], 0)
    result = np.empty_like(found)
    result[order] = found
    return result
