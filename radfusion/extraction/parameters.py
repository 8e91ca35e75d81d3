"""What PyRadiomics is asked to compute, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Parameters"]


@dataclass(frozen=True)
class Parameters:
    """A parameter set of PyRadiomics, as its parameter files have it.

    Attributes
    ----------
    image_types : mapping of str to mapping
        PyRadiomics' names of filters with their own settings: ``{"Original": {}, "LoG": {"sigma": [1.0, 2.0]}}``.
    feature_classes : mapping of str to tuple of str
        Names of feature classes with the wanted features; an empty tuple takes all that are on by default.
    settings : mapping of str to Any
        Settings that hold for all filters: ``{"binWidth": 25, "normalize": True}``.
    """

    image_types: Mapping[str, Mapping[str, Any]]
    feature_classes: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any] = field(default_factory=dict)
