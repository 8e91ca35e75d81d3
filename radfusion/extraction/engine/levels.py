"""Grey levels of a region: found once per response, used by every family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.extraction.grey_levels import advise_bin_width

__all__ = ["MAX_GREY_LEVELS", "GreyLevels", "grey_levels"]

#: Above this texture matrices take minutes and say nothing: a 16-bit film at bin width 25 has some 2,600 levels.
MAX_GREY_LEVELS = 512


@dataclass(frozen=True)
class GreyLevels:
    """Discretised intensities of a region.

    Attributes
    ----------
    image : array of int
        Level of each pixel inside the region, 1 for the darkest; 0 outside.
    counts : (Ng,) array of int
        Pixels of each level, from level 1 to the highest that occurs.
    """

    image: NDArray[np.int_]
    counts: NDArray[np.int_]

    @property
    def highest(self) -> int:
        """Highest level that occurs: PyRadiomics' Ng."""
        return len(self.counts)

    @property
    def present(self) -> NDArray[np.int_]:
        """Levels that occur."""
        return np.flatnonzero(self.counts) + 1


def grey_levels(
    response: NDArray[Any], roi: NDArray[np.bool_], settings: Mapping[str, Any], *, title: str
) -> GreyLevels:
    """Discretise as PyRadiomics does, after the number of levels was predicted.

    Parameters
    ----------
    response, roi : arrays of the same shape
        Intensities and the region.
    settings : mapping
        PyRadiomics' ``binWidth`` (25 when absent) or ``binCount``, which wins.
    title : str
        Name of the response for a message.

    Raises
    ------
    CaseError
        When there would be more than 512 grey levels.
    """
    inside = response[roi]
    low, high = inside.min(), inside.max()
    if isinstance(low, np.integer):  # sums of 8 bits would wrap, in PyRadiomics without a word
        low, high = int(low), int(high)
    found = np.digitize(inside, _edges(low, high, settings, title=title))
    counts = np.bincount(found)
    if counts[0]:
        raise CaseError(f"{counts[0]} pixels of the {title} image fall into no grey level", stage="radiomics")
    image = np.zeros(response.shape, dtype=np.int_)
    image[roi] = found
    return GreyLevels(image, counts[1:])


def _edges(low: Any, high: Any, settings: Mapping[str, Any], *, title: str) -> NDArray[np.floating]:
    """Bin edges of PyRadiomics, in the precision of the response: they depend on its lowest and highest value alone."""
    count, width = settings.get("binCount"), settings.get("binWidth", 25)
    levels = int(count) if count else int(float(high) // width - float(low) // width) + 1
    if levels > MAX_GREY_LEVELS:
        asked = f"binCount {count}" if count else f"binWidth {width:g}"
        advised = advise_bin_width(float(low), float(high))
        raise CaseError(
            f"{asked} gives {levels} grey levels in the {title} image (values {low:g} to {high:g}); "
            f"at most {MAX_GREY_LEVELS} are allowed: set binWidth near {advised:g}, or a binCount",
            stage="radiomics",
        )
    if count:
        edges = np.histogram_bin_edges(np.array([low, high]), count)
        edges[-1] += 1  # so that the highest value falls into the last bin
        return edges
    # At least two edges: the last lies between one and two widths above the highest value.
    return np.arange(low - (low % width), high + 2 * width, width)
