"""Planes in the patient, and whether several of them are the slices of one volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.geometry import size_text

__all__ = ["Plane", "Stack", "plane_of", "stacked"]

# Positions are often rounded to a tenth of a millimetre: what is left must not shift a slice by a twentieth.
_UNEVEN = 0.05
_SIDEWAYS = 0.2
_ORIENTATION = 1e-3
_ORTHONORMAL = 1e-2
_SAME_PLACE = 1e-3


@dataclass(frozen=True)
class Plane:
    """One plane and its place.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    spacing : (float, float) or None
        Distance between rows and between columns in mm.
    position : tuple of float
        Centre of the first pixel in mm, patient's LPS frame (x, y, z); empty when not stated.
    orientation : tuple of float
        Direction of a row, then of a column; empty when not stated.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()

    @property
    def normal(self) -> NDArray[np.float64]:
        """Direction in which slices are counted."""
        along, down = np.reshape(self.orientation, (2, 3))
        return np.cross(along, down)

    @property
    def origin(self) -> tuple[float, ...]:
        """Position in array order (z, y, x)."""
        return tuple(reversed(self.position))

    @property
    def direction(self) -> tuple[float, ...]:
        """Nine direction cosines in array order, empty when the plane has no place."""
        if not self.orientation:
            return ()
        along, down = np.reshape(self.orientation, (2, 3))
        columns = np.stack([along, down, self.normal], axis=1)
        return tuple(float(each) for each in columns[::-1, ::-1].ravel())


@dataclass(frozen=True)
class Stack:
    """Order of planes along their normal, and the volume that they make.

    Attributes
    ----------
    order : tuple of int
        Which plane comes first, second, ...
    spacing : tuple of float or None
        Distance between slices, rows and columns in mm.
    origin, direction : tuple of float
        In array order.
    fact : str
        How even the slices lie.
    """

    order: tuple[int, ...]
    spacing: tuple[float, ...] | None
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    fact: str


def plane_of(shape: tuple[int, int], spacing: tuple[float, float] | None, place: tuple[Any, Any]) -> Plane:
    """Plane with its place when the two parts of that, position and orientation, are possible numbers."""
    position, orientation = place
    try:
        where = tuple(float(each) for each in position or ())
        cosines = tuple(float(each) for each in orientation or ())
    except (TypeError, ValueError):
        return Plane(shape, spacing)
    if len(where) != 3 or len(cosines) != 6 or not np.isfinite([*where, *cosines]).all():
        return Plane(shape, spacing)
    axes = np.reshape(cosines, (2, 3))
    if np.abs(axes @ axes.T - np.eye(2)).max() > _ORTHONORMAL:
        return Plane(shape, spacing)
    return Plane(shape, spacing, where, cosines)


def stacked(name: str, planes: Sequence[Plane], *, what: str) -> Stack:
    """Sort planes along their normal and check that they are the slices of one volume.

    Parameters
    ----------
    name : str
        Name of the file or folder, for messages.
    planes : sequence of Plane
        At least two.
    what : str
        ``"slices"`` or ``"frames"``, for messages.

    Raises
    ------
    CaseError
        With the numbers: without a place, of several sizes, orientations or spacings, twice at one place, sheared,
        or with uneven gaps.
    """
    _check_alike(name, planes, what)
    first = planes[0]
    positions = np.array([plane.position for plane in planes])
    along = positions @ first.normal
    order = np.argsort(along, kind="stable")
    _check_apart(name, along[order], what)
    step = round(float(along[order[-1]] - along[order[0]]) / (len(planes) - 1), 9)
    _check_straight(name, positions - np.outer(along, first.normal), first, what=what)
    off = _check_even(name, along[order], step, what=what)
    spacing = None if first.spacing is None else (step, *first.spacing)
    lowest = planes[int(order[0])]
    fact = f"{len(planes)} {what} every {step:g} mm by position"
    if off > _SAME_PLACE:
        fact += f", at most {off:.2g} mm off"
    return Stack(tuple(int(each) for each in order), spacing, lowest.origin, first.direction, fact)


def _check_alike(name: str, planes: Sequence[Plane], what: str) -> None:
    lost = sum(1 for plane in planes if not plane.orientation)
    if lost:
        raise CaseError(f"{name}: {lost} of {len(planes)} {what} do not say where in the patient they lie")
    sizes = Counter(plane.shape for plane in planes)
    if len(sizes) > 1:
        told = ", ".join(f"{count} of {size_text(size)}" for size, count in sizes.most_common(4))
        raise CaseError(f"{name}: the {what} differ in size: {told}; slices of one size are wanted")
    cosines = np.array([plane.orientation for plane in planes])
    turned = float(np.abs(cosines - cosines[0]).max())
    if turned > _ORIENTATION:
        raise CaseError(f"{name}: the {what} differ in orientation, by {turned:.3g} in a direction cosine")
    spacings = {plane.spacing for plane in planes}
    known = [pair for pair in spacings if pair is not None]
    if len(known) < len(spacings) and known:
        raise CaseError(f"{name}: some {what} state no pixel spacing")
    if known and not np.allclose(known, known[0], rtol=1e-3, atol=0):
        raise CaseError(f"{name}: the {what} differ in pixel spacing: {len(known)} different pairs")


def _check_apart(name: str, along: NDArray[np.float64], what: str) -> None:
    places = 1 + int(np.count_nonzero(np.diff(along) > _SAME_PLACE))
    if places < along.size:
        raise CaseError(
            f"{name}: {along.size} {what} lie at {places} positions; one volume is wanted, not time points, echoes, "
            "b-values or repeated reconstructions"
        )


def _check_straight(name: str, across: NDArray[np.float64], plane: Plane, *, what: str) -> None:
    shift = float(np.linalg.norm(across - across[0], axis=1).max())
    if shift > _SIDEWAYS * min(plane.spacing or (1.0, 1.0)):
        raise CaseError(
            f"{name}: the {what} shift sideways by up to {shift:.3g} mm (a tilted gantry?); "
            "such a sheared volume must be resampled first"
        )


def _check_even(name: str, along: NDArray[np.float64], step: float, *, what: str) -> float:
    off = float(np.abs(along - along[0] - step * np.arange(along.size)).max())
    if off > _UNEVEN * step:
        gaps = Counter(f"{gap:.4g}" for gap in np.diff(along))
        told = ", ".join(f"{gap} mm ({count} times)" for gap, count in gaps.most_common(4))
        raise CaseError(f"{name}: the {what} are not evenly spaced, gaps of {told}; is a slice missing?")
    return off
