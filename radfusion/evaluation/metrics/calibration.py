"""Calibration of a set: how far risks agree with what happened."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Clusters, Ranked, clusters, level_of, probability_matrix, risks
from radfusion.evaluation.calibration_curves import binned_errors, smooth_errors
from radfusion.evaluation.delta import with_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet
from radfusion.evaluation.metrics.squared_error import two_brier_scores
from radfusion.evaluation.recalibration import recalibration

__all__ = ["calibration"]


def calibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Calibration of the risks of one class, from the mean to the whole curve.

    In this order: ``calibration_in_the_large`` (the intercept, on the scale of logits, that puts the mean risk right),
    ``calibration_intercept`` and ``calibration_slope`` (fitted together), ``observed_expected`` (positive cases over
    the sum of the risks), ``brier``, ``brier_scaled``, then ``ici``, ``e50``, ``e90``, ``emax``, ``eci`` (distances
    from the ``loess`` curve), and ``ece``, ``mce`` (from ten bins); the last seven have no interval in closed form. For
    the logits, risks nearer to 0 or 1 than 1e-8 are moved there; everything else takes risks as they are.

    The interval of observed / expected is symmetric on the scale of logarithms, where a case adds
    ``y_i / mean(y) - p_i / mean(p)``: risks count as sampled together with the outcomes.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the standard errors are those of patients.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, or `positive` is not a label.

    References
    ----------
    .. [1] Van Calster B, McLernon DJ, van Smeden M, et al. Calibration: the Achilles heel of predictive analytics. BMC
       Med 2019;17:230. doi:10.1186/s12916-019-1466-7
    .. [2] Austin PC, Steyerberg EW. Stat Med 2019;38:4051-4065. doi:10.1002/sim.8281

    Examples
    --------
    >>> found = calibration([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    >>> for each in found[:4]:
    ...     print(each.metric, round(each.value, 3))
    calibration_in_the_large 0.199
    calibration_intercept 0.104
    calibration_slope 0.581
    observed_expected 1.071
    """
    ranked = risks(labels, probabilities, positive)
    groups, level = clusters(patients, len(ranked.scores)), level_of(level)
    n_pos = int(ranked.positive.sum())
    found = [
        *recalibration(ranked, groups, level=level),
        _observed_expected(ranked, groups, level=level),
        *two_brier_scores(ranked, groups, level=level),
        *smooth_errors(ranked),
        *binned_errors(ranked),
    ]
    return [each.model_copy(update={"n_pos": n_pos, "n_patients": groups.count, "level": level}) for each in found]


def _observed_expected(ranked: Ranked, groups: Clusters, *, level: float) -> Estimate:
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    bare = Estimate(metric="observed_expected", value=None, level=level, n=len(y))
    if not p.any():
        return bare.model_copy(update={"reason": "every risk is 0: nothing is expected"})
    value = float(y.sum() / p.sum())
    bare = bare.model_copy(update={"value": value})
    if not y.any():
        reason = f"no case is of class {ranked.names[0]}: the interval is not estimable"
        return bare.model_copy(update={"reason": reason})
    return with_interval(bare, value * (y / y.mean() - p / p.mean()), groups, scale="log")


@METRICS.register("calibration")
def _calibrations(scored: ScoredSet) -> list[Estimate]:
    ranked = probability_matrix(scored.labels, scored.probabilities, scored.classes)
    groups, level = clusters(scored.patients, len(ranked.scores)), level_of(scored.level)
    found, indices = [], []
    for k, name in enumerate(scored.classes):
        own = ranked.one(k)
        ici = smooth_errors(own)[0].model_copy(update={"level": level, "n_patients": groups.count})
        of_class = [*recalibration(own, groups, level=level), ici]
        found += [each.model_copy(update={"class_": str(name)}) for each in of_class]
        indices.append(ici)
    values = [each.value for each in indices if each.value is not None]
    # A class without a curve leaves no mean.
    reason = next((each.reason for each in indices if each.value is None), None)
    mean = None if reason else float(np.mean(values))
    macro = indices[0].model_copy(update={"metric": "macro_ici", "value": mean, "n_pos": None, "reason": reason})
    return [*found, macro]
