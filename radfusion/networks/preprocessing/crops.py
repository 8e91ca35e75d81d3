"""What a network is shown of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.networks.preprocessing.boxes import Box, box_around, taken
from radfusion.networks.preprocessing.planes import Plane, planes_of
from radfusion.networks.preprocessing.resizing import Resizing
from radfusion.networks.preprocessing.settings import CropSettings
from radfusion.networks.preprocessing.windows import STAGE, Window, window_of

__all__ = ["Crop", "crops_of"]

_SIZE = 224
_SHORT_SIDE = 256


@dataclass(frozen=True)
class Crop:
    """One picture that a network is shown of a scan.

    Attributes
    ----------
    grey : (size, size) array of float32
        0 is black, 1 is white.
    region : (size, size) array of float32 or None
        Share of each pixel that is inside the ROI, where it was asked for.
    box : tuple of int
        First and past-the-last row, first and past-the-last column in the plane; outside of it where the image ends.
    axis, plane : int or None
        Axis of a volume that the plane is at right angles to, and its place there.
    window : Window
        Intensities that became black and white.
    """

    grey: NDArray[np.float32]
    region: NDArray[np.float32] | None
    box: Box
    axis: int | None
    plane: int | None
    window: Window

    @property
    def facts(self) -> dict[str, Any]:
        """What was done, without the pixels."""
        window = {"window": [self.window.low, self.window.high], "rule": self.window.rule}
        return {"axis": self.axis, "plane": self.plane, "box": list(self.box), **window}


def crops_of(scan: Scan, settings: CropSettings, *, regions: bool = False) -> tuple[Crop, ...]:
    """Pictures of a scan: planes, cropped around the ROI, windowed, resized.

    A crop is filled with the image's own pixels: near a border it moves inwards, and only where the image is smaller
    than the crop are its edge pixels repeated. One window serves all crops of a scan.

    Parameters
    ----------
    scan : Scan
        Grey levels; colours were made grey when the file was read.
    settings : CropSettings
        What to show.
    regions : bool
        Whether the ROI is wanted beside each picture.

    Returns
    -------
    tuple of Crop
        One for a film, as many as ``settings.slices`` says for a volume.

    Raises
    ------
    CaseError
        When the ROI is empty, or the crops hold no contrast or numbers that are not finite.

    Examples
    --------
    >>> image, roi = np.zeros((40, 60)), np.zeros((40, 60), dtype=bool)
    >>> image[:, 30:], roi[10:20, 20:40] = 255, True
    >>> (crop,) = crops_of(Scan("a", image, roi, None), CropSettings(size=32))
    >>> crop.box, crop.window.rule, crop.grey.shape
    ((3, 27, 18, 42), '8-bit', (32, 32))
    """
    if not scan.roi.any():
        raise CaseError("the ROI is empty: nothing to show to the network", stage=STAGE)
    planes = planes_of(scan, settings.slices)
    boxes = [box_around(plane.around, plane.steps, settings.crop, margin=settings.margin) for plane in planes]
    pixels = [taken(plane.image, box) for plane, box in zip(planes, boxes, strict=True)]
    inside = [taken(plane.roi, box) for plane, box in zip(planes, boxes, strict=True)]
    masked = settings.outside != "keep"
    low, high = _range(pixels, inside if masked else None)
    window = window_of(scan, pixels, settings)
    _require_shades(window, low, high)
    resize = Resizing(settings.resize, settings.size or _SIZE, settings.short_side or _SHORT_SIDE)
    made = []
    for plane, box, crop, roi in zip(planes, boxes, pixels, inside, strict=True):
        grey = window.grey(crop)
        fill = _background(grey, roi, settings)
        if masked:
            grey[~roi] = fill
        region = _region(roi, plane, resize) if regions else None
        made.append(Crop(resize(grey, plane.steps, fill=fill), region, box, plane.axis, plane.index, window))
    return tuple(made)


def _background(grey: NDArray[np.float32], roi: NDArray[np.bool_], settings: CropSettings) -> float:
    """Grey level outside the ROI, and beyond the crop: black, or the mean of the ROI."""
    return float(grey[roi].mean()) if settings.outside == "mean" else 0.0


def _region(roi: NDArray[np.bool_], plane: Plane, resize: Resizing) -> NDArray[np.float32]:
    region = resize(roi.astype(np.float32), plane.steps, how="area")
    if not region.any():
        raise CaseError("nothing of the ROI is left in the centre that resize torchvision cuts out", stage=STAGE)
    return region


def _range(crops: Sequence[NDArray[np.float64]], inside: Sequence[NDArray[np.bool_]] | None) -> tuple[float, float]:
    """Lowest and highest intensity of what is shown: of everything, or of what lies inside the ROI."""
    low, high = min(float(crop.min()) for crop in crops), max(float(crop.max()) for crop in crops)
    if not np.isfinite([low, high]).all():  # a NaN is the lowest and the highest
        raise CaseError("the crop around the ROI holds numbers that are not finite", stage=STAGE)
    if inside is not None:
        low, high = _range([crop[roi] for crop, roi in zip(crops, inside, strict=True)], None)
    if not high > low:
        raise CaseError(f"no contrast: every pixel that would be shown is {low:g}", stage=STAGE)
    return low, high


def _require_shades(window: Window, low: float, high: float) -> None:
    darkest, lightest = window.grey(np.array([low, high])).tolist()
    if darkest == lightest:
        shade = {0.0: "black", 1.0: "white"}.get(darkest, "equally grey")
        what = f"the window {window.low:g} to {window.high:g} ({window.rule}) shows nothing"
        raise CaseError(f"{what}: every pixel around the ROI is {shade}", stage=STAGE)
