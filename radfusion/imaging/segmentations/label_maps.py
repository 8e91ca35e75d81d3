"""Label maps in any image format: one whole number per pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats import FORMATS, Pixels, format_of
from radfusion.imaging.geometry import size_text
from radfusion.imaging.segmentations._descriptions import descriptions_beside
from radfusion.imaging.segmentations._fitting import fitted
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

__all__ = ["LabelMap", "LabelMaps"]


class LabelMaps(Kind):
    """PNG, TIFF, NIfTI, NRRD, MHA, DICOM: 0 is background, every other value a structure."""

    title = "label map in an image format"

    def recognises(self, head: bytes) -> bool:
        """Whether the file is of an image format; files of other kinds may be, too, so this kind is asked last."""
        return any(reader.recognises(head) for reader in FORMATS.items().values())

    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:
        """Values as stored, of a file of allowed size."""
        reader = format_of(path)
        count = math.prod(shape := reader.shape(path))
        if count <= 0:
            raise CaseError(f"{path.name}: has no pixels, {size_text(shape)}")
        if count > settings.max_pixels:
            raise CaseError(
                f"{path.name}: {size_text(shape)} is {count} pixels; at most {settings.max_pixels} (imaging.max_pixels)"
            )
        return LabelMap(path, reader.read_labels(path), settings)


class LabelMap(Segmentation):
    """Values of a label map.

    Parameters
    ----------
    path : path
        The file, for messages and label descriptions beside it.
    pixels : Pixels
        What it holds.
    settings : ImagingSettings
        Names of values, tolerance.
    """

    def __init__(self, path: Path, pixels: Pixels, settings: ImagingSettings) -> None:
        self._path, self._settings, self._grid = path, settings, pixels.grid
        self._labels = _whole_numbers(pixels, path.name)
        # Sorting only what is not background makes a film cheap.
        present = np.unique(self._labels[self._labels != 0]).tolist()
        _check_unchanged(pixels, len(present), path.name)
        names = {value: [name] for value, name in descriptions_beside(path).items()}
        for name, value in settings.segmentation_names.items():
            names.setdefault(value, []).append(name)
        self._structures = [Structure(int(value), tuple(names.get(int(value), ()))) for value in present]

    def structures(self, target: Target) -> Sequence[Structure]:  # noqa: ARG002 - the values are there without it
        """Values that occur."""
        if not self._structures:
            raise CaseError(f"{self._path.name}: nothing is segmented, all values are 0", stage="segmentation")
        return self._structures

    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Pixels that carry the value."""
        return fitted(self._labels == structure.value, self._grid, target, path=self._path, settings=self._settings)


def _check_unchanged(pixels: Pixels, present: int, name: str) -> None:
    """Refuse values that are not those that were drawn: blurred at every border, or of either meaning."""
    if pixels.facts.get("lossy_compression") and present > 1:
        raise CaseError(
            f"{name}: JPEG has blurred its labels ({present} values besides 0); save the segmentation as PNG",
            stage="segmentation",
        )
    if pixels.facts.get("inverted") and pixels.facts.get("mode") != "1":
        raise CaseError(
            f"{name}: is a TIFF whose white is zero, so that its background may be 0 or the highest value; save the "
            "segmentation as PNG",
            stage="segmentation",
        )


def _whole_numbers(pixels: Pixels, name: str) -> NDArray[Any]:
    labels = pixels.values
    if pixels.colour:
        if any(not np.array_equal(labels[..., 0], labels[..., each]) for each in (1, 2)):
            raise CaseError(
                f"{name}: is in colour; a segmentation holds one whole number per pixel", stage="segmentation"
            )
        labels = labels[..., 0]
    if not np.issubdtype(labels.dtype, np.integer):
        bad = int(np.count_nonzero(~np.isfinite(labels) | (labels != np.rint(labels))))
        if bad:
            raise CaseError(f"{name}: {bad} values of the segmentation are not whole numbers", stage="segmentation")
    return labels


KINDS.add("label map", LabelMaps())
