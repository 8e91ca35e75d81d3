"""LabelMe annotations of one image: labelled polygons, rectangles, circles and masks."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.segmentations._contours import Patch
from radfusion.imaging.segmentations._shapes import Annotated, Part, disc, points_of, polygon
from radfusion.imaging.segmentations.base import Structure

__all__ = ["labelme"]


def labelme(document: Mapping[str, Any], path: PurePath) -> Annotated:
    """Find what a LabelMe document draws; its copy of the image is ignored.

    Parameters
    ----------
    document : mapping
        ``shapes``, and ``imageHeight``, ``imageWidth`` and ``imagePath`` where it states them.
    path : path
        The image; another name than the document's is said, since films are annotated as copies.
    """
    height, width = document.get("imageHeight"), document.get("imageWidth")
    parts: dict[str, list[Part]] = defaultdict(list)
    left: Counter[str] = Counter()
    for shape in document["shapes"]:
        kind = str(shape.get("shape_type") or "polygon")
        part = _part(kind, shape)
        if part is None:
            left[kind] += 1
        else:
            parts[str(shape["label"]).strip()].append(part)
    facts = {}
    if left:
        facts["annotations_left_out"] = ", ".join(f"{count} {kind}" for kind, count in sorted(left.items()))
    named = re.split(r"[/\\]", str(document.get("imagePath") or ""))[-1]
    if named and PurePath(named).stem != path.stem:
        facts["drawn_on"] = "a file of another name than the image"
    structures = {Structure(number, (label,)): parts[label] for number, label in enumerate(parts, start=1)}
    return Annotated((int(height), int(width)) if height and width else None, structures, facts)


def _part(kind: str, shape: Mapping[str, Any]) -> Part | None:
    """Drawing function of a shape that has an inside."""
    if kind == "circle":
        centre, rim = points_of(shape["points"], least=2)[:2]
        return partial(disc, centre, float(np.hypot(*(rim - centre))))
    if kind == "mask":
        corner = points_of(shape["points"], least=1)[0]
        return partial(_stamp, _picture(shape["mask"]), np.rint(corner[::-1]).astype(np.int64))
    if kind == "rectangle":
        points = points_of(shape["points"], least=2)
        return partial(polygon, _rectangle(points) if len(points) == 2 else points)
    if kind in {"polygon", "oriented_rectangle", "rotation"}:
        return partial(polygon, points_of(shape["points"], least=3))
    return None


def _rectangle(points: NDArray[np.float64]) -> NDArray[np.float64]:
    (left, top), (right, bottom) = points
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _picture(text: str) -> NDArray[np.bool_]:
    """Small picture of a mask, stored as text."""
    from PIL import Image

    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"a mask is not base64: {error}") from error
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L")) > 0


def _stamp(picture: NDArray[np.bool_], start: NDArray[np.int64], shape: tuple[int, int]) -> Patch:  # noqa: ARG001
    return picture, start
