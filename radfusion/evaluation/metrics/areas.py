"""Areas under the curve: of one class against the rest, of every class, and their averages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Clusters, Ranked, binary, clusters, level_of, probability_matrix
from radfusion.evaluation.delong import Area, influence_of
from radfusion.evaluation.intervals import auc_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet
from radfusion.evaluation.resampling import Average, Bootstrap, area_of, bootstrap_interval, resampled_areas

__all__ = [
    "AucInterval",
    "area_estimate",
    "auc",
    "hand_till_auc",
    "macro_auc",
    "micro_auc",
    "one_vs_rest_auc",
    "weighted_auc",
]

#: Intervals of an area: on the scale of log(A / (1 - A)), A +- z SE cut to [0, 1] as pROC gives it, or bootstrapped.
AucInterval = Literal["logit", "delong"] | Bootstrap

_Limits = tuple[float | None, float | None, str | None]


def auc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    ci: AucInterval = "logit",
) -> Estimate:
    """Area under the ROC curve with DeLong's standard error.

    The direction is fixed: an area below 0.5 stays below 0.5. With few cases (less than 10 of a group) the interval is
    too short near 1. An area of exactly 0 or 1 has no interval, and `reason` says so.

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
    ci : {"logit", "delong"} or Bootstrap
        Interval on the scale of log(A / (1 - A)): A / (1 - A) * exp(+- z SE / (A (1 - A))), or A +- z SE cut to [0, 1],
        or from stratified resamples.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595
    .. [2] Robin X, et al. pROC: an open-source package for R and S+ to analyze and compare ROC curves. BMC
       Bioinformatics 2011;12:77. doi:10.1186/1471-2105-12-77

    Examples
    --------
    >>> found = auc([0, 0, 0, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4), found.method
    (0.8333, 0.1523, 0.9929, 'delong_logit')
    """
    ranked = binary(labels, scores, positive)
    groups = clusters(patients, len(ranked.scores))
    found = _estimate(influence_of(ranked, groups).one(0), "auc", _Asked(ranked, groups, "macro", level_of(level), ci))
    return found.model_copy(update={"n_pos": int(ranked.positive.sum())})


def one_vs_rest_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Area of each class against the rest, then their unweighted mean (``macro_auc``).

    The standard error of the mean comes from the influence of each case on all areas together. A class without a case
    has no area, and then there is no mean.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class; only the order within a column matters.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    Examples
    --------
    >>> likely = [[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]
    >>> found = one_vs_rest_auc([0, 0, 1, 1, 2, 2], likely, [0, 1, 2])
    >>> [(each.class_, round(each.value, 4)) for each in found]
    [('0', 0.8125), ('1', 0.75), ('2', 0.9375), (None, 0.8333)]
    """
    ranked, groups = _checked(labels, probabilities, classes, patients=patients)
    every = influence_of(ranked, groups)
    asked = _Asked(ranked, groups, "macro", level_of(level), "logit")
    areas = [
        _estimate(every.one(k), "auc", asked).model_copy(
            update={"class_": str(name), "n_pos": int(every.n_positive[k])}
        )
        for k, name in enumerate(classes)
    ]
    return [*areas, _estimate(every.average(), "macro_auc", asked)]


def macro_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    ci: AucInterval = "logit",
) -> Estimate:
    """Mean of the areas of each class against the rest, with the interval that pROC has not.

    With the influence F_k(i) of case i on the area of class k (see :func:`influence`) the standard error is
    ``sqrt(sum_i (sum_k F_k(i) / K)**2) / n``, with sums per patient where patients have several cases.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class; only the order within a column matters.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.
    ci : {"logit", "delong"} or Bootstrap
        As in :func:`auc`.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    Examples
    --------
    >>> likely = [[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]
    >>> found = macro_auc([0, 0, 1, 1, 2, 2], likely, [0, 1, 2])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.8333, 0.2862, 0.9842)
    """
    ranked, groups = _checked(labels, probabilities, classes, patients=patients)
    return _average(_Asked(ranked, groups, "macro", level_of(level), ci))


def weighted_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    ci: AucInterval = "logit",
) -> Estimate:
    """Mean of the areas of each class against the rest, weighted by the share of the class among the cases.

    The shares are taken as known; otherwise as :func:`macro_auc`.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class; only the order within a column matters.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.
    ci : {"logit", "delong"} or Bootstrap
        As in :func:`auc`.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.
    """
    ranked, groups = _checked(labels, probabilities, classes, patients=patients)
    return _average(_Asked(ranked, groups, "weighted", level_of(level), ci))


