"""Stored values to intensities: padding, modality transformation, window and inversion, each once and in this order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats._dicom_frames import group_of
from radfusion.imaging.formats._dicom_header import printable
from radfusion.imaging.settings import ImagingSettings
from radfusion.imaging.windows import windowed

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["intensities"]


@dataclass(frozen=True)
class _Scaled:
    """Values after the modality transformation, where its range ends, and what it was."""

    values: NDArray[np.float64]
    ends: tuple[float, float]
    fact: str | None = None


def intensities(
    path: Path, stored: NDArray[Any], header: Dataset, *, frame: int, settings: ImagingSettings
) -> tuple[NDArray[Any], dict[str, str]]:
    """Intensities of one frame, higher is brighter.

    Parameters
    ----------
    path : path
        File, for messages.
    stored : (rows, columns) or (rows, columns, 3) array
        Stored values of the frame; colours pass unchanged.
    header : Dataset
        Header of the file.
    frame : int
        Which frame, counted from 0.
    settings : ImagingSettings
        What becomes of padding and which window is applied.

    Returns
    -------
    values : array of float64
    facts : dict of str to str
        What was done.
    """
    if stored.ndim == 3:
        return stored, {}
    facts: dict[str, str] = {}
    scaled = _modality(path, stored, header, frame=frame)
    values, ends = scaled.values, scaled.ends
    if scaled.fact:
        facts["rescaled"] = scaled.fact
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    window = group_of(header, frame, "FrameVOILUTSequence") or header
    if settings.window == "file":
        values, facts["window"] = _file_window(path, values, window)
        ends = (0.0, 255.0)
    elif stated := _stated_window(window, ends[0] + ends[1] if inverted else None):
        facts["stated_window"] = stated
    if inverted:
        values = ends[0] + ends[1] - values
        facts["inverted"] = "MONOCHROME1"
    return _without_padding(path, values, _padding(stored, header), settings=settings, facts=facts), facts


def _modality(path: Path, stored: NDArray[Any], header: Dataset, *, frame: int) -> _Scaled:
    if header.get("ModalityLUTSequence"):
        from pydicom.pixels.processing import apply_modality_lut

        looked_up = np.asarray(apply_modality_lut(stored, header), dtype=np.float64)
        bits = int(header.ModalityLUTSequence[0].LUTDescriptor[2]) or 16
        return _Scaled(looked_up, (0.0, 2.0**bits - 1), "modality lookup table")
    values = stored.astype(np.float64)
    ends = _stored_ends(values, stored.dtype, header)
    item = group_of(header, frame, "PixelValueTransformationSequence") or header
    slope, intercept = item.get("RescaleSlope"), item.get("RescaleIntercept")
    told = "slope {:g}, intercept {:g}"
    if slope is None and intercept is None and header.get("DoseGridScaling"):
        slope, told = header.DoseGridScaling, "DoseGridScaling {:g}"
    if slope is None and intercept is None:
        return _Scaled(values, ends)
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if not math.isfinite(intercept) or not math.isfinite(slope) or slope == 0:
        raise CaseError(f"{path.name}: rescale slope {slope:g} and intercept {intercept:g} give no intensities")
    low, high = (end * slope + intercept for end in ends)
    return _Scaled(values * slope + intercept, (low, high), told.format(slope, intercept))


def _stored_ends(values: NDArray[np.float64], kind: np.dtype[Any], header: Dataset) -> tuple[float, float]:
    """Lowest and highest value that can be stored; of floating-point pixels those that are."""
    if not np.issubdtype(kind, np.integer):
        return float(values.min()), float(values.max())
    bits = int(header.get("BitsStored") or header.BitsAllocated)
    if int(header.get("PixelRepresentation") or 0) == 1:
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def _file_window(path: Path, values: NDArray[np.float64], item: Any) -> tuple[NDArray[np.float64], str]:
    table = item.get("VOILUTSequence")
    if table:
        return _voi_table(path, values, item), "VOI lookup table of the file, 0 to 255"
    centre, width = (_first(item.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None:
        raise CaseError(
            f"{path.name}: imaging.window is file, but the header states none; allowed: none, or centre and width"
        )
    shape = printable(item.get("VOILUTFunction") or "LINEAR")
    if not math.isfinite(centre) or not 0 < width < math.inf or shape not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        raise CaseError(f"{path.name}: the window {shape} of centre {centre:g} and width {width:g} cannot be applied")
    shown = windowed(values, centre, width, shape=shape)  # type: ignore[arg-type]
    return shown, f"of the file, {shape}, centre {centre:g}, width {width:g}, 0 to 255"


def _stated_window(item: Any, mirrored: float | None) -> str | None:
    """Intensities of the scan that the file's linear window makes black and white; None where it states no such one.

    Of an inverted film they are mirrored like its pixels: an intensity and its mirror add up to `mirrored`.
    """
    try:
        centre, width = (_first(item.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    except (TypeError, ValueError, IndexError):
        return None
    shape = printable(item.get("VOILUTFunction") or "LINEAR")
    least = 1.0 if shape == "LINEAR" else 0.0
    if item.get("VOILUTSequence") or shape not in {"LINEAR", "LINEAR_EXACT"} or centre is None or width is None:
        return None
    if not math.isfinite(centre) or not least < width < math.inf:
        return None
    centre, width = centre - least / 2, width - least
    low, high = centre - width / 2, centre + width / 2
    return f"{low:.10g} to {high:.10g}" if mirrored is None else f"{mirrored - high:.10g} to {mirrored - low:.10g}"


def _first(value: Any) -> float | None:
    """First of one or several numbers."""
    if value in (None, ""):
        return None
    try:
        return float(value)
    except TypeError:
        return float(value[0])


def _voi_table(path: Path, values: NDArray[np.float64], item: Any) -> NDArray[np.float64]:
    from pydicom.pixels.processing import apply_voi

    whole = np.rint(values)
    if not np.array_equal(whole, values):
        raise CaseError(f"{path.name}: a VOI lookup table needs whole numbers; allowed: imaging.window none")
    bits = int(item.VOILUTSequence[0].LUTDescriptor[2]) or 16
    looked_up = np.asarray(apply_voi(whole.astype(np.int64), item), dtype=np.float64)
    return looked_up * (255.0 / (2.0**bits - 1))


def _padding(stored: NDArray[Any], header: Dataset) -> NDArray[np.bool_] | None:
    """Where the header declares padding, a value or a range of them."""
    value = header.get("PixelPaddingValue")
    if value is None or isinstance(value, bytes) or not np.issubdtype(stored.dtype, np.integer):
        return None
    limit = header.get("PixelPaddingRangeLimit")
    low, high = sorted(
        _as_stored(int(each), header) for each in (value, value if limit is None or isinstance(limit, bytes) else limit)
    )
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(value: int, header: Dataset) -> int:
    """Some headers state the padding of signed pixels as an unsigned number, or the other way round."""
    whole = 1 << int(header.BitsAllocated)
    if int(header.get("PixelRepresentation") or 0) == 1:
        return value - whole if value >= whole // 2 else value
    return value + whole if value < 0 else value


def _without_padding(
    path: Path,
    values: NDArray[np.float64],
    padding: NDArray[np.bool_] | None,
    *,
    settings: ImagingSettings,
    facts: dict[str, str],
) -> NDArray[np.float64]:
    count = 0 if padding is None else int(np.count_nonzero(padding))
    if padding is None or count == 0:
        return values
    if settings.padding == "keep":
        facts["padded_pixels"] = f"{count}, kept"
        return values
    if count == values.size:
        raise CaseError(f"{path.name}: all pixels are padding by the header's PixelPaddingValue")
    facts["padded_pixels"] = f"{count}, set to the lowest value of the others"
    return np.where(padding, values[~padding].min(), values)
