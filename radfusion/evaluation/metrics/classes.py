"""Predicted classes against reference classes: recall, precision and F1 of each class, and numbers of all classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.evaluation._inputs import (
    Booleans,
    Clusters,
    Floats,
    Integers,
    class_codes,
    clusters,
    level_of,
    same_length,
)
from radfusion.evaluation.delta import Influenced, delta_estimate
from radfusion.evaluation.metrics.base import METRICS, ScoredSet
from radfusion.evaluation.metrics.decisions import predicted_codes, share_estimate

__all__ = ["balanced_accuracy", "class_scores", "f1", "matthews"]


def class_scores(
    labels: ArrayLike,
    predicted: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Recall, precision and F1 of each class, then macro F1, weighted F1, balanced accuracy and Matthews correlation.

    Intervals of recall and precision are Wilson's. The others follow from the influence of each case (delta method), on
    the logit scale, and on Fisher's z scale for the correlation. What would be a division by 0 is None with a reason;
    the macro F1 and the balanced accuracy are then None, too, for they are means of all classes.

    For class k with TP_k hits, n_k reference cases and m_k predicted ones, N cases, and c hits in all::

        F1_k = 2 TP_k / (n_k + m_k)          macro F1 = mean_k F1_k          weighted F1 = sum_k n_k F1_k / N
        balanced accuracy = mean_k TP_k / n_k
        mcc = (c N - sum_k n_k m_k) / sqrt((N^2 - sum_k m_k^2) (N^2 - sum_k n_k^2))

    Parameters
    ----------
    labels, predicted : (n,) array
        Reference and predicted class of each case.
    classes : sequence of K names
        Classes.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, or an entry is missing or not among the classes.

    References
    ----------
    .. [1] Takahashi K, Yamamoto K, Kuchiba A, Koyama T. Confidence interval for micro-averaged F1 and macro-averaged F1
       scores. Appl Intell 2022;52:4961-4972. doi:10.1007/s10489-021-02635-5
    .. [2] Gorodkin J. Comparing two K-category assignments by a K-category correlation coefficient. Comput Biol Chem
       2004;28:367-374. doi:10.1016/j.compbiolchem.2004.09.006
    .. [3] Itaya Y, Tamura J, Hayashi K, Yamamoto K. Asymptotic properties of Matthews correlation coefficient. Stat Med
       2025;44:e10303. doi:10.1002/sim.10303

    Examples
    --------
    >>> found = class_scores(list("aabbcc"), list("aabcca"), ["a", "b", "c"])
    >>> [(each.metric, round(each.value, 3)) for each in found[-4:]]
    [('macro_f1', 0.656), ('weighted_f1', 0.656), ('balanced_accuracy', 0.667), ('mcc', 0.522)]
    """
    truth = class_codes(labels, classes)
    same_length("predicted", predicted, len(truth))
    called, groups = class_codes(predicted, classes, "predicted"), clusters(patients, len(truth))
    found = _Classified(truth, called, tuple(classes), groups, level_of(level))
    return [*(each for k in range(len(classes)) for each in found.of_class(k)), *found.of_all()]


@dataclass(frozen=True)
class _Classified:
    truth: Integers
    called: Integers
    classes: tuple[Hashable, ...]
    groups: Clusters
    level: float

    def of_class(self, k: int) -> list[Estimate]:
        truth, called, name = self.truth == k, self.called == k, self.classes[k]
        shares = (
            ("recall", truth, f"no case is of class {name!r}"),
            ("precision", called, f"no case is called class {name!r}"),
        )
        found = [
            share_estimate(metric, (truth & called)[among], self.groups.where(among), level=self.level, empty=empty)
            for metric, among, empty in shares
        ]
        found.append(delta_estimate("f1", self.f1_of(k), self.groups, level=self.level, scale="logit"))
        filled = {"class_": str(name), "n_pos": int(truth.sum()), "n_patients": self.groups.count}
        return [each.model_copy(update=filled) for each in found]

    def of_all(self) -> list[Estimate]:
        each = [self.f1_of(k) for k in range(len(self.classes))]
        names = [repr(name) for name in self.classes]
        shares = {
            "macro_f1": _macro(each),
            "weighted_f1": _weighted(each, self.truth),
            "balanced_accuracy": balanced_accuracy(self.truth, self.called, names),
        }
        found = [
            delta_estimate(metric, one, self.groups, level=self.level, scale="logit") for metric, one in shares.items()
        ]
        mcc = matthews(self.truth, self.called, len(self.classes))
        found.append(delta_estimate("mcc", mcc, self.groups, level=self.level, scale="fisher_z"))
        return [each.model_copy(update={"n": len(self.truth)}) for each in found]

    def f1_of(self, k: int) -> Influenced:
        empty = f"no case is of class {self.classes[k]!r} or called so"
        return f1(self.truth == k, self.called == k, empty)


