"""Areas under the curve: of one class against the rest, of every class, and their mean."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import binary, clusters, level_of
from radfusion.evaluation.delong import Influence, influence, influence_of
from radfusion.evaluation.intervals import auc_interval
from radfusion.evaluation.metrics.base import METRICS, ScoredSet

__all__ = ["auc", "one_vs_rest_auc"]


def auc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    ci: Literal["logit", "delong"] = "logit",
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
    ci : {"logit", "delong"}
        Interval on the scale of log(A / (1 - A)), or A +- z SE cut to [0, 1].

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
    if ci not in ("logit", "delong"):
        raise EvaluationError(f"ci is {ci!r}; allowed are 'logit' and 'delong'")
    ranked = binary(labels, scores, positive)
    found = influence_of(ranked, clusters(patients, len(ranked.scores)))
    return _class_estimate(found, 0, level=level_of(level), ci=ci)


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
        When shapes differ, a probability is missing, or a label is not among the classes.
    """
    found = influence(labels, probabilities, classes, patients=patients)
    level = level_of(level)
    areas = [
        _class_estimate(found, k, level=level, ci="logit").model_copy(update={"class_": str(name)})
        for k, name in enumerate(classes)
    ]
    return [*areas, _macro_estimate(found, level)]


def _class_estimate(found: Influence, k: int, *, level: float, ci: Literal["logit", "delong"]) -> Estimate:
    bare = Estimate(
        metric="auc",
        value=None,
        level=level,
        n=found.n,
        n_pos=int(found.n_positive[k]),
        n_patients=found.n_patients,
        reason=found.no_auc[k] or found.no_variance[k],
    )
    if found.no_auc[k]:
        return bare
    name = "cluster_influence" if found.clustered else "delong"
    filled = {"value": float(found.aucs[k]), "method": name + ("_logit" if ci == "logit" else "")}
    if found.no_variance[k]:
        return bare.model_copy(update=filled)
    se = found.class_se(k)
    low, high, reason = auc_interval(float(found.aucs[k]), se, level=level, ci=ci)
    return bare.model_copy(update={**filled, "se": se, "low": low, "high": high, "reason": reason})


def _macro_estimate(found: Influence, level: float) -> Estimate:
    missing = next(filter(None, found.no_auc), None)
    bare = Estimate(
        metric="macro_auc",
        value=None,
        level=level,
        n=found.n,
        n_patients=found.n_patients,
        reason=missing or next(filter(None, found.no_variance), None),
    )
    if missing:
        return bare
    value = float(found.aucs.mean())
    method = "cluster_influence_logit" if found.clustered else "influence_macro_logit"
    if bare.reason:
        return bare.model_copy(update={"value": value, "method": method})
    se = found.macro_se()
    low, high, reason = auc_interval(value, se, level=level, ci="logit")
    return bare.model_copy(
        update={"value": value, "method": method, "se": se, "low": low, "high": high, "reason": reason}
    )


@METRICS.register("auc")
def _areas(scored: ScoredSet) -> list[Estimate]:
    return one_vs_rest_auc(
        scored.labels, scored.probabilities, scored.classes, level=scored.level, patients=scored.patients
    )
