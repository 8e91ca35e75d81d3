"""Cohen's kappa, its interval, and the test of two kappas on the same cases.

With weights w[i, j], observed agreement o = sum w p and chance agreement e = sum w r c of the margins r and c,
kappa = (o - e) / (1 - e). The influence of a case that is rated i and j is

    (w[i, j] - o) / (1 - e) - (1 - o) / (1 - e)**2 * ((w c)[i] + (r w)[j] - 2 e).

Its mean square over n is the variance of Fleiss, Cohen and Everitt; its sums per patient, and its differences between
two predictions, give the clustered variance and the paired test.

References
----------
.. [1] Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37-46.
   doi:10.1177/001316446002000104
.. [2] Fleiss JL, Cohen J, Everitt BS. Large sample standard errors of kappa and weighted kappa. Psychol Bull
   1969;72:323-327. doi:10.1037/h0028106
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import (
    Clusters,
    Floats,
    Integers,
    _codes,
    class_codes,
    clusters,
    level_of,
    same_length,
)
from radfusion.evaluation.intervals import clustered_variance, wald_test

__all__ = ["Weights", "cohen_kappa", "kappa_test"]

Weights = Literal["linear", "quadratic"]

_ONE_CATEGORY = "every rating is the same category: agreement beyond chance is 0 / 0"
_ONE_PATIENT = "all cases are of one patient: the variance is not estimable"
_NO_VARIANCE = "the variance is estimated as 0: the interval is not estimable"

# A standard error below this is rounding error of influences that cancel exactly.
_ROUNDING = 1e-12


def cohen_kappa(
    ratings_a: ArrayLike,
    ratings_b: ArrayLike,
    *,
    categories: Sequence[Hashable] | None = None,
    weights: Weights | None = None,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Agreement of two ratings of the same cases beyond chance, kappa +- z SE cut to [-1, 1].

    Parameters
    ----------
    ratings_a, ratings_b : (n,) array
        Category of each case by each rater (or model, or reference).
    categories : sequence, optional
        All categories in their order; by default those found: numbers in rising order, ordered pandas categories in
        theirs. A category that nobody used changes a weighted kappa, for it widens the scale.
    weights : {"linear", "quadratic"}, optional
        Partial agreement 1 - d or 1 - d**2 where d is the steps between the ratings over K - 1; by default none.
    level : float
        Confidence level of the interval.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the variance is that of patients.

    Raises
    ------
    EvaluationError
        When lengths differ, a rating is missing or not among the categories, or weights are asked for categories
        without an order.

    References
    ----------
    .. [1] Fleiss JL, Cohen J, Everitt BS. Psychol Bull 1969;72:323-327. doi:10.1037/h0028106

    Examples
    --------
    >>> found = cohen_kappa([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.5455, 0.0436, 1.0)
    """
    rated = {"ratings_a": ratings_a, "ratings_b": ratings_b}
    (a, b), table = _coded(rated, categories, weights)
    groups = clusters(patients, len(a))
    value, influence = _kappa(a, b, table)
    se = None if value is None else _standard_error(influence, groups)
    bare = Estimate(
        metric=_metric(weights),
        value=value,
        level=level_of(level),
        se=se,
        n=len(a),
        n_patients=groups.count,
        reason=_ONE_CATEGORY if value is None else _ONE_PATIENT if se is None else None if se else _NO_VARIANCE,
    )
    if value is None or not se:
        return bare
    half = float(ndtri(0.5 + level / 2)) * se
    method = _method(groups, "fleiss_cohen_everitt")
    return bare.model_copy(update={"low": max(-1.0, value - half), "high": min(1.0, value + half), "method": method})


