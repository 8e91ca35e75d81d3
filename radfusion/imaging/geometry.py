"""Where pixels lie in the patient, and boxes around regions, for images of any number of axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Grid", "Numbering", "bounding_box", "box_shape", "numbering", "padded", "size_text"]

Box = tuple[slice, ...]

_FLAT = 1e-6


@dataclass(frozen=True)
class Grid:
    """Where the pixels of an image lie.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns, or slices, rows and columns.
    spacing : tuple of float or None
        Distance between pixel centres in mm, one per axis of `shape`; None when the file does not say.
    origin : tuple of float
        Centre of the first pixel in mm in the patient's LPS frame, reversed (z, y, x); a plane that a file places in
        the patient has three numbers too; empty for a plain raster.
    direction : tuple of float
        Direction cosines, matrix by rows, rows and columns reversed likewise; empty for a plain raster.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()

    @property
    def placed(self) -> bool:
        """Whether the file says where in the patient the pixels lie."""
        axes = len(self.origin)
        if self.spacing is None or axes < len(self.shape) or len(self.direction) != axes * axes:
            return False
        return bool(abs(np.linalg.det(np.reshape(self.direction, (axes, axes)))) > _FLAT)

    def affine(self, thickness: float | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix and origin that turn pixel numbers into mm: ``matrix @ numbers + origin``, both (z, y, x).

        Parameters
        ----------
        thickness : float, optional
            Step in mm from a plane to the next, for a single plane in space; None takes its largest pixel side.
        """
        axes, spacing = len(self.origin), self.spacing or ()
        steps = np.array([thickness or max(spacing)] * (axes - len(spacing)) + list(spacing))
        return np.reshape(self.direction, (axes, axes)) * steps, np.array(self.origin)

    def described(self) -> dict[str, str]:
        """All that a reader of a message needs to compare two grids.

        Examples
        --------
        >>> Grid((2, 3), (0.5, 0.5), (0.0, 10.0)).described()
        {'spacing': '0.5, 0.5 mm', 'origin': '0, 10 mm', 'direction': 'not stated', 'size': '2 x 3 (rows x columns)'}
        """
        found = {}
        for what, unit in (("spacing", " mm"), ("origin", " mm"), ("direction", "")):
            numbers = getattr(self, what)
            listed = ", ".join(f"{number + 0.0:.7g}" for number in numbers or ())
            found[what] = listed + unit if listed else "not stated"
        return {**found, "size": size_text(self.shape)}


@dataclass(frozen=True)
class Numbering:
    """How the pixel numbers of one grid become those of another: ``matrix @ numbers + offset``.

    Attributes
    ----------
    matrix : (axes, axes) array
        Steps along the axes of the other grid.
    offset : (axes,) array
        Number of the first pixel in the other grid.
    apart : float
        Farthest that a corner of the grid lies from a pixel centre of the other grid, numbered on without end, if
        axes may be swapped and turned; in pixels of the other grid.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    apart: float

    def shift(self, shape: tuple[int, ...]) -> float:
        """Farthest that a corner of a grid of that `shape` lies from the pixel of the same number, in pixels."""
        corners = _corners(shape, len(self.offset))
        return float(np.abs(self.matrix @ corners + self.offset[:, None] - corners).max())

    def whole(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Matrix and offset in whole pixels."""
        return np.rint(self.matrix).astype(np.int64), np.rint(self.offset).astype(np.int64)


def numbering(grid: Grid, other: Grid) -> Numbering:
    """Pixel numbers of a grid in another one of as many axes in space.

    Raises
    ------
    ValueError
        When one of them has no place, or they have different numbers of axes in space.

    Examples
    --------
    >>> image = Grid((4, 4), (2.0, 2.0), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0))
    >>> turned = Grid((4, 4), (2.0, 2.0), (6.0, 0.0), (-1.0, 0.0, 0.0, 1.0))
    >>> numbering(turned, image).whole()[1].tolist(), numbering(turned, image).apart
    ([3, 0], 0.0)
    """
    if not (grid.placed and other.placed and len(grid.origin) == len(other.origin)):
        raise ValueError("grids without a common space cannot be compared")
    thickness = {len(each.shape): (each.spacing or ())[0] for each in (grid, other)}.get(len(grid.origin))
    forth, start = grid.affine(thickness)
    back, origin = other.affine(thickness)
    inverse = np.linalg.inv(back)
    matrix, offset = inverse @ forth, inverse @ (start - origin)
    corners = _corners(grid.shape, len(start))
    aside = (matrix - np.rint(matrix)) @ corners + (offset - np.rint(offset))[:, None]
    return Numbering(matrix, offset, float(np.abs(aside).max()) if _turns(np.rint(matrix)) else float("inf"))


def _corners(shape: tuple[int, ...], axes: int) -> NDArray[np.int64]:
    size = (1,) * (axes - len(shape)) + shape
    return np.array(list(itertools.product(*((0, side - 1) for side in size)))).T


def _turns(matrix: NDArray[np.float64]) -> bool:
    """Whether a matrix of whole numbers only swaps and turns axes."""
    return bool(np.array_equal(np.abs(matrix) @ np.abs(matrix).T, np.eye(len(matrix))))


def bounding_box(roi: NDArray[np.bool_]) -> Box:
    """Smallest box that holds the region, one slice per axis, so that ``image[box]`` is the crop.

    Raises
    ------
    ValueError
        When the region is empty.

    Examples
    --------
    >>> roi = np.zeros((6, 8), dtype=bool)
    >>> roi[2:4, 5] = True
    >>> bounding_box(roi)
    (slice(2, 4, None), slice(5, 6, None))
    """
    if not roi.any():
        raise ValueError("an empty region has no bounding box")
    sides = []
    for axis in range(roi.ndim):
        others = tuple(other for other in range(roi.ndim) if other != axis)
        hit = np.flatnonzero(roi.any(axis=others))
        sides.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(sides)


def box_shape(box: Box) -> tuple[int, ...]:
    """Size of a box.

    Examples
    --------
    >>> box_shape((slice(2, 4), slice(5, 6)))
    (2, 1)
    """
    return tuple(side.stop - side.start for side in box)


def padded(box: Box, margin: int | Sequence[int], shape: Sequence[int]) -> Box:
    """Box with a margin in pixels on every side, cut at the border of an image of that `shape`.

    Examples
    --------
    >>> padded((slice(2, 4), slice(5, 6)), 2, (6, 8))
    (slice(0, 6, None), slice(3, 8, None))
    """
    margins = [margin] * len(box) if isinstance(margin, int) else margin
    return tuple(
        slice(max(side.start - more, 0), min(side.stop + more, size))
        for side, more, size in zip(box, margins, shape, strict=True)
    )


def size_text(shape: Sequence[int]) -> str:
    """Size for a message.

    Examples
    --------
    >>> size_text((480, 640))
    '480 x 640 (rows x columns)'
    """
    axes = ("slices", "rows", "columns")[-len(shape) :]
    return f"{' x '.join(str(size) for size in shape)} ({' x '.join(axes)})"
