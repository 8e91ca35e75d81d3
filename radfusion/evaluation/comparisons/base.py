"""What a comparison of two models is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from radfusion.core.registry import Registry
from radfusion.core.results import Comparison
from radfusion.evaluation.metrics.base import ScoredSet

__all__ = ["COMPARISONS", "Compare", "ScoredPair"]


@dataclass(frozen=True)
class ScoredPair:
    """Two models to be compared.

    Attributes
    ----------
    a, b : ScoredSet
        Labels and probabilities of each, with the same classes.
    paired : bool
        True where rows of `a` and `b` are the same cases in the same order; False where all cases and patients differ.
    """

    a: ScoredSet
    b: ScoredSet
    paired: bool


Compare = Callable[[ScoredPair], list[Comparison]]

#: Tests between two models: one comparison, or one per class.
COMPARISONS: Registry[Compare] = Registry("comparison")
