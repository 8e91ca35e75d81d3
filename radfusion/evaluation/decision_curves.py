"""Decision curves: what acting on a risk is worth, in true positives, at each threshold probability.

A case is treated when its risk is at or above the threshold t. Treating one case without the disease costs ``t / (1 -
t)`` times what treating one with it gains.

References
----------
.. [1] Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction models. Med Decis Making
   2006;26:565-574. doi:10.1177/0272989X06295361
.. [2] Vickers AJ, Van Calster B, Steyerberg EW. A simple, step-by-step guide to interpreting decision curve analysis.
   Diagn Progn Res 2019;3:18. doi:10.1186/s41512-019-0064-7
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Comparison, Curve, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, clusters, level_of, risks
from radfusion.evaluation.delta import with_interval
from radfusion.evaluation.intervals import clustered_variance, wald_test

__all__ = ["decision_curve", "net_benefit", "net_benefit_in_population", "net_benefit_test"]

#: Threshold probabilities of a curve, unless others are given.
_GRID = np.arange(1, 100) / 100
_NUMBERS = (
    "net_benefit",
    "net_benefit_treat_all",
    "net_benefit_treat_none",
    "standardized_net_benefit",
    "net_interventions_avoided",
)
_NONE = {"value": 0.0, "reason": "0 by definition"}
# A smaller standard error is that of influence values which are all the same.
_ROUNDING = 1e-14


def net_benefit(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> list[Estimate]:
    """Net benefit of treating by the model, of treating all and none, and what it means, at each threshold.

    For every threshold t (in the field ``at``), with odds ``w = t / (1 - t)``:

    - ``net_benefit``: ``TP / n - w FP / n``;
    - ``net_benefit_treat_all``: ``q - (1 - q) w`` with the prevalence q, and ``net_benefit_treat_none``: 0;
    - ``standardized_net_benefit``: net benefit over the prevalence (1 is the most);
    - ``net_interventions_avoided``: ``100 (net_benefit - net_benefit_treat_all) / w``, a net number of treatments saved
      per 100 cases at no loss of treated disease.

    Intervals are value +- z SE, with SE from what each case, treated (``d_i = 1``) or not, adds to the net benefit,
    ``d_i (y_i - w (1 - y_i))``. The other numbers follow from it; the standardized one counts the prevalence as
    estimated.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class; a risk equal to the threshold is treated.
    thresholds : (m,) array or float
        Threshold probabilities, above 0 and below 1.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case; where patients have several cases the standard errors are those of patients.

    Returns
    -------
    list of Estimate
        The five numbers of the first threshold, of the second, and so on.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk or threshold is out of its range, or `positive` is not a label.

    Examples
    --------
    >>> found = net_benefit([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9], 0.5)
    >>> for each in found[:3]:
    ...     print(each.metric, round(each.value, 3))
    net_benefit 0.2
    net_benefit_treat_all -0.2
    net_benefit_treat_none 0.0
    """
    treated = _checked(labels, probabilities, positive, prevalence=None)
    groups, level = clusters(patients, len(treated.y)), level_of(level)
    return [each for t in _thresholds(thresholds) for each in _at(treated, t, groups, level=level)]


def net_benefit_in_population(  # noqa: PLR0917 - as net_benefit, in which population
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    prevalence: float,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
) -> list[Estimate]:
    """:func:`net_benefit` in a population of another prevalence q than the sample (a case-control study).

    The net benefit is ``q sensitivity - (1 - q) w (1 - specificity)``; a case adds to it
    ``q y_i (d_i - sensitivity) / mean(y) - (1 - q) w (1 - y_i) (d_i - 1 + specificity) / mean(1 - y)``.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class, calibrated for that population.
    thresholds : (m,) array or float
        Threshold probabilities, above 0 and below 1.
    prevalence : float
        Share of positive cases in the population, above 0 and below 1.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk, threshold or the prevalence is out of its range, or `positive` is not a label.

    Examples
    --------
    >>> found = net_benefit_in_population([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9], 0.5, 0.2)
    >>> round(found[0].value, 4)
    -0.0667
    """
    treated = _checked(labels, probabilities, positive, prevalence=prevalence)
    return [each for t in _thresholds(thresholds) for each in _at(treated, t, Clusters(), level=level_of(level))]


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    thresholds: ArrayLike = _GRID,
    positive: Hashable = 1,
    prevalence: float | None = None,
) -> list[Curve]:
    """Net benefit (y) against the threshold probability (x): of the model, of treating all, of treating none.

    The kinds are ``decision``, ``decision_treat_all`` and ``decision_treat_none``. For several classes call it for each
    class against the rest. A curve that is above both others only where nobody would set the threshold is worth
    nothing: state the range of thresholds that make sense first.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class.
    thresholds : (m,) array
        Threshold probabilities, above 0 and below 1; 0.01 to 0.99 by default.
    positive : object
        The label of the positive class; the others are the rest.
    prevalence : float, optional
        Share of positive cases in the population, where that of the sample is not it.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk or threshold is out of its range, `positive` is not a label, or a `prevalence` is
        given and a group has no case.

    Examples
    --------
    >>> model, treat_all, treat_none = decision_curve([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], thresholds=[0.2, 0.5])
    >>> [round(each, 3) for each in model.y], [round(each, 3) for each in treat_all.y]
    ([0.438, 0.25], [0.375, 0.0])
    """
    treated, x = _checked(labels, probabilities, positive, prevalence=prevalence), _thresholds(thresholds)
    if reason := treated.reason():
        raise EvaluationError(f"there is no decision curve: {reason}")
    parts = (
        ("decision", [treated.benefit(t)[0] for t in x]),
        ("decision_treat_all", [treated.treat_all(t)[0] for t in x]),
        ("decision_treat_none", [0.0] * len(x)),
    )
    return [Curve(kind=kind, x=tuple(x), y=tuple(y)) for kind, y in parts]


def net_benefit_test(  # noqa: PLR0917 - two models at one threshold
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    threshold: float,
    *,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Comparison:
    """Test of the net benefits of two models on the same cases at one threshold; the difference is a minus b.

    The variance is that of the differences of what each case adds to the two (see :func:`net_benefit`). The threshold
    must be set before the data are seen; a decision is better made on the difference with its interval than on P.

    Parameters
    ----------
    labels : (n,) array
        1 (or True) for the cases to be treated, another label for the rest.
    probabilities_a, probabilities_b : (n,) array
        Risks of the positive class of the two models.
    threshold : float
        Threshold probability, above 0 and below 1.
    level : float
        Confidence level of the interval of the difference.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk or the threshold is out of its range, or no label is 1.

    Examples
    --------
    >>> found = net_benefit_test([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9], [0.6, 0.2, 0.6, 0.4, 0.9], 0.5)
    >>> round(found.difference, 3), round(found.p, 4)
    (0.4, 0.1025)
    """
    pair = [_checked(labels, each, 1, prevalence=None) for each in (probabilities_a, probabilities_b)]
    groups, t = clusters(patients, len(pair[0].y)), _thresholds(threshold)
    if len(t) != 1:
        raise EvaluationError(f"threshold has {len(t)} entries; allowed is one")
    bare = Comparison(
        test="net_benefit_paired",
        metric="net_benefit",
        difference=None,
        level=level_of(level),
        n=len(pair[0].y),
        n_patients=groups.count,
    )
    (a, influence_a), (b, influence_b) = (each.benefit(t[0]) for each in pair)
    variance = clustered_variance(influence_a - influence_b, groups)
    bare = bare.model_copy(update={"values": (a, b), "difference": a - b})
    if variance is None:
        who = "case" if groups.codes is None else "patient"
        return bare.model_copy(update={"reason": f"a test needs two {who}s; there is one"})
    se = float(np.sqrt(variance))
    return bare.model_copy(update=vars(wald_test(a - b, se if se > _ROUNDING else 0.0, level=level)))


@dataclass(frozen=True)
class _Treated:
    """Cases with risks, and the share of positive ones in the population where it is known."""

    y: Booleans
    p: Floats
    name: str
    prevalence: float | None

    def share(self) -> float:
        return float(self.y.mean()) if self.prevalence is None else self.prevalence

    def reason(self) -> str | None:
        """Why sensitivity or specificity, which a given prevalence needs, is missing."""
        if self.prevalence is None or 0 < self.y.sum() < len(self.y):
            return None
        return f"{'every' if self.y.all() else 'no'} case is of class {self.name}"

    def benefit(self, t: float) -> tuple[float, Floats]:
        """Net benefit at a threshold, and the influence of each case on it."""
        y, called, w = self.y, self.p >= t, t / (1 - t)
        if self.prevalence is None:
            n = len(y)
            value = int((called & y).sum()) / n - int((called & ~y).sum()) / n * w
            return value, np.asarray(called * np.where(y, 1.0, -w) - value, dtype=np.float64)
        q, hit, false = self.prevalence, float(called[y].mean()), float(called[~y].mean())
        influence = np.where(y, q * (called - hit) / y.mean(), -(1 - q) * w * (called - false) / (1 - y.mean()))
        return q * hit - (1 - q) * w * false, np.asarray(influence, dtype=np.float64)

    def treat_all(self, t: float) -> tuple[float, Floats]:
        q, w = self.share(), t / (1 - t)
        value = q - (1 - q) * w
        influence = (np.where(self.y, 1.0, -w) - value) * (self.prevalence is None)
        return value, np.asarray(influence, dtype=np.float64)


def _checked(labels: ArrayLike, probabilities: ArrayLike, positive: Hashable, *, prevalence: float | None) -> _Treated:
    ranked = risks(labels, probabilities, positive)
    if prevalence is not None and not 0 < prevalence < 1:
        raise EvaluationError(f"prevalence is {prevalence}; allowed are numbers above 0 and below 1")
    return _Treated(ranked.positive[:, 0], ranked.scores[:, 0], ranked.names[0], prevalence)


def _thresholds(thresholds: ArrayLike) -> list[float]:
    try:
        values = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"thresholds are not numbers: {error}") from error
    if values.ndim != 1 or not len(values):
        raise EvaluationError(f"thresholds have shape {values.shape}; allowed is one dimension with at least one")
    if strange := [float(each) for each in values if not 0 < each < 1]:
        raise EvaluationError(f"thresholds hold {strange[0]}; allowed are numbers above 0 and below 1")
    return [float(each) for each in values]


def _at(treated: _Treated, t: float, groups: Clusters, *, level: float) -> list[Estimate]:
    n, n_pos = len(treated.y), int(treated.y.sum())
    model, treat_all, treat_none, standardized, avoided = (
        Estimate(metric=name, at=t, value=None, level=level, n=n, n_pos=n_pos, n_patients=groups.count)
        for name in _NUMBERS
    )
    every, from_all = treated.treat_all(t)
    treat_all, treat_none = _valued(treat_all, every), treat_none.model_copy(update=_NONE)
    if treated.prevalence is None:
        treat_all = with_interval(treat_all, from_all, groups)
    else:
        treat_all = treat_all.model_copy(update={"reason": "follows from the given prevalence, without sampling error"})
    if reason := treated.reason():
        model, standardized, avoided = (
            each.model_copy(update={"reason": reason}) for each in (model, standardized, avoided)
        )
        return [model, treat_all, treat_none, standardized, avoided]
    value, influence = treated.benefit(t)
    per_100 = 100 * (1 - t) / t
    return [
        with_interval(_valued(model, value), influence, groups),
        treat_all,
        treat_none,
        _standardized(standardized, treated, groups, benefit=(value, influence)),
        with_interval(_valued(avoided, per_100 * (value - every)), per_100 * (influence - from_all), groups),
    ]


def _valued(bare: Estimate, value: float) -> Estimate:
    return bare.model_copy(update={"value": value})


def _standardized(bare: Estimate, treated: _Treated, groups: Clusters, *, benefit: tuple[float, Floats]) -> Estimate:
    (value, influence), q = benefit, treated.share()
    if q == 0:
        return bare.model_copy(update={"reason": f"no case is of class {treated.name}"})
    drift = (treated.y - q) * (treated.prevalence is None)
    return with_interval(_valued(bare, value / q), influence / q - value / q**2 * drift, groups)
