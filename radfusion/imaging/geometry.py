"""Where pixels lie in the patient, and boxes around regions, for images of any number of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Grid", "bounding_box", "box_shape", "padded", "size_text"]

Box = tuple[slice, ...]


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
