"""Which arms are compared: decided before any result is seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

__all__ = ["planned_comparisons"]


def planned_comparisons(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of arms that every study compares, decided before any result is seen.

    Weights sources within each kind of arm, then fused arms against their parts.

    Examples
    --------
    >>> planned_comparisons(["radiomics", "deep-a", "early-a"])
    [('early-a', 'radiomics'), ('early-a', 'deep-a'), ('deep-a', 'radiomics')]
    """
    kinds = ("early", "late", "deep")
    sources = [arm.removeprefix("deep-") for arm in arms if arm.startswith("deep-")]
    wanted = [(f"{kind}-{a}", f"{kind}-{b}") for kind in kinds for a, b in combinations(sources, 2)]
    for source in sources:
        early, late, deep = (f"{kind}-{source}" for kind in kinds)
        wanted += [(early, "radiomics"), (early, deep), (late, "radiomics"), (late, deep), (early, late)]
        wanted += [(deep, "radiomics")]
    return [(a, b) for a, b in wanted if a in arms and b in arms]
