"""Distance between pixel centres of a DICOM plane: which keyword says it, and where it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radfusion.errors import CaseError
from radfusion.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["PlaneSpacing", "plane_spacing"]

_PROJECTIONS = {"CR", "DX", "MG", "RF", "XA", "PX", "IO", "RG", "DR"}
_SECTIONS = {"CT", "MR", "PT", "NM", "RTDOSE", "OPT", "IVUS"}
_EQUAL = 1e-3
_LARGEST = 100.0
_LARGEST_MAGNIFICATION = 10.0
_CENTIMETRES = 3


@dataclass(frozen=True)
class PlaneSpacing:
    """Row and column spacing in mm, and what is to be said of it.

    Attributes
    ----------
    pair : (float, float) or None
        Distance between rows, and between columns; None when the header does not say.
    facts : dict of str to str
        ``spacing``: keyword and meaning; ``spacing_refused``: a value that cannot be meant.
    at_detector : bool
        Whether the distances hold at the detector of a projection, not in the patient.
    """

    pair: tuple[float, float] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    at_detector: bool = False


def plane_spacing(name: str, header: Dataset, measures: Any, *, settings: ImagingSettings) -> PlaneSpacing:
    """Spacing of a plane by the first statement that is possible.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    header : Dataset
        Header of the file.
    measures : Dataset or None
        Pixel measures of the frame, where the file has functional groups.
    settings : ImagingSettings
        Whether a projection is scaled to the patient.

    Raises
    ------
    CaseError
        When scaling to the patient is asked for and the header states no possible magnification.
    """
    found = _stated(header, measures)
    if settings.magnification == "detector" or not found.at_detector or found.pair is None:
        return found
    factor, source = _magnification(name, header)
    rows, columns = found.pair
    facts = {**found.facts, "spacing": f"{found.facts['spacing'].split(':')[0]}: divided by {factor:g} ({source})"}
    return PlaneSpacing((rows / factor, columns / factor), facts)


def _stated(header: Dataset, measures: Any) -> PlaneSpacing:
    facts: dict[str, str] = {}
    pixel = _pair(measures if measures is not None else header, "PixelSpacing", facts)
    imager = _pair(header, "ImagerPixelSpacing", facts)
    projection = header.get("Modality") in _PROJECTIONS
    if pixel is not None and imager is not None and _same(pixel, imager):
        facts["spacing"] = "PixelSpacing: equal to ImagerPixelSpacing, at the detector, not corrected for magnification"
        return PlaneSpacing(pixel, facts, at_detector=True)
    if pixel is not None:
        facts["spacing"] = f"PixelSpacing: {_meaning(header, projection, imager)}"
        return PlaneSpacing(pixel, facts)
    if imager is not None:
        facts["spacing"] = "ImagerPixelSpacing: at the detector, not corrected for magnification"
        return PlaneSpacing(imager, facts, at_detector=True)
    scanned = _pair(header, "NominalScannedPixelSpacing", facts)
    if scanned is not None:
        facts["spacing"] = "NominalScannedPixelSpacing: at the digitiser"
        return PlaneSpacing(scanned, facts, at_detector=projection)
    ultrasound = _ultrasound(header, facts)
    if ultrasound is None:
        _state_aspect(header, facts)
    return PlaneSpacing(ultrasound, facts)


def _meaning(header: Dataset, projection: bool, imager: tuple[float, float] | None) -> str:
    if not projection:
        return "in the patient" if header.get("Modality") in _SECTIONS else "as the file states it"
    kind = str(header.get("PixelSpacingCalibrationType") or "").strip()
    if imager is not None or kind:
        stated = f"{imager[0]:g} x {imager[1]:g} mm at the detector" if imager else "no ImagerPixelSpacing"
        return f"calibrated ({kind or 'type not stated'}; {stated})"
    return "alone, the header does not say whether at the detector or calibrated"


def _pair(holder: Any, keyword: str, facts: dict[str, str]) -> tuple[float, float] | None:
    stated = holder.get(keyword)
    if stated in (None, "") or (isinstance(stated, Sequence) and not stated):
        return None
    try:
        rows, columns = (float(each) for each in stated)
    except (TypeError, ValueError):
        facts["spacing_refused"] = f"{keyword} is not a pair of numbers"
        return None
    if not all(math.isfinite(each) and 0 < each <= _LARGEST for each in (rows, columns)):
        facts["spacing_refused"] = f"{keyword} {rows:g}, {columns:g}: positive numbers up to {_LARGEST:g} mm are wanted"
        return None
    return rows, columns


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=_EQUAL) for a, b in zip(one, other, strict=True))


def _ultrasound(header: Dataset, facts: dict[str, str]) -> tuple[float, float] | None:
    """Spacing of ultrasound regions when all of them say the same, in centimetres."""
    pairs = {
        (10 * abs(float(item.get("PhysicalDeltaY") or 0)), 10 * abs(float(item.get("PhysicalDeltaX") or 0)))
        for item in header.get("SequenceOfUltrasoundRegions") or []
        if item.get("PhysicalUnitsXDirection") == item.get("PhysicalUnitsYDirection") == _CENTIMETRES
    }
    if len(pairs) > 1:
        facts["spacing_refused"] = f"{len(pairs)} ultrasound regions of different spacing"
    pair = pairs.pop() if len(pairs) == 1 else None
    if pair is None or not all(0 < each <= _LARGEST for each in pair):
        return None
    facts["spacing"] = "PhysicalDeltaX and PhysicalDeltaY: of the ultrasound region"
    return pair


def _state_aspect(header: Dataset, facts: dict[str, str]) -> None:
    aspect = header.get("PixelAspectRatio")
    if aspect and len(aspect) == 2 and aspect[0] != aspect[1]:
        facts["spacing"] = f"none; PixelAspectRatio {aspect[0]}:{aspect[1]}, the pixels are not square"


def _magnification(name: str, header: Dataset) -> tuple[float, str]:
    source = "EstimatedRadiographicMagnificationFactor"
    factor = header.get(source)
    detector, patient = header.get("DistanceSourceToDetector"), header.get("DistanceSourceToPatient")
    if not factor and detector and patient:
        source = "DistanceSourceToDetector / DistanceSourceToPatient"
        factor = float(detector) / float(patient)
    if not factor:
        raise CaseError(
            f"{name}: imaging.magnification is patient, but the header states neither a magnification factor nor "
            "both distances; allowed: detector, or imaging.spacing"
        )
    if not 1 <= float(factor) <= _LARGEST_MAGNIFICATION:
        raise CaseError(
            f"{name}: a magnification of {float(factor):g} ({source}) is impossible; "
            f"1 to {_LARGEST_MAGNIFICATION:g} are allowed"
        )
    return float(factor), source
