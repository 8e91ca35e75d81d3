"""From a scan to the pixels that a network sees: the ROI's square, its grey levels, the network's numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radfusion.core.scan import Scan
from radfusion.core.settings import Settings
from radfusion.errors import CaseError
from radfusion.networks.sources import InputFormat

__all__ = ["Crop", "CropSettings", "crop_roi", "network_input"]

_STAGE = "deep"
_EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa"}


class CropSettings(Settings):
    """How the region of interest is shown to a network.

    Attributes
    ----------
    size : int
        Rows and columns of the result; the crop is resized to it directly and never cropped again.
    margin : float
        Surroundings added on every side, in units of the longer side of the ROI's bounding box.
    outside : {"keep", "zero"}
        Leave pixels outside the ROI, or make them black.
    """

    size: int = 224
    margin: float = 0.1
    outside: Literal["keep", "zero"] = "keep"


@dataclass(frozen=True)
class Crop:
    """Grey levels of one region of interest.

    Attributes
    ----------
    grey : (size, size) array of float32
        0 is black, 1 is white.
    box : tuple of int
        First and past-the-last row, first and past-the-last column in the image; outside of it where the image ends.
    plane : int or None
        Index of the slice that was taken from a volume.
    window : tuple of float
        Intensities that became black and white.
    rule : {"8-bit", "percentile"}
        Where the window comes from.
    """

    grey: NDArray[np.float32]
    box: tuple[int, int, int, int]
    plane: int | None
    window: tuple[float, float]
    rule: Literal["8-bit", "percentile"]

    @property
    def facts(self) -> dict[str, Any]:
        """What was done, without the pixels."""
        return {"box": list(self.box), "plane": self.plane, "window": list(self.window), "rule": self.rule}


def crop_roi(scan: Scan, settings: CropSettings) -> Crop:
    """Square crop around the ROI, windowed and resized (bilinear, antialiased).

    The square is a square in millimetres where the spacing is known. It is filled with the image's own pixels: near a
    border it moves inwards, and only where the image is smaller than the square are its edge pixels repeated. An 8-bit
    image keeps its range 0 to 255; any other is windowed from the 1st to the 99th percentile of the crop. Of a volume
    the slice with the largest ROI is taken.

    Raises
    ------
    CaseError
        When the ROI is empty, or the crop holds no contrast or numbers that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> image, roi = np.zeros((40, 60)), np.zeros((40, 60), dtype=bool)
    >>> image[:, 30:], roi[10:20, 20:40] = 255, True
    >>> crop = crop_roi(Scan("a", image, roi, None), CropSettings(size=32, margin=0.1))
    >>> crop.box, crop.rule, crop.grey.shape
    ((3, 27, 18, 42), '8-bit', (32, 32))
    """
    if not scan.roi.any():
        raise CaseError("the ROI is empty: nothing to show to the network", stage=_STAGE)
    image, roi, plane = _plane(scan)
    box = _square(roi, _steps(scan), settings.margin)
    pixels, inside = _take(image, box), _take(roi, box)
    if not np.isfinite(pixels).all():
        raise CaseError("the crop around the ROI holds numbers that are not finite", stage=_STAGE)
    rule: Literal["8-bit", "percentile"] = "8-bit" if _is_8_bit(scan) else "percentile"
    low, high = (0.0, 255.0) if rule == "8-bit" else (float(v) for v in np.percentile(pixels, (1.0, 99.0)))
    if not high > low:
        raise CaseError(f"the crop around the ROI has no contrast: every pixel is near {low:g}", stage=_STAGE)
    grey = np.clip((pixels - low) / (high - low), 0.0, 1.0).astype(np.float32)
    if settings.outside == "zero":
        grey[~inside] = 0.0
    return Crop(_resize(grey, settings.size), box, plane, (low, high), rule)


def network_input(grey: NDArray[np.float32], expected: InputFormat) -> NDArray[np.float32]:
    """Grey levels as a network expects them: repeated to three channels, scaled, centred.

    Parameters
    ----------
    grey : (..., rows, columns) array of float32
        0 to 1.
    expected : InputFormat
        Numbers of the weights source.

    Returns
    -------
    (..., 3, rows, columns) array of float32
        Channels in the order of the source, which for grey images shows in mean and SD only.
    """
    mean = np.asarray(expected.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(expected.std, dtype=np.float32)[:, None, None]
    return (np.float32(expected.white) * grey[..., None, :, :] - mean) / std


def _plane(scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.bool_], int | None]:
    if scan.image.ndim == 2:
        return scan.image, scan.roi, None
    largest = int(np.argmax(np.count_nonzero(scan.roi, axis=(1, 2))))
    return scan.image[largest], scan.roi[largest], largest


def _steps(scan: Scan) -> tuple[float, float]:
    """Distance between rows and between columns."""
    if scan.spacing is None:
        return 1.0, 1.0
    rows, columns = scan.spacing[-2:]
    return rows, columns


def _square(roi: NDArray[np.bool_], steps: tuple[float, float], margin: float) -> tuple[int, int, int, int]:
    """Box of a square in the unit of `steps`, moved into the image where it sticks out."""
    spans = []
    for axis in (0, 1):
        filled = np.flatnonzero(roi.any(axis=1 - axis))
        spans.append((int(filled[0]), int(filled[-1]) + 1))
    side = max((last - first) * step for (first, last), step in zip(spans, steps, strict=True)) * (1 + 2 * margin)
    edges: list[int] = []
    for (first, last), step, length in zip(spans, steps, roi.shape, strict=True):
        pixels = max(last - first, math.ceil(side / step - 1e-9))
        start = math.floor((first + last - pixels) / 2)
        if pixels <= length:
            start = min(max(start, 0), length - pixels)
        edges += [start, start + pixels]
    return edges[0], edges[1], edges[2], edges[3]


def _take(image: NDArray[Any], box: tuple[int, int, int, int]) -> NDArray[Any]:
    rows = np.clip(np.arange(box[0], box[1]), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(box[2], box[3]), 0, image.shape[1] - 1)
    return image[np.ix_(rows, columns)]


def _is_8_bit(scan: Scan) -> bool:
    """Whether the file says so; where it says nothing, whether the whole image is integers from 0 to 255."""
    if "window" in scan.facts:
        return True
    if "mode" in scan.facts:
        return scan.facts["mode"] in _EIGHT_BIT_MODES
    if "bits_stored" in scan.facts:
        return scan.facts["bits_stored"] == "8" and "rescaled" not in scan.facts
    image = scan.image
    return bool(image.min() >= 0 and image.max() <= 255 and np.array_equal(image, np.rint(image)))


def _resize(grey: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    resized = Image.fromarray(grey).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)
