"""Whether a DICOM segmentation belongs to a DICOM image; identifiers are compared, never shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["References", "check_belongs", "header_of"]

_TITLE = "DICOM"
_KEYWORDS = ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class References:
    """Identifiers that a DICOM object bears or refers to; empty where it states none."""

    frames: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()


def header_of(path: Path, *, keywords: tuple[str, ...] | None = None) -> Dataset:
    """DICOM file without its pixels, also one that lacks the preamble.

    Raises
    ------
    CaseError
        When it cannot be read.
    """
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException

    with decoding(path, _TITLE, also=(BytesLengthException,)):
        wanted = None if keywords is None else list(keywords)
        return dcmread(path, force=True, stop_before_pixels=True, specific_tags=wanted)


def check_belongs(name: str, drawn: References, image: Path) -> dict[str, str]:
    """Refuse a segmentation that refers to something else than the image.

    The frame of reference decides, as it says that coordinates in mm mean the same place; where one of the two states
    none, or they differ, the series or the instance that the segmentation refers to must be the image's.

    Parameters
    ----------
    name : str
        Name of the segmentation file, for the message.
    drawn : References
        What the segmentation refers to.
    image : path
        Image file, or folder of a series.

    Returns
    -------
    facts : dict of str to str
        What is to be said about a pair that is accepted.

    Raises
    ------
    CaseError
        When they do not belong together.
    """
    own = _references_of(image)
    if own is None:
        return {"reference": "not checked: the image is not DICOM"}
    named = bool(own.series & drawn.series or own.instances & drawn.instances)
    same_frame = bool(own.frames & drawn.frames)
    if named:
        apart = own.frames and drawn.frames and not same_frame
        return {"reference": "the image's series; its frame of reference is another one"} if apart else {}
    if same_frame:
        return {"reference": "another series of the image's frame of reference"} if drawn.series else {}
    if drawn == References():
        return {"reference": "not checked: the segmentation refers to nothing"}
    what = "series" if own.studies & drawn.studies else "exam"
    raise CaseError(
        f"{name}: belongs to another {what} than the image {image.name}: neither its frame of reference nor a series "
        "or image that it refers to is the image's",
        stage="segmentation",
    )


def _references_of(image: Path) -> References | None:
    """Identifiers of a DICOM image, of a folder by its first DICOM file; None of anything else."""
    with decoding(image, _TITLE):
        files = sorted(each for each in image.iterdir() if each.is_file()) if image.is_dir() else [image]
        files = [each for each in files if _is_dicom(each)]
    for path in files:
        header = header_of(path, keywords=(*_KEYWORDS, "Rows", "Modality"))
        if "Rows" in header and (path == image or header.get("Modality") != "SEG"):
            return References(*(_given(header, keyword) for keyword in _KEYWORDS))
    return None


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in {".dcm", ".dicom", ".dic", ".ima"}


def _given(header: Dataset, keyword: str) -> frozenset[str]:
    return frozenset({str(header.get(keyword))} if header.get(keyword) else ())
