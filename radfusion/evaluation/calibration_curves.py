"""Calibration drawn and summed up without a model: smooth and binned curves, their distances, Hosmer and Lemeshow."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from radfusion.core.results import Comparison, Curve, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Floats, Integers, Ranked, risks
from radfusion.evaluation.local_regression import loess, loess_direct, lowess

__all__ = [
    "calibration_curve",
    "calibration_errors",
    "expected_calibration_error",
    "hosmer_lemeshow_test",
    "smooth_errors",
]

Smoother = Literal["loess", "loess_direct", "lowess"]

_SMOOTHERS: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "loess": loess,
    "loess_direct": loess_direct,
    "lowess": lowess,
}
_GRID = 101
# Local quadratics need as many distinct risks, and as many cases among three quarters.
_FEWEST, _FEWEST_CASES = 3, 4


def calibration_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    positive: Hashable = 1,
    smoother: Smoother | Literal["bins"] = "loess",
    n_bins: int = 10,
) -> Curve:
    """Observed share of positive cases (y) against the risk (x).

    The smooth curves are given at 101 evenly spaced risks from the lowest to the highest; they may leave 0 to 1, as in
    R. ``"bins"`` gives the mean risk and the observed share of each bin of equal width that holds a case.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class, as it is (0 and 1 are allowed).
    positive : object
        The label of the positive class; the others are the rest.
    smoother : {"loess", "loess_direct", "lowess", "bins"}
        R's ``loess`` (span 0.75, local quadratics), interpolated as R does by default or computed at every risk, which
        takes time with the square of n; R's ``lowess`` without robustness steps, as ``rms::val.prob`` has it; or bins.
    n_bins : int
        Number of bins from 0 to 1, each open below and closed above.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, `positive` is not a label, or there are fewer than four
        cases or three different risks (no smooth curve).

    References
    ----------
    .. [1] Austin PC, Steyerberg EW. Graphical assessment of internal and external calibration of logistic regression
       models by using loess smoothers. Stat Med 2014;33:517-535. doi:10.1002/sim.5941

    Examples
    --------
    >>> curve = calibration_curve([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9], smoother="bins", n_bins=2)
    >>> [round(each, 3) for each in curve.x], [round(each, 3) for each in curve.y]
    ([0.2, 0.733], [0.333, 0.667])
    """
    ranked = risks(labels, probabilities, positive)
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    if smoother == "bins":
        count, mean, share = _bins(y, p, n_bins)
        x, smooth = mean[count > 0], share[count > 0]
    else:
        if reason := _no_curve(p):
            raise EvaluationError(f"there is no calibration curve: {reason}")
        x = np.linspace(p.min(), p.max(), _GRID)
        smooth = _smoother(smoother)(p, y.astype(np.float64), x)
    return Curve(kind="calibration", x=tuple(x.tolist()), y=tuple(smooth.tolist()))


def calibration_errors(
    labels: ArrayLike, probabilities: ArrayLike, *, positive: Hashable = 1, smoother: Smoother = "loess"
) -> list[Estimate]:
    """Distances of the risks from the smooth calibration curve, over the cases.

    In this order: ``ici`` (integrated calibration index, the mean distance), ``e50``, ``e90`` and ``emax`` (its median,
    90 % point and maximum), and ``eci`` (estimated calibration index, 100 times the mean squared distance). All are
    positive for risks that are right, more so with fewer cases, and have no interval in closed form.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class, as it is (0 and 1 are allowed).
    positive : object
        The label of the positive class; the others are the rest.
    smoother : {"loess", "loess_direct", "lowess"}
        As in :func:`calibration_curve`; with ``"lowess"`` the first, third and fourth are eavg, e90 and emax of
        ``rms::val.prob``.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, or `positive` is not a label.

    References
    ----------
    .. [1] Austin PC, Steyerberg EW. The Integrated Calibration Index (ICI) and related metrics for quantifying the
       calibration of logistic regression models. Stat Med 2019;38:4051-4065. doi:10.1002/sim.8281
    .. [2] Van Hoorde K, Van Huffel S, Timmerman D, et al. A spline-based tool to assess and visualize the calibration
       of multiclass risk predictions. J Biomed Inform 2015;54:283-293. doi:10.1016/j.jbi.2014.12.016

    Examples
    --------
    >>> for each in calibration_errors([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9], smoother="lowess")[:2]:
    ...     print(each.metric, round(each.value, 4))
    ici 0.164
    e50 0.1155
    """
    return smooth_errors(risks(labels, probabilities, positive), smoother)


def smooth_errors(ranked: Ranked, smoother: Smoother = "loess") -> list[Estimate]:
    """:func:`calibration_errors` of one class of checked inputs."""
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    names = ("ici", "e50", "e90", "emax", "eci")
    n, n_pos = len(p), int(y.sum())
    if reason := _no_curve(p):
        return [Estimate(metric=name, value=None, reason=reason, n=n, n_pos=n_pos) for name in names]
    distance = np.abs(_smoother(smoother)(p, y.astype(np.float64), p) - p)
    e50, e90 = _quantiles(distance, np.array([0.5, 0.9]))
    values = (distance.mean(), e50, e90, distance.max(), 100 * (distance**2).mean())
    return [
        Estimate(metric=name, value=float(value), n=n, n_pos=n_pos) for name, value in zip(names, values, strict=True)
    ]


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, positive: Hashable = 1, n_bins: int = 10
) -> list[Estimate]:
    """Mean (``ece``) and greatest (``mce``) distance between observed share and mean risk over bins of equal width.

    The mean weighs each bin by its cases. Both depend on the bins and are positive for risks that are right: the
    numbers of the smooth curve (:func:`calibration_errors`) are to be preferred.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class.
    positive : object
        The label of the positive class; the others are the rest.
    n_bins : int
        Number of bins from 0 to 1, each open below and closed above.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, `positive` is not a label, or `n_bins` is below 1.

    Examples
    --------
    >>> [round(each.value, 4) for each in expected_calibration_error([0, 1, 0, 1], [0.15, 0.2, 0.3, 0.6])]
    [0.3375, 0.4]
    """
    return binned_errors(risks(labels, probabilities, positive), n_bins)


def binned_errors(ranked: Ranked, n_bins: int = 10) -> list[Estimate]:
    """:func:`expected_calibration_error` of one class of checked inputs."""
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    count, mean, share = _bins(y, p, n_bins)
    distance = np.abs(mean - share)
    values = (float(count @ distance) / len(p), float(distance.max()))
    return [
        Estimate(metric=name, value=value, n=len(p), n_pos=int(y.sum()))
        for name, value in zip(("ece", "mce"), values, strict=True)
    ]


def hosmer_lemeshow_test(
    labels: ArrayLike, probabilities: ArrayLike, *, positive: Hashable = 1, n_groups: int = 10, fitted: bool = False
) -> Comparison:
    """Hosmer and Lemeshow's chi-squared test of observed against expected counts by groups of risk.

    Never report it alone: it depends on the groups, has little power in small samples, rejects trifles in large ones,
    and says nothing of the direction or size of miscalibration. Intercept, slope and curve do.

    Groups are bounded by quantiles of the risks (R's type 7), each closed above. The degrees of freedom are
    ``n_groups`` on cases that the model has not seen, and ``n_groups - 2`` on those that it was fitted on, as in R's
    ``ResourceSelection::hoslem.test``, even where ties leave fewer groups.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n,) array
        Risk of the positive class.
    positive : object
        The label of the positive class; the others are the rest.
    n_groups : int
        Number of groups asked for, at least 3.
    fitted : bool
        Whether the model was fitted on these cases: then two degrees of freedom are lost.

    Raises
    ------
    EvaluationError
        When lengths differ, a risk is not between 0 and 1, `positive` is not a label, or `n_groups` is below 3.

    References
    ----------
    .. [1] Hosmer DW, Lemeshow S. Goodness of fit tests for the multiple logistic regression model. Commun Stat Theory
       Methods 1980;9:1043-1069. doi:10.1080/03610928008827941

    Examples
    --------
    >>> found = hosmer_lemeshow_test([0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9], n_groups=3)
    >>> round(found.statistic, 4), found.df
    (3.0668, 3.0)
    """
    ranked = risks(labels, probabilities, positive)
    if n_groups < 3:
        raise EvaluationError(f"n_groups is {n_groups}; allowed are 3 or more")
    y, p = ranked.positive[:, 0], ranked.scores[:, 0]
    bare = Comparison(test="hosmer_lemeshow", metric="calibration", difference=None, n=len(p))
    breaks = np.unique(_quantiles(p, _evenly(n_groups)))
    if len(breaks) < 3:
        return bare.model_copy(update={"reason": "the quantiles of the risks leave fewer than two groups"})
    count, observed, expected = _totals(y, p, breaks)
    if (expected == 0).any() or (expected == count).any():
        return bare.model_copy(update={"reason": "a group has an expected count of 0: the statistic is not defined"})
    statistic = float(((observed - expected) ** 2 * (1 / expected + 1 / (count - expected))).sum())
    df = float(n_groups - 2 if fitted else n_groups)
    return bare.model_copy(update={"statistic": statistic, "df": df, "p": float(chdtrc(df, statistic))})


def _smoother(name: str) -> Callable[[Floats, Floats, Floats], Floats]:
    if name not in _SMOOTHERS:
        raise EvaluationError(f"smoother is {name!r}; allowed are {', '.join(map(repr, _SMOOTHERS))}")
    return _SMOOTHERS[name]


def _no_curve(p: Floats) -> str | None:
    if len(p) < _FEWEST_CASES:
        return f"a smooth curve needs {_FEWEST_CASES} cases; there are {len(p)}"
    if (distinct := len(np.unique(p))) < _FEWEST:
        return f"a smooth curve needs {_FEWEST} different risks; there are {distinct}"
    return None


def _bins(y: Booleans, p: Floats, n_bins: int) -> tuple[Integers, Floats, Floats]:
    """Cases, mean risk and observed share of bins of equal width; 0 where there is no case."""
    if n_bins < 1:
        raise EvaluationError(f"n_bins is {n_bins}; allowed are 1 or more")
    count, observed, expected = _totals(y, p, _evenly(n_bins), empty=True)
    held = np.maximum(count, 1)
    return count, expected / held, observed / held


def _totals(y: Booleans, p: Floats, breaks: Floats, *, empty: bool = False) -> tuple[Integers, Floats, Floats]:
    """Cases, positive cases and sum of the risks between breaks, each open below (but the first) and closed above."""
    place = np.clip(np.searchsorted(breaks, p, side="left") - 1, 0, len(breaks) - 2)
    count = np.bincount(place, minlength=len(breaks) - 1)
    observed, expected = (
        np.bincount(place, weights=each, minlength=len(breaks) - 1).astype(np.float64) for each in (y, p)
    )
    kept = (count > 0) | empty
    return count[kept], observed[kept], expected[kept]


def _evenly(parts: int) -> Floats:
    """Limits of equal parts of 0 to 1, as R's ``seq(0, 1, 1 / parts)`` rounds them."""
    return np.asarray(np.arange(parts + 1) * (1 / parts), dtype=np.float64)


def _quantiles(values: Floats, shares: Floats) -> Floats:
    """R's type 7, with R's order of rounding: groups are bounded by cases, and a last digit moves one."""
    ordered = np.sort(values)
    index = (len(ordered) - 1) * shares + 1
    low = np.floor(index)
    h = index - low
    below = ordered[low.astype(np.int64) - 1]
    above = ordered[np.minimum(np.ceil(index).astype(np.int64), len(ordered)) - 1]
    return np.asarray(np.where((h > 0) & (above != below), (1 - h) * below + h * above, below), dtype=np.float64)
