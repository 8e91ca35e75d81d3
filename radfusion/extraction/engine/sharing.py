"""Which regions of an image share a filtered image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from radfusion.extraction.engine.filters import Filter, box_needed
from radfusion.extraction.engine.regions import Plane, Region
from radfusion.imaging.geometry import Box, box_shape

__all__ = ["Group", "groups_of"]


@dataclass(frozen=True)
class Group:
    """Regions whose filtered image is made at once.

    Attributes
    ----------
    box : tuple of slice
        Box around all of them.
    members : tuple of int
        Their places in the list of regions.
    """

    box: Box
    members: tuple[int, ...]


def groups_of(run: Filter, regions: Sequence[Region]) -> list[Group]:
    """Groups of regions of one image whose parts are cheaper filtered together than one by one.

    A region joins a group when the part that the filter sees for both has fewer pixels than their two parts.
    """
    groups: list[Group] = []
    for number, region in enumerate(regions):
        new = Group(region.box, (number,))
        for other in list(groups):
            if regions[other.members[0]].plane is not region.plane:
                continue
            union = Group(_union(new.box, other.box), (*other.members, *new.members))
            if _cost(run, union, region.plane) < _cost(run, new, region.plane) + _cost(run, other, region.plane):
                groups.remove(other)
                new = union
        groups.append(new)
    return groups


def _cost(run: Filter, group: Group, plane: Plane) -> int:
    return math.prod(box_shape(box_needed(run, plane, group.box)))


def _union(one: Box, other: Box) -> Box:
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
