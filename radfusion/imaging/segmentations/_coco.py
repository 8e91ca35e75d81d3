"""COCO annotations of an image: categories with polygons or run lengths."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from pathlib import PurePath
from typing import Any

from radfusion.core.registry import nearest
from radfusion.imaging.segmentations._shapes import Annotated, Part, points_of, polygon, runs
from radfusion.imaging.segmentations.base import Structure

__all__ = ["coco"]

_LISTED = 8


def coco(document: Mapping[str, Any], path: PurePath) -> Annotated | str:
    """Find what a COCO document draws on the image of that file name.

    Parameters
    ----------
    document : mapping
        ``images``, ``annotations``, ``categories``.
    path : path
        The image. Of several entries with its name the one is taken whose folders, from the last one on, agree most
        with those of the path; a single entry with other folders is said.

    Returns
    -------
    Annotated or str
        Or why there is nothing.
    """
    image = path.name
    named: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in document["images"]:
        named[_folders(each)[-1]].append(each)
    if image not in named:
        return f"no image of it has the file_name {image!r}; {nearest(image, sorted(named)[:_LISTED])}"
    agree = [_agreeing(_folders(each), path.parts) for each in named[image]]
    if agree.count(max(agree)) > 1:
        return f"{len(named[image])} images of it have the file_name {image!r}; one is allowed"
    entry = named[image][agree.index(max(agree))]
    size = (int(entry["height"]), int(entry["width"])) if "height" in entry and "width" in entry else None
    names = {int(each["id"]): str(each["name"]) for each in document.get("categories") or ()}
    parts: dict[Structure, list[Part]] = defaultdict(list)
    for each in document["annotations"]:
        if each["image_id"] != entry["id"]:
            continue
        number = int(each["category_id"])
        name = names.get(number)
        parts[Structure(number, (name,) if name else ())].extend(_parts(each.get("segmentation")))
    drawn = {structure: each for structure, each in sorted(parts.items(), key=lambda item: item[0].value) if each}
    left = sum(len(each) == 0 for each in parts.values())
    facts = {"annotations_left_out": f"{left} categories have boxes alone"} if left else {}
    if max(agree) < len(_folders(entry)):
        facts["drawn_on"] = "a file of the same name in another folder"
    return Annotated(size, drawn, facts)


def _folders(entry: Mapping[str, Any]) -> list[str]:
    """Parts of the file name of an image, folders before it."""
    return [part for part in re.split(r"[/\\]", str(entry["file_name"])) if part not in {"", "."}] or [""]


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts of two paths agree, from the last one on."""
    alike = (a == b for a, b in zip(reversed(one), reversed(other), strict=False))
    return sum(takewhile(bool, alike))


def _parts(segmentation: Any) -> Iterator[Part]:
    """Drawing functions of one annotation; of a box without a segmentation none."""
    if isinstance(segmentation, Mapping):
        height, width = segmentation["size"]
        counts = segmentation["counts"]
        lengths = _unpacked(counts) if isinstance(counts, str) else [int(each) for each in counts]
        yield partial(runs, lengths, (int(height), int(width)))
        return
    for points in segmentation or ():
        yield partial(polygon, points_of(points, least=3))


def _unpacked(text: str) -> list[int]:
    """Run lengths from COCO's text: 6 bits a character from 48 on, 5 of them data, lowest first, one 'more'.

    From the fourth number on each is stored less the one two before it.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"run lengths hold the character {character!r}")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        signed = value - (1 << shift) if bits & 0x10 else value
        counts.append(signed + counts[-2] if len(counts) > 2 else signed)
        value = shift = 0
    return counts
