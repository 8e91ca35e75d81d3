"""Shapes that annotation tools draw, as pixels; coordinates count from the corner of the first pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.segmentations._contours import Patch, filled
from radfusion.imaging.segmentations.base import Structure

__all__ = ["Annotated", "Part", "disc", "points_of", "polygon", "runs"]

Part = Callable[[tuple[int, int]], Patch]

_CORNER = 0.5


@dataclass(frozen=True)
class Annotated:
    """What an annotation file draws on one image.

    Attributes
    ----------
    size : tuple of int or None
        Rows and columns of the image, as the file states them.
    parts : mapping
        For each structure the functions that draw its parts on a plane of a given size.
    facts : mapping of str to str
        What was left out.
    """

    size: tuple[int, int] | None
    parts: Mapping[Structure, Sequence[Part]]
    facts: Mapping[str, str] = field(default_factory=dict)


def points_of(numbers: object, *, least: int) -> NDArray[np.float64]:
    """Points (x, y) from numbers in pairs, flat or not.

    Raises
    ------
    ValueError
        When they are not finite, not in pairs, or too few.
    """
    points = np.array(numbers, dtype=np.float64).ravel()
    if points.size % 2 or points.size < 2 * least or not np.isfinite(points).all():
        raise ValueError(f"{points.size} coordinates; finite numbers in pairs, at least {least} points, are wanted")
    return points.reshape(-1, 2)


def polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> Patch:
    """Pixels of a closed polygon of points (x, y)."""
    return filled([points[:, ::-1] - _CORNER], shape)


def disc(centre: NDArray[np.float64], radius: float, shape: tuple[int, int]) -> Patch:
    """Pixels of a circle with its centre at (x, y)."""
    limit = 2 * np.array(shape)
    middle = centre[::-1] - _CORNER
    first = np.clip(np.ceil(middle - radius), -limit, limit).astype(np.int64)
    stop = np.clip(np.floor(middle + radius) + 1, first, limit).astype(np.int64)
    rows, columns = (np.arange(a, b) - c for a, b, c in zip(first, stop, middle, strict=True))
    return np.add.outer(rows**2, columns**2) <= radius**2, first


def runs(counts: Sequence[int], size: tuple[int, int], shape: tuple[int, int]) -> Patch:
    """Pixels of run lengths, column by column, background first.

    Raises
    ------
    ValueError
        When the runs do not fill the plane, or it is another one than the image.
    """
    lengths = np.array(counts, dtype=np.int64)
    if size != shape or lengths.min(initial=0) < 0 or int(lengths.sum()) != size[0] * size[1]:
        raise ValueError(f"run lengths of {lengths.sum()} pixels in {size}; the image has {shape}")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(size[::-1]).T, np.zeros(2, dtype=np.int64)