def hand_till_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    ci: AucInterval = "logit",
) -> Estimate:
    """Hand and Till's M: mean over all pairs of classes of the area that tells the two apart.

    Each ordered pair (i, j) has the area A(i|j) of the probability of class i among the cases of i and j alone. The
    standard error sums the influence of each case on all pairs, as in :func:`macro_auc`.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.
    ci : {"logit", "delong"} or Bootstrap
        As in :func:`auc`.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    References
    ----------
    .. [1] Hand DJ, Till RJ. A simple generalisation of the area under the ROC curve for multiple class classification
       problems. Mach Learn 2001;45:171-186. doi:10.1023/A:1010920819831

    Examples
    --------
    >>> likely = [[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]
    >>> round(hand_till_auc([0, 0, 1, 1, 2, 2], likely, [0, 1, 2]).value, 4)
    0.8333
    """
    ranked, groups = _checked(labels, probabilities, classes, patients=patients)
    return _average(_Asked(ranked, groups, "hand_till", level_of(level), ci))


def micro_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Area of all n K pairs of a case and a class in one pot, each pair positive where the case is of the class.

    The K rows of a case are not independent: the standard error is that of whole cases (or patients).

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    References
    ----------
    .. [1] Obuchowski NA. Biometrics 1997;53:567-578. doi:10.2307/2533958
    """
    ranked, groups = _checked(labels, probabilities, classes, patients=patients)
    n, count = ranked.scores.shape
    units = np.arange(n) if groups.codes is None else groups.codes
    flat = Ranked(ranked.positive.reshape(-1, 1), ranked.scores.reshape(-1, 1), ("any",))
    area = influence_of(flat, Clusters(np.repeat(units, count), groups.count)).one(0)
    found = _estimate(area, "micro_auc", _Asked(flat, groups, "macro", level_of(level), "logit"))
    return found.model_copy(update={"n": n})


@dataclass(frozen=True)
class _Asked:
    """What an estimate is asked of: checked inputs, the average, level and kind of interval."""

    ranked: Ranked
    groups: Clusters
    average: Average
    level: float
    ci: AucInterval

    def __post_init__(self) -> None:
        if self.ci not in ("logit", "delong") and not isinstance(self.ci, Bootstrap):
            raise EvaluationError(f"ci is {self.ci!r}; allowed are 'logit', 'delong' and Bootstrap(...)")


def _checked(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[Hashable], *, patients: ArrayLike | None
) -> tuple[Ranked, Clusters]:
    ranked = probability_matrix(labels, probabilities, classes)
    return ranked, clusters(patients, len(ranked.scores))


def area_estimate(area: Area, metric: str, *, level: float) -> Estimate:
    """Estimate of an area with its interval on the logit scale."""
    return _filled(
        area,
        metric,
        ci="logit",
        level=level,
        limits=lambda: auc_interval(area.value, area.se, level=level, ci="logit"),
    )


def _average(asked: _Asked) -> Estimate:
    return _estimate(area_of(asked.ranked, asked.groups, asked.average), f"{asked.average}_auc", asked)


def _estimate(area: Area, metric: str, asked: _Asked) -> Estimate:
    return _filled(area, metric, ci=asked.ci, level=asked.level, limits=lambda: _limits(area, asked))


def _filled(area: Area, metric: str, *, ci: AucInterval, level: float, limits: Callable[[], _Limits]) -> Estimate:
    bare = Estimate(metric=metric, value=None, level=level, n=area.n, n_patients=area.n_patients, reason=area.no_value)
    if area.no_value:
        return bare
    filled = {"value": area.value, "method": _method(area, metric, ci)}
    if area.no_variance:
        return bare.model_copy(update={**filled, "reason": area.no_variance})
    low, high, reason = limits()
    return bare.model_copy(update={**filled, "se": area.se, "low": low, "high": high, "reason": reason})


def _limits(area: Area, asked: _Asked) -> _Limits:
    if not isinstance(asked.ci, Bootstrap):
        return auc_interval(area.value, area.se, level=asked.level, ci=asked.ci)
    drawn = resampled_areas(asked.ranked, asked.groups, asked.average, how=asked.ci)
    return bootstrap_interval(area, drawn, level=asked.level, kind=asked.ci.kind)


def _method(area: Area, metric: str, ci: AucInterval) -> str:
    if isinstance(ci, Bootstrap):
        return f"{'cluster' if area.clustered else 'stratified'}_bootstrap_{ci.kind}_{ci.n_resamples}"
    named = "delong" if metric == "auc" else f"influence_{metric.removesuffix('_auc')}"
    return ("cluster_influence" if area.clustered else named) + ("_logit" if ci == "logit" else "")


@METRICS.register("auc")
def _areas(scored: ScoredSet) -> list[Estimate]:
    every = one_vs_rest_auc(
        scored.labels, scored.probabilities, scored.classes, level=scored.level, patients=scored.patients
    )
    if len(scored.classes) == 2:
        return every
    averages = [
        average(scored.labels, scored.probabilities, scored.classes, level=scored.level, patients=scored.patients)
        for average in (weighted_auc, hand_till_auc)
    ]
    return [*every, *averages]
