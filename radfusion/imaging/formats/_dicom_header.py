"""DICOM headers: read safely, is it an image, and the facts that identify nobody."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "PIXELS",
    "acquisition_facts",
    "check_is_image",
    "dicom_decoding",
    "first_item",
    "object_name",
    "printable",
    "read_header",
]

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422")
_PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *_COLOUR)
_NEEDED = ("Rows", "Columns", "PhotometricInterpretation", "BitsAllocated")
# Younger than pydicom's list of names.
_NEWER = {
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}
_MOST_INFLATED = 2**30
_CHUNK = 1 << 20

# What an object without an image is, by words of its SOP class, and where it may be used.
_SEGMENTATION = "name it as the segmentation of a case"
_ELSE = {
    "Surface Segmentation": ("a surface segmentation", "export it as label map"),
    "Segmentation": ("a DICOM segmentation object", _SEGMENTATION),
    "RT Structure Set": ("a radiotherapy structure set", _SEGMENTATION),
    "Plan": ("a radiotherapy plan", "it holds no pixels"),
    "Treatment": ("a radiotherapy treatment record", "it holds no pixels"),
    "SR": ("a structured report", "it holds no pixels"),
    "Key Object": ("a key object note", "it holds no pixels"),
    "Waveform": ("a waveform", "it holds no pixels"),
    "ECG": ("a waveform", "it holds no pixels"),
    "Presentation State": ("a presentation state", "it only says how another image is shown"),
    "Annotations": ("annotations", "they hold no pixels"),
    "Media Storage Directory": ("a DICOMDIR", "name the folder of one series, or one image file"),
    "Encapsulated": ("an encapsulated document", "it holds no pixels"),
    "Registration": ("a registration", "it holds no pixels"),
}  # fmt: skip

# Keywords of what was acquired and how; none of person, place, date or device serial number.
_FACTS = {
    "KVP": "kVp",
    "XRayTubeCurrent": "tube_current_mA",
    "ExposureTime": "exposure_time_ms",
    "Exposure": "exposure_mAs",
    "DistanceSourceToDetector": "source_to_detector_mm",
    "DistanceSourceToPatient": "source_to_patient_mm",
    "EstimatedRadiographicMagnificationFactor": "magnification",
    "ExposureIndex": "exposure_index",
    "RelativeXRayExposure": "relative_exposure",
    "Grid": "grid",
    "FilterType": "filter",
    "DetectorType": "detector_type",
    "DetectorConfiguration": "detector_configuration",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "BodyPartExamined": "body_part",
    "ViewPosition": "view",
    "PatientPosition": "patient_position",
    "PatientOrientation": "patient_orientation",
    "ImageLaterality": "image_laterality",
    "Laterality": "laterality",
    "ImageType": "image_type",
    "PresentationIntentType": "presentation_intent",
    "BurnedInAnnotation": "burned_in_annotation",
    "PhotometricInterpretation": "photometric",
    "PresentationLUTShape": "presentation_lut_shape",
    "BitsStored": "bits_stored",
    "PixelSpacingCalibrationType": "spacing_calibration",
    "PixelAspectRatio": "pixel_aspect_ratio",
    "PixelPaddingValue": "pixel_padding",
    "PixelPaddingRangeLimit": "pixel_padding_limit",
    "LossyImageCompression": "lossy_compression",
    "LossyImageCompressionRatio": "lossy_compression_ratio",
    "SliceThickness": "slice_thickness_mm",
    "SpacingBetweenSlices": "spacing_between_slices_mm",
    "ConvolutionKernel": "kernel",
    "GantryDetectorTilt": "gantry_tilt",
    "ReconstructionDiameter": "reconstruction_diameter_mm",
    "ContrastBolusRoute": "contrast_route",
    "SpiralPitchFactor": "pitch",
    "MagneticFieldStrength": "field_strength_T",
    "RepetitionTime": "repetition_time_ms",
    "EchoTime": "echo_time_ms",
    "InversionTime": "inversion_time_ms",
    "FlipAngle": "flip_angle",
    "ScanningSequence": "scanning_sequence",
    "SequenceVariant": "sequence_variant",
    "MRAcquisitionType": "mr_acquisition",
    "ReceiveCoilName": "coil",
    "Units": "units",
    "ReconstructionMethod": "reconstruction",
    "DoseUnits": "dose_units",
}


@contextmanager
def dicom_decoding(path: Path) -> Iterator[None]:
    """Turn whatever pydicom raises on a damaged file into a CaseError."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    with decoding(path, "DICOM", also=(BytesLengthException, InvalidDicomError)):
        yield


