"""Files of cases to scans."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.imaging.formats import Pixels, format_of
from radfusion.imaging.geometry import size_text
from radfusion.imaging.segmentations import Drawn, check_same_size, read_roi
from radfusion.imaging.settings import ImagingSettings

__all__ = ["CaseFiles", "probe", "read_scan", "read_scans"]


@dataclass(frozen=True)
class CaseFiles:
    """Where a case's files are, and which structure of the segmentation is its region.

    Attributes
    ----------
    case : str
        Identifier of the case.
    image : str
        Image file.
    segmentation : str or None
        Segmentation file; without one the whole image is the region.
    label : int, str or None
        Value or name of the structure in the segmentation; None: what the imaging settings say.
    """

    case: str
    image: str
    segmentation: str | None = None
    label: int | str | None = None


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
    drawn = None if segmentation is None else str(segmentation)
    (scan,) = read_scans([CaseFiles(case, str(image), drawn)], settings=settings)
    if isinstance(scan, CaseError):
        raise scan
    return scan


def read_scans(files: Sequence[CaseFiles], *, settings: ImagingSettings) -> list[Scan | CaseError]:
    """Read cases; those that follow each other on one image file share its pixels, the same array object.

    Returns
    -------
    list of Scan or CaseError
        In the order of `files`; a case that cannot be used costs itself only.
    """
    found: list[Scan | CaseError] = []
    for image, group in groupby(files, key=lambda each: each.image):
        found.extend(_scans_of(Path(image), list(group), settings))
    return found


def _scans_of(image: Path, group: Sequence[CaseFiles], settings: ImagingSettings) -> Iterator[Scan | CaseError]:
    try:
        with _stage("read"):
            film = _film(image, settings)
    except CaseError as error:
        yield from [error] * len(group)
        return
    for files in group:
        try:
            with _stage("segmentation"):
                yield _scan(files, film, settings)
        except CaseError as error:
            yield error


def _film(image: Path, settings: ImagingSettings) -> Pixels:
    """Grey, finite pixels with the spacing that holds for them."""
    _checked_shape(image, settings)
    pixels = format_of(image).read(image)
    facts = dict(pixels.facts)
    return Pixels(
        values=_finite(_grey(pixels, settings, facts, name=image.name), image.name),
        spacing=_spacing(pixels, settings, facts, name=image.name),
        modality=pixels.modality or settings.modality or "unknown",
        origin=pixels.origin,
        direction=pixels.direction,
        facts=facts,
    )


def _scan(files: CaseFiles, film: Pixels, settings: ImagingSettings) -> Scan:
    if files.segmentation is None:
        whole = np.ones(film.values.shape, dtype=np.bool_)
        drawn = Drawn(whole, {"segmentation": "none: the whole image"})
    else:
        path = Path(files.segmentation)
        _checked_shape(path, settings)
        label = settings.segmentation_label if files.label is None else files.label
        drawn = read_roi(path, label, film.grid, image=Path(files.image).name, settings=settings)
    return Scan(
        case=files.case,
        image=film.values,
        roi=drawn.roi,
        spacing=film.spacing,
        modality=film.modality or "unknown",
        origin=film.origin,
        direction=film.direction,
        facts={**film.facts, **drawn.facts},
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
            check_same_size(shape, _checked_shape(segmentation, settings), image.name, segmentation.name)
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
