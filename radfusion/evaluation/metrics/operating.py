"""One class against the rest at a fixed threshold: shares, likelihood ratios and numbers of the whole table."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Ranked, binary, class_codes, clusters, level_of
from radfusion.evaluation.delta import Influenced, delta_estimate
from radfusion.evaluation.metrics.base import METRICS, ScoredSet
from radfusion.evaluation.metrics.classes import balanced_accuracy, f1, matthews
from radfusion.evaluation.metrics.decisions import share_estimate

__all__ = ["exact_operating_point", "operating_point"]

Exact: TypeAlias = Literal["wilson", "clopper_pearson"]


def operating_point(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """What calling scores at or above a threshold positive gives, with the table TP, FP, FN, TN.

    In this order: ``sensitivity`` TP / (TP + FN), ``specificity`` TN / (TN + FP), ``ppv`` TP / (TP + FP), ``npv``
    TN / (TN + FN), ``accuracy``, ``lr_positive`` Se / (1 - Sp), ``lr_negative`` (1 - Se) / Sp,
    ``diagnostic_odds_ratio`` TP TN / (FP FN), ``f1`` 2 TP / (2 TP + FP + FN), ``balanced_accuracy`` (Se + Sp) / 2 and
    ``mcc``, the Matthews correlation (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)).

    The threshold must come from other data than these. ``n`` is the number of cases that a share is of, ``n_pos`` the
    number of positive cases. The intervals of ratios are on the log scale, those of F1 and balanced accuracy on the
    logit scale, that of the correlation on Fisher's z scale, all by the delta method; without clusters those of the
    ratios have the variances of Simel et al, 1 / TP - 1 / (TP + FN) + 1 / FP - 1 / (FP + TN) for the positive one. A
    division by 0 is None with a reason; no 0.5 is added to any cell.

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
        Confidence level of the intervals.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases, shares have the interval of the number of independent
        cases with the same variance, and the other variances are those of patients.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953
    .. [2] Simel DL, Samsa GP, Matchar DB. Likelihood ratios with confidence: sample size estimation for diagnostic test
       studies. J Clin Epidemiol 1991;44:763-770. doi:10.1016/0895-4356(91)90128-V
    .. [3] Takahashi K, et al. Appl Intell 2022;52:4961-4972. doi:10.1007/s10489-021-02635-5
    .. [4] Itaya Y, et al. Stat Med 2025;44:e10303. doi:10.1002/sim.10303

    Examples
    --------
    >>> found = operating_point([0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8, 0.2], 0.32)
    >>> [(each.metric, round(each.value, 3)) for each in found[:2] + found[5:7]]
    [('sensitivity', 0.667), ('specificity', 0.667), ('lr_positive', 2.0), ('lr_negative', 0.5)]
    """
    return _decisions(binary(labels, scores, positive), threshold, patients, level=level).estimates("wilson")


def exact_operating_point(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """:func:`operating_point` with Clopper and Pearson's exact intervals of the shares, which are never too short.

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
        Confidence level of the intervals.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES. Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404
    """
    return _decisions(binary(labels, scores, positive), threshold, patients, level=level).estimates("clopper_pearson")


def _decisions(ranked: Ranked, threshold: float, patients: ArrayLike | None, *, level: float) -> _Decisions:
    if not isinstance(threshold, Real) or np.isnan(threshold):
        raise EvaluationError("threshold is not a number; allowed are numbers and infinity")
    truth, called = ranked.positive[:, 0], ranked.scores[:, 0] >= threshold
    return _Decisions(truth, called, clusters(patients, len(truth)), level_of(level))


_NAMES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
_NOBODY = {
    "sensitivity": "no case is positive",
    "specificity": "no case is negative",
    "ppv": "no case is called positive at the threshold",
    "npv": "no case is called negative at the threshold",
}
# Above and below the line of each ratio: (the truth, the decision) of a share of those with that truth.
_RATIOS = {
    "lr_positive": ([(True, True)], [(False, True)]),
    "lr_negative": ([(True, False)], [(False, False)]),
    "diagnostic_odds_ratio": ([(True, True), (False, False)], [(False, True), (True, False)]),
}
_WORDS = {True: "positive", False: "negative"}


@dataclass(frozen=True)
class _Decisions:
    truth: Booleans
    called: Booleans
    groups: Clusters
    level: float

    def estimates(self, ci: Exact) -> list[Estimate]:
        ratios = [
            delta_estimate(name, self._ratio(*parts), self.groups, level=self.level, scale="log")
            for name, parts in _RATIOS.items()
        ]
        found = [*self._shares(ci), *ratios, *self._whole_table()]
        filled = {"n_pos": int(self.truth.sum()), "n_patients": self.groups.count}
        return [each.model_copy(update=filled) for each in found]

    def _shares(self, ci: Exact) -> list[Estimate]:
        among = (self.truth, ~self.truth, self.called, ~self.called, np.ones_like(self.truth))
        right = self.truth == self.called
        return [
            share_estimate(
                name, right[kept], self.groups.where(kept), level=self.level, ci=ci, empty=_NOBODY.get(name, "")
            )
            for name, kept in zip(_NAMES, among, strict=True)
        ]

    def _ratio(self, above: list[tuple[bool, bool]], below: list[tuple[bool, bool]]) -> Influenced:
        values = np.zeros(len(self.truth))
        for group in (True, False):
            if not (self.truth == group).any():
                return Influenced(None, values, f"no case is {_WORDS[group]}")
        for parts, consequence in ((below, "the ratio is not defined"), (above, "the ratio is 0, without an interval")):
            for truth, called in parts:
                if not ((self.truth == truth) & (self.called == called)).any():
                    who = f"no {_WORDS[truth]} case is called {_WORDS[called]}"
                    return Influenced(None if parts is below else 0.0, values, f"{who}: {consequence}")
        shares = [(self._log_share(*part), sign) for parts, sign in ((above, 1), (below, -1)) for part in parts]
        values = np.sum([sign * influence for (_, influence), sign in shares], axis=0)
        value = float(np.prod([share**sign for (share, _), sign in shares]))
        return Influenced(value, value * values)

    def _log_share(self, truth: bool, called: bool) -> tuple[float, Floats]:
        """A share and the influence of each case on its logarithm."""
        group, hits = self.truth == truth, self.called == called
        share = float(hits[group].mean())
        return share, np.where(group, (hits / share - 1) / group.mean(), 0.0)

    def _whole_table(self) -> list[Estimate]:
        truth, called = self.truth.astype(np.int64), self.called.astype(np.int64)
        balanced = balanced_accuracy(truth, called, ("negative", "positive"))
        if balanced.value is None:
            balanced = Influenced(None, reason=_NOBODY["sensitivity" if not truth.any() else "specificity"])
        parts = {
            "f1": f1(self.truth, self.called, "no case is positive or called positive"),
            "balanced_accuracy": balanced,
        }
        found = [delta_estimate(n, each, self.groups, level=self.level, scale="logit") for n, each in parts.items()]
        mcc = delta_estimate("mcc", matthews(truth, called, 2), self.groups, level=self.level, scale="fisher_z")
        return [*found, mcc]


@METRICS.register("operating_point")
def _operating_points(scored: ScoredSet) -> list[Estimate]:
    probabilities = np.asarray(scored.probabilities, dtype=np.float64)
    codes = class_codes(scored.labels, scored.classes)
    groups = clusters(scored.patients, len(codes))
    found: list[Estimate] = []
    for k, name in enumerate(scored.classes):
        if name not in scored.thresholds:
            continue
        threshold = scored.thresholds[name]
        if threshold is None:
            reason = f"class {name!r} has no threshold"
            every = (*_NAMES, *_RATIOS, "f1", "balanced_accuracy", "mcc")
            point = [Estimate(metric=m, value=None, level=scored.level, n=len(codes), reason=reason) for m in every]
        else:
            point = _Decisions(codes == k, probabilities[:, k] >= threshold, groups, scored.level).estimates("wilson")
        found += [each.model_copy(update={"class_": str(name)}) for each in point]
    return found
