"""Boxes around regions, for images of any number of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "bounding_box", "box_shape", "padded", "size_text"]

Box = tuple[slice, ...]


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
