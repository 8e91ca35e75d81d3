"""Differences of areas under the curve: DeLong's tests and their form for several classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Comparison
from radfusion.evaluation._inputs import Clusters, Ranked, binary, clusters, level_of, multiclass
from radfusion.evaluation.comparisons.base import COMPARISONS, ScoredPair
from radfusion.evaluation.delong import Influence, difference_se, influence, influence_of
from radfusion.evaluation.intervals import wald_test
from radfusion.evaluation.metrics.base import ScoredSet

__all__ = ["delong_test", "delong_test_unpaired", "macro_auc_test"]


def delong_test(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    positive: Hashable = 1,
    patients: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """DeLong's test of two scores of the same cases; the difference is a minus b.

    The variance comes from the differences of the placement values, so that scores of equal order give z = 0 and P = 1.
    Areas that differ with variance 0 are not testable, and `reason` says so.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores_a, scores_b : (n,) array
        Scores of the two models; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the variance is that of patients.
    level : float
        Confidence level of the interval of the difference (difference +- z SE).

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595
    .. [2] Obuchowski NA. Biometrics 1997;53:567-578. doi:10.2307/2533958

    Examples
    --------
    >>> found = delong_test([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [2, 1, 6, 5, 3, 4])
    >>> round(found.difference, 4), round(found.p, 4)
    (0.2222, 0.3711)
    """
    ranked = binary(labels, scores_a, positive)
    other = binary(labels, scores_b, positive)
    groups = clusters(patients, len(ranked.scores))
    return _paired(influence_of(ranked, groups), influence_of(other, groups), metric="auc", level=level_of(level))


def delong_test_unpaired(  # noqa: PLR0917 - two samples are two pairs of arrays
    labels_a: ArrayLike,
    scores_a: ArrayLike,
    labels_b: ArrayLike,
    scores_b: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
) -> Comparison:
    """DeLong's test of two scores of different cases: t with Welch's degrees of freedom, as in pROC.

    Parameters
    ----------
    labels_a, labels_b : (n_a,), (n_b,) array
        Reference classes of the two samples, which must share no patient.
    scores_a, scores_b : (n_a,), (n_b,) array
        Scores; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level of the interval of the difference a minus b.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Robin X, et al. BMC Bioinformatics 2011;12:77. doi:10.1186/1471-2105-12-77
    """
    a = influence_of(binary(labels_a, scores_a, positive), Clusters())
    b = influence_of(binary(labels_b, scores_b, positive), Clusters())
    return _unpaired(a, b, metric="auc", level=level_of(level))


def macro_auc_test(  # noqa: PLR0917 - the three arrays and what their columns are
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    classes: Sequence[Hashable],
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Test of two models' macro AUCs (mean of one class against the rest) on the same cases.

    Each case's influence on all areas is averaged over the classes and differenced between the models; the sum of
    squares is the variance. With two classes this is :func:`delong_test`. The test compares two fitted models on these
    patients; it does not cover what another training run would give.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities_a, probabilities_b : (n, K) array
        Probabilities of the two models.
    classes : sequence of K names
        Classes, in the order of the columns.
    patients : (n,) array, optional
        Patient of each case.
    level : float
        Confidence level of the interval of the difference a minus b.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, or a label is not among the classes.
    """
    a = influence(labels, probabilities_a, classes, patients=patients)
    b = influence(labels, probabilities_b, classes, patients=patients)
    return _paired(a, b, metric="macro_auc", level=level_of(level))


@COMPARISONS.register("macro_auc")
def _macro_auc(pair: ScoredPair) -> list[Comparison]:
    a, b = (_influence(multiclass(each.labels, each.probabilities, each.classes), each) for each in (pair.a, pair.b))
    compare = _paired if pair.paired else _unpaired
    return [compare(a, b, metric="macro_auc", level=level_of(pair.a.level))]


@COMPARISONS.register("class_auc")
def _class_auc(pair: ScoredPair) -> list[Comparison]:
    compare = _paired if pair.paired else _unpaired
    ranked = [multiclass(each.labels, each.probabilities, each.classes) for each in (pair.a, pair.b)]
    found = []
    for k, name in enumerate(pair.a.classes):
        a, b = (_influence(columns.one(k), scored) for columns, scored in zip(ranked, (pair.a, pair.b), strict=True))
        tested = compare(a, b, metric="auc", level=level_of(pair.a.level))
        found.append(tested.model_copy(update={"class_": name}))
    return found


def _influence(ranked: Ranked, scored: ScoredSet) -> Influence:
    return influence_of(ranked, clusters(scored.patients, len(ranked.scores)))


def _paired(a: Influence, b: Influence, *, metric: str, level: float) -> Comparison:
    name = "delong" if metric == "auc" else "influence_macro"
    bare = Comparison(
        test=f"{'cluster_influence' if a.clustered else name}_paired",
        metric=metric,
        difference=None,
        level=level,
        n=a.n,
        n_patients=a.n_patients,
    )
    weights = np.full(len(a.aucs), 1 / len(a.aucs))
    return _tested(bare, (a, b), difference_se(a, b, weights))


def _unpaired(a: Influence, b: Influence, *, metric: str, level: float) -> Comparison:
    clustered = a.clustered or b.clustered
    name = "delong" if metric == "auc" else "influence_macro"
    patients = None if a.n_patients is None or b.n_patients is None else a.n_patients + b.n_patients
    bare = Comparison(
        test=f"{'cluster_influence' if clustered else name}_unpaired",
        metric=metric,
        difference=None,
        level=level,
        paired=False,
        n=a.n + b.n,
        n_patients=patients,
    )
    variances, units = (a.macro_se() ** 2, b.macro_se() ** 2), (len(a.values), len(b.values))
    se = float(np.sqrt(sum(variances)))
    # One curve a model: the reference distribution of pROC. Several: z.
    single = len(a.aucs) <= 2 and min(units) > 1 and se > 0
    parts = sum(variance**2 / (count - 1) for variance, count in zip(variances, units, strict=True)) if single else 0
    return _tested(bare, (a, b), se, df=se**4 / parts if single else None)


def _tested(bare: Comparison, pair: tuple[Influence, Influence], se: float, *, df: float | None = None) -> Comparison:
    """Fill in the test, or the first reason why there is none."""
    a, b = pair
    missing = [next(filter(None, each.no_auc), None) for each in pair]
    values = tuple(None if why else float(each.aucs.mean()) for each, why in zip(pair, missing, strict=True))
    if any(missing):
        return bare.model_copy(update={"values": values, "reason": next(filter(None, missing))})
    difference = float((a.aucs - b.aucs).mean())
    if untestable := next(filter(None, (*a.no_variance, *b.no_variance)), None):
        return bare.model_copy(update={"values": values, "difference": difference, "reason": untestable})
    tested = wald_test(difference, se, level=bare.level, df=df)
    return bare.model_copy(update={"values": values, **vars(tested)})
