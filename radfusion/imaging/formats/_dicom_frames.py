"""Frames of enhanced and multi-frame DICOM: where each lies, and whether they are slices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radfusion.errors import CaseError
from radfusion.imaging.formats._dicom_header import first_item, object_name
from radfusion.imaging.formats._dicom_spacing import PlaneSpacing, plane_spacing
from radfusion.imaging.formats._dicom_stack import Plane, Stack, plane_of, stacked
from radfusion.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["chosen_frame", "frame_plane", "frame_stack", "group_of"]

_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_SHARED = "SharedFunctionalGroupsSequence"
_ONE = "choose one with imaging.frame"


def group_of(header: Dataset, frame: int, keyword: str) -> Any:
    """Item of a functional group, of the frame or else of all frames; None when there is none.

    Parameters
    ----------
    header : Dataset
        Header of the file.
    frame : int
        Which frame, counted from 0.
    keyword : str
        Sequence of the group, for example ``"PlanePositionSequence"``.
    """
    per_frame = header.get(_PER_FRAME)
    own = first_item(per_frame[frame], keyword) if per_frame and frame < len(per_frame) else None
    return own if own is not None else first_item(first_item(header, _SHARED), keyword)


def chosen_frame(path: Path, frames: int, settings: ImagingSettings) -> int | None:
    """Frame to read, counted from 0, of one frame or by ``imaging.frame``; None: all.

    Raises
    ------
    CaseError
        When the file has no such frame.
    """
    if frames == 1:
        return 0
    if settings.frame is None:
        return None
    if settings.frame > frames:
        raise CaseError(f"{path.name}: has {frames} frames; imaging.frame is {settings.frame}")
    return settings.frame - 1


def frame_plane(name: str, header: Dataset, frame: int, *, settings: ImagingSettings) -> tuple[Plane, PlaneSpacing]:
    """Place and spacing of one frame.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    header : Dataset
        Header of the file.
    frame : int
        Which frame, counted from 0.
    settings : ImagingSettings
        Whether a projection is scaled to the patient.
    """
    measures = group_of(header, frame, "PixelMeasuresSequence")
    spacing = plane_spacing(name, header, measures, settings=settings)
    position = group_of(header, frame, "PlanePositionSequence") or header
    orientation = group_of(header, frame, "PlaneOrientationSequence") or header
    place = position.get("ImagePositionPatient"), orientation.get("ImageOrientationPatient")
    return plane_of((int(header.Rows), int(header.Columns)), spacing.pair, place), spacing


def frame_stack(path: Path, header: Dataset, frames: int, *, settings: ImagingSettings) -> tuple[Stack, PlaneSpacing]:
    """Order and place of frames that are the slices of one volume.

    Raises
    ------
    CaseError
        When they are something else: time points, cine, tiles of a slide.
    """
    what = object_name(header)
    if "Whole Slide" in what or header.get("TotalPixelMatrixRows"):
        raise CaseError(f"{path.name}: its {frames} frames are tiles of a slide ({what}); {_ONE}")
    if _PER_FRAME in header and len(header[_PER_FRAME].value) < frames:
        stated = len(header[_PER_FRAME].value)
        raise CaseError(f"{path.name}: holds {frames} frames, but functional groups of {stated}")
    if header.get("GridFrameOffsetVector"):
        planes, spacing = _dose_planes(path, header, frames, settings=settings)
    else:
        found = [frame_plane(path.name, header, frame, settings=settings) for frame in range(frames)]
        planes, spacing = [plane for plane, _ in found], found[0][1]
    places = {plane.position for plane in planes if plane.orientation}
    if len(places) < 2:
        raise CaseError(
            f"{path.name}: the positions of its {frames} frames are not stated ({what}): they are a sequence in time, "
            f"not slices; {_ONE}"
        )
    try:
        return stacked(path.name, planes, what="frames"), spacing
    except CaseError as error:
        raise CaseError(f"{error.reason}; {_ONE}") from error


def _dose_planes(
    path: Path, header: Dataset, frames: int, *, settings: ImagingSettings
) -> tuple[list[Plane], PlaneSpacing]:
    """Planes of a dose grid: offsets along the normal, or positions where they begin at the first plane's z."""
    plane, spacing = frame_plane(path.name, header, 0, settings=settings)
    offsets = np.array([float(each) for each in header.GridFrameOffsetVector])
    if len(offsets) != frames or not plane.orientation:
        raise CaseError(f"{path.name}: holds {frames} planes of dose, but {len(offsets)} offsets")
    steps = np.outer(offsets - offsets[0], plane.normal)
    where = np.array(plane.position) + steps
    return [plane_of(plane.shape, plane.spacing, (each, plane.orientation)) for each in where.tolist()], spacing
