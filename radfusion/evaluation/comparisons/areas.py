"""Differences of areas under the curve: DeLong's tests and their form for several classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from radfusion.core.results import Comparison
from radfusion.evaluation._inputs import (
    Clusters,
    Floats,
    Ranked,
    binary,
    clusters,
    level_of,
    probability_matrix,
)
from radfusion.evaluation.comparisons.base import COMPARISONS, ScoredPair
from radfusion.evaluation.delong import Area, difference_se, influence_of
from radfusion.evaluation.intervals import wald_test
from radfusion.evaluation.metrics.base import ScoredSet
from radfusion.evaluation.resampling import Average, area_of

__all__ = [
    "average_auc_test",
    "bare_comparison",
    "checked_set",
    "delong_test",
    "delong_test_unpaired",
    "joint_auc_test",
    "macro_auc_test",
    "macro_auc_test_unpaired",
    "paired_test",
    "quadratic_form",
]

# Directions in which the variance is below this share of the largest are rounding error.
_RANK_TOLERANCE = 1e-10


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
    a, b = (influence_of(each, groups).one(0) for each in (ranked, other))
    return paired_test(a, b, metric="auc", level=level_of(level))


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

    Examples
    --------
    >>> found = delong_test_unpaired([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [0, 0, 1, 1], [1, 3, 2, 4])
    >>> round(found.difference, 4), round(found.df, 2), round(found.p, 4)
    (0.1389, 4.2, 0.7369)
    """
    first, second = binary(labels_a, scores_a, positive), binary(labels_b, scores_b, positive)
    a, b = (influence_of(each, Clusters()).one(0) for each in (first, second))
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

    With the influence F_mk(i) of case i on the area of class k under model m (see :func:`influence`)::

        g(i) = sum_k (F_1k(i) - F_2k(i)) / K,   se**2 = sum_i g(i)**2 / n**2,   z = difference / se

    and with sums G of g per patient ``se**2 = C / (C - 1) * sum_c G(c)**2 / n**2`` for C patients with several cases.
    With two classes this is :func:`delong_test`. Under equal models 4 to 6 % of tests are below 0.05 (benchmarks/
    macro_auc.py). The test compares two fitted models on these patients; it does not cover what another training run
    would give.

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
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    See Also
    --------
    average_auc_test : The same for other averages of the classes.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595
    .. [2] Obuchowski NA. Biometrics 1997;53:567-578. doi:10.2307/2533958

    Examples
    --------
    >>> one = [[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]
    >>> two = [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.4, 0.4, 0.2], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]
    >>> found = macro_auc_test([0, 0, 1, 1, 2, 2], one, two, [0, 1, 2])
    >>> round(found.difference, 4), round(found.p, 4)
    (0.0625, 0.7123)
    """
    ranked, other = (probability_matrix(labels, each, classes) for each in (probabilities_a, probabilities_b))
    groups = clusters(patients, len(ranked.scores))
    a, b = (area_of(each, groups, "macro") for each in (ranked, other))
    return paired_test(a, b, metric="macro_auc", level=level_of(level))


def macro_auc_test_unpaired(  # noqa: PLR0917 - two samples are two pairs of arrays
    labels_a: ArrayLike,
    probabilities_a: ArrayLike,
    labels_b: ArrayLike,
    probabilities_b: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
) -> Comparison:
    """Test of two models' macro AUCs on different patients: z of the difference with ``se**2 = se_a**2 + se_b**2``.

    Where patients have several cases use :func:`average_auc_test`, whose sets know the patients.
    With two classes this is :func:`delong_test_unpaired` (t with Welch's degrees of freedom).

    Parameters
    ----------
    labels_a, labels_b : (n_a,), (n_b,) array
        Reference classes of the two samples, which must share no patient.
    probabilities_a, probabilities_b : (n_a, K), (n_b, K) array
        Probabilities of the two models.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level of the interval of the difference a minus b.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.
    """
    ranked = probability_matrix(labels_a, probabilities_a, classes)
    other = probability_matrix(labels_b, probabilities_b, classes)
    a, b = (area_of(each, Clusters(), "macro") for each in (ranked, other))
    return _unpaired(a, b, metric="macro_auc", level=level_of(level), welch=len(classes) == 2)


def average_auc_test(pair: ScoredPair, average: Average = "macro") -> Comparison:
    """:func:`macro_auc_test`, or its unpaired form, for any average of the classes' areas.

    Parameters
    ----------
    pair : ScoredPair
        Two models on the same cases, or on different patients.
    average : {"macro", "weighted", "hand_till"}
        Unweighted, weighted by the classes' shares of the cases, or over pairs of classes.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    References
    ----------
    .. [1] Hand DJ, Till RJ. Mach Learn 2001;45:171-186. doi:10.1023/A:1010920819831
    """
    a, b = (area_of(*checked_set(each), average) for each in (pair.a, pair.b))
    level = level_of(pair.a.level)
    if pair.paired:
        return paired_test(a, b, metric=f"{average}_auc", level=level)
    return _unpaired(a, b, metric=f"{average}_auc", level=level, welch=len(pair.a.classes) == 2)


def checked_set(scored: ScoredSet) -> tuple[Ranked, Clusters]:
    """Checked probabilities and patients of a set."""
    ranked = probability_matrix(scored.labels, scored.probabilities, scored.classes)
    return ranked, clusters(scored.patients, len(ranked.scores))


def joint_auc_test(  # noqa: PLR0917 - the three arrays and what their columns are
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    classes: Sequence[Hashable],
    *,
    patients: ArrayLike | None = None,
) -> Comparison:
    """Test that no class has a different area under two models: chi-square of all K differences at once.

    With the vector d of differences and their covariance S the statistic is ``d' S^- d``; its degrees of freedom are
    the rank of S, which is K for three or more classes and 1 for two, where the test is :func:`delong_test`. Being of
    all directions it has less power against a difference of the macro AUC than :func:`macro_auc_test`. `difference` is
    that of the macro AUC.

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

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595
    """
    ranked, other = (probability_matrix(labels, each, classes) for each in (probabilities_a, probabilities_b))
    groups = clusters(patients, len(ranked.scores))
    a, b = (influence_of(each, groups) for each in (ranked, other))
    bare = bare_comparison(a.average(), b.average(), test="influence_joint_paired", metric="auc", level=0.95)
    if bare.reason:
        return bare
    gaps = a.values - b.values
    units = len(gaps)
    covariance = gaps.T @ gaps * (units / (units - 1) if a.clustered else 1.0) / a.n**2
    statistic, df = quadratic_form(a.aucs - b.aucs, covariance)
    if df is None:
        return bare.model_copy(
            update={"reason": "the variance of the differences is estimated as 0: no test is possible"}
        )
    return bare.model_copy(update={"statistic": statistic, "df": df, "p": float(chdtrc(df, statistic)) if df else 1.0})


def quadratic_form(differences: Floats, covariance: Floats) -> tuple[float, float | None]:
    """Chi-square of differences and its degrees of freedom, the rank of their covariance.

    All differences 0 with no variance at all give (0, 0); a difference in a direction without variance gives no degrees
    of freedom (None).
    """
    roots, directions = np.linalg.eigh(covariance)
    kept = roots > _RANK_TOLERANCE * max(roots.max(), 0.0) if len(roots) else roots > 0
    along = directions.T @ differences
    if (np.abs(along[~kept]) > np.sqrt(_RANK_TOLERANCE)).any():
        return 0.0, None
    return float((along[kept] ** 2 / roots[kept]).sum()), float(kept.sum())


def paired_test(a: Area, b: Area, *, metric: str, level: float) -> Comparison:
    """Test of two areas of the same cases, from the differences of the influence values."""
    name = _name(a, b, metric)
    return _tested(bare_comparison(a, b, test=f"{name}_paired", metric=metric, level=level), difference_se(a, b))


@COMPARISONS.register("macro_auc")
def _macro_auc(pair: ScoredPair) -> list[Comparison]:
    return [average_auc_test(pair)]


@COMPARISONS.register("class_auc")
def _class_auc(pair: ScoredPair) -> list[Comparison]:
    compare = paired_test if pair.paired else _unpaired
    a, b = (influence_of(*checked_set(each)) for each in (pair.a, pair.b))
    return [
        compare(a.one(k), b.one(k), metric="auc", level=level_of(pair.a.level)).model_copy(update={"class_": str(name)})
        for k, name in enumerate(pair.a.classes)
    ]


def _unpaired(a: Area, b: Area, *, metric: str, level: float, welch: bool = True) -> Comparison:
    bare = bare_comparison(a, b, test=f"{_name(a, b, metric)}_unpaired", metric=metric, level=level)
    patients = None if a.n_patients is None or b.n_patients is None else a.n_patients + b.n_patients
    bare = bare.model_copy(update={"paired": False, "n": a.n + b.n, "n_patients": patients})
    units, se = (len(a.values), len(b.values)), float(np.hypot(a.se, b.se))
    # One curve a model: the reference distribution of pROC. Several: z.
    if not welch or min(units) < 2 or se == 0:
        return _tested(bare, se)
    parts = sum(each.se**4 / (count - 1) for each, count in zip((a, b), units, strict=True))
    return _tested(bare, se, df=se**4 / parts)


def _name(a: Area, b: Area, metric: str) -> str:
    if a.clustered or b.clustered:
        return "cluster_influence"
    return "delong" if metric == "auc" else f"influence_{metric.removesuffix('_auc')}"


def bare_comparison(a: Area, b: Area, *, test: str, metric: str, level: float) -> Comparison:
    """Areas and difference of a test, and the first reason why there cannot be one."""
    values = (None if a.no_value else a.value, None if b.no_value else b.value)
    known = not (a.no_value or b.no_value)
    return Comparison(
        test=test,
        metric=metric,
        difference=a.value - b.value if known else None,
        values=values,
        level=level,
        n=a.n,
        n_patients=a.n_patients,
        reason=a.no_value or b.no_value or a.no_variance or b.no_variance,
    )


def _tested(bare: Comparison, se: float, *, df: float | None = None) -> Comparison:
    if bare.reason or bare.difference is None:
        return bare
    return bare.model_copy(update=vars(wald_test(bare.difference, se, level=bare.level, df=df)))
