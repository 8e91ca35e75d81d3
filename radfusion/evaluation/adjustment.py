"""Adjusted P values within a family of tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from radfusion.core.registry import Registry
from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats

__all__ = ["ADJUSTMENTS", "adjust_comparisons", "adjust_pvalues"]

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
        ``"holm"`` or ``"bonferroni"`` (chance of any false finding), ``"bh"`` (share of false findings), ``"none"``.

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
    for family in dict.fromkeys(each.family for each in comparisons if each.role != "primary"):
        places = [k for k, each in enumerate(comparisons) if each.family == family and each.role != "primary"]
        values = adjust_pvalues([comparisons[k].p for k in places], method)
        for k, value in zip(places, values, strict=True):
            adjusted[k] = comparisons[k].model_copy(update={"p_adjusted": value, "adjustment": method})
    return adjusted
