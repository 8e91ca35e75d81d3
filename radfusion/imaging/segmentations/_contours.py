"""Contours to pixels, by scanlines.

A pixel belongs to a region when its centre lies inside or on the contours. Inside is decided by the even-odd rule over
all contours that are given together: a contour within another one is a hole, and the seam of a keyhole vanishes. On
means within 1/100,000 of a pixel, so that contours traced through pixel centres keep their border on all four sides
however their coordinates were rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Patch", "filled"]

Patch = tuple[NDArray[np.bool_], NDArray[np.int64]]
_Points = NDArray[np.float64]

_NEAR = 1e-5


def filled(contours: Sequence[_Points], shape: tuple[int, int]) -> Patch:
    """Pixels of closed contours, also of those parts that lie beyond the image, up to once its size on every side.

    Parameters
    ----------
    contours : sequence of (n, 2) array
        Rows and columns of the corners; whole numbers are pixel centres.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    region : array of bool
        Smallest patch that holds all pixels of the contours.
    start : (2,) array of int
        Row and column of its first pixel in the image.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [0.5, 4.5], [4.5, 4.5], [4.5, 0.5]])
    >>> region, start = filled([square, 0.5 * square + 1], (6, 6))
    >>> start.tolist(), region.astype(int).tolist()
    ([1, 1], [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]])
    """
    corners = np.concatenate(list(contours))
    size = np.array(shape)
    first = np.clip(np.ceil(corners.min(axis=0) - _NEAR), -size, 2 * size).astype(np.int64)
    stop = np.clip(np.floor(corners.max(axis=0) + _NEAR) + 1, first, 2 * size).astype(np.int64)
    region = np.zeros(stop - first, dtype=np.bool_)
    if not region.size:
        return region, first
    start = _snapped(corners - first)
    lengths = np.array([len(contour) for contour in contours])
    following = np.arange(1, len(start) + 1)
    following[np.cumsum(lengths) - 1] -= lengths
    end = start[following]
    rows, crossings, crosses = _crossings(start, end, region.shape[0])
    toggles = np.zeros((region.shape[0], region.shape[1] + 1), dtype=np.uint8)
    columns = np.clip(np.ceil(crossings[crosses]), 0, region.shape[1]).astype(np.int64)
    np.add.at(toggles, (rows[crosses], columns), 1)
    region |= (np.bitwise_xor.accumulate(toggles & 1, axis=1)[:, :-1]).astype(bool)
    _mark(region, rows, crossings)
    columns, crossings, _ = _crossings(start[:, ::-1], end[:, ::-1], region.shape[1])
    _mark(region.T, columns, crossings)
    return region, first


def _snapped(points: _Points) -> _Points:
    """Coordinates that are whole numbers but for rounding become whole."""
    whole = np.rint(points)
    return np.where(np.abs(points - whole) < _NEAR, whole, points)


def _crossings(start: _Points, end: _Points, size: int) -> tuple[NDArray[np.int64], _Points, NDArray[np.bool_]]:
    """Where edges meet the lines through pixel centres, and whether that is a crossing: an edge ends before its top."""
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low), 0, size).astype(np.int64)
    count = np.clip(np.floor(high) + 1, first, size).astype(np.int64) - first
    edge = np.repeat(np.arange(len(start)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    rise = np.where(high > low, end[:, 0] - start[:, 0], 1)
    slope = np.where(high > low, (end[:, 1] - start[:, 1]) / rise, 0)
    return line, start[edge, 1] + (line - start[edge, 0]) * slope[edge], line < high[edge]


def _mark(region: NDArray[np.bool_], lines: NDArray[np.int64], crossings: _Points) -> None:
    """Pixel centres that lie on an edge belong to the region."""
    whole = np.rint(crossings)
    on = (np.abs(crossings - whole) < _NEAR) & (whole >= 0) & (whole < region.shape[1])
    region[lines[on], whole[on].astype(np.int64)] = True
