"""Adjusted P values within a family of tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from radfusion.core.registry import Registry
from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats

__all__ = ["ADJUSTMENTS", "adjust_comparisons", "adjust_pvalues", "family_sizes"]

ADJUSTMENTS: Registry[Callable[[Floats], Floats]] = Registry("adjustment")


@ADJUSTMENTS.register("holm")
def _holm(ascending: Floats) -> Floats:
    m = len(ascending)
    return np.maximum.accumulate((m - np.arange(m)) * ascending)


@ADJUSTMENTS.register("bonferroni")
def _bonferroni(ascending: Floats) -> Floats:
    return len(ascending) * ascending


@ADJUSTMENTS.register("bh")
def _benjamini_hochberg(ascending: Floats) -> Floats:
    m = len(ascending)
    return np.minimum.accumulate((m / np.arange(1, m + 1) * ascending)[::-1])[::-1]


@ADJUSTMENTS.register("hochberg")
def _hochberg(ascending: Floats) -> Floats:
    m = len(ascending)
    return np.minimum.accumulate(((m - np.arange(m)) * ascending)[::-1])[::-1]


@ADJUSTMENTS.register("hommel")
def _hommel(ascending: Floats) -> Floats:
    """Largest P of Simes' test among the sets that hold a hypothesis: of each size, it with the largest others."""
    m = len(ascending)
    adjusted = ascending
    for size in range(2, m + 1):
        first, rest = ascending[m - size], ascending[m - size + 1 :]
        others = (size / np.arange(2, size + 1) * rest).min()
        own = np.where(np.arange(m) < m - size, ascending, first)
        adjusted = np.maximum(adjusted, np.minimum(size * own, others))
    return adjusted


@ADJUSTMENTS.register("by")
def _benjamini_yekutieli(ascending: Floats) -> Floats:
    return float((1 / np.arange(1, len(ascending) + 1)).sum()) * _benjamini_hochberg(ascending)


@ADJUSTMENTS.register("none")
def _none(ascending: Floats) -> Floats:
    return ascending


def adjust_pvalues(p: Sequence[float | None], method: str = "holm") -> list[float | None]:
    """P values adjusted for their number, in the order given.

    Parameters
    ----------
    p : sequence of float or None
        P values; None (a test that could not be made) stays None and is not counted.
    method : str
        ``"holm"`` or ``"bonferroni"`` (chance of any false finding), ``"hochberg"`` or ``"hommel"`` (the same with more
        power, for independent or positively dependent tests), ``"bh"`` (share of false findings, for such tests),
        ``"by"`` (the same for any tests), ``"none"``.

    Raises
    ------
    EvaluationError
        When a value is not between 0 and 1.
    UnknownNameError
        When there is no such method.

    References
    ----------
    .. [1] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
    .. [2] Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995;57:289-300.
       doi:10.1111/j.2517-6161.1995.tb02031.x
    .. [3] Hochberg Y. A sharper Bonferroni procedure for multiple tests of significance. Biometrika 1988;75:800-802.
       doi:10.1093/biomet/75.4.800
    .. [4] Hommel G. A stagewise rejective multiple test procedure based on a modified Bonferroni test. Biometrika
       1988;75:383-386. doi:10.1093/biomet/75.2.383
    .. [5] Benjamini Y, Yekutieli D. The control of the false discovery rate in multiple testing under dependency. Ann
       Stat 2001;29:1165-1188. doi:10.1214/aos/1013699998

    Examples
    --------
    >>> adjust_pvalues([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    adjust = ADJUSTMENTS[method]
    places = [index for index, value in enumerate(p) if value is not None]
    values = np.asarray([value for value in p if value is not None], dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise EvaluationError(f"P values {list(p)}; allowed are numbers from 0 to 1, and None for a test not made")
    order = np.argsort(values, kind="stable")
    adjusted: list[float | None] = [None] * len(p)
    for place, value in zip(order, np.minimum(1.0, adjust(values[order])), strict=True):
        adjusted[places[place]] = float(value)
    return adjusted


def adjust_comparisons(comparisons: Sequence[Comparison], method: str = "holm") -> list[Comparison]:
    """The comparisons in the order given, with P values adjusted within each family.

    A comparison whose role is primary was declared beforehand: it is not adjusted and counts in no family.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Comparisons with ``family`` and ``role`` filled in.
    method : str
        As in :func:`adjust_pvalues`.
    """
    adjusted = [
        each.model_copy(update={"p_adjusted": each.p, "adjustment": "none"}) if each.role == "primary" else each
        for each in comparisons
    ]
    for places in _families(comparisons).values():
        values = adjust_pvalues([comparisons[k].p for k in places], method)
        for k, value in zip(places, values, strict=True):
            adjusted[k] = comparisons[k].model_copy(update={"p_adjusted": value, "adjustment": method})
    return adjusted


def family_sizes(comparisons: Sequence[Comparison]) -> dict[str, int]:
    """Number of tests that the P values of each family are adjusted for: those made, without primary ones.

    Parameters
    ----------
    comparisons : sequence of Comparison
        All comparisons of a study.

    Examples
    --------
    >>> made, not_made = (Comparison(test="t", metric="auc", difference=0, p=p, family="arms") for p in (0.2, None))
    >>> family_sizes([made, made, not_made])
    {'arms': 2}
    """
    return {
        family: sum(comparisons[k].p is not None for k in places) for family, places in _families(comparisons).items()
    }


def _families(comparisons: Sequence[Comparison]) -> dict[str, list[int]]:
    """Places of the comparisons of each family, without primary ones."""
    places: dict[str, list[int]] = {}
    for k, each in enumerate(comparisons):
        if each.role != "primary":
            places.setdefault(each.family, []).append(k)
    return places
