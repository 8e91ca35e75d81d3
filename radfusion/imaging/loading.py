"""Files of one case to a scan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from radfusion.core.scan import Scan
from radfusion.core.settings import Settings
from radfusion.errors import CaseError
from radfusion.imaging.formats import Pixels, format_of
from radfusion.imaging.geometry import size_text
from radfusion.imaging.segmentations import label_map, roi_of

__all__ = ["ImagingSettings", "probe", "read_scan"]


class ImagingSettings(Settings):
    """How files become scans."""

    segmentation_label: int | None = Field(
        default=None, description="value of the region in the segmentation; null: the only value that is not 0"
    )
    min_roi_pixels: PositiveInt = Field(default=32, description="pixels (voxels) that a region must have")
    spacing: Annotated[tuple[PositiveFloat, ...], Field(min_length=2, max_length=3)] | None = Field(
        default=None,
        description="distance between pixel centres in mm (rows, columns; volumes: slices first); "
        "null: what each file says. Overrides the files",
    )
    modality: str | None = Field(
        default=None, description="DICOM code of the modality where a file states none: CR, DX"
    )
    colour: Literal["luminance", "refuse"] = Field(
        default="luminance",
        description="what becomes of coloured pixels: ITU-R BT.601 luminance, or the case is excluded; "
        "files whose three channels are equal are grey",
    )
    max_pixels: PositiveInt = Field(default=2**28, description="size above which a file is refused before decoding")


def read_scan(case: str, image: str | Path, segmentation: str | Path | None, *, settings: ImagingSettings) -> Scan:
    """Read an image and its segmentation.

    Parameters
    ----------
    case : str
        Identifier of the case.
    image, segmentation : path
        Files; without a segmentation the whole image is the region.
    settings : ImagingSettings
        How files become scans.

    Raises
    ------
    CaseError
        Of stage ``read`` or ``segmentation``: what is wrong with which file and what is allowed.
    """
    image, segmentation = Path(image), Path(segmentation) if segmentation is not None else None
    with _stage("read"):
        _checked_shape(image, settings)
        pixels = format_of(image).read(image)
        facts = dict(pixels.facts)
        grey = _finite(_grey(pixels, settings, facts, name=image.name), image.name)
        spacing = _spacing(pixels, settings, facts, name=image.name)
    with _stage("segmentation"):
        roi = _roi(segmentation, image, pixels=pixels, settings=settings)
    if segmentation is None:
        facts["segmentation"] = "none: the whole image"
    return Scan(
        case=case,
        image=grey,
        roi=roi,
        spacing=spacing,
        modality=pixels.modality or settings.modality or "unknown",
        origin=pixels.origin,
        direction=pixels.direction,
        facts=facts,
    )


def probe(image: str | Path, segmentation: str | Path | None, *, settings: ImagingSettings | None = None) -> str | None:
    """Say why a case cannot be read, from headers alone, or None.

    Only :func:`read_scan` finds damaged pixels and regions that are empty or ambiguous.

    Parameters
    ----------
    image, segmentation : path
        Files of the case.
    settings : ImagingSettings, optional
        Gives the size limit.
    """
    settings = settings or ImagingSettings()
    image, segmentation = Path(image), Path(segmentation) if segmentation is not None else None
    try:
        shape = _checked_shape(image, settings)
        if segmentation is not None:
            _check_same_size(shape, _checked_shape(segmentation, settings), image.name, segmentation.name)
    except CaseError as error:
        return error.reason
    return None


@contextmanager
def _stage(stage: str) -> Iterator[None]:
    try:
        yield
    except CaseError as error:
        raise CaseError(error.reason, stage=stage) from error


def _checked_shape(path: Path, settings: ImagingSettings) -> tuple[int, ...]:
    shape = format_of(path).shape(path)
    count = math.prod(shape)
    if count <= 0:
        raise CaseError(f"{path.name}: has no pixels, {size_text(shape)}")
    if count > settings.max_pixels:
        raise CaseError(
            f"{path.name}: {size_text(shape)} is {count} pixels; at most {settings.max_pixels} (imaging.max_pixels)"
        )
    return shape


def _grey(pixels: Pixels, settings: ImagingSettings, facts: dict[str, str], *, name: str) -> NDArray[np.float64]:
    if not pixels.colour:
        return np.asarray(pixels.values, dtype=np.float64)
    values = pixels.values.astype(np.int64)
    coloured = int(np.count_nonzero((values != values[..., :1]).any(axis=-1)))
    if coloured == 0:
        return values[..., 0].astype(np.float64)
    if settings.colour == "refuse":
        raise CaseError(f"{name}: {coloured} pixels are coloured; imaging.colour is refuse (allowed: luminance)")
    facts["colour"] = f"{coloured} coloured pixels, ITU-R BT.601 luminance"
    # Weights in 1/65536 that sum to one, so that a grey pixel keeps its value exactly.
    grey: NDArray[np.int64] = (values @ np.array([19595, 38470, 7471]) + 32768) >> 16
    return grey.astype(np.float64)


def _finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise CaseError(f"{name}: {bad} pixels are NaN or infinite; finite numbers are wanted")
    return values


def _spacing(
    pixels: Pixels, settings: ImagingSettings, facts: dict[str, str], *, name: str
) -> tuple[float, ...] | None:
    if settings.spacing is None:
        return pixels.spacing
    axes = pixels.values.ndim - pixels.colour
    if len(settings.spacing) != axes:
        raise CaseError(f"{name}: imaging.spacing has {len(settings.spacing)} numbers, the image has {axes} axes")
    facts["spacing"] = "imaging.spacing"
    return settings.spacing


def _roi(segmentation: Path | None, image: Path, *, pixels: Pixels, settings: ImagingSettings) -> NDArray[np.bool_]:
    shape = pixels.values.shape[:2] if pixels.colour else pixels.values.shape
    if segmentation is None:
        return np.ones(shape, dtype=np.bool_)
    _check_same_size(shape, _checked_shape(segmentation, settings), image.name, segmentation.name)
    drawn = format_of(segmentation).read_labels(segmentation)
    _check_same_place(pixels, drawn, image.name, segmentation.name)
    roi = roi_of(label_map(drawn, segmentation.name), settings.segmentation_label, name=segmentation.name)
    count = int(np.count_nonzero(roi))
    if count < settings.min_roi_pixels:
        raise CaseError(
            f"{segmentation.name}: the region has {count} pixels; at least {settings.min_roi_pixels} "
            "(imaging.min_roi_pixels)"
        )
    return roi


def _check_same_size(image: tuple[int, ...], drawn: tuple[int, ...], *names: str) -> None:
    if image != drawn:
        raise CaseError(
            f"{names[1]}: is {size_text(drawn)}, the image {names[0]} is {size_text(image)}; they must be equal"
        )


def _check_same_place(image: Pixels, drawn: Pixels, *names: str) -> None:
    """Two volumes of one size may still lie elsewhere in the patient."""
    if len(image.origin) != len(drawn.origin) or not image.origin or image.spacing is None or drawn.spacing is None:
        return
    apart = {
        "spacing": not np.allclose(image.spacing, drawn.spacing, rtol=1e-3, atol=0),
        "direction": not np.allclose(image.direction, drawn.direction, rtol=0, atol=1e-3),
        "origin": bool(np.any(np.abs(np.subtract(image.origin, drawn.origin)) > 0.1 * np.asarray(image.spacing))),
    }
    wrong = [what for what, differs in apart.items() if differs]
    if wrong:
        stated: list[Any] = [f"{what} {getattr(drawn, what)} and {getattr(image, what)}" for what in wrong]
        raise CaseError(f"{names[1]}: lies elsewhere than the image {names[0]}: {'; '.join(stated)}; resample it")