def read_header(path: Path, *, pixels: bool) -> Dataset:
    """Header of a file, with its pixel data when asked for.

    Raises
    ------
    CaseError
        When it is no DICOM or is damaged.
    """
    from pydicom import dcmread

    with dicom_decoding(path):
        _check_inflation(path)
        # Old files lack the preamble; that something is an image at all is checked by `check_is_image`.
        header = dcmread(path, force=True, stop_before_pixels=not pixels)
        # Numbers of a damaged header fail when they are first looked at: here, not in the middle of the work.
        for keyword in (*_NEEDED, "NumberOfFrames", "SamplesPerPixel", "BitsStored", "PixelRepresentation"):
            header.get(keyword)
        if "TransferSyntaxUID" not in header.file_meta:
            _name_syntax(header)
        return header


def _check_inflation(path: Path) -> None:
    """Refuse a deflated header that grows beyond all images."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    stream, length = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(144 + int(meta.get("FileMetaInformationGroupLength", 0)))
        while chunk := stream.unconsumed_tail or file.read(_CHUNK):
            length += len(stream.decompress(chunk, _CHUNK))
            if length > _MOST_INFLATED:
                raise CaseError(f"{path.name}: inflates to more than {_MOST_INFLATED} bytes; it is no image")
    if not stream.eof:
        raise CaseError(f"{path.name}: the deflated data end early; the file is cut short")


def _name_syntax(header: Dataset) -> None:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = header.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def object_name(header: Dataset) -> str:
    """Name of the SOP class, as the standard has it."""
    uid = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
    return _NEWER.get(str(uid)) or printable(getattr(uid, "name", "")) or "no SOP class"


def check_is_image(path: Path, header: Dataset, *, pixels: bool) -> None:
    """Refuse what holds no image, saying what it is and where it may be used.

    Raises
    ------
    CaseError
        Also for a photometric interpretation or a number of channels that no image has.
    """
    with dicom_decoding(path):
        name = object_name(header)
    for words, (what, use) in _ELSE.items():
        if words in name:
            raise CaseError(f"{path.name}: is {what} ({name}), not an image; {use}")
    with dicom_decoding(path):
        absent = [keyword for keyword in _NEEDED if header.get(keyword) is None]
        photometric, samples = header.get("PhotometricInterpretation"), int(header.get("SamplesPerPixel") or 1)
    if len(absent) == len(_NEEDED) and name == "no SOP class":
        raise CaseError(f"{path.name}: holds no image: neither pixel data nor a SOP class; is it DICOM at all?")
    if absent or (pixels and not any(keyword in header for keyword in PIXELS)):
        missing = f"; {', '.join(absent)} missing" if absent else ""
        raise CaseError(f"{path.name}: holds no pixel data ({name}){missing}; an image is wanted")
    if photometric not in _PHOTOMETRIC:
        raise CaseError(
            f"{path.name}: photometric interpretation {printable(photometric)} is not read; "
            f"allowed: {', '.join(_PHOTOMETRIC)}"
        )
    if samples != (3 if photometric in _COLOUR else 1):
        raise CaseError(f"{path.name}: {samples} channels do not fit the photometric interpretation {photometric}")


def first_item(header: Any, keyword: str) -> Any:
    """First item of a sequence, or None.

    Parameters
    ----------
    header : Dataset or None
        Where the sequence may be.
    keyword : str
        Its keyword.
    """
    sequence = None if header is None else header.get(keyword)
    return sequence[0] if sequence else None


def acquisition_facts(headers: Sequence[Dataset]) -> dict[str, str]:
    """Facts of one header, or of the slices of a series: a number that changes along it is given as a range."""
    facts = {"format": "DICOM"}
    for keyword, name in _FACTS.items():
        stated = [_value(header, keyword) for header in headers]
        told = _summary([value for value in stated if value not in (None, "", [])])
        if told:
            facts[name] = told
    facts["transfer_syntax"] = str(headers[0].file_meta.TransferSyntaxUID.name)
    maps = first_item(headers[0], "RealWorldValueMappingSequence")
    if maps is not None:
        facts["real_world_values"] = "stated by the header, not applied"
    return facts


def _value(header: Dataset, keyword: str) -> Any:
    """Value of an element of the header, or of the functional groups that all frames share."""
    if header.get(keyword) not in (None, ""):
        return header.get(keyword)
    shared = first_item(header, "SharedFunctionalGroupsSequence")
    if shared is None:
        return None
    for element in shared:
        item = element.value[0] if element.VR == "SQ" and element.value else None
        if item is not None and item.get(keyword) not in (None, ""):
            return item.get(keyword)
    return None


def _summary(values: Sequence[Any]) -> str:
    texts = list(dict.fromkeys(_text(value) for value in values))
    if len(texts) < 2:
        return "".join(texts)
    if all(isinstance(value, int | float) for value in values):
        return f"{_text(min(values))} to {_text(max(values))}"
    return "varies"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    parts = value if isinstance(value, MutableSequence) else [value]
    return printable("\\".join(str(part).strip() for part in parts))


def printable(value: Any) -> str:
    """Text of a header, which may be anything, on one short line."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(value))[:64]
