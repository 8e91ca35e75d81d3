"""Reclassification of risks by a new model: net reclassification and integrated discrimination improvement."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, clusters, level_of, risks
from radfusion.evaluation.intervals import wald_test

__all__ = ["reclassification"]

_ROUNDING = 1e-14


def reclassification(
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    *,
    cutoffs: ArrayLike | None = None,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Comparison]:
    """Net reclassification (NRI) and integrated discrimination improvement (IDI) of a new model b over an old one, a.

    **A positive NRI is no evidence of a better model.** On the data that the models were fitted on, and on new data
    where the new model is miscalibrated, the NRI is positive for markers that are worthless; the continuous form is the
    worst, and its test has the wrong size for nested models [2]_ [3]_ [4]_. The IDI is no proper measure either. Report
    the two parts of the NRI beside the difference of areas, calibration and net benefit, never in their place.

    `difference` is new minus old, so that improvement is positive:

    - ``nri_events`` (test ``continuous_nri`` or ``categorical_nri``): share of positive cases whose risk rises minus
      the share whose risk falls; ``nri_nonevents``: among the others, the share that falls minus the share that rises;
      ``nri``: their sum, from -2 to 2;
    - ``idi``: difference of the discrimination slopes (mean risk of positive cases minus mean risk of the others),
      which are the `values`, new and old.

    A case's category is the number of `cutoffs` at or below its risk. The variance of a share difference d among m
    cases is ``mean((move - d)**2) / m``, where moves are -1, 0 and 1, and that of a mean change of risk the usual one;
    events and nonevents add up. So does R's ``Hmisc::improveProb``. Equal models give 0 with P = 1 (R: not a number).

    Parameters
    ----------
    labels : (n,) array
        1 (or True) for events, another label for nonevents.
    probabilities_a, probabilities_b : (n,) array
        Risks of the positive class by the old and the new model.
    cutoffs : sequence of float, optional
        Rising limits of the risk categories, above 0 and below 1, set before the data were seen.
    level : float
        Confidence level (difference +- z SE).
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the variances are those of patients.

    Returns
    -------
    list of Comparison
        Continuous NRI, its events and nonevents part; the same of the categorical NRI if there are `cutoffs`; the IDI.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, no label is 1, or the cutoffs do not rise.

    References
    ----------
    .. [1] Pencina MJ, D'Agostino RB Sr, Steyerberg EW. Extensions of net reclassification improvement calculations to
       measure usefulness of new biomarkers. Stat Med 2011;30:11-21. doi:10.1002/sim.4085
    .. [2] Hilden J, Gerds TA. A note on the evaluation of novel biomarkers: do not rely on integrated discrimination
       improvement and net reclassification index. Stat Med 2014;33:3405-3414. doi:10.1002/sim.5804
    .. [3] Pepe MS, Fan J, Feng Z, et al. The net reclassification index (NRI): a misleading measure of prediction
       improvement even with independent test data sets. Stat Biosci 2015;7:282-295. doi:10.1007/s12561-014-9118-0
    .. [4] Kerr KF, Wang Z, Janes H, et al. Net reclassification indices for evaluating risk prediction instruments: a
       critical review. Epidemiology 2014;25:114-121. doi:10.1097/EDE.0000000000000018

    Examples
    --------
    >>> old, new = [0.2, 0.3, 0.4, 0.3, 0.6, 0.5], [0.1, 0.4, 0.3, 0.5, 0.8, 0.4]
    >>> for each in reclassification([0, 0, 0, 1, 1, 1], old, new):
    ...     print(each.test, each.metric, round(each.difference, 3))
    continuous_nri nri 0.667
    continuous_nri nri_events 0.333
    continuous_nri nri_nonevents 0.333
    idi idi 0.133
    """
    old, new = (risks(labels, each, 1) for each in (probabilities_a, probabilities_b))
    events, a, b = old.positive[:, 0], old.scores[:, 0], new.scores[:, 0]
    groups, level = clusters(patients, len(a)), level_of(level)
    limits = None if cutoffs is None else _rising(cutoffs)
    bare = Comparison(test="", metric="", difference=None, level=level, n=len(a), n_patients=groups.count)
    if events.all() or not events.any():
        reason = f"{'every' if events.all() else 'no'} case is of class {old.names[0]}"
        bare = bare.model_copy(update={"reason": reason})
    found = _nri(bare.model_copy(update={"test": "continuous_nri"}), events, np.sign(b - a), groups=groups)
    if limits is not None:
        move = np.sign(_category(b, limits) - _category(a, limits)).astype(np.float64)
        found += _nri(bare.model_copy(update={"test": "categorical_nri"}), events, move, groups=groups)
    idi = bare.model_copy(update={"test": "idi", "metric": "idi"})
    return [*found, idi if bare.reason else _idi(idi, events, (b, a), groups=groups)]


def _nri(bare: Comparison, events: Booleans, move: Floats, *, groups: Clusters) -> list[Comparison]:
    named = [bare.model_copy(update={"metric": name}) for name in ("nri", "nri_events", "nri_nonevents")]
    if bare.reason:
        return named
    # Moves are shares, whose variance R divides by the number of cases, not by one less.
    (up, of_events), (down, of_nonevents) = (_part(move, group, divisor=0) for group in (events, ~events))
    parts = ((up - down, of_events - of_nonevents), (up, of_events), (-down, of_nonevents))
    return [_tested(each, part, events, groups=groups) for each, part in zip(named, parts, strict=True)]


def _idi(bare: Comparison, events: Booleans, pair: tuple[Floats, Floats], *, groups: Clusters) -> Comparison:
    new, old = (float(each[events].mean() - each[~events].mean()) for each in pair)
    change = pair[0] - pair[1]
    influence = _part(change, events, divisor=1)[1] - _part(change, ~events, divisor=1)[1]
    tested = _tested(bare, (new - old, influence), events, groups=groups)
    return tested.model_copy(update={"values": (new, old)})


def _part(values: Floats, group: Booleans, *, divisor: int) -> tuple[float, Floats]:
    """Mean of a group, and what each case adds to it: the sum of squares is its variance over size - `divisor`."""
    size, mean = int(group.sum()), float(values[group].mean())
    return mean, np.where(group, (values - mean) / np.sqrt(size * max(size - divisor, 1)), 0.0)


def _tested(bare: Comparison, part: tuple[float, Floats], events: Booleans, *, groups: Clusters) -> Comparison:
    difference, influence = part
    bare = bare.model_copy(update={"difference": difference})
    sums = groups.sums(influence)
    units = [int(each.sum()) if groups.codes is None else len(set(groups.codes[each])) for each in (events, ~events)]
    if min(*units, len(sums)) < 2:
        who = "cases" if groups.codes is None else "patients"
        return bare.model_copy(update={"reason": f"the variance needs two {who} of each group"})
    factor = 1.0 if groups.codes is None else len(sums) / (len(sums) - 1)
    se = float(np.sqrt(sums @ sums * factor))
    # The same change of every risk leaves rounding errors.
    tested = wald_test(difference, se if se > _ROUNDING else 0.0, level=bare.level)
    return bare.model_copy(update=vars(tested))


def _category(values: Floats, limits: Floats) -> Floats:
    return np.searchsorted(limits, values, side="right").astype(np.float64)


def _rising(cutoffs: ArrayLike) -> Floats:
    try:
        limits = np.atleast_1d(np.asarray(cutoffs, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"cutoffs are not numbers: {error}") from error
    inside = limits.ndim == 1 and len(limits) and limits[0] > 0 and limits[-1] < 1
    if not inside or not (np.diff(limits) > 0).all():
        raise EvaluationError(f"cutoffs are {limits.tolist()}; allowed are rising numbers above 0 and below 1")
    return limits
