"""Right and wrong decisions: accuracy and the table of classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import Booleans, Clusters, Integers, class_codes, clusters, level_of, same_length
from radfusion.evaluation.intervals import clopper_pearson_interval, effective_size, wilson_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["accuracy", "agreement", "confusion", "predicted_codes", "share_estimate"]


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
    return share_estimate("accuracy", hits, clusters(patients, len(hits)), level=level_of(level))


def agreement(labels: ArrayLike, predicted: ArrayLike) -> Booleans:
    """True where the predicted class is the reference class, (n,) array of bool."""
    same_length("predicted", predicted, np.size(labels))
    names = list(dict.fromkeys([*np.ravel(labels).tolist(), *np.ravel(predicted).tolist()]))
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


def share_estimate(
    metric: str,
    hits: Booleans,
    groups: Clusters,
    *,
    level: float,
    ci: Literal["wilson", "clopper_pearson"] = "wilson",
    empty: str = "there is no case",
) -> Estimate:
    """Share of (n,) hits with its interval; None for the reason `empty` where there is no case."""
    n = len(hits)
    if n == 0:
        return Estimate(metric=metric, value=None, level=level, reason=empty)
    share = float(hits.mean())
    interval = wilson_interval if ci == "wilson" else clopper_pearson_interval
    low, high = interval(share, effective_size(hits, groups), level=level)
    method = ci if groups.codes is None else f"cluster_{ci}"
    return Estimate(
        metric=metric, value=share, low=low, high=high, level=level, method=method, n=n, n_patients=groups.count
    )


def predicted_codes(scored: ScoredSet) -> Integers:
    """Position of the most probable class of each case, the first of several, (n,) array of int."""
    return np.asarray(np.asarray(scored.probabilities, dtype=np.float64).argmax(axis=1), dtype=np.int64)


@METRICS.register("accuracy")
def _accuracy(scored: ScoredSet) -> list[Estimate]:
    hits = class_codes(scored.labels, scored.classes) == predicted_codes(scored)
    return [share_estimate("accuracy", hits, clusters(scored.patients, len(hits)), level=scored.level)]
