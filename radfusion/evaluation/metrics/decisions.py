"""Right and wrong decisions: accuracy, the table of classes, and one class against the rest at a fixed threshold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, binary, class_codes, clusters, level_of, same_length
from radfusion.evaluation.intervals import effective_size, wilson_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["accuracy", "confusion", "operating_point"]


def accuracy(
    labels: ArrayLike, predicted: ArrayLike, *, level: float = 0.95, patients: ArrayLike | None = None
) -> Estimate:
    """Share of cases whose predicted class is the reference class, with Wilson's interval.

    Where patients have several cases, the interval is that of the number of independent cases with the same variance.

    Parameters
    ----------
    labels, predicted : (n,) array
        Reference and predicted class of each case.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ or an entry is missing.
    """
    hits = agreement(labels, predicted)
    return _share("accuracy", hits, clusters(patients, len(hits)), level=level_of(level))


def agreement(labels: ArrayLike, predicted: ArrayLike) -> Booleans:
    """True where the predicted class is the reference class, (n,) array of bool."""
    same_length("predicted", predicted, len(np.asarray(labels)))
    names = list(dict.fromkeys([*np.asarray(labels).tolist(), *np.asarray(predicted).tolist()]))
    # Two classes are the least that can be told apart; a set of one class still has an accuracy.
    classes = names if len(names) > 1 else [*names, object()]
    return np.asarray(class_codes(labels, classes) == class_codes(predicted, classes, "predicted"), dtype=bool)


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: Sequence[Hashable]) -> tuple[tuple[int, ...], ...]:
    """Counts: rows are reference classes, columns predicted classes, in the order of `classes`.

    Raises
    ------
    EvaluationError
        When lengths differ, or an entry is not among the classes.

    Examples
    --------
    >>> confusion(["a", "b", "b"], ["a", "a", "b"], ["a", "b"])
    ((1, 0), (1, 1))
    """
    rows = class_codes(labels, classes)
    same_length("predicted", predicted, len(rows))
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (rows, class_codes(predicted, classes, "predicted")), 1)
    return tuple(tuple(row) for row in counts.tolist())


def operating_point(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Sensitivity, specificity, ppv, npv and accuracy of calling scores at or above a threshold positive.

    The threshold must come from other data than these. ``n`` is the number of cases that the share is of, ``n_pos`` the
    number of positive cases. A share of no case is None with a reason.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    threshold : float
        Decision threshold, may be infinite.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level of Wilson's intervals.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953
    """
    ranked = binary(labels, scores, positive)
    if np.isnan(threshold):
        raise EvaluationError("threshold is not a number; allowed are numbers and infinity")
    truth, called = ranked.positive[:, 0], ranked.scores[:, 0] >= threshold
    return _five(truth, called, clusters(patients, len(truth)), level=level_of(level))


_SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def _five(truth: Booleans, called: Booleans, groups: Clusters, *, level: float) -> list[Estimate]:
    among = (truth, ~truth, called, ~called, np.ones_like(truth))
    found = [
        _share(name, (truth == called)[kept], groups.where(kept), level=level)
        for name, kept in zip(_SHARES, among, strict=True)
    ]
    return [each.model_copy(update={"n_pos": int(truth.sum()), "n_patients": groups.count}) for each in found]


_NOBODY = {
    "sensitivity": "no case is positive",
    "specificity": "no case is negative",
    "ppv": "no case is called positive at the threshold",
    "npv": "no case is called negative at the threshold",
}


def _share(metric: str, hits: Booleans, groups: Clusters, *, level: float) -> Estimate:
    n = len(hits)
    if n == 0:
        return Estimate(metric=metric, value=None, level=level, reason=_NOBODY[metric])
    share = float(hits.mean())
    low, high = wilson_interval(share, effective_size(hits, groups), level=level)
    method = "wilson" if groups.codes is None else "cluster_wilson"
    return Estimate(
        metric=metric, value=share, low=low, high=high, level=level, method=method, n=n, n_patients=groups.count
    )


@METRICS.register("operating_point")
def _operating_points(scored: ScoredSet) -> list[Estimate]:
    probabilities = np.asarray(scored.probabilities, dtype=np.float64)
    codes = class_codes(scored.labels, scored.classes)
    found: list[Estimate] = []
    for k, name in enumerate(scored.classes):
        if name not in scored.thresholds:
            continue
        threshold = scored.thresholds[name]
        if threshold is None:
            reason = f"class {name!r} has no threshold"
            five = [Estimate(metric=m, value=None, level=scored.level, n=len(codes), reason=reason) for m in _SHARES]
        else:
            groups = clusters(scored.patients, len(codes))
            five = _five(codes == k, probabilities[:, k] >= threshold, groups, level=scored.level)
        found += [each.model_copy(update={"class_": name}) for each in five]
    return found


@METRICS.register("accuracy")
def _accuracy(scored: ScoredSet) -> list[Estimate]:
    classes = np.asarray(scored.classes, dtype=object)
    predicted = classes[np.asarray(scored.probabilities, dtype=np.float64).argmax(axis=1)]
    return [accuracy(scored.labels, predicted, level=scored.level, patients=scored.patients)]
