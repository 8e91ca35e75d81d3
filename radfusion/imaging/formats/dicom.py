"""DICOM: single films and slices, frames that are slices, and folders that hold a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.formats._dicom_frames import chosen_frame, frame_plane, frame_stack
from radfusion.imaging.formats._dicom_header import acquisition_facts, check_is_image, dicom_decoding, read_header
from radfusion.imaging.formats._dicom_pixels import frame_count, stored_values
from radfusion.imaging.formats._dicom_series import read_series, series_stack
from radfusion.imaging.formats._dicom_spacing import PlaneSpacing
from radfusion.imaging.formats._dicom_stack import Plane, Stack
from radfusion.imaging.formats._dicom_values import intensities
from radfusion.imaging.formats.base import FORMATS, Format, Pixels
from radfusion.imaging.settings import STANDARD, ImagingSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Dicom"]


class Dicom(Format):
    """Grey or colour films, slices and volumes: modality transformation applied, MONOCHROME1 inverted once."""

    title = "DICOM"
    suffixes = (".dcm", ".dicom", ".dic", ".ima")
    folders = True

    def recognises(self, head: bytes) -> bool:
        """Whether ``DICM`` follows the preamble of 128 bytes."""
        return head[128:132] == b"DICM"

    def shape(self, path: Path, settings: ImagingSettings = STANDARD) -> tuple[int, ...]:
        """Rows and columns, of a stack after the number of slices; from the headers."""
        with dicom_decoding(path):
            return _shape(path, settings)

    def read(self, path: Path, settings: ImagingSettings = STANDARD) -> Pixels:
        """Values of the modality transformation, higher is brighter, and where they lie in the patient."""
        with dicom_decoding(path):
            return _read_series(path, settings) if path.is_dir() else _read_file(path, settings)

    def read_labels(self, path: Path) -> Pixels:
        """Stored values, neither rescaled nor inverted."""
        with dicom_decoding(path):
            return _read_stored_series(path) if path.is_dir() else _read_stored(path)


def _shape(path: Path, settings: ImagingSettings) -> tuple[int, ...]:
    if path.is_dir():
        series = read_series(path)
        if len(series.files) > 1:
            return len(series.files), int(series.headers[0].Rows), int(series.headers[0].Columns)
        path = series.files[0]
    header = read_header(path, pixels=False)
    check_is_image(path, header, pixels=False)
    frames = frame_count(path, header)
    shape = int(header.Rows), int(header.Columns)
    return shape if chosen_frame(path, frames, settings) is not None else (frames, *shape)


def _read_series(folder: Path, settings: ImagingSettings) -> Pixels:
    series = read_series(folder)
    if len(series.files) == 1:
        single = _read_file(series.files[0], settings)
        return replace(single, facts={**single.facts, **series.facts})
    stack, spacing = series_stack(folder, series, settings=settings)
    slices = [_slice(series.files[index], settings) for index in stack.order]
    facts = {**acquisition_facts(series.headers), **_told(slices), **series.facts}
    return _volume([values for values, _ in slices], stack, spacing, facts=facts, modality=_modality(series.headers[0]))


def _slice(path: Path, settings: ImagingSettings) -> tuple[NDArray[Any], dict[str, str]]:
    with dicom_decoding(path):
        header = _image_header(path)
        return _intensities(path, stored_values(path, header, 0), header, frame=0, settings=settings)


def _read_file(path: Path, settings: ImagingSettings) -> Pixels:
    header = _image_header(path)
    frames = frame_count(path, header)
    frame = chosen_frame(path, frames, settings)
    facts, modality = acquisition_facts([header]), _modality(header)
    if frame is None:
        stack, spacing = frame_stack(path, header, frames, settings=settings)
        stored = stored_values(path, header)
        slices = [_intensities(path, stored[each], header, frame=each, settings=settings) for each in stack.order]
        return _volume([values for values, _ in slices], stack, spacing, facts=facts | _told(slices), modality=modality)
    if frames > 1:
        facts["frame"] = f"{frame + 1} of {frames}"
    plane, spacing = frame_plane(path.name, header, frame, settings=settings)
    values, told = _intensities(path, stored_values(path, header, frame), header, frame=frame, settings=settings)
    return _film(values, plane, spacing, facts={**facts, **told}, modality=modality)


def _read_stored(path: Path) -> Pixels:
    header = _image_header(path)
    frame = chosen_frame(path, frame_count(path, header), STANDARD)
    values = stored_values(path, header, frame)
    if frame is None:
        stack, spacing = frame_stack(path, header, len(values), settings=STANDARD)
        return _volume([values[index] for index in stack.order], stack, spacing, facts={}, modality=None)
    plane, spacing = frame_plane(path.name, header, frame, settings=STANDARD)
    return _film(values, plane, spacing, facts={}, modality=None)


def _read_stored_series(folder: Path) -> Pixels:
    series = read_series(folder)
    if len(series.files) == 1:
        return _read_stored(series.files[0])
    stack, spacing = series_stack(folder, series, settings=STANDARD)
    files = [series.files[index] for index in stack.order]
    slices = [stored_values(path, _image_header(path), 0) for path in files]
    return _volume(slices, stack, spacing, facts={}, modality=None)


def _image_header(path: Path) -> Dataset:
    header = read_header(path, pixels=True)
    check_is_image(path, header, pixels=True)
    return header


def _modality(header: Dataset) -> str | None:
    return str(header.get("Modality") or "") or None


def _intensities(
    path: Path, stored: NDArray[Any], header: Dataset, *, frame: int, settings: ImagingSettings
) -> tuple[NDArray[Any], dict[str, str]]:
    if header.PhotometricInterpretation == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        return apply_color_lut(stored, header), {"rescaled": "palette colours looked up"}
    return intensities(path, stored, header, frame=frame, settings=settings)


def _told(slices: Sequence[tuple[NDArray[Any], dict[str, str]]]) -> dict[str, str]:
    """What was done to slices; what was done differently to each is only named."""
    facts: dict[str, str] = {}
    for name in dict.fromkeys(name for _, told in slices for name in told):
        stated = {told.get(name, "") for _, told in slices}
        facts[name] = stated.pop() if len(stated) == 1 else "differs between slices"
    return facts


def _film(
    values: NDArray[Any], plane: Plane, spacing: PlaneSpacing, *, facts: dict[str, str], modality: str | None
) -> Pixels:
    return Pixels(
        values=values,
        spacing=plane.spacing,
        modality=modality,
        origin=plane.origin if plane.orientation else (),
        direction=plane.direction,
        facts={**facts, **spacing.facts},
        colour=values.ndim == 3,
    )


def _volume(
    slices: Sequence[NDArray[Any]],
    stack: Stack,
    spacing: PlaneSpacing,
    *,
    facts: dict[str, str],
    modality: str | None,
) -> Pixels:
    values = np.stack(slices)
    return Pixels(
        values=values,
        spacing=stack.spacing,
        modality=modality,
        origin=stack.origin,
        direction=stack.direction,
        facts={**facts, **spacing.facts, "slices": stack.fact},
        colour=values.ndim == 4,
    )


FORMATS.add("dicom", Dicom())
