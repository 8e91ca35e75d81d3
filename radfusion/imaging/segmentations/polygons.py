"""Polygons in json files: COCO and LabelMe.

Both count from the corner of the first pixel: pixel (0, 0) reaches from 0 to 1 and its centre lies at 0.5. A pixel
belongs to a region when its centre lies inside or on the outline. Parts of one label are united.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding
from radfusion.imaging.geometry import size_text
from radfusion.imaging.segmentations._coco import coco
from radfusion.imaging.segmentations._fitting import pasted
from radfusion.imaging.segmentations._labelme import labelme
from radfusion.imaging.segmentations._shapes import Annotated
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

__all__ = ["Annotations", "Polygons"]

_TITLE = "COCO or LabelMe json"


class Polygons(Kind):
    """COCO (polygons and run lengths) and LabelMe (polygon, rectangle, circle, mask) annotations."""

    title = _TITLE

    def recognises(self, head: bytes) -> bool:
        """Whether the file begins as a json object or list."""
        return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["} and b"\0" not in head

    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:  # noqa: ARG002 - outlines need none
        """Annotations, by what the json object holds."""
        state = path.stat()
        document = _document(path, state.st_mtime_ns, state.st_size)
        if isinstance(document, dict) and isinstance(document.get("shapes"), list):
            return Annotations(path, document, labelme)
        if isinstance(document, dict) and {"images", "annotations"} <= set(document):
            return Annotations(path, document, coco)
        raise CaseError(
            f"{path.name}: is json, but neither COCO (images, annotations, categories) nor LabelMe (shapes)"
        )


# One COCO file may annotate every film of a study; it is not parsed anew for each of them.
@lru_cache(maxsize=1)
def _document(path: Path, changed: int, size: int) -> Any:  # noqa: ARG001 - a changed file is another one
    with decoding(path, "json"):
        return json.loads(path.read_text(encoding="utf-8-sig"))


class Annotations(Segmentation):
    """Annotations of one json file.

    Parameters
    ----------
    path : path
        The file, for messages.
    document : dict
        Its content.
    parse : callable
        Finds what a document of its dialect draws on an image of that name, or says why there is nothing.
    """

    def __init__(self, path: Path, document: Any, parse: Callable[[Any, Path], Annotated | str]) -> None:
        self._path, self._document, self._parse = path, document, parse
        self._found: dict[Path, Annotated] = {}

    def structures(self, target: Target) -> Sequence[Structure]:
        """Labels of the parts that are drawn on the image and have an inside."""
        return list(self._annotated(target).parts)

    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Union of the parts of one label."""
        found = self._annotated(target)
        shape = target.grid.shape
        if len(shape) != 2 and shape[0] != 1:
            raise CaseError(f"{self._path.name}: is drawn on one plane; {target.path.name} is {size_text(shape)}")
        plane = (shape[-2], shape[-1])
        roi = np.zeros(plane, dtype=np.bool_)
        drawn = lost = 0.0
        for part in found.parts[structure]:
            with decoding(self._path, _TITLE):
                patch, start = part(plane)
            placed, outside = pasted(patch, start, plane)
            count = int(np.count_nonzero(patch))
            roi |= placed
            drawn, lost = drawn + count, lost + outside * count
        parts = len(found.parts[structure])
        facts = {**found.facts, **({"parts": f"{parts} united"} if parts > 1 else {})}
        return Drawn(roi.reshape(shape), facts, lost / drawn if drawn else 0.0)

    def _annotated(self, target: Target) -> Annotated:
        if target.path not in self._found:
            with decoding(self._path, _TITLE):
                found = self._parse(self._document, target.path)
            if isinstance(found, str):
                raise CaseError(f"{self._path.name}: {found}")
            self._check_size(found, target)
            self._found[target.path] = found
        return self._found[target.path]

    def _check_size(self, found: Annotated, target: Target) -> None:
        if found.size is not None and found.size != target.grid.shape[-2:]:
            raise CaseError(
                f"{self._path.name}: is drawn on an image of {size_text(found.size)}, the image {target.path.name} is "
                f"{size_text(target.grid.shape)}; they must be equal"
            )


KINDS.add("polygons", Polygons())