def f1(truth: Booleans, called: Booleans, empty: str) -> Influenced:
    """Harmonic mean of recall and precision of one class, of (n,) truth and decision; None for the reason `empty`."""
    both = truth.astype(np.float64) + called
    if not both.any():
        return Influenced(None, np.zeros(len(truth)), empty)
    hits = truth & called
    value = float(2 * hits.sum() / both.sum())
    return Influenced(value, (2 * hits - value * both) / both.mean())


def balanced_accuracy(truth: Integers, called: Integers, names: Sequence[str]) -> Influenced:
    """Mean recall of the classes, of (n,) codes."""
    counts = np.bincount(truth, minlength=len(names))
    if not counts.all():
        return Influenced(None, reason=f"no case is of class {names[int(np.argmin(counts))]}")
    hits = truth == called
    recall = np.bincount(truth[hits], minlength=len(names)) / counts
    values = (hits - recall[truth]) * (len(truth) / counts)[truth] / len(names)
    return Influenced(float(recall.mean()), values)


def matthews(truth: Integers, called: Integers, count: int) -> Influenced:
    """Correlation of (n,) codes of reference and predicted classes (Gorodkin); with two classes that of Matthews."""
    shares, calls = (np.bincount(codes, minlength=count) / len(truth) for codes in (truth, called))
    for codes, words in ((truth, "of"), (called, "called")):
        if (codes == codes[0]).all():
            return Influenced(None, reason=f"every case is {words} one class: the correlation is not defined")
    hits = (truth == called).astype(np.float64)
    agreed, expected = float(hits.mean()), float(shares @ calls)
    spread, spread_called = 1 - float(shares @ shares), 1 - float(calls @ calls)
    scale = float(np.sqrt(spread * spread_called))
    value = (agreed - expected) / scale
    # Influences on the covariance above the line, and on the logarithm of the scale below it.
    above = hits - agreed - (calls[truth] + shares[called] - 2 * expected)
    below = (1 - spread - shares[truth]) / spread + (1 - spread_called - calls[called]) / spread_called
    return Influenced(min(1.0, max(-1.0, value)), above / scale - value * below)


def _macro(each: Sequence[Influenced]) -> Influenced:
    if missing := next((one.reason for one in each if one.value is None), None):
        return Influenced(None, reason=missing)
    return Influenced(*_mean(each, np.full(len(each), 1 / len(each))))


def _weighted(each: Sequence[Influenced], truth: Integers) -> Influenced:
    # The shares are estimated, too.
    value, values = _mean(each, np.bincount(truth, minlength=len(each)) / len(truth))
    own = np.array([one.value or 0.0 for one in each])
    return Influenced(value, values + own[truth] - value)


def _mean(each: Sequence[Influenced], weights: Floats) -> tuple[float, Floats]:
    values = sum(weight * one.values for weight, one in zip(weights, each, strict=True) if one.values is not None)
    return float(weights @ [one.value or 0.0 for one in each]), np.asarray(values)


@METRICS.register("classes")
def _classes(scored: ScoredSet) -> list[Estimate]:
    truth = class_codes(scored.labels, scored.classes)
    groups = clusters(scored.patients, len(truth))
    found = _Classified(truth, predicted_codes(scored), scored.classes, groups, scored.level)
    return [each for each in found.of_all() if each.metric != "weighted_f1"]
