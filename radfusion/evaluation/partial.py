"""Parts of the ROC curve: the area over a range, and its height at a place.

References
----------
.. [1] McClish DK. Analyzing a portion of the ROC curve. Med Decis Making 1989;9:190-195. doi:10.1177/0272989X8900900307
.. [2] He X, Escobar M. Nonparametric statistical inference method for partial areas under ROC curves, with application
   to genomic studies. Stat Med 2008;27:5291-5308. doi:10.1002/sim.3335
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Integers, Ranked, binary, clusters, level_of
from radfusion.evaluation.delta import Influenced, delta_estimate
from radfusion.evaluation.threshold_rules import operating_counts

__all__ = ["RocRange", "partial_auc", "sensitivity_at_specificity", "specificity_at_sensitivity"]

Axis: TypeAlias = Literal["specificity", "sensitivity"]

# A mean height this little below chance is chance, computed in another order.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class RocRange:
    """Part of a ROC curve.

    Attributes
    ----------
    focus : {"specificity", "sensitivity"}
        What the range is of.
    between : tuple of two float
        Ends of the range, in either order.
    corrected : bool
        Whether to apply McClish's correction.
    """

    focus: Axis = "specificity"
    between: tuple[float, float] = (1.0, 0.9)
    corrected: bool = False

    def __post_init__(self) -> None:
        if self.focus not in ("specificity", "sensitivity"):
            raise EvaluationError(f"focus is {self.focus!r}; allowed are 'specificity' and 'sensitivity'")
        low, high = sorted(self.between)
        if not 0 <= low < high <= 1:
            raise EvaluationError(f"between is {self.between}; allowed are two different numbers from 0 to 1")


_HIGH_SPECIFICITY = RocRange()


def partial_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    over: RocRange = _HIGH_SPECIFICITY,
    *,
    positive: Hashable = 1,
    level: float = 0.95,
    patients: ArrayLike | None = None,
) -> Estimate:
    """Area under the ROC curve over a range of specificities, or of sensitivities.

    Points of the curve are joined by straight lines, as in pROC. If corrected, the area A becomes
    ``(1 + (A - min) / (max - min)) / 2``, where min is the area under the diagonal and max the width of the range
    (McClish), so that 0.5 is chance and 1 perfect; an area below the diagonal has no such value.

    The variance follows from the influence of each case. With R(f) the height of the curve at 1 - specificity f, over
    f from a to b, a positive case contributes the length of [a, b] where it is called positive, and a negative case,
    itself at u, R(u) with u moved into [a, b]; over the whole range that is DeLong's variance. The interval is on the
    logit scale of A / (b - a).

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    over : RocRange
        The range, by default specificities from 0.9 to 1, and whether to correct.
    positive : object
        The label of the positive class; the others are the rest.
    level : float
        Confidence level.
    patients : (n,) array, optional
        Patient of each case.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] McClish DK. Med Decis Making 1989;9:190-195. doi:10.1177/0272989X8900900307
    .. [2] He X, Escobar M. Stat Med 2008;27:5291-5308. doi:10.1002/sim.3335

    Examples
    --------
    >>> labels, scores = [0, 0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.6, 0.35, 0.8, 0.7]
    >>> round(partial_auc(labels, scores, RocRange(between=(1, 0.5))).value, 4)
    0.3333
    >>> round(partial_auc(labels, scores, RocRange(between=(1, 0.5), corrected=True)).value, 4)
    0.7778
    """
    low, high = sorted(over.between)
    ranked, level = binary(labels, scores, positive), level_of(level)
    groups = clusters(patients, len(ranked.scores))
    found = _mean_height(ranked, over.focus, (low, high), groups=groups)
    estimate = delta_estimate("partial_auc", found, groups, level=level, scale="logit")
    counts = {"n": len(ranked.scores), "n_pos": int(ranked.positive.sum())}
    return _rescaled(estimate, low, high, corrected=over.corrected).model_copy(update=counts)


def sensitivity_at_specificity(
    labels: ArrayLike, scores: ArrayLike, specificity: float, *, positive: Hashable = 1
) -> Estimate:
    """Sensitivity of the ROC curve at a specificity; points are joined by straight lines, as in pROC.

    Where the curve is vertical its upper end is taken. ``at`` is the specificity. There is no interval: it would need
    the density of the scores, or a bootstrap.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    specificity : float
        Between 0 and 1.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, `positive` is not a label, or `specificity` is not from 0 to 1.

    Examples
    --------
    >>> sensitivity_at_specificity([0, 0, 0, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8], 0.9).value
    0.5
    """
    return _height("sensitivity", binary(labels, scores, positive), specificity)


def specificity_at_sensitivity(
    labels: ArrayLike, scores: ArrayLike, sensitivity: float, *, positive: Hashable = 1
) -> Estimate:
    """Specificity of the ROC curve at a sensitivity; points are joined by straight lines, as in pROC.

    Where the curve is horizontal its left end is taken. ``at`` is the sensitivity. There is no interval: it would need
    the density of the scores, or a bootstrap.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    sensitivity : float
        Between 0 and 1.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, `positive` is not a label, or `sensitivity` is not from 0 to 1.

    Examples
    --------
    >>> round(specificity_at_sensitivity([0, 0, 0, 1, 1], [0.1, 0.4, 0.3, 0.35, 0.8], 0.75).value, 4)
    0.6667
    """
    return _height("specificity", binary(labels, scores, positive), sensitivity)


@dataclass(frozen=True)
class _Curve:
    """A curve as rising `across` and falling `up`: specificities and sensitivities, or the other way round.

    There is one point more than there are distinct scores; cases of the k-th score lie between points k and k + 1.
    """

    across: Floats
    up: Floats
    ranks: Integers
    positive: Booleans

    def height(self, x: float, *, before: bool) -> float:
        """Height at `x`; where the curve is vertical that just before it, or that just behind it."""
        k = int(np.searchsorted(self.across, x, side="left" if before else "right")) - (not before)
        if self.across[k] == x:
            return float(self.up[k])
        left = k - before
        step = (x - self.across[left]) / (self.across[left + 1] - self.across[left])
        return float(self.up[left] + step * (self.up[left + 1] - self.up[left]))

    def area_to(self, x: Floats) -> Floats:
        """Area between 0 and each `x`."""
        steps, drops = np.diff(self.across), np.diff(self.up)
        areas = np.concatenate([[0.0], np.cumsum(steps * (self.up[1:] + self.up[:-1]) / 2)])
        k = np.minimum(np.searchsorted(self.across, x, side="right"), len(steps)) - 1
        inside = x - self.across[k]
        slopes = np.divide(drops, steps, out=np.zeros_like(drops), where=steps > 0)
        return np.asarray(areas[k] + inside * (self.up[k] + slopes[k] * inside / 2), dtype=np.float64)

    def called_to(self, x: float) -> Floats:
        """Length between 0 and `x` where cases of each score are called positive, (m,) array."""
        left, right = self.across[:-1], self.across[1:]
        tied = np.clip(x - left, 0, right - left)
        lost = np.divide(tied**2, 2 * (right - left), out=np.zeros_like(tied), where=right > left)
        return np.asarray(np.minimum(x, right) - lost, dtype=np.float64)

    def kept_height(self, low: float, high: float) -> Floats:
        """Mean height between the points of each score, moved into the range from `low` to `high`, (m,) array."""
        before = np.minimum(self.across, low) * self.height(low, before=False)
        behind = np.maximum(self.across - high, 0) * self.height(high, before=True)
        area = before + self.area_to(np.clip(self.across, low, high)) + behind
        steps = np.diff(self.across)
        return np.divide(np.diff(area), steps, out=np.zeros_like(steps), where=steps > 0)


def _curve(ranked: Ranked, focus: Axis) -> _Curve:
    """The ROC curve with `focus` across."""
    if focus == "sensitivity":
        ranked = Ranked(~ranked.positive, -ranked.scores, ranked.names)
    cut, true_positive, false_positive = operating_counts(ranked)
    across = (false_positive[0] - false_positive) / false_positive[0]
    ranks = np.searchsorted(cut, ranked.scores[:, 0], side="right") - 1
    return _Curve(across, true_positive / true_positive[0], ranks, ranked.positive[:, 0])


def _height(metric: Axis, ranked: Ranked, x: float) -> Estimate:
    focus: Axis = "sensitivity" if metric == "specificity" else "specificity"
    if not (isinstance(x, Real) and 0 <= x <= 1):
        raise EvaluationError(f"{focus} is {x}; allowed are numbers from 0 to 1")
    reason = _no_curve(ranked)
    return Estimate(
        metric=metric,
        at=float(x),
        value=None if reason else _curve(ranked, focus).height(float(x), before=True),
        n=len(ranked.scores),
        n_pos=int(ranked.positive.sum()),
        reason=reason or "an interval of this number needs a bootstrap",
    )


def _no_curve(ranked: Ranked) -> str | None:
    n_pos = int(ranked.positive.sum())
    if 0 < n_pos < len(ranked.positive):
        return None
    return f"{'every' if n_pos else 'no'} case is of class {ranked.names[0]}"


def _mean_height(ranked: Ranked, focus: Axis, between: tuple[float, float], *, groups: Clusters) -> Influenced:
    """Mean height of the curve over a range, and the influence of each case on it."""
    if reason := _no_curve(ranked):
        return Influenced(None, reason=reason)
    (low, high), curve = between, _curve(ranked, focus)
    called = (curve.called_to(high) - curve.called_to(low))[curve.ranks] / (high - low)
    kept = curve.kept_height(low, high)[curve.ranks] / (high - low)
    value = float(np.diff(curve.area_to(np.array(between)))[0]) / (high - low)
    values = np.empty(len(called))
    for group, contributed in ((curve.positive, called), (~curve.positive, kept)):
        size = int(group.sum())
        units = size if groups.codes is None else len(np.unique(groups.codes[group]))
        if units == 1:
            return Influenced(
                value, values, "the variance needs two patients (or cases) with the class and two without"
            )
        own = contributed[group]
        values[group] = len(values) / size * (own - own.mean()) * np.sqrt(size / (size - 1))
    return Influenced(value, values)


def _rescaled(found: Estimate, low: float, high: float, *, corrected: bool) -> Estimate:
    """The area, or McClish's corrected area, from the mean height over a range."""
    shift, stretch = 0.0, high - low
    if corrected:
        chance = 1 - (low + high) / 2
        shift, stretch = 0.5 - 0.5 * chance / (1 - chance), 0.5 / (1 - chance)
        if found.value is not None and found.value < chance - _ROUNDING:
            reason = "the area is below that of chance, where McClish's correction is not defined"
            return found.model_copy(update={"value": None, "se": None, "low": None, "high": None, "reason": reason})
    ends = {"value": found.value, "low": found.low, "high": found.high}
    moved = {name: None if number is None else shift + stretch * number for name, number in ends.items()}
    return found.model_copy(update={**moved, "se": None if found.se is None else stretch * found.se})