def kappa_test(
    labels: ArrayLike,
    predicted_a: ArrayLike,
    predicted_b: ArrayLike,
    *,
    weights: Weights | None = None,
    patients: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Test of two raters' (or models') kappas with the same reference on the same cases; the difference is a minus b.

    Each case's influence on the two kappas is differenced; the sum of squares over n squared is the variance, and z the
    statistic. Equal predictions give z = 0 and P = 1.

    Parameters
    ----------
    labels : (n,) array
        Reference category of each case.
    predicted_a, predicted_b : (n,) array
        Category of each case by the two raters or models.
    weights : {"linear", "quadratic"}, optional
        Weights of partial agreement, as in :func:`cohen_kappa`; names of categories then need their order, as an
        ordered pandas categorical.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the variance is that of patients.
    level : float
        Confidence level of the interval of the difference (difference +- z SE).

    Raises
    ------
    EvaluationError
        When lengths differ, a category is missing or unknown, or weights are asked for categories without an order.

    References
    ----------
    .. [1] Fleiss JL, Cohen J, Everitt BS. Psychol Bull 1969;72:323-327. doi:10.1037/h0028106

    Examples
    --------
    >>> labels = [0, 0, 0, 1, 1, 1, 1, 0]
    >>> found = kappa_test(labels, [0, 0, 0, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1, 0, 0])
    >>> found.values, round(found.p, 4)
    ((0.75, 0.25), 0.2579)
    """
    rated = {"labels": labels, "predicted_a": predicted_a, "predicted_b": predicted_b}
    (truth, a, b), table = _coded(rated, None, weights)
    groups = clusters(patients, len(truth))
    (kappa_a, influence_a), (kappa_b, influence_b) = _kappa(truth, a, table), _kappa(truth, b, table)
    bare = Comparison(
        test=f"{_method(groups, 'influence')}_paired",
        metric=_metric(weights),
        difference=None,
        level=level_of(level),
        values=(kappa_a, kappa_b),
        n=len(truth),
        n_patients=groups.count,
    )
    if kappa_a is None or kappa_b is None:
        return bare.model_copy(update={"reason": _ONE_CATEGORY})
    difference = kappa_a - kappa_b
    se = _standard_error(influence_a - influence_b, groups)
    if se is None:
        return bare.model_copy(update={"difference": difference, "reason": _ONE_PATIENT})
    return bare.model_copy(update=vars(wald_test(difference, se, level=level)))


def _kappa(a: Integers, b: Integers, weights: Floats) -> tuple[float | None, Floats]:
    """Kappa, None where all ratings are one category, and the influence of each case on it."""
    size, n = len(weights), len(a)
    counts = np.bincount(a * size + b, minlength=size * size).reshape(size, size)
    if counts.diagonal().max() == n:
        return None, np.zeros(n)
    rows, columns = counts.sum(axis=1) / n, counts.sum(axis=0) / n
    observed, expected = float((weights * counts).sum() / n), float(rows @ weights @ columns)
    chance = (weights @ columns)[a] + (rows @ weights)[b] - 2 * expected
    influence = (weights[a, b] - observed) / (1 - expected) - (1 - observed) / (1 - expected) ** 2 * chance
    return (observed - expected) / (1 - expected), influence


def _standard_error(influence: Floats, groups: Clusters) -> float | None:
    """None where all cases are of one patient."""
    plain = float(influence @ influence) / len(influence) ** 2
    variance = plain if groups.codes is None else clustered_variance(influence, groups)
    if variance is None:
        return None
    se = float(np.sqrt(variance))
    return se if se > _ROUNDING else 0.0


def _coded(
    rated: Mapping[str, ArrayLike], categories: Sequence[Hashable] | None, weights: Weights | None
) -> tuple[list[Integers], Floats]:
    """Positions of the ratings among the categories, and the (K, K) weights of partial agreement."""
    if categories is None:
        categories = _found(rated, ordered=weights is not None)
    codes = [class_codes(values, categories, name) for name, values in rated.items()]
    for name, values in rated.items():
        same_length(name, values, len(codes[0]))
    steps = np.arange(len(categories))
    apart = np.abs(steps[:, None] - steps) / steps[-1]
    kinds: dict[str | None, Floats] = {None: np.eye(len(steps)), "linear": 1 - apart, "quadratic": 1 - apart**2}
    if weights not in kinds:
        raise EvaluationError(f"weights are {weights!r}; allowed are None, 'linear' and 'quadratic'")
    return codes, kinds[weights]


def _found(rated: Mapping[str, ArrayLike], *, ordered: bool) -> list[Hashable]:
    """Categories of the ratings, in their order where that is asked for."""
    for values in rated.values():
        kind = getattr(values, "dtype", None)
        if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
            return list(kind.categories)
    found = list(dict.fromkeys(each for name, values in rated.items() for each in _codes(values, name)[1]))
    if len(found) == 1:
        # Two categories are the least that can be told apart.
        return [*found, object()]
    if all(isinstance(each, Real) for each in found):
        return sorted(found)
    if ordered and len(found) > 2:
        raise EvaluationError(
            f"weights need the order of categories {', '.join(map(repr, found))}: give an ordered pandas categorical"
        )
    return found


def _metric(weights: Weights | None) -> str:
    return "kappa" if weights is None else f"kappa_{weights}"


def _method(groups: Clusters, plain: str) -> str:
    return plain if groups.codes is None else "cluster_influence"
