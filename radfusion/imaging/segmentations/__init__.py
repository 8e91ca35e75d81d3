"""Segmentation files of any kind to regions of interest on the grid of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats import format_of
from radfusion.imaging.geometry import Grid, size_text
from radfusion.imaging.segmentations.label_maps import label_map, roi_of
from radfusion.imaging.settings import ImagingSettings

__all__ = ["Drawn", "check_same_size", "read_roi"]


@dataclass(frozen=True)
class Drawn:
    """A region as a segmentation file draws it.

    Attributes
    ----------
    roi : array of bool
        On the grid of the image.
    facts : mapping of str to str
        What reading did: geometry within tolerance, resampling, parts of the region that fell away.
    """

    roi: NDArray[np.bool_]
    facts: Mapping[str, str] = field(default_factory=dict)


def read_roi(path: Path, label: int | str | None, grid: Grid, *, image: str, settings: ImagingSettings) -> Drawn:
    """Read one structure of a segmentation file onto the grid of an image.

    Parameters
    ----------
    path : path
        Segmentation file.
    label : int, str or None
        Value or name of the structure; None: the only one that the file holds.
    grid : Grid
        Where the pixels of the image lie.
    image : str
        Name of the image file, for messages.
    settings : ImagingSettings
        Tolerances and limits.

    Raises
    ------
    CaseError
        Of stage ``segmentation``: what is wrong with which file and what is allowed.
    """
    reader = format_of(path)
    check_same_size(grid.shape, reader.shape(path), image, path.name)
    drawn = reader.read_labels(path)
    _check_same_place(grid, drawn.grid, image, path.name)
    roi = roi_of(label_map(drawn, path.name), None if label is None else int(label), name=path.name)
    count = int(np.count_nonzero(roi))
    if count < settings.min_roi_pixels:
        raise CaseError(
            f"{path.name}: the region has {count} pixels; at least {settings.min_roi_pixels} (imaging.min_roi_pixels)",
            stage="segmentation",
        )
    return Drawn(roi)


def check_same_size(image: tuple[int, ...], drawn: tuple[int, ...], *names: str) -> None:
    """Refuse a segmentation of another size than its image.

    Raises
    ------
    CaseError
        With both sizes.
    """
    if image != drawn:
        raise CaseError(
            f"{names[1]}: is {size_text(drawn)}, the image {names[0]} is {size_text(image)}; they must be equal"
        )


def _check_same_place(image: Grid, drawn: Grid, *names: str) -> None:
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
