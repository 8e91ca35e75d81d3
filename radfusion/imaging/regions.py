"""What there is to say about a region: size, parts, border, share outside the field."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.geometry import bounding_box

__all__ = ["describe", "largest"]

_SIDES = (("first slice", "last slice"), ("first row", "last row"), ("first column", "last column"))


def describe(roi: NDArray[np.bool_], spacing: Sequence[float] | None, *, outside: float = 0.0) -> dict[str, str]:
    """Facts of a region that is not empty.

    Parameters
    ----------
    roi : (rows, columns) or (slices, rows, columns) array of bool
        Region.
    spacing : sequence of float or None
        Distance between pixel centres in mm, one per axis.
    outside : float
        Share of the drawn region that lies outside the image.

    Returns
    -------
    facts : dict of str to str
        ``roi_pixels``, ``roi_area_mm2`` or ``roi_volume_mm3`` where the spacing is known, ``roi_components`` (parts
        that touch at a corner are one), ``roi_largest_share``, ``roi_touches_border``, ``roi_outside_field_share``.

    Examples
    --------
    >>> roi = np.zeros((6, 8), dtype=bool)
    >>> roi[2:4, 0:3] = roi[5, 6] = True
    >>> for name, value in describe(roi, (0.5, 0.5)).items():
    ...     print(name, value)
    roi_pixels 7
    roi_area_mm2 1.75
    roi_components 2
    roi_largest_share 0.8571
    roi_touches_border last row, first column
    roi_outside_field_share 0
    """
    box = bounding_box(roi)
    count = int(np.count_nonzero(roi[box]))
    _, sizes = _parts(roi[box])
    facts = {"roi_pixels": str(count)}
    if spacing is not None and len(spacing) == roi.ndim:
        facts["roi_area_mm2" if roi.ndim == 2 else "roi_volume_mm3"] = f"{count * math.prod(spacing):.6g}"
    touched = [
        name
        for names, side, size in zip(_SIDES[-roi.ndim :], box, roi.shape, strict=True)
        for name, touches in zip(names, (side.start == 0, side.stop == size), strict=True)
        if touches and size > 1
    ]
    facts["roi_components"] = str(len(sizes))
    facts["roi_largest_share"] = f"{max(sizes) / count:.4g}"
    facts["roi_touches_border"] = ", ".join(touched) or "no"
    facts["roi_outside_field_share"] = f"{outside:.4g}"
    return facts


def largest(roi: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest part of a region that is not empty; the first one in array order among equals.

    Examples
    --------
    >>> largest(np.array([[1, 0, 1, 1]], dtype=bool)).astype(int)
    array([[0, 0, 1, 1]])
    """
    box = bounding_box(roi)
    numbers, sizes = _parts(roi[box])
    kept = np.zeros_like(roi)
    kept[box] = numbers == 1 + int(np.argmax(sizes))
    return kept


def _parts(roi: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number of the part of every pixel, and pixels of each part."""
    from scipy import ndimage

    numbers, _ = ndimage.label(roi, structure=np.ones((3,) * roi.ndim))
    return numbers, np.bincount(numbers.ravel())[1:]
