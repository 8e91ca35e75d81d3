"""Boxes around regions, and the pixels in them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "box_around", "taken"]

#: First and past-the-last row, first and past-the-last column; outside of the image where the image ends.
Box = tuple[int, int, int, int]


def box_around(
    roi: NDArray[np.bool_], steps: tuple[float, float], rule: Literal["square", "box", "image"], *, margin: float
) -> Box:
    """Box that holds a region which is not empty.

    Parameters
    ----------
    roi : (rows, columns) array of bool
        The region.
    steps : tuple of two float
        Distance between rows and between columns.
    rule : {"square", "box", "image"}
        A square in the unit of `steps`, the region's own box, or everything.
    margin : float
        Surroundings on every side, in units of the longer side of the region's own box.

    Returns
    -------
    tuple of int
        Where the box sticks out of the image it is moved inwards; it reaches beyond only what is smaller than itself.

    Examples
    --------
    >>> roi = np.zeros((40, 60), dtype=bool)
    >>> roi[10:20, 20:40] = True
    >>> box_around(roi, (1.0, 1.0), "square", margin=0.1)
    (3, 27, 18, 42)
    >>> box_around(roi, (1.0, 1.0), "box", margin=0.1)
    (8, 22, 18, 42)
    """
    if rule == "image":
        return 0, roi.shape[0], 0, roi.shape[1]
    spans = [_span(np.any(roi, axis=1 - axis)) for axis in (0, 1)]
    sides = [(last - first) * step for (first, last), step in zip(spans, steps, strict=True)]
    longer = max(sides)
    edges: list[int] = []
    for (first, last), side, step, length in zip(spans, sides, steps, roi.shape, strict=True):
        wanted = (longer if rule == "square" else side) + 2 * margin * longer
        pixels = max(last - first, math.ceil(wanted / step - 1e-9))
        start = math.floor((first + last - pixels) / 2)
        if pixels <= length:
            start = min(max(start, 0), length - pixels)
        edges += [start, start + pixels]
    return edges[0], edges[1], edges[2], edges[3]


def taken(image: NDArray[Any], box: Box) -> NDArray[Any]:
    """Pixels in a box; where the image ends, its edge pixels are repeated.

    Examples
    --------
    >>> taken(np.array([[1, 2], [3, 4]]), (0, 3, -1, 2))
    array([[1, 1, 2],
           [3, 3, 4],
           [3, 3, 4]])
    """
    inside = image[max(box[0], 0) : box[1], max(box[2], 0) : box[3]]
    beyond = [(max(-box[0], 0), max(box[1] - image.shape[0], 0)), (max(-box[2], 0), max(box[3] - image.shape[1], 0))]
    return np.pad(inside, beyond, mode="edge") if any(map(any, beyond)) else inside


def _span(filled: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(filled)
    return int(places[0]), int(places[-1]) + 1
