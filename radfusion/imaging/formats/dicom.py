"""Single-frame DICOM, by pydicom."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import FORMATS, Format, Pixels, decoding

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Dicom"]

_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422")
_PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", *_COLOUR)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Keywords of what was acquired and how; none of person, place, date or device serial number.
_FACTS = {
    "KVP": "kVp",
    "XRayTubeCurrent": "tube_current_mA",
    "ExposureTime": "exposure_time_ms",
    "Exposure": "exposure_mAs",
    "DistanceSourceToDetector": "source_to_detector_mm",
    "DistanceSourceToPatient": "source_to_patient_mm",
    "EstimatedRadiographicMagnificationFactor": "magnification",
    "Grid": "grid",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "BodyPartExamined": "body_part",
    "ViewPosition": "view",
    "PhotometricInterpretation": "photometric",
    "BitsStored": "bits_stored",
    "PixelSpacingCalibrationType": "spacing_calibration",
    "PixelPaddingValue": "pixel_padding",
    "LossyImageCompression": "lossy_compression",
}
_SPACINGS = {
    "PixelSpacing": "PixelSpacing",
    "ImagerPixelSpacing": "ImagerPixelSpacing: at the detector, not corrected for magnification",
    "NominalScannedPixelSpacing": "NominalScannedPixelSpacing: at the digitiser",
}
_PLUGINS = "; JPEG 2000 needs the extra radfusion[dicom], other JPEG and JPEG-LS radfusion[libjpeg]"


class Dicom(Format):
    """Grey or colour films and slices: modality transformation applied, MONOCHROME1 inverted once, no windowing."""

    title = "DICOM"
    suffixes = (".dcm", ".dicom", ".dic", ".ima")

    def recognises(self, head: bytes) -> bool:
        """Whether ``DICM`` follows the preamble of 128 bytes."""
        return head[128:132] == b"DICM"

    def shape(self, path: Path) -> tuple[int, ...]:
        """Rows and columns, from the header."""
        header = _header(path, pixels=False)
        with _decoding(path):
            return int(header.Rows), int(header.Columns)

    def read(self, path: Path) -> Pixels:
        """Values of the modality transformation, higher is brighter."""
        header = _header(path, pixels=True)
        with _decoding(path):
            facts = _facts(header)
            stored = _stored(path, header)
            if header.PhotometricInterpretation == "MONOCHROME1":
                stored = _inverted(stored, header)
                facts["inverted"] = "MONOCHROME1"
            return Pixels(
                values=_rescaled(stored, header, facts),
                spacing=_spacing(header, facts),
                modality=str(header.get("Modality", "")) or None,
                facts=facts,
                colour=_is_colour(header),
            )

    def read_labels(self, path: Path) -> Pixels:
        """Stored values, neither rescaled nor inverted."""
        header = _header(path, pixels=True)
        with _decoding(path):
            facts: dict[str, str] = {}
            return Pixels(
                values=_stored(path, header), spacing=_spacing(header, facts), facts=facts, colour=_is_colour(header)
            )


def _decoding(path: Path) -> AbstractContextManager[None]:
    from pydicom.errors import BytesLengthException

    return decoding(path, Dicom.title, also=(BytesLengthException,))


def _header(path: Path, *, pixels: bool) -> Dataset:
    from pydicom import dcmread

    with _decoding(path):
        # Old files lack the preamble; that something is an image at all is checked below.
        header = dcmread(path, force=True, stop_before_pixels=not pixels)
        _check_is_one_image(path, header, pixels=pixels)
        return header


def _check_is_one_image(path: Path, header: Dataset, *, pixels: bool) -> None:
    uid = header.get("SOPClassUID")
    what = getattr(uid, "name", "") or "no SOP class"
    if what == "Segmentation Storage":
        raise CaseError(f"{path.name}: DICOM segmentation objects are not read; export a label map (NIfTI or PNG)")
    absent = [keyword for keyword in ("Rows", "Columns", "PhotometricInterpretation") if header.get(keyword) is None]
    if absent or (pixels and not any(keyword in header for keyword in _PIXELS)):
        raise CaseError(f"{path.name}: holds no pixel data ({what}); a single-frame image is wanted")
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise CaseError(f"{path.name}: holds {frames} frames ({what}); a single-frame image is wanted")
    if header.PhotometricInterpretation not in _PHOTOMETRIC:
        allowed = ", ".join(_PHOTOMETRIC)
        raise CaseError(
            f"{path.name}: photometric interpretation {header.PhotometricInterpretation!s} is not read; "
            f"allowed: {allowed}"
        )


def _is_colour(header: Dataset) -> bool:
    return int(header.get("SamplesPerPixel", 1)) == 3


def _stored(path: Path, header: Dataset) -> NDArray[Any]:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    try:
        values: NDArray[Any] = header.pixel_array
    except RuntimeError as error:
        if "missing dependencies" not in str(error):
            raise
        syntax = header.file_meta.TransferSyntaxUID.name
        raise CaseError(f"{path.name}: no installed decoder reads {syntax}{_PLUGINS}") from error
    wanted = (int(header.Rows), int(header.Columns), *((3,) if _is_colour(header) else ()))
    if values.shape != wanted:
        raise CaseError(f"{path.name}: the header promises {wanted}, the pixel data hold {values.shape}")
    return values


def _inverted(stored: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Mirror the range of stored values, so that white is high."""
    if not np.issubdtype(stored.dtype, np.integer):
        return stored.max() + stored.min() - stored  # type: ignore[no-any-return]
    signed = int(header.get("PixelRepresentation", 0)) == 1
    top = -1 if signed else 2 ** int(header.BitsStored) - 1
    return np.int64(top) - stored.astype(np.int64)


def _rescaled(stored: NDArray[Any], header: Dataset, facts: dict[str, str]) -> NDArray[np.float64]:
    from pydicom.pixels.processing import apply_modality_lut

    if _is_colour(header):
        return stored
    values: NDArray[np.float64] = np.asarray(apply_modality_lut(stored, header), dtype=np.float64)
    if header.get("ModalityLUTSequence"):
        facts["rescaled"] = "modality lookup table"
    elif "RescaleSlope" in header and "RescaleIntercept" in header:
        facts["rescaled"] = f"slope {float(header.RescaleSlope):g}, intercept {float(header.RescaleIntercept):g}"
    return values


def _spacing(header: Dataset, facts: dict[str, str]) -> tuple[float, ...] | None:
    """Row and column spacing by the first keyword that says it, and which keyword that was."""
    for keyword, meaning in _SPACINGS.items():
        stated = header.get(keyword)
        if not stated:
            continue
        pair = tuple(float(each) for each in stated)
        if len(pair) == 2 and all(math.isfinite(each) and each > 0 for each in pair):
            facts["spacing"] = meaning
            return pair
        facts["spacing_refused"] = f"{keyword} is not a pair of positive numbers"
    return None


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).strip()


def _facts(header: Dataset) -> dict[str, str]:
    stated = {name: _text(header.get(keyword, "")) for keyword, name in _FACTS.items()}
    facts = {"format": "DICOM", **{name: value[:64] for name, value in stated.items() if value}}
    syntax = header.file_meta.get("TransferSyntaxUID")
    facts["transfer_syntax"] = str(syntax.name) if syntax else "not stated; taken from how the header is encoded"
    return facts


FORMATS.add("dicom", Dicom())
