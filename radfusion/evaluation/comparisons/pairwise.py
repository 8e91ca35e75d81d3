"""Many models at once: every area, every pair of them, and whether all are equal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import binary, clusters, level_of, probability_matrix
from radfusion.evaluation.adjustment import adjust_comparisons
from radfusion.evaluation.comparisons.areas import paired_test, quadratic_form
from radfusion.evaluation.delong import Area, influence_of
from radfusion.evaluation.metrics.areas import area_estimate
from radfusion.evaluation.resampling import Average, area_of

__all__ = ["ComparedAreas", "compare_aucs", "compare_macro_aucs", "equal_auc_test"]


class ComparedAreas(NamedTuple):
    """Areas of several models, in the order given, and the tests of all pairs (first minus second)."""

    estimates: list[Estimate]
    comparisons: list[Comparison]


def compare_aucs(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    positive: Hashable = 1,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    adjustment: str = "holm",
) -> ComparedAreas:
    """Areas of several models on the same cases, and DeLong's test of every pair.

    Each model is ranked once, so that M models cost M sorts for their M (M - 1) / 2 tests.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : mapping of str to (n,) array
        Model to its scores.
    positive : object
        The label of the positive class; the others are the rest.
    patients : (n,) array, optional
        Patient of each case.
    level : float
        Confidence level of the intervals.
    adjustment : str
        How the P values of the pairs, as one family, are adjusted.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595

    Examples
    --------
    >>> found = compare_aucs([0, 0, 0, 1, 1, 1], {"a": [1, 2, 4, 3, 5, 6], "b": [2, 1, 6, 5, 3, 4]})
    >>> [round(each.value, 4) for each in found.estimates], [round(each.p, 4) for each in found.comparisons]
    ([0.8889, 0.6667], [0.3711])
    """
    areas = _areas(labels, scores, positive=positive, patients=patients)
    return _compared(areas, "auc", level=level_of(level), adjustment=adjustment)


def compare_macro_aucs(
    labels: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    classes: Sequence[Hashable],
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    average: Average = "macro",
) -> ComparedAreas:
    """Macro AUCs of several models on the same cases, and the test of every pair, adjusted by Holm.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : mapping of str to (n, K) array
        Model to its probabilities.
    classes : sequence of K names
        Classes, in the order of the columns.
    patients : (n,) array, optional
        Patient of each case.
    level : float
        Confidence level of the intervals.
    average : {"macro", "weighted", "hand_till"}
        Which average is compared.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, or a label is not among the classes.
    """
    _some(probabilities)
    ranked = {name: probability_matrix(labels, each, classes) for name, each in probabilities.items()}
    groups = clusters(patients, len(np.asarray(labels)))
    areas = {name: area_of(each, groups, average) for name, each in ranked.items()}
    return _compared(areas, f"{average}_auc", level=level_of(level), adjustment="holm")


def equal_auc_test(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    positive: Hashable = 1,
    patients: ArrayLike | None = None,
) -> Comparison:
    """Test that all models have the same area: chi-square with the rank of the covariance of M - 1 contrasts.

    `difference` is None, for there are many.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : mapping of str to (n,) array
        Model to its scores.
    positive : object
        The label of the positive class; the others are the rest.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. doi:10.2307/2531595
    """
    first, *others = _areas(labels, scores, positive=positive, patients=patients).values()
    bare = Comparison(test="delong_global", metric="auc", difference=None, n=first.n, n_patients=first.n_patients)
    if reason := first.no_value or first.no_variance:
        return bare.model_copy(update={"reason": reason})
    if not others:
        return bare.model_copy(update={"reason": "one model is equal to itself: two are needed"})
    gaps = np.stack([first.values - each.values for each in others], axis=1)
    units = len(gaps)
    covariance = gaps.T @ gaps * (units / (units - 1) if first.clustered else 1.0) / first.n**2
    statistic, df = quadratic_form(np.array([first.value - each.value for each in others]), covariance)
    if df is None:
        return bare.model_copy(update={"reason": "areas differ without variance: no test is possible"})
    return bare.model_copy(update={"statistic": statistic, "df": df, "p": float(chdtrc(df, statistic)) if df else 1.0})


def _areas(
    labels: ArrayLike, scores: Mapping[str, ArrayLike], *, positive: Hashable, patients: ArrayLike | None
) -> dict[str, Area]:
    _some(scores)
    ranked = {name: binary(labels, each, positive) for name, each in scores.items()}
    groups = clusters(patients, len(np.asarray(labels)))
    return {name: influence_of(each, groups).one(0) for name, each in ranked.items()}


def _some(models: Mapping[str, ArrayLike]) -> None:
    if not models:
        raise EvaluationError("no model was given; allowed is one or more")


def _compared(areas: Mapping[str, Area], metric: str, *, level: float, adjustment: str) -> ComparedAreas:
    estimates = [
        area_estimate(area, metric, level=level).model_copy(update={"model": name}) for name, area in areas.items()
    ]
    family = f"all pairs of {len(areas)} models"
    comparisons = [
        paired_test(areas[a], areas[b], metric=metric, level=level).model_copy(
            update={"models": (a, b), "family": family, "role": "secondary"}
        )
        for a, b in combinations(areas, 2)
    ]
    return ComparedAreas(estimates, adjust_comparisons(comparisons, adjustment))
