"""Windows of intensities: what becomes black and what white."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.networks.preprocessing.settings import CropSettings

__all__ = ["STAGE", "Window", "window_of"]

STAGE = "deep"

_EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa"}
_EIGHT_BIT = (0.0, 255.0)


@dataclass(frozen=True)
class Window:
    """Intensities that become black and white, and the rule that they come from.

    Attributes
    ----------
    low, high : float
        In the unit of the image.
    rule : str
        ``"8-bit"``, ``"crop-percentile"``, ``"image-percentile"``, ``"full"``, ``"file"`` or ``"fixed"``.
    """

    low: float
    high: float
    rule: str

    def grey(self, pixels: NDArray[np.float64]) -> NDArray[np.float32]:
        """Grey levels from 0 (black) to 1 (white)."""
        shown = (pixels - self.low).astype(np.float32)
        shown /= np.float32(self.high - self.low)
        return np.clip(shown, 0.0, 1.0, out=shown)


def window_of(scan: Scan, crops: list[NDArray[np.float64]], settings: CropSettings) -> Window:
    """Window of a scan; one for all its crops, so that equal tissue is equally grey in them.

    Parameters
    ----------
    scan : Scan
        Image and what reading said of it.
    crops : list of arrays
        Intensities of the crops, finite.
    settings : CropSettings
        Rule and percentiles.

    Raises
    ------
    CaseError
        When the file states no window although its window is asked for, the whole image is asked for and holds
        numbers that are not finite, or black and white would be the same.
    """
    window = _found(scan, crops, settings)
    if not window.high > window.low:
        raise CaseError(f"no contrast: every pixel of the {_of(window)} is near {window.low:g}", stage=STAGE)
    return window


def _found(scan: Scan, crops: list[NDArray[np.float64]], settings: CropSettings) -> Window:
    rule = settings.window
    if isinstance(rule, tuple):
        return Window(*rule, "fixed")
    if rule == "file":
        return Window(*_stated(scan), "file")
    if rule == "auto" and _is_8_bit(scan):
        return Window(*_EIGHT_BIT, "8-bit")
    if rule in ("auto", "crop-percentile"):
        return _percentiles(np.concatenate([crop.ravel() for crop in crops]), settings, "crop-percentile")
    if not np.isfinite(scan.image).all():
        raise CaseError(f"the image holds numbers that are not finite; the window {rule} needs all of it", stage=STAGE)
    if rule == "image-percentile":
        return _percentiles(scan.image, settings, rule)
    return Window(float(scan.image.min()), float(scan.image.max()), "full")


def _percentiles(pixels: NDArray[np.float64], settings: CropSettings, rule: str) -> Window:
    low, high = (float(value) for value in np.percentile(pixels, settings.percentiles))
    return Window(low, high, rule)


def _of(window: Window) -> str:
    return "image" if window.rule in ("full", "image-percentile") else "crop around the ROI"


def _stated(scan: Scan) -> tuple[float, float]:
    """Window of the DICOM file: the one that reading applied, or the one that the header states."""
    applied = scan.facts.get("window", "")
    if "of the file" in applied:
        return _EIGHT_BIT
    stated = re.fullmatch(r"(\S+) to (\S+)", scan.facts.get("stated_window", ""))
    if applied or stated is None:
        why = f"it was read through another one ({applied})" if applied else "its file states none that can be used"
        raise CaseError(f"the window is file, but of this image {why}", stage=STAGE)
    return float(stated[1]), float(stated[2])


def _is_8_bit(scan: Scan) -> bool:
    """Whether the file says so; where it says nothing, whether the whole image is integers from 0 to 255."""
    if "window" in scan.facts:
        return True
    if "mode" in scan.facts:
        return scan.facts["mode"] in _EIGHT_BIT_MODES
    if "bits_stored" in scan.facts:
        return scan.facts["bits_stored"] == "8" and "rescaled" not in scan.facts
    if "numbers" in scan.facts:  # of a volume: its values alone would tell otherwise once they are perturbed
        return scan.facts["numbers"] == "uint8"
    image = scan.image
    return bool(image.min() >= 0 and image.max() <= 255 and np.array_equal(image, np.rint(image)))
