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
from radfusion.imaging.geometry import Grid, size_text
from radfusion.imaging.regions import describe
from radfusion.imaging.segmentations import Drawn, Segmentation, Target, open_segmentation, read_roi
from radfusion.imaging.settings import ImagingSettings, Window
from radfusion.imaging.windows import windowed

__all__ = ["CaseFiles", "read_scan", "read_scans"]


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
            film, stated = _film(image, settings)
    except CaseError as error:
        yield from [error] * len(group)
        return
    target, opened = Target(image, stated), _Opened(settings)
    for files in group:
        try:
            with _stage("segmentation"):
                drawn = _drawn(files, target, opened, settings=settings)
        except CaseError as error:
            yield error
            continue
        yield Scan(
            case=files.case,
            image=film.values,
            roi=drawn.roi,
            spacing=film.spacing,
            modality=film.modality or "unknown",
            origin=film.origin,
            direction=film.direction,
            facts={**film.facts, **drawn.facts, **_described(drawn, film, files)},
        )


def _film(image: Path, settings: ImagingSettings) -> tuple[Pixels, Grid]:
    """Grey, finite pixels with the spacing that holds for them, and the grid as the file states it."""
    _checked_shape(image, settings)
    pixels = format_of(image).read(image, settings)
    facts = dict(pixels.facts)
    values = _finite(pixels, _grey(pixels, settings, facts, name=image.name), image.name)
    film = Pixels(
        values=_windowed(values, settings, facts, name=image.name),
        spacing=_spacing(pixels, settings, facts, name=image.name),
        modality=pixels.modality or settings.modality or "unknown",
        origin=pixels.origin,
        direction=pixels.direction,
        facts=facts,
    )
    return film, pixels.grid


class _Opened:
    """Segmentations that the cases of one image share: each file is read once, also when it cannot be read."""

    def __init__(self, settings: ImagingSettings) -> None:
        self._settings = settings
        self._found: dict[Path, Segmentation | CaseError] = {}

    def __getitem__(self, path: Path) -> Segmentation:
        if path not in self._found:
            try:
                self._found[path] = open_segmentation(path, settings=self._settings)
            except CaseError as error:
                self._found[path] = error
        found = self._found[path]
        if isinstance(found, CaseError):
            raise found
        return found


def _drawn(files: CaseFiles, target: Target, opened: _Opened, *, settings: ImagingSettings) -> Drawn:
    if files.segmentation is None:
        whole = np.ones(target.grid.shape, dtype=np.bool_)
        return Drawn(whole, {"segmentation": "none: the whole image"})
    path = Path(files.segmentation)
    label = settings.segmentation_label if files.label is None else files.label
    return read_roi(opened[path], label, target, name=path.name, settings=settings)


def _described(drawn: Drawn, film: Pixels, files: CaseFiles) -> dict[str, str]:
    """Facts of the region, unless it is the whole image."""
    return {} if files.segmentation is None else describe(drawn.roi, film.spacing, outside=drawn.outside)


@contextmanager
def _stage(stage: str) -> Iterator[None]:
    try:
        yield
    except CaseError as error:
        raise CaseError(error.reason, stage=stage) from error
    except OSError as error:  # a drive that fails, a folder that may not be entered, a name that no system takes
        name = Path(str(error.filename or "a file")).name[:80]
        raise CaseError(f"{name}: cannot be read: {error.strerror or type(error).__name__}", stage=stage) from error


def _checked_shape(path: Path, settings: ImagingSettings) -> tuple[int, ...]:
    shape = format_of(path).shape(path, settings)
    count = math.prod(shape)
    if count <= 0:
        raise CaseError(f"{path.name}: has no pixels, {size_text(shape)}")
    if count > settings.max_pixels:
        raise CaseError(
            f"{path.name}: {size_text(shape)} is {count} pixels; at most {settings.max_pixels} (imaging.max_pixels)"
        )
    return shape


def _grey(pixels: Pixels, settings: ImagingSettings, facts: dict[str, str], *, name: str) -> NDArray[np.float64]:
    values = pixels.values
    if not pixels.colour:
        return np.asarray(values, dtype=np.float64)
    red, green, blue = (values[..., channel] for channel in range(3))
    coloured = int(np.count_nonzero((red != green) | (red != blue)))
    if coloured == 0:
        return red.astype(np.float64)
    if settings.colour == "refuse":
        raise CaseError(f"{name}: {coloured} pixels are coloured; imaging.colour is refuse (allowed: luminance)")
    facts["colour"] = f"{coloured} coloured pixels, ITU-R BT.601 luminance"
    # Weights in 1/65536 that sum to one, so that a grey pixel keeps its value exactly.
    grey: NDArray[np.int64] = (values.astype(np.int64) @ np.array([19595, 38470, 7471]) + 32768) >> 16
    return grey.astype(np.float64)


def _finite(pixels: Pixels, values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if np.issubdtype(pixels.values.dtype, np.integer):
        return values
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise CaseError(f"{name}: {bad} pixels are NaN or infinite; finite numbers are wanted")
    return values


def _spacing(
    pixels: Pixels, settings: ImagingSettings, facts: dict[str, str], *, name: str
) -> tuple[float, ...] | None:
    if settings.spacing is None:
        return _stated_spacing(pixels, settings, facts, name=name)
    axes = pixels.values.ndim - pixels.colour
    if len(settings.spacing) != axes:
        raise CaseError(f"{name}: imaging.spacing has {len(settings.spacing)} numbers, the image has {axes} axes")
    facts["spacing"] = "imaging.spacing"
    return settings.spacing


def _stated_spacing(
    pixels: Pixels, settings: ImagingSettings, facts: dict[str, str], *, name: str
) -> tuple[float, ...] | None:
    if pixels.spacing is None:
        why = pixels.facts.get("spacing_refused") or pixels.facts.get("spacing") or "the file states none"
        if settings.missing_spacing == "refuse":
            raise CaseError(
                f"{name}: has no spacing in mm ({why}); imaging.missing_spacing is refuse (allowed: pixels, or state "
                "imaging.spacing)"
            )
        facts["spacing"] = f"none, sizes are in pixels: {why}"
    return pixels.spacing


def _windowed(
    values: NDArray[np.float64], settings: ImagingSettings, facts: dict[str, str], *, name: str
) -> NDArray[np.float64]:
    if isinstance(settings.window, Window):
        centre, width = settings.window.centre, settings.window.width
        facts["window"] = f"imaging.window, centre {centre:g}, width {width:g}, 0 to 255"
        return windowed(values, centre, width)
    if settings.window == "file" and facts.get("format") != "DICOM":
        raise CaseError(f"{name}: imaging.window is file, but only DICOM files state a window; allowed: none")
    return values
