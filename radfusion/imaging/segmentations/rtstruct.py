"""DICOM RT structure sets: closed contours in patient coordinates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding
from radfusion.imaging.segmentations._planes import drawn_on
from radfusion.imaging.segmentations._references import References, check_belongs, header_of
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["StructureSet", "StructureSets"]

_TITLE = "DICOM RT structure set"
_STORAGE = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.[0-9.]+")
_CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"}


class StructureSets(Kind):
    """RTSTRUCT, rasterised on the grid of the image by our own scanlines."""

    title = _TITLE

    def recognises(self, head: bytes) -> bool:
        """Whether the first storage class that the file names is that of RT structure sets."""
        found = _STORAGE.search(head)
        return found is not None and found[0] == b"1.2.840.10008.5.1.4.1.1.481.3"

    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:
        """Contours of all structures."""
        header = header_of(path)
        with decoding(path, _TITLE):
            return StructureSet(path, header, settings)


class StructureSet(Segmentation):
    """Structures of an RTSTRUCT file.

    Parameters
    ----------
    path : path
        The file, for messages.
    header : pydicom dataset
        Its content.
    settings : ImagingSettings
        Tolerance, and whether contours may be moved to the nearest slice.
    """

    def __init__(self, path: Path, header: Dataset, settings: ImagingSettings) -> None:
        self._path, self._settings = path, settings
        self._references = _references(header)
        self._names = {int(each.ROINumber): str(each.get("ROIName") or "").strip()
                       for each in header.get("StructureSetROISequence") or ()}  # fmt: skip
        self._contours: dict[int, list[NDArray[np.float64]]] = {}
        self._others: Counter[str] = Counter()
        for each in header.get("ROIContourSequence") or ():
            self._contours.setdefault(int(each.ReferencedROINumber), []).extend(self._closed(each))

    def _closed(self, item: Dataset) -> list[NDArray[np.float64]]:
        """Corners (z, y, x) of the closed contours of one structure; other contours are counted."""
        kept = []
        for contour in item.get("ContourSequence") or ():
            kind = str(contour.get("ContourGeometricType") or "CLOSED_PLANAR")
            if kind in _CLOSED:
                kept.append(_points(contour))
            else:
                self._others[f"{item.ReferencedROINumber} {kind}"] += 1
        return kept

    def structures(self, target: Target) -> Sequence[Structure]:
        """Structures with a closed contour."""
        check_belongs(self._path.name, self._references, target.path)
        found = [number for number, contours in self._contours.items() if contours]
        if not found:
            named = ", ".join(name or str(number) for number, name in self._names.items()) or "none"
            raise CaseError(f"{self._path.name}: no structure has a closed contour; structures: {named}")
        return [Structure(number, tuple(filter(None, [self._names.get(number)]))) for number in found]

    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Region of a structure: its contours of every slice, filled together."""
        if not target.grid.placed or len(target.grid.origin) != 3:
            raise CaseError(
                f"{self._path.name}: contours are in mm of the patient, but the image {target.path.name} does not say "
                "where its pixels lie; give the image as DICOM or as a volume with its geometry"
            )
        facts = check_belongs(self._path.name, self._references, target.path)
        drawn = drawn_on(target.grid, self._contours[structure.value], name=self._path.name, settings=self._settings)
        others = {key.split()[1]: n for key, n in self._others.items() if key.split()[0] == str(structure.value)}
        if others:
            left = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
            facts["contours_left_out"] = f"{left}: only closed contours have an inside"
        return Drawn(drawn.roi, {**facts, **drawn.facts}, drawn.outside)


def _points(contour: Dataset) -> NDArray[np.float64]:
    """Corners (z, y, x) in mm of one contour; the text of the file is parsed at once, as number by number is slow."""
    raw = contour.get_item("ContourData")
    value = getattr(raw, "value", None)
    texts = value.decode("ascii").strip(" \0").split("\\") if isinstance(value, bytes) else value
    numbers = np.array(texts, dtype=np.float64)
    if numbers.size < 3 or numbers.size % 3 or not np.isfinite(numbers).all():
        raise ValueError(f"a contour has {numbers.size} coordinates; finite numbers in threes are wanted")
    return numbers.reshape(-1, 3)[:, ::-1]


def _references(header: Dataset) -> References:
    frames, series, instances = set(), set(), set()
    for frame in header.get("ReferencedFrameOfReferenceSequence") or ():
        frames.add(str(frame.get("FrameOfReferenceUID") or ""))
        for exam in frame.get("RTReferencedStudySequence") or ():
            for each in exam.get("RTReferencedSeriesSequence") or ():
                series.add(str(each.get("SeriesInstanceUID") or ""))
    for roi in header.get("StructureSetROISequence") or ():
        frames.add(str(roi.get("ReferencedFrameOfReferenceUID") or ""))
    for roi in header.get("ROIContourSequence") or ():
        for contour in roi.get("ContourSequence") or ():
            for each in contour.get("ContourImageSequence") or ():
                instances.add(str(each.get("ReferencedSOPInstanceUID") or ""))
    study = {str(header.get("StudyInstanceUID") or "")}
    return References(*(frozenset(each - {""}) for each in (frames, study, series, instances)))


KINDS.add("rtstruct", StructureSets())
