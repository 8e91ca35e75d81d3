"""A folder of DICOM files: which of them are the slices of its one series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from radfusion.errors import CaseError
from radfusion.imaging.formats._dicom_frames import frame_plane
from radfusion.imaging.formats._dicom_header import check_is_image, dicom_decoding, object_name, read_header
from radfusion.imaging.formats._dicom_pixels import frame_count
from radfusion.imaging.formats._dicom_spacing import PlaneSpacing
from radfusion.imaging.formats._dicom_stack import Stack, stacked
from radfusion.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Series", "read_series", "series_stack"]

_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")


@dataclass(frozen=True)
class Series:
    """Files of one series, in no particular order.

    Attributes
    ----------
    files : tuple of path
        One file per slice, or a single file of one or several frames.
    headers : tuple of Dataset
        Header of each.
    facts : dict of str to str
        What of the folder was left out.
    """

    files: tuple[Path, ...]
    headers: tuple[Dataset, ...]
    facts: dict[str, str] = field(default_factory=dict)


def read_series(folder: Path) -> Series:
    """Read the headers of a folder and find its one series of images.

    Raises
    ------
    CaseError
        When there is none or several, or a DICOM file is damaged.
    """
    groups: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    left: Counter[str] = Counter()
    for path in sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith(".")):
        found = _image_or_kind(folder, path)
        if isinstance(found, str):
            left[found] += 1
        else:
            groups[str(found.get("SeriesInstanceUID") or "")].append((path, found))
    members = _only(folder, list(groups.values()), left)
    facts = {"left_out": ", ".join(f"{count} {what}" for what, count in sorted(left.items()))} if left else {}
    return Series(tuple(path for path, _ in members), tuple(header for _, header in members), facts)


def series_stack(folder: Path, series: Series, *, settings: ImagingSettings) -> tuple[Stack, PlaneSpacing]:
    """Order and place of the slices of a series of at least two files.

    Raises
    ------
    CaseError
        When they do not make one volume.
    """
    if any(frame_count(path, header) > 1 for path, header in zip(series.files, series.headers, strict=True)):
        raise CaseError(f"{folder.name}: holds {len(series.files)} multi-frame files of one series; name one file")
    kinds = Counter(str(header.get("PhotometricInterpretation")) for header in series.headers)
    if len(kinds) > 1:
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        raise CaseError(f"{folder.name}: the slices differ in photometric interpretation: {told}")
    found = [frame_plane(folder.name, header, 0, settings=settings) for header in series.headers]
    return stacked(folder.name, [plane for plane, _ in found], what="slices"), found[0][1]


def _image_or_kind(folder: Path, path: Path) -> Dataset | str:
    """Header of an image, or in a few words what else the file is."""
    named = path.name.lower().endswith(_DICOM_SUFFIXES)
    with path.open("rb") as file:
        marked = file.read(132)[128:] == b"DICM"
    try:
        header = read_header(path, pixels=False)
        with dicom_decoding(path):
            name, kind = object_name(header), header.get("ImageType") or ()
    except CaseError as error:
        if marked or named:
            raise CaseError(f"{folder.name}: {error.reason}") from error
        return "not DICOM"
    try:
        check_is_image(path, header, pixels=False)
    except CaseError as error:
        if name != "no SOP class":
            return f"{name} without pixels" if "image is wanted" in error.reason else name
        if marked or named:
            raise CaseError(f"{folder.name}: {error.reason}") from error
        return "not DICOM"
    return "localiser" if "LOCALIZER" in [str(word) for word in kind] else header


def _only(folder: Path, groups: Sequence[list[tuple[Path, Dataset]]], left: Counter[str]) -> list[tuple[Path, Dataset]]:
    if len(groups) == 1:
        return groups[0]
    if groups:
        sizes = ", ".join(str(size) for size in sorted((len(group) for group in groups), reverse=True)[:8])
        raise CaseError(
            f"{folder.name}: holds {len(groups)} series, of {sizes} images; a folder with one series is wanted"
        )
    inside = ", ".join(f"{count} {what}" for what, count in sorted(left.items())) or "no files"
    deeper = sum(1 for each in folder.iterdir() if each.is_dir())
    more = f" and {deeper} folders, which are not searched" if deeper else ""
    raise CaseError(f"{folder.name}: this folder holds no DICOM image but {inside}{more}; name the folder of a series")
