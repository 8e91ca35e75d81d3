"""Calibration of risks as a model of its own: the line, on the scale of logits, that would put the risks right.

The recalibration of a class with risk p is ``logit(P(class)) = intercept + slope * logit(p)``; risks that agree with
the outcomes have intercept 0 and slope 1. Risks nearer to 0 or 1 than 1e-8 are moved there, as their logits are
infinite or nearly so; they are never left out, since they are the boldest errors where they are wrong (R's
``rms::val.prob`` deletes them).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import (
    Booleans,
    Clusters,
    Floats,
    Ranked,
    clusters,
    level_of,
    probability_matrix,
    risks,
)
from radfusion.evaluation.intervals import wald_test
from radfusion.evaluation.logistic import logistic_fit, logistic_loss

__all__ = ["calibration_test", "multinomial_calibration", "recalibration", "spiegelhalter_test"]

_CLIP = 1e-8

_EQUAL = "all cases have the same risk: no slope can be estimated"
_SEPARATED = "the risks separate the classes: the likelihood has no maximum"


def recalibration(ranked: Ranked, groups: Clusters, *, level: float) -> list[Estimate]:
    """Calibration in the large, intercept and slope of one class of checked inputs.

    ``calibration_in_the_large`` is the intercept with the slope held at 1 (0 where the mean risk is right, positive
    where risks are too low); ``calibration_intercept`` and ``calibration_slope`` are fitted together (a slope below 1:
    risks are too extreme).
    """
    hits, logit = ranked.positive.T.astype(np.float64), _logits(ranked.scores).T
    bare = Estimate(metric="", value=None, level=level, n=hits.size, n_pos=int(hits.sum()), n_patients=groups.count)
    reason = _one_class(ranked)
    return list(_estimates(bare, (hits, logit), groups, reason=reason, prefix=""))


def multinomial_calibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[Hashable],
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
    reference: Hashable | None = None,
) -> list[Estimate]:
    """Recalibration of all classes together, then of each class against the rest.

    With reference class r, every other class k has::

        log(P(k) / P(r)) = intercept_k + slope_k * log(p_k / p_r)

    ``multinomial_calibration_in_the_large`` are the intercepts with all slopes held at 1,
    ``multinomial_calibration_intercept`` and ``..._slope`` are fitted together (the parametric recalibration of Van
    Hoorde et al.). After them follow ``calibration_in_the_large``, ``calibration_intercept`` and ``calibration_slope``
    of each class against the rest. With two classes both forms are the same.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class; those below 1e-8 are raised to it.
    classes : sequence of K names
        Classes, in the order of the columns.
    level : float
        Confidence level (value +- z SE).
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the standard errors are those of patients.
    reference : object, optional
        The class that the others are set against; the first by default.

    Raises
    ------
    EvaluationError
        When shapes differ, a label or `reference` is not among the classes, or probabilities do not sum to 1.

    References
    ----------
    .. [1] Van Hoorde K, Vergouwe Y, Timmerman D, et al. Assessing calibration of multinomial risk prediction models.
       Stat Med 2014;33:2585-2596. doi:10.1002/sim.6114

    Examples
    --------
    >>> labels = ["a", "b", "c", "c", "b", "b", "b", "c", "a", "a", "c", "a"]
    >>> probabilities = [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6], [0.5, 0.2, 0.3]] * 3
    >>> for each in multinomial_calibration(labels, probabilities, ["a", "b", "c"])[:3]:
    ...     print(each.metric, each.class_, round(each.value, 3))
    multinomial_calibration_in_the_large b 0.26
    multinomial_calibration_intercept b 0.365
    multinomial_calibration_slope b 1.284
    """
    ranked = probability_matrix(labels, probabilities, classes)
    groups, level = clusters(patients, len(ranked.scores)), level_of(level)
    first = classes[0] if reference is None else reference
    if first not in classes:
        raise EvaluationError(f"reference is {first!r}; allowed are the classes {', '.join(map(repr, classes))}")
    found = _against_reference(ranked, classes, list(classes).index(first), groups=groups, level=level)
    for k, name in enumerate(classes):
        own = recalibration(ranked.one(k), groups, level=level)
        found += [each.model_copy(update={"class_": str(name)}) for each in own]
    return found


def calibration_test(labels: ArrayLike, probabilities: ArrayLike, *, positive: Hashable = 1) -> Comparison:
    """Likelihood-ratio test that the recalibration has intercept 0 and slope 1: chi-squared with 2 degrees of freedom.

    It holds for independent cases and for risks from a model that was fitted on others. With many cases it finds
    differences that matter to nobody: read it beside the curve.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class; those nearer to 0 or 1 than 1e-8 are moved there.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, or `positive` is not a label.

    References
    ----------
    .. [1] Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565.
       doi:10.1093/biomet/45.3-4.562

    Examples
    --------
    >>> found = calibration_test([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    >>> round(found.statistic, 4), found.df, round(found.p, 4)
    (0.406, 2.0, 0.8163)
    """
    ranked = risks(labels, probabilities, positive)
    hits, logit = ranked.positive.T.astype(np.float64), _logits(ranked.scores).T
    bare = Comparison(test="recalibration_likelihood_ratio", metric="calibration", difference=None, n=hits.size)
    reason = _one_class(ranked) or (_EQUAL if np.ptp(logit) == 0 else None)
    fit = None if reason else logistic_fit(_line(logit), np.zeros_like(logit), hits)
    if fit is None:
        return bare.model_copy(update={"reason": reason or _SEPARATED})
    statistic = max(0.0, 2 * logistic_loss(logit, hits)[0] - fit.deviance)
    return bare.model_copy(update={"statistic": statistic, "df": 2.0, "p": float(chdtrc(2, statistic))})


def spiegelhalter_test(
    labels: ArrayLike, probabilities: ArrayLike, *, positive: Hashable = 1, level: float = 0.95
) -> Comparison:
    """Spiegelhalter's z test of the Brier score against the one that risks that are right would have.

    The `difference` is ``mean((y - p)**2) - mean(p (1 - p))``, its variance under right risks
    ``sum((1 - 2 p)**2 p (1 - p)) / n**2``; `values` are the two Brier scores. Risks are taken as they are. Risks that
    are wrong in ways that cancel go unnoticed: the test sees one direction only.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level of the interval of the difference.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, or `positive` is not a label.

    References
    ----------
    .. [1] Spiegelhalter DJ. Probabilistic prediction in patient management and clinical trials. Stat Med
       1986;5:421-433. doi:10.1002/sim.4780050506

    Examples
    --------
    >>> found = spiegelhalter_test([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    >>> round(found.statistic, 4), round(found.p, 4)
    (0.8006, 0.4233)
    """
    ranked = risks(labels, probabilities, positive)
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    found, right = float(((y - p) ** 2).mean()), float((p * (1 - p)).mean())
    se = float(np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum())) / len(p)
    bare = Comparison(test="spiegelhalter", metric="brier", difference=None, values=(found, right), n=len(p))
    tested = wald_test(float(((y - p) * (1 - 2 * p)).mean()), se, level=level_of(level))
    return bare.model_copy(update={"level": level, **vars(tested)})


def _against_reference(
    ranked: Ranked, classes: Sequence[Hashable], reference: int, *, groups: Clusters, level: float
) -> list[Estimate]:
    others = [k for k in range(len(classes)) if k != reference]
    logs = np.log(np.maximum(ranked.scores, _CLIP))
    hits, logit = ranked.positive[:, others].T.astype(np.float64), (logs[:, others] - logs[:, [reference]]).T
    counts = ranked.positive.sum(axis=0)
    absent = [name for name, count in zip(ranked.names, counts, strict=True) if not count]
    reason = f"no case is of class {absent[0]}" if absent else None
    bare = Estimate(metric="", value=None, level=level, n=len(logs), n_patients=groups.count)
    found = list(_estimates(bare, (hits, logit), groups, reason=reason, prefix="multinomial_"))
    # Three numbers of each class, in the order of the classes.
    names = [str(classes[k]) for k in others for _ in range(3)]
    pos = [int(counts[k]) for k in others for _ in range(3)]
    return [
        each.model_copy(update={"class_": name, "n_pos": n_pos})
        for each, name, n_pos in zip(found, names, pos, strict=True)
    ]


def _estimates(
    bare: Estimate, data: tuple[Floats, Floats], groups: Clusters, *, reason: str | None, prefix: str
) -> Iterator[Estimate]:
    """In the large, intercept and slope of each row of (hits, logits)."""
    hits, logit = data
    in_the_large = _coefficients(np.ones((*logit.shape, 1)), data, groups, offset=1.0, reason=reason)
    flat = _EQUAL if (np.ptp(logit, axis=1) == 0).any() else None
    line = _coefficients(_line(logit), data, groups, offset=0.0, reason=reason or flat)
    for k in range(len(hits)):
        parts = (in_the_large, line, line)
        for name, part, column in zip(("in_the_large", "intercept", "slope"), parts, (0, 0, 1), strict=True):
            named = bare.model_copy(update={"metric": f"{prefix}calibration_{name}"})
            yield _wald(named, part, (k, column), clustered=groups.codes is not None)


def _coefficients(
    designs: Floats, data: tuple[Floats, Floats], groups: Clusters, *, offset: float, reason: str | None
) -> tuple[Floats, Floats | None] | str:
    """Coefficients and their standard errors, both (E, p), or why there are none."""
    hits, logit = data
    fit = None if reason else logistic_fit(designs, offset * logit, hits)
    if fit is None:
        return reason or _SEPARATED
    covariance = fit.covariance(groups)
    se = None if covariance is None else np.sqrt(np.diag(covariance)).reshape(fit.coefficients.shape)
    return fit.coefficients, se


def _wald(
    bare: Estimate, found: tuple[Floats, Floats | None] | str, place: tuple[int, int], *, clustered: bool
) -> Estimate:
    if isinstance(found, str):
        return bare.model_copy(update={"reason": found})
    value = float(found[0][place])
    if found[1] is None:
        return bare.model_copy(update={"value": value, "reason": "an interval needs two patients; there is one"})
    se = float(found[1][place])
    half = float(ndtri(0.5 + bare.level / 2)) * se
    method = "cluster_sandwich" if clustered else "wald"
    filled = {"value": value, "se": se, "low": value - half, "high": value + half, "method": method}
    return bare.model_copy(update=filled)


def _logits(values: Floats) -> Floats:
    inside = np.clip(values, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def _line(logit: Floats) -> Floats:
    return np.stack([np.ones_like(logit), logit], axis=2)


def _one_class(ranked: Ranked) -> str | None:
    positive: Booleans = ranked.positive[:, 0]
    if positive.all():
        return f"every case is of class {ranked.names[0]}"
    return None if positive.any() else f"no case is of class {ranked.names[0]}"
