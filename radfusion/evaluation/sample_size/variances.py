"""Variances of areas under the curve that a study yet to be made would have, per positive case."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Clusters, Floats, Ranked, binary
from radfusion.evaluation.delong import influence_of
from radfusion.evaluation.threshold_rules import operating_counts

__all__ = ["PairedDesign", "binormal_design", "binormal_pilot", "delong_pilot", "single_variances"]


@dataclass(frozen=True)
class PairedDesign:
    """The difference of two areas on the same cases, and its variance in a study of one positive case.

    Attributes
    ----------
    difference : float
        Area a minus area b.
    variance, null_variance : float
        Variance of the difference times the number of positive cases: as it is, and as the test takes it when it says
        what is significant. Tests that estimate the variance from the data, as DeLong's does, have one for both.
    ratio : float
        Negative cases per positive case.
    n_positive : int or None
        Positive cases of the pilot study; None without one.
    """

    difference: float
    variance: float
    null_variance: float
    ratio: float
    n_positive: int | None = None


def delong_pilot(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    positive: Hashable = 1,
    null: Literal["delong", "proc"] = "delong",
) -> PairedDesign:
    """Design from a pilot study by DeLong's variances.

    pROC's ``power.roc.test`` takes 2 Var(a) - 2 Cov(a, b) for the null variance, which depends on which curve is a:
    where a is much the better one, its sizes are too small for DeLong's test. ``null="proc"`` gives its numbers.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores_a, scores_b : (n,) array
        Scores of the two models; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.
    null : {"delong", "proc"}
        The null variance: that of DeLong's test, or pROC's.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or one of the two groups has fewer than two cases.

    References
    ----------
    .. [1] Obuchowski NA, McClish DK. Sample size determination for diagnostic accuracy studies involving binormal ROC
       curve indices. Stat Med 1997;16:1529-1542.
       doi:10.1002/(SICI)1097-0258(19970715)16:13<1529::AID-SIM565>3.0.CO;2-H

    Examples
    --------
    >>> design = delong_pilot([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [2, 1, 6, 5, 3, 4])
    >>> round(design.difference, 4), design.ratio
    (0.2222, 1.0)
    """
    if null not in ("delong", "proc"):
        raise EvaluationError(f"null is {null!r}; allowed are 'delong' and 'proc'")
    ranked = _pilot(labels, scores_a, scores_b, positive=positive)
    a, b = (influence_of(each, Clusters()) for each in ranked)
    n_positive = int(a.n_positive[0])
    of_a, of_b = a.values[:, 0], b.values[:, 0]
    scale, difference = n_positive / a.n**2, of_a - of_b
    variance = scale * float(difference @ difference)
    return PairedDesign(
        float(a.aucs[0] - b.aucs[0]),
        variance,
        2 * scale * float(of_a @ difference) if null == "proc" else variance,
        (a.n - n_positive) / n_positive,
        n_positive,
    )


def binormal_pilot(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, *, positive: Hashable = 1
) -> PairedDesign:
    """Design from a pilot study by :func:`binormal_design`; the difference is that of the empirical areas.

    A and B of each curve are those of a least-squares line through its points on normal scales, sensitivity against
    1 - specificity. (pROC 1.18 fits specificity on sensitivity instead, which exchanges the groups: its variances are
    wrong where their spread or number differs.)

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores_a, scores_b : (n,) array
        Scores of the two models; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, a group has fewer than two cases, or a curve has too few points.

    Examples
    --------
    >>> design = binormal_pilot([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 4, 6, 3, 5, 7, 8], [1, 3, 4, 7, 2, 5, 6, 8])
    >>> round(design.difference, 4), round(design.variance, 4)
    (0.125, 0.01)
    """
    a, b = _pilot(labels, scores_a, scores_b, positive=positive)
    cases = a.positive[:, 0]
    aucs = [float(influence_of(each, Clusters()).aucs[0]) for each in (a, b)]
    correlations = [
        float(np.corrcoef(a.scores[group, 0], b.scores[group, 0])[0, 1])
        if np.ptp(a.scores[group, 0]) and np.ptp(b.scores[group, 0])
        else 0.0
        for group in (cases, ~cases)
    ]
    design = binormal_design(
        _line(a),
        _line(b),
        correlation_positive=correlations[0],
        correlation_negative=correlations[1],
        difference=aucs[0] - aucs[1],
        ratio=float((~cases).sum() / cases.sum()),
    )
    return PairedDesign(**{**vars(design), "n_positive": int(cases.sum())})


def binormal_design(
    a: tuple[float, float],
    b: tuple[float, float],
    *,
    correlation_positive: float,
    correlation_negative: float,
    difference: float | None = None,
    ratio: float = 1.0,
) -> PairedDesign:
    """Design from the parameters of two binormal ROC curves.

    A curve is sensitivity = Phi(A + B Phi^-1(1 - specificity)), its area Phi(A / sqrt(1 + B^2)). The variance is that
    of maximum likelihood, a little below DeLong's. (pROC 1.18 leaves out the covariance of A and B of one curve, and
    takes another null variance: errors that pull its sizes to opposite sides.)

    Parameters
    ----------
    a, b : tuple of two float
        (A, B) of each curve.
    correlation_positive, correlation_negative : float
        Correlation of the two scores among positive and among negative cases.
    difference : float, optional
        Difference of the areas; from the curves where None.
    ratio : float
        Negative cases per positive case.

    Raises
    ------
    EvaluationError
        When a correlation is not between -1 and 1, or B or the ratio is not positive.

    References
    ----------
    .. [1] Obuchowski NA, McClish DK. Stat Med 1997;16:1529-1542.
       doi:10.1002/(SICI)1097-0258(19970715)16:13<1529::AID-SIM565>3.0.CO;2-H

    Examples
    --------
    >>> design = binormal_design((2.6, 1), (1.9, 1), correlation_positive=0.6, correlation_negative=0.6)
    >>> round(design.difference, 4), round(design.variance, 4)
    (0.0566, 0.0284)
    """
    if min(a[1], b[1], ratio) <= 0:
        raise EvaluationError(f"B and ratio are {a[1]:.4g}, {b[1]:.4g} and {ratio:.4g}; allowed are positive numbers")
    if max(abs(correlation_positive), abs(correlation_negative)) > 1:
        raise EvaluationError(
            f"the correlations are {correlation_positive:.4g} and {correlation_negative:.4g}; allowed is -1 to 1"
        )
    found = difference if difference is not None else _binormal_auc(*a) - _binormal_auc(*b)
    own_a, own_b = (_covariance(each, each, 1.0, 1.0, ratio=ratio) for each in (a, b))
    variance = own_a + own_b - 2 * _covariance(a, b, correlation_positive, correlation_negative, ratio=ratio)
    return PairedDesign(found, variance, variance, ratio)


def single_variances(auc: float, ratio: float) -> tuple[float, float]:
    """Variance of one area times the number of positive cases: at an area of 0.5, and at `auc`.

    Obuchowski's approximation for ratings, with the rounded constants of the paper and of pROC.

    References
    ----------
    .. [1] Obuchowski NA, Lieber ML, Wians FH. ROC curves in clinical chemistry: uses, misuses, and possible solutions.
       Clin Chem 2004;50:1118-1125. doi:10.1373/clinchem.2004.031823
    """
    a = 1.414 * float(ndtri(auc))
    spread = (5 * a**2 + 8) + (a**2 + 8) / ratio
    return 0.0792 * (1 + 1 / ratio), 0.0099 * float(np.exp(-(a**2) / 2)) * spread


def _covariance(  # noqa: PLR0917 - two curves and their two correlations
    a: tuple[float, float], b: tuple[float, float], positive: float, negative: float, *, ratio: float
) -> float:
    """Covariance of two binormal areas whose scores have the given correlations, times the number of positive cases."""
    (a1, b1), (a2, b2) = a, b
    (f1, g1), (f2, g2) = _slopes(a1, b1), _slopes(a2, b2)
    means = positive + negative * b1 * b2 / ratio + positive**2 * a1 * a2 / 2
    spreads = b1 * b2 * (negative**2 + ratio * positive**2) / (2 * ratio)
    return f1 * f2 * means + g1 * g2 * spreads + positive**2 / 2 * (f1 * g2 * a1 * b2 + f2 * g1 * a2 * b1)


def _slopes(a: float, b: float) -> tuple[float, float]:
    """Derivatives of a binormal area by A and by B."""
    slope = float(np.exp(-(a**2) / (2 * (1 + b**2))) / np.sqrt(2 * np.pi * (1 + b**2)))
    return slope, -slope * a * b / (1 + b**2)


def _binormal_auc(a: float, b: float) -> float:
    return float(ndtr(a / np.sqrt(1 + b**2)))


def _pilot(labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, *, positive: Hashable) -> tuple[Ranked, Ranked]:
    ranked = binary(labels, scores_a, positive, name="scores_a"), binary(labels, scores_b, positive, name="scores_b")
    count, n = int(ranked[0].positive.sum()), len(ranked[0].positive)
    if min(count, n - count) < 2:
        raise EvaluationError(
            f"{count} of {n} cases are of class {ranked[0].names[0]}; a pilot needs two that are, and two that are not"
        )
    return ranked


def _line(ranked: Ranked) -> tuple[float, float]:
    """A and B: the least-squares line through the points of the curve inside the unit square, on normal scales."""
    _, true_positive, false_positive = operating_counts(ranked)
    points: Floats = np.stack([false_positive / false_positive[0], true_positive / true_positive[0]])
    x, y = ndtri(points[:, ((points > 0) & (points < 1)).all(axis=0)])
    if len(x) < 2 or not np.ptp(x) or not np.ptp(y):
        raise EvaluationError("a curve has fewer than two points inside the unit square; a binormal curve needs two")
    slope, height = np.polyfit(x, y, 1)
    return float(height), float(slope)
