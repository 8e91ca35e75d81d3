"""Which pictures are taken of a scan: a film is one, a volume is some of its slices or three planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan

__all__ = ["Plane", "planes_of"]


@dataclass(frozen=True)
class Plane:
    """One plane of a scan.

    Attributes
    ----------
    image : (rows, columns) array of float64
        Intensities.
    roi : (rows, columns) array of bool
        The region in this plane.
    around : (rows, columns) array of bool
        What a crop is laid around: the region of all slices that are shown together, so that they are cropped alike.
    steps : tuple of two float
        Distance between rows and between columns, in mm where the spacing is known, else in pixels.
    axis : int or None
        Axis of the volume that the plane is at right angles to; None for a film.
    index : int or None
        Place on that axis.
    """

    image: NDArray[np.float64]
    roi: NDArray[np.bool_]
    around: NDArray[np.bool_]
    steps: tuple[float, float]
    axis: int | None = None
    index: int | None = None


def planes_of(scan: Scan, slices: Literal["largest", "planes"] | int) -> tuple[Plane, ...]:
    """Planes of a scan whose ROI is not empty.

    Parameters
    ----------
    scan : Scan
        A film, or a volume of slices in array order.
    slices : {"largest", "planes"} or int
        The slice with the largest ROI; the plane with the largest ROI along each of the three axes [1]_ (along the
        first alone where the volume has one slice); or so many slices that hold the ROI, nearest to the largest one,
        the earlier of two that are equally near. A region in fewer slices gives all of them. A film is one plane.

    References
    ----------
    .. [1] Roth HR, et al. A new 2.5D representation for lymph node detection using random sets of deep convolutional
       neural network observations. MICCAI 2014. doi:10.1007/978-3-319-10404-1_65

    Examples
    --------
    >>> roi = np.zeros((5, 8, 9), dtype=bool)
    >>> roi[1:4, 2:4, 3:6] = roi[2, 2:7, 3:6] = True
    >>> scan = Scan("a", np.zeros(roi.shape), roi, None)
    >>> [(plane.axis, plane.index) for plane in planes_of(scan, 2)]
    [(0, 1), (0, 2)]
    >>> [(plane.axis, plane.index) for plane in planes_of(scan, "planes")]
    [(0, 2), (1, 2), (2, 3)]
    """
    steps = scan.spacing or (1.0,) * scan.image.ndim
    if scan.image.ndim == 2:
        return (Plane(scan.image, scan.roi, scan.roi, (steps[-2], steps[-1])),)
    if slices == "planes":
        axes = (0, 1, 2) if len(scan.image) > 1 else (0,)
        return tuple(_plane_at_largest(scan, axis, steps) for axis in axes)
    chosen = _nearest(scan.roi, 1 if slices == "largest" else slices)
    around = np.any(scan.roi[chosen], axis=0)
    in_plane = (steps[-2], steps[-1])
    return tuple(Plane(scan.image[index], scan.roi[index], around, in_plane, 0, index) for index in chosen)


def _plane_at_largest(scan: Scan, axis: int, steps: Sequence[float]) -> Plane:
    index = _largest(scan.roi, axis)
    rows, columns = (step for other, step in enumerate(steps) if other != axis)
    image, roi = np.moveaxis(scan.image, axis, 0)[index], np.moveaxis(scan.roi, axis, 0)[index]
    return Plane(image, roi, roi, (rows, columns), axis, index)


def _largest(roi: NDArray[np.bool_], axis: int) -> int:
    """Place on an axis where most of the region lies, the first of several."""
    areas = np.count_nonzero(roi, axis=tuple(other for other in range(3) if other != axis))
    return int(np.argmax(areas))


def _nearest(roi: NDArray[np.bool_], count: int) -> list[int]:
    """Slices that hold the region, nearest to the one with the most of it, in array order."""
    largest = _largest(roi, 0)
    holding = np.flatnonzero(np.any(roi, axis=(1, 2))).tolist()
    return sorted(sorted(holding, key=lambda index: (abs(index - largest), index))[:count])
