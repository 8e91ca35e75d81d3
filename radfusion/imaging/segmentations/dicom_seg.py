"""DICOM segmentation objects: binary, fractional and label maps of one plane per frame."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding
from radfusion.imaging.geometry import Grid, numbering
from radfusion.imaging.segmentations._fitting import fitted
from radfusion.imaging.segmentations._frames import planes_of
from radfusion.imaging.segmentations._references import References, check_belongs, header_of
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["SegmentationObject", "SegmentationObjects"]

_TITLE = "DICOM segmentation"
_STORAGE = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.[0-9.]+")
_CLASSES = {b"1.2.840.10008.5.1.4.1.1.66.4", b"1.2.840.10008.5.1.4.1.1.66.7"}
_UNEVEN = 0.01


@dataclass(frozen=True)
class _Frame:
    """One plane: its index in the file, the segment that it shows (None: all), where it lies."""

    index: int
    segment: int | None
    grid: Grid


class SegmentationObjects(Kind):
    """DICOM-SEG: segments by number or label, overlapping or not, frames in any order."""

    title = _TITLE

    def recognises(self, head: bytes) -> bool:
        """Whether the first storage class that the file names is one of segmentations."""
        found = _STORAGE.search(head)
        return found is not None and found[0] in _CLASSES

    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:
        """Segments and frames; pixels are decoded when they are asked for."""
        header = header_of(path)
        if "TotalPixelMatrixRows" in header or str(header.get("DimensionOrganizationType", "")).startswith("TILED"):
            raise CaseError(f"{path.name}: segments tiles of a whole-slide image; segmentations of planes are read")
        with decoding(path, _TITLE):
            return SegmentationObject(path, header, settings)


class SegmentationObject(Segmentation):
    """Segments of a DICOM segmentation.

    Parameters
    ----------
    path : path
        The file.
    header : pydicom dataset
        All of it but the pixels.
    settings : ImagingSettings
        Tolerance, and the share from which a fraction counts as inside.
    """

    def __init__(self, path: Path, header: Dataset, settings: ImagingSettings) -> None:
        self._path, self._settings = path, settings
        self._references = _references(header)
        self._type = str(header.get("SegmentationType") or "BINARY")
        self._meaning = str(header.get("SegmentationFractionalType") or "").lower()
        self._full = int(header.get("MaximumFractionalValue") or 255)
        self._names = {
            int(each.SegmentNumber): str(each.get("SegmentLabel") or "").strip() for each in header.SegmentSequence
        }
        self._frames = _frames(header)
        self._decoded: dict[int, NDArray[Any]] = {}

    def structures(self, target: Target) -> Sequence[Structure]:
        """Segments that have a frame; of a label map those whose number occurs."""
        check_belongs(self._path.name, self._references, target.path)
        if self._type == "LABELMAP":
            values = [np.unique(each) for each in self._pixels([frame.index for frame in self._frames])]
            shown = set(np.concatenate(values).tolist()) - {0}
        else:
            shown = {frame.segment for frame in self._frames}
        found = sorted(number for number in shown if number is not None)
        return [Structure(number, tuple(filter(None, [self._names.get(number)]))) for number in found]

    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Planes of a segment on the slices of the image."""
        facts = check_belongs(self._path.name, self._references, target.path)
        frames = [frame for frame in self._frames if frame.segment in {None, structure.value}]
        planes = [self._inside(each, structure.value) for each in self._pixels([frame.index for frame in frames])]
        if self._type == "FRACTIONAL":
            facts["fraction"] = f"{self._meaning or 'value'}, inside from {self._settings.segmentation_threshold:g} on"
        drawn = self._placed(frames, planes, target)
        return Drawn(drawn.roi, {**facts, **drawn.facts}, drawn.outside)

    def _inside(self, plane: NDArray[Any], number: int) -> NDArray[np.bool_]:
        if self._type == "LABELMAP":
            low, high = float(number), float(number)
        elif self._type == "FRACTIONAL":
            low, high = self._settings.segmentation_threshold * self._full, math.inf
        else:
            low, high = 1, math.inf
        inside: NDArray[np.bool_] = (plane >= low) & (plane <= high)
        return inside

    def _pixels(self, indices: Sequence[int]) -> list[NDArray[Any]]:
        """Planes by their index in the file, each decoded once."""
        wanted = [index for index in indices if index not in self._decoded]
        size = len(indices) * int(np.prod(self._frames[0].grid.shape)) if self._frames else 0
        if size > self._settings.max_pixels:
            raise CaseError(
                f"{self._path.name}: {len(indices)} frames have {size} pixels; at most {self._settings.max_pixels} "
                "(imaging.max_pixels)"
            )
        if wanted:
            self._decoded |= dict(zip(wanted, planes_of(self._path, wanted, self._frames[0].grid.shape), strict=True))
        return [self._decoded[index] for index in indices]

    def _placed(self, frames: Sequence[_Frame], planes: Sequence[NDArray[np.bool_]], target: Target) -> Drawn:
        image = target.grid
        comparable = image.placed and len(image.origin) == 3 and all(frame.grid.placed for frame in frames)
        if len(frames) == 1 and not comparable:
            return fitted(planes[0], frames[0].grid, target, path=self._path, settings=self._settings, partial=True)
        if not comparable:
            raise CaseError(
                f"{self._path.name}: shows the segment in {len(frames)} frames, and it or the image {target.path.name} "
                "does not say where they lie in the patient"
            )
        apart = [numbering(frame.grid, image).apart for frame in frames]
        if max(apart) > self._settings.geometry_tolerance and self._settings.geometry == "resample":
            volume, grid = _volume(frames, planes, self._path.name)
            return fitted(volume, grid, target, path=self._path, settings=self._settings, partial=True)
        # The plane that fits worst comes first, so that the refusal or the fact speaks of it.
        order = sorted(range(len(frames)), key=lambda each: -apart[each])
        roi = np.zeros(image.shape, dtype=np.bool_)
        total, lost = 0, 0.0
        facts: dict[str, str] = {}
        for each in order:
            part = fitted(
                planes[each], frames[each].grid, target, path=self._path, settings=self._settings, partial=True
            )
            count = int(np.count_nonzero(planes[each]))
            total, lost = total + count, lost + part.outside * count
            roi |= part.roi
            facts = facts or dict(part.facts)
        return Drawn(roi, facts, lost / total if total else 0.0)


