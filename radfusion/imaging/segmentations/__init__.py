"""Segmentation files of any kind to regions of interest on the grid of an image.

A new kind is a new module of this folder that adds itself to ``KINDS``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from pathlib import Path

import numpy as np

from radfusion.core.hashing import content_hash, file_hash
from radfusion.errors import CaseError
from radfusion.imaging.regions import largest
from radfusion.imaging.segmentations._choice import choose
from radfusion.imaging.segmentations._descriptions import descriptions_beside
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

__all__ = [
    "KINDS",
    "Drawn",
    "Kind",
    "Segmentation",
    "Structure",
    "Target",
    "open_segmentation",
    "read_roi",
    "source_hash",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

_HEAD = 1 << 16
_LAST = "label map"


def source_hash(path: Path, label: int | str | None, image: Path, *, settings: ImagingSettings) -> str:
    """Hash of all that a region depends on but the image's content: equal hashes mean equal regions.

    Beside the file itself that is the label, the label descriptions beside it where a structure is chosen by name, and
    where the image lies when annotations choose by that.

    Parameters
    ----------
    path : path
        Segmentation file.
    label : int, str or None
        Which structure; None: what the settings say.
    image : path
        Image file.
    settings : ImagingSettings
        How files become scans.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    chosen = settings.segmentation_label if label is None else label
    names = descriptions_beside(path) if isinstance(chosen, str) else {}
    place = os.fsencode(image).hex() if KINDS["polygons"].recognises(_head(path)) else None
    return content_hash(file_hash(path), chosen, names, place)


def open_segmentation(path: Path, *, settings: ImagingSettings) -> Segmentation:
    """Open a segmentation file of any kind.

    Parameters
    ----------
    path : path
        The file.
    settings : ImagingSettings
        Names, tolerances and limits.

    Raises
    ------
    CaseError
        When it cannot be read as a segmentation.
    """
    head = _head(path)
    special = [kind for name, kind in KINDS.items().items() if name != _LAST and kind.recognises(head)]
    return (special[0] if special else KINDS[_LAST]).open(path, settings)


def _head(path: Path) -> bytes:
    """First bytes; none of a folder or of what cannot be opened, which the image formats have words for."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def read_roi(
    segmentation: Segmentation, label: int | str | None, target: Target, *, name: str, settings: ImagingSettings
) -> Drawn:
    """Read one structure of an opened segmentation onto the grid of an image.

    Parameters
    ----------
    segmentation : Segmentation
        What :func:`open_segmentation` returned.
    label : int, str or None
        Value or name of the structure; None: the only one that the file holds.
    target : Target
        The image.
    name : str
        Name of the segmentation file, for messages.
    settings : ImagingSettings
        Limits, and what becomes of regions in several parts.

    Raises
    ------
    CaseError
        Of stage ``segmentation``: what is wrong with which file and what is allowed.
    """
    structure = choose(label, segmentation.structures(target), name=name)
    drawn = segmentation.draw(structure, target)
    roi, facts = drawn.roi, {**drawn.facts, "structure": str(structure)}
    if settings.region.keep == "largest" and roi.any():
        roi = largest(roi)
        dropped = int(np.count_nonzero(drawn.roi)) - int(np.count_nonzero(roi))
        facts |= {"region": f"largest part kept, {dropped} pixels dropped"} if dropped else {}
    count = int(np.count_nonzero(roi))
    if count < settings.min_roi_pixels:
        lost = f"; {drawn.outside:.3g} of it lies outside the image" if drawn.outside else ""
        raise CaseError(
            f"{name}: the region has {count} pixel{'s' if count != 1 else ''}; at least {settings.min_roi_pixels} "
            f"(imaging.min_roi_pixels){lost}",
            stage="segmentation",
        )
    return Drawn(roi, facts, drawn.outside)
