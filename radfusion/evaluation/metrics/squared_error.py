"""The Brier score, and its share of what knowing nothing would give."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Ranked, clusters, level_of, probability_matrix
from radfusion.evaluation.delta import with_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["brier", "brier_scaled"]


def brier(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Mean squared distance of probabilities from the outcome; 0 is perfect.

    With three or more classes the squares are summed over the classes (Brier's original, from 0 to 2); with two they
    are those of the second class (from 0 to 1, half the sum), as is usual there.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array, or (n,) array for two classes
        Probability of each class, or of the second of two.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level of the interval (mean +- z SE, not below 0).
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When shapes differ, a label is not among the classes, or probabilities leave 0 to 1 or do not sum to 1.

    References
    ----------
    .. [1] Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev 1950;78:1-3.
       doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> round(brier([0, 1, 1], [0.2, 0.6, 0.9], [0, 1]).value, 4)
    0.07
    """
    ranked = probability_matrix(labels, probabilities, classes)
    return _brier_of(ranked, clusters(patients, len(ranked.scores)), level=level_of(level))


def brier_scaled(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Share of the Brier score of constant shares that the model saves: 1 is perfect, 0 no better, below 0 worse.

    ``1 - brier / sum_k share_k (1 - share_k)`` with the classes' shares of these cases (two classes: of the second).
    The interval is symmetric and counts the shares as estimated: a case with squared distance L_i adds to it
    ``-(L_i - brier) / m + brier / m**2 * sum_k (1 - 2 share_k) (y_ik - share_k)``, where m is the denominator.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array, or (n,) array for two classes
        Probability of each class, or of the second of two.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When shapes differ, a label is not among the classes, or probabilities leave 0 to 1 or do not sum to 1.

    References
    ----------
    .. [1] Steyerberg EW, Vickers AJ, Cook NR, et al. Assessing the performance of prediction models: a framework for
       traditional and novel measures. Epidemiology 2010;21:128-138. doi:10.1097/EDE.0b013e3181c30fb2

    Examples
    --------
    >>> round(brier_scaled([0, 1, 1], [0.2, 0.6, 0.9], [0, 1]).value, 4)
    0.685
    """
    ranked = probability_matrix(labels, probabilities, classes)
    return _scaled_of(ranked, clusters(patients, len(ranked.scores)), level=level_of(level))


def two_brier_scores(ranked: Ranked, groups: Clusters, *, level: float) -> list[Estimate]:
    """:func:`brier` and :func:`brier_scaled` of checked inputs; a single column is one class against the rest."""
    return [_brier_of(ranked, groups, level=level), _scaled_of(ranked, groups, level=level)]


def _brier_of(ranked: Ranked, groups: Clusters, *, level: float) -> Estimate:
    losses = _losses(ranked)
    value = float(losses.mean())
    bare = Estimate(metric="brier", value=value, level=level, n=len(losses), n_patients=groups.count)
    found = with_interval(bare, losses, groups)
    return found if found.low is None else found.model_copy(update={"low": max(0.0, found.low)})


def _scaled_of(ranked: Ranked, groups: Clusters, *, level: float) -> Estimate:
    losses, hits = _losses(ranked), _counted(ranked).astype(np.float64)
    bare = Estimate(metric="brier_scaled", value=None, level=level, n=len(losses), n_patients=groups.count)
    shares = hits.mean(axis=0)
    most = float((shares * (1 - shares)).sum())
    if most == 0:
        return bare.model_copy(update={"reason": "all cases are of one class: constant shares are perfect"})
    value = float(losses.mean())
    influence = value / most**2 * ((hits - shares) @ (1 - 2 * shares)) - (losses - value) / most
    return with_interval(bare.model_copy(update={"value": 1 - value / most}), influence, groups)


def _losses(ranked: Ranked) -> Floats:
    hits = _counted(ranked)
    return np.asarray(((ranked.scores[:, -hits.shape[1] :] - hits) ** 2).sum(axis=1), dtype=np.float64)


def _counted(ranked: Ranked) -> Booleans:
    """The classes whose squares are summed: all of several, the second of two."""
    return ranked.positive[:, 1:] if ranked.positive.shape[1] == 2 else ranked.positive


@METRICS.register("brier")
def _briers(scored: ScoredSet) -> list[Estimate]:
    ranked = probability_matrix(scored.labels, scored.probabilities, scored.classes)
    return two_brier_scores(ranked, clusters(scored.patients, len(ranked.scores)), level=level_of(scored.level))