def _references(header: Dataset) -> References:
    series, instances = set(), set()
    for each in header.get("ReferencedSeriesSequence") or ():
        series.add(str(each.get("SeriesInstanceUID") or ""))
        for instance in each.get("ReferencedInstanceSequence") or ():
            instances.add(str(instance.get("ReferencedSOPInstanceUID") or ""))
    frame, study = (str(header.get(keyword) or "") for keyword in ("FrameOfReferenceUID", "StudyInstanceUID"))
    return References(*(frozenset(each - {""}) for each in ({frame}, {study}, series, instances)))


def _frames(header: Dataset) -> list[_Frame]:
    """Frames with their segment and place, from the functional groups of each frame or of all."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    found = []
    for index in range(int(header.get("NumberOfFrames") or 1)):
        groups = [group for group in (own[index] if own else None, shared) if group is not None]
        segment = None
        if str(header.get("SegmentationType")) != "LABELMAP":
            identified = _group(groups, "SegmentIdentificationSequence")
            segment = int(identified.ReferencedSegmentNumber)
        found.append(_Frame(index, segment, _grid(groups, (int(header.Rows), int(header.Columns)))))
    return found


def _group(groups: Sequence[Dataset], keyword: str) -> Any:
    return next((group[keyword].value[0] for group in groups if group.get(keyword)), None)


def _grid(groups: Sequence[Dataset], shape: tuple[int, int]) -> Grid:
    measures, position, orientation = (
        _group(groups, keyword)
        for keyword in ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence")
    )
    spacing = None if measures is None else tuple(float(each) for each in measures.PixelSpacing)
    if spacing is None or position is None or orientation is None:
        return Grid(shape, spacing)
    along_row, along_column = np.reshape([float(each) for each in orientation.ImageOrientationPatient], (2, 3))
    axes = np.stack([np.cross(along_row, along_column), along_column, along_row], axis=1)[::-1]
    origin = tuple(float(each) for each in position.ImagePositionPatient)[::-1]
    return Grid(shape, spacing, origin, tuple(axes.ravel().tolist()))


def _volume(frames: Sequence[_Frame], planes: Sequence[NDArray[np.bool_]], name: str) -> tuple[NDArray[np.bool_], Grid]:
    """Planes stacked to a volume, for resampling."""
    first = frames[0].grid
    normal = np.reshape(first.direction, (3, 3))[:, 0]
    places = np.array([np.dot(frame.grid.origin, normal) for frame in frames])
    steps = np.diff(np.unique(np.round(places, 4)))
    step = float(steps.min()) if steps.size else max(first.spacing or (1.0,))
    numbers = (places - places.min()) / step
    if np.abs(numbers - np.rint(numbers)).max() > _UNEVEN:
        raise CaseError(f"{name}: its frames are unevenly spaced, so they cannot be resampled to the image's grid")
    volume = np.zeros((int(np.rint(numbers.max())) + 1, *first.shape), dtype=np.bool_)
    for number, plane in zip(np.rint(numbers).astype(int), planes, strict=True):
        volume[number] |= plane
    lowest = frames[int(np.argmin(places))].grid
    return volume, replace(lowest, shape=volume.shape, spacing=(step, *(first.spacing or ())))


KINDS.add("dicom-seg", SegmentationObjects())
