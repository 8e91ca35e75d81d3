"""Closed contours in patient coordinates to the pixels of an image.

Contours are drawn in planes of the image: slices, or (of an image that was reformatted) rows or columns. All contours
of a plane are filled together. Planes without a contour stay empty: nothing is interpolated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.geometry import Grid
from radfusion.imaging.segmentations._contours import filled
from radfusion.imaging.segmentations._fitting import pasted
from radfusion.imaging.segmentations.base import Drawn
from radfusion.imaging.settings import ImagingSettings

__all__ = ["drawn_on"]

_Points = NDArray[np.float64]
_AXES = ("slices", "rows", "columns")
_BETWEEN = 0.5
_LISTED = 8


def drawn_on(grid: Grid, contours: Sequence[_Points], *, name: str, settings: ImagingSettings) -> Drawn:
    """Region within contours.

    Parameters
    ----------
    grid : Grid
        Where the pixels of the image lie, in a space of three axes.
    contours : sequence of (n, 3) array
        Corners in mm (z, y, x).
    name : str
        Name of the segmentation file, for messages.
    settings : ImagingSettings
        How far from a slice a contour may lie, and whether the nearest slice takes it.

    Raises
    ------
    CaseError
        When contours lie between slices, across them, or all outside the image.
    """
    matrix, origin = grid.affine()
    inverse = np.linalg.inv(matrix)
    # The even-odd rule would make a hole of a contour that is written twice.
    given, contours = len(contours), list({points.tobytes(): points for points in contours}.values())
    numbered = [(points - origin) @ inverse.T for points in contours]
    planes = _Planes.of(numbered, (1,) * (3 - len(grid.shape)) + grid.shape, tolerance=settings.geometry_tolerance)
    _check_flat(planes, name, settings)
    roi, inside, beyond = _filled(planes)
    if not inside:
        raise CaseError(f"{name}: {_nothing(contours, numbered, grid)}", stage="segmentation")
    facts = planes.facts()
    if len(contours) < given:
        facts["contours_repeated"] = f"{given - len(contours)}, each counted once"
    return Drawn(roi.reshape(grid.shape), facts, beyond / (inside + beyond))


def _nothing(contours: Sequence[_Points], numbered: Sequence[_Points], grid: Grid) -> str:
    """Why contours have no pixel of the image."""
    size = np.array((1,) * (3 - len(grid.shape)) + grid.shape)
    corners = np.concatenate(list(numbered))
    if ((corners > -_BETWEEN) & (corners < size - _BETWEEN)).all(axis=1).any():
        return f"the {len(contours)} contours enclose no pixel centre; is the structure smaller than a pixel?"
    corners = np.concatenate(list(contours))
    span = "; ".join(f"{low:.5g} to {high:.5g}" for low, high in zip(corners.min(0), corners.max(0), strict=True))
    described = "; ".join(f"{what} {text}" for what, text in grid.described().items())
    return f"all {len(contours)} contours lie outside the image; they span {span} mm (z; y; x); image: {described}"


@dataclass(frozen=True)
class _Planes:
    """Contours by the plane that they lie in."""

    shape: tuple[int, ...]
    axis: int
    bend: float
    contours: Mapping[float, list[_Points]]
    tolerance: float

    @classmethod
    def of(cls, numbered: Sequence[_Points], shape: tuple[int, ...], *, tolerance: float) -> _Planes:
        """Sort contours by their place on the axis along which they are flat, slices first."""
        bends = np.max([np.ptp(points, axis=0) for points in numbered], axis=0)
        axis = next((each for each in range(3) if bends[each] <= tolerance), int(np.argmin(bends)))
        contours = defaultdict(list)
        for points in numbered:
            place = float(points[:, axis].mean())
            near = abs(place - round(place)) <= tolerance
            contours[float(round(place)) if near else round(place, 2)].append(np.delete(points, axis, axis=1))
        return cls(shape, axis, float(bends[axis]), dict(sorted(contours.items())), tolerance)

    def outside(self, place: float) -> bool:
        """Whether a plane lies beyond the image; a single slice is as thick as the tolerance."""
        if self.shape[self.axis] == 1:
            return place != 0
        return not -_BETWEEN <= place < self.shape[self.axis] - _BETWEEN

    def nearest(self) -> dict[int, float]:
        """Plane of contours that a slice takes: of several the nearest."""
        within = [place for place in self.contours if not self.outside(place)]
        ranked = sorted(within, key=lambda place: -abs(place - round(place)))
        return {int(np.floor(place + _BETWEEN)): place for place in ranked}

    def between(self) -> list[float]:
        """Planes between two slices of the image."""
        return [place for place in self.contours if place != round(place) and not self.outside(place)]

    def facts(self) -> dict[str, str]:
        """What is to be said: numbers of contours, those outside, slices without one."""
        taken = sorted(self.nearest())
        what = _AXES[self.axis]
        facts = {"contours": f"{sum(map(len, self.contours.values()))} on {len(self.contours)} {what}"}
        missing = sorted(set(range(taken[0], taken[-1])) - set(taken))
        if missing:
            shown = ", ".join(map(str, missing[:_LISTED])) + (", ..." if len(missing) > _LISTED else "")
            facts["contours_missing"] = f"none on {len(missing)} {what} between others (from 0: {shown}); left empty"
        beyond = sum(len(each) for place, each in self.contours.items() if self.outside(place))
        if beyond:
            facts["contours_outside"] = f"{beyond} on {what} outside the image"
        if self.between():
            facts["geometry"] = f"contours of {len(self.between())} planes moved to the nearest of the {what}"
        return facts


def _check_flat(planes: _Planes, name: str, settings: ImagingSettings) -> None:
    what = _AXES[planes.axis]
    if planes.bend > max(planes.tolerance, _BETWEEN if settings.geometry == "resample" else 0):
        raise CaseError(
            f"{name}: contours lie across the {what} of the image, up to {planes.bend:.2g} of the distance between "
            f"two; at most {planes.tolerance:g} (imaging.geometry_tolerance); draw them on this image",
            stage="segmentation",
        )
    between = planes.between()
    if between and settings.geometry == "refuse":
        off = max(abs(place - round(place)) for place in between)
        raise CaseError(
            f"{name}: contours of {len(between)} of {len(planes.contours)} planes lie between {what} of the image, up "
            f"to {off:.2g} of the distance off; at most {planes.tolerance:g} (imaging.geometry_tolerance); "
            "imaging.geometry: resample moves them to the nearest",
            stage="segmentation",
        )


def _filled(planes: _Planes) -> tuple[NDArray[np.bool_], int, int]:
    """Region, and the numbers of drawn pixels within the image and beyond it."""
    sides = [size for axis, size in enumerate(planes.shape) if axis != planes.axis]
    shape = (sides[0], sides[1])
    numbers = {place: number for number, place in planes.nearest().items()}
    roi = np.zeros(planes.shape, dtype=np.bool_)
    inside = beyond = 0
    for place, contours in planes.contours.items():
        patch, start = filled(contours, shape)
        count = int(np.count_nonzero(patch))
        if place not in numbers:
            beyond += count if planes.outside(place) else 0
            continue
        placed, lost = pasted(patch, start, shape)
        roi[(slice(None),) * planes.axis + (numbers[place],)] = placed
        inside, beyond = inside + count - round(lost * count), beyond + round(lost * count)
    return roi, inside, beyond
