"""What a metric of a whole set is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from radfusion.core.registry import Registry
from radfusion.core.results import Estimate

__all__ = ["METRICS", "Metric", "ScoredSet"]


@dataclass(frozen=True)
class ScoredSet:
    """One set's reference classes and one model's probabilities.

    Attributes
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Probability of each class.
    classes : tuple of K names
        Classes, in the order of the columns.
    patients : (n,) array or None
        Patient of each case.
    level : float
        Confidence level of the intervals.
    thresholds : mapping of class to float or None
        Threshold of a class, fixed on other data; None where there is no usable one.
    """

    labels: ArrayLike
    probabilities: ArrayLike
    classes: tuple[Hashable, ...]
    patients: ArrayLike | None = None
    level: float = 0.95
    thresholds: Mapping[Any, float | None] = field(default_factory=dict)


Metric = Callable[[ScoredSet], list[Estimate]]

#: Metrics of a set; every one is estimated on every set.
METRICS: Registry[Metric] = Registry("metric")
