"""One image with its segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scan"]


@dataclass(frozen=True)
class Scan:
    """Image, ROI and geometry of one case.

    Attributes
    ----------
    case : str
        Identifier of the case.
    image : (rows, columns) or (slices, rows, columns) array of float64
        Intensities in the unit of the modality; higher is brighter (denser) for radiographs.
    roi : array of bool, same shape
        The region of interest.
    spacing : tuple of float or None
        Distance between pixel centres in mm in array order, or None when the file does not say.
    modality : str
        DICOM modality code where the file has one, otherwise what the study says, for example ``"CR"``.
    origin : tuple of float
        Position of the first pixel in mm, array order.
    direction : tuple of float
        Direction cosines, flattened; empty for a plain raster.
    facts : mapping of str to str
        Acquisition facts that identify nobody, for example ``{"kVp": "70", "manufacturer": "..."}``, and what
        reading did to the pixels (``"inverted": "MONOCHROME1"``).
    """

    case: str
    image: NDArray[np.float64]
    roi: NDArray[np.bool_]
    spacing: tuple[float, ...] | None
    modality: str = "unknown"
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.image.shape != self.roi.shape:
            raise ValueError(f"image {self.image.shape} and ROI {self.roi.shape} differ in shape")

    @property
    def n_roi(self) -> int:
        """Number of pixels (voxels) inside the ROI."""
        return int(np.count_nonzero(self.roi))
