"""Precision against sensitivity (recall): the curve, and the area under its steps."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Curve, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import (
    Booleans,
    Clusters,
    Floats,
    Integers,
    Ranked,
    binary,
    clusters,
    level_of,
    multiclass,
)
from radfusion.evaluation.delta import with_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["average_precision", "pr_curve"]


def average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Mean over the positive cases of the precision at their score: the area under the steps of the curve.

    Cases of equal score are called together; nothing is interpolated. The value of scores that separate nothing is the
    share of positive cases, so that only values from the same share can be compared.

    The interval is symmetric on the scale of log(A / (1 - A)). With P(s) the precision and B(s) the share of all cases
    at or above s, and q the share of positive cases, case i adds::

        (y_i P(s_i) - A y_i + mean_j(y_j 1[s_i >= s_j] (y_i - P(s_j)) / B(s_j))) / q

    so that its variance, that of the mean of these, counts the share of positive cases as sampled too.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive. Only their order matters.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the standard error is that of patients.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Boyd K, Eng KH, Page CD. Area under the precision-recall curve: point estimates and confidence intervals.
       ECML PKDD 2013, LNCS 8190:451-466. doi:10.1007/978-3-642-40994-3_29
    .. [2] Saito T, Rehmsmeier M. The precision-recall plot is more informative than the ROC plot when evaluating binary
       classifiers on imbalanced datasets. PLoS One 2015;10:e0118432. doi:10.1371/journal.pone.0118432

    Examples
    --------
    >>> found = average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.8333, 0.2102, 0.9895)
    """
    ranked = binary(labels, scores, positive)
    return _average_precision_of(ranked, clusters(patients, len(ranked.scores)), level=level_of(level))


def pr_curve(labels: ArrayLike, scores: ArrayLike, *, positive: Hashable = 1) -> Curve:
    """Precision (y) against sensitivity (x) at every distinct score, from the highest; a case at the score is called.

    Between the points the curve is a step, not a line: the precision of a point holds back to the one before it.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, `positive` is not a label, or no case is positive.

    References
    ----------
    .. [1] Davis J, Goadrich M. The relationship between precision-recall and ROC curves. ICML 2006:233-240.
       doi:10.1145/1143844.1143874

    Examples
    --------
    >>> pr_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).x
    (0.5, 0.5, 1.0, 1.0)
    """
    ranked = binary(labels, scores, positive)
    if not ranked.positive.any():
        raise EvaluationError(f"no case is of class {ranked.names[0]}; at least one must be")
    _, hits, called = _counts_from_top(ranked)
    return Curve(kind="pr", x=tuple((hits / hits[-1]).tolist()), y=tuple((hits / called).tolist()))


def _counts_from_top(ranked: Ranked) -> tuple[Integers, Integers, Integers]:
    """Place of each case among the distinct scores, highest first; positive and all cases at or above each of them."""
    places = np.unique(-ranked.scores[:, 0], return_inverse=True)[1].reshape(-1)
    hits = np.cumsum(np.bincount(places[ranked.positive[:, 0]], minlength=int(places.max()) + 1))
    return places, hits, np.cumsum(np.bincount(places))


def _average_precision_of(ranked: Ranked, groups: Clusters, *, level: float) -> Estimate:
    positive = ranked.positive[:, 0]
    n, n_pos = len(positive), int(positive.sum())
    bare = Estimate(metric="average_precision", value=None, level=level, n=n, n_pos=n_pos, n_patients=groups.count)
    if n_pos == 0:
        return bare.model_copy(update={"reason": f"no case is of class {ranked.names[0]}"})
    places, hits, called = _counts_from_top(ranked)
    precision = hits / called
    value = float(precision[places[positive]].mean())
    bare = bare.model_copy(update={"value": value})
    if n_pos == 1:
        reason = f"an interval needs two cases of class {ranked.names[0]}; there is one"
        return bare.model_copy(update={"reason": reason})
    if value >= 1:
        reason = "the average precision is 1, where its variance is estimated as 0: the interval is not estimable"
        return bare.model_copy(update={"reason": reason})
    return with_interval(bare, _influence(positive, places, value, counts=(hits, called)), groups, scale="logit")


def _influence(positive: Booleans, places: Integers, value: float, *, counts: tuple[Integers, Integers]) -> Floats:
    hits, called = counts
    precision, found = hits / called, np.diff(hits, prepend=0)
    # A case is called at every positive case at or below its score: sums from the bottom up.
    gain = np.cumsum((found / called)[::-1])[::-1]
    loss = np.cumsum((found * precision / called)[::-1])[::-1]
    own = positive * (precision[places] - value)
    share = hits[-1] / len(positive)
    return np.asarray((own + positive * gain[places] - loss[places]) / share, dtype=np.float64)


@METRICS.register("average_precision")
def _average_precisions(scored: ScoredSet) -> list[Estimate]:
    ranked = multiclass(scored.labels, scored.probabilities, scored.classes)
    groups, level = clusters(scored.patients, len(ranked.scores)), level_of(scored.level)
    return [
        _average_precision_of(ranked.one(k), groups, level=level).model_copy(update={"class_": str(name)})
        for k, name in enumerate(scored.classes)
    ]
