"""What PyRadiomics does before a filter runs and the engine does not: whole numbers kept whole, and pre-cropping."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.extraction.engine import Measured, measure
from radfusion.extraction.engine.regions import Plane, normalised
from radfusion.extraction.parameters import Parameters
from radfusion.imaging.geometry import bounding_box, padded

__all__ = ["as_stored", "measure_cropped"]

_FILM, _VOLUME = (np.uint8, np.uint16, np.int16, np.int32), (np.int16, np.uint16, np.int32)


def as_stored(image: NDArray[np.float64]) -> NDArray[Any]:
    """Image of whole numbers in the narrowest type that such files have, any other as it is.

    PyRadiomics resamples a file of whole numbers to whole numbers, and cuts what a spline overshoots at the ends of
    its type.

    Examples
    --------
    >>> as_stored(np.array([[0.0, 255.0]])).dtype, as_stored(np.array([[0.5]])).dtype
    (dtype('uint8'), dtype('float64'))
    """
    low, high = float(image.min()), float(image.max())
    for kind in _FILM if image.ndim == 2 else _VOLUME:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            whole = image.astype(kind)
            return whole if np.array_equal(whole, image) else image
    return image


def measure_cropped(
    image: NDArray[Any], rois: Sequence[NDArray[np.bool_]], spacing: Sequence[float], *, asked: Parameters
) -> list[Measured | CaseError]:
    """Measure with PyRadiomics' ``preCrop``: filters see the region and ``padDistance`` pixels around it, no more.

    See :func:`radfusion.extraction.engine.measure` for the parameters.
    """
    settings = {**asked.settings, "normalize": False}
    try:
        plane = normalised(Plane(image, tuple(spacing)), asked.settings)
    except CaseError as error:
        return [error for _ in rois]
    found: list[Measured | CaseError] = []
    for roi in rois:
        if not roi.any():
            found.append(CaseError("the region is empty", stage="radiomics"))
            continue
        box = padded(bounding_box(roi), int(settings.get("padDistance", 5)), roi.shape)
        found += measure(plane.image[box], [roi[box]], spacing, dataclasses.replace(asked, settings=settings))
    return found
