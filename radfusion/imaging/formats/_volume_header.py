"""What a volume's header says itself; SimpleITK puts 1 mm where it says nothing or nonsense."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

__all__ = ["format_fact", "inflated_head", "orientation_fact", "unstated_spacing"]

_HEAD = 16384
_LARGEST = 100.0
_DISAGREE = 0.01


def inflated_head(path: Path) -> bytes:
    """First bytes of a file, decompressed when it is compressed as a whole.

    Raises
    ------
    zlib.error
        When it begins as compressed, but is not.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return zlib.decompressobj(31).decompress(head, _HEAD) if head.startswith(b"\x1f\x8b") else head


def unstated_spacing(path: Path) -> str | None:
    """Say why a volume has no spacing that can be meant, or None when it has one.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage file whose header SimpleITK has read.
    """
    head = inflated_head(path)
    if head.startswith(b"NRRD"):
        return _nrrd(head)
    if b"ElementDataFile" in head:
        return _metaimage(head)
    return _nifti(head)


def format_fact(path: Path) -> str:
    """Say what a file is by its content; its name may be that of a person."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    head = inflated_head(path)
    name = "nrrd" if head.startswith(b"NRRD") else "mha" if b"ElementDataFile" in head else "nii"
    return f"{name}.gz" if compressed else name


def orientation_fact(path: Path) -> dict[str, str]:
    """Fact on a NIfTI file that does not say how its axes lie in the patient."""
    head = inflated_head(path)
    if head[344:347] != b"n+1" or any(struct.unpack(f"{_order(head)}2h", head[252:256])):
        return {}
    return {"orientation": "not stated (no qform, no sform): axes taken as right to left, front to back, feet to head"}


def _order(head: bytes) -> str:
    return "<" if struct.unpack("<i", head[:4])[0] == 348 else ">"


def _nifti(head: bytes) -> str | None:
    order = _order(head)
    axes, *sizes = struct.unpack(f"{order}8h", head[40:56])
    axes = min(axes, 3)
    # A single slice needs no distance to the next one.
    needed = [axis for axis in range(axes) if axis < 2 or sizes[axis] > 1]
    stated = struct.unpack(f"{order}8f", head[76:108])[1:]
    lengths = [stated[axis] for axis in needed]
    return _impossible("pixdim", lengths, head) or _unlike_sform(lengths, needed, head)


def _unlike_sform(lengths: Sequence[float], axes: Sequence[int], head: bytes) -> str | None:
    """Reason when the sform, which is there to place the voxels, has other distances: SimpleITK passes them over."""
    order = _order(head)
    if struct.unpack(f"{order}h", head[254:256])[0] <= 0:
        return None
    rows = [struct.unpack(f"{order}4f", head[start : start + 16]) for start in (280, 296, 312)]
    placed = [math.hypot(*(row[axis] for row in rows)) for axis in axes]
    if all(math.isclose(one, abs(other), rel_tol=_DISAGREE) for one, other in zip(placed, lengths, strict=True)):
        return None
    told, theirs = (", ".join(f"{each:g}" for each in numbers) for numbers in (lengths, placed))
    return f"pixdim {told} and the sform, {theirs}, disagree"


def _nrrd(head: bytes) -> str | None:
    text = re.split(rb"\r?\n\r?\n", head)[0]
    stated = re.search(rb"^(spacings|space directions):(.*)$", text, flags=re.MULTILINE)
    return _numbers(stated, "neither spacings nor space directions")


def _metaimage(head: bytes) -> str | None:
    text = head[: head.index(b"ElementDataFile")]
    stated = re.search(rb"^(ElementSpacing|ElementSize)\s*=(.*)$", text, flags=re.MULTILINE)
    return _numbers(stated, "no ElementSpacing")


def _numbers(stated: re.Match[bytes] | None, absent: str) -> str | None:
    if stated is None:
        return f"the header has {absent}"
    keyword = stated.group(1).decode()
    groups = (
        stated.group(2).decode("ascii", "replace").replace("none", "").split(")" if b"(" in stated.group(2) else None)
    )
    lengths = [_length(group) for group in groups if group.strip()]
    return _impossible(keyword, lengths, b"")


def _length(group: str) -> float:
    """Length of a vector, or a number itself."""
    try:
        numbers = [float(part) for part in group.strip(" (\r\n").split(",")]
    except ValueError:
        return math.nan
    return numbers[0] if len(numbers) == 1 else math.hypot(*numbers)


def _impossible(keyword: str, lengths: Sequence[float], head: bytes) -> str | None:
    """Reason when a length is no distance; of NIfTI in micrometres or metres the size is left to the reader."""
    largest = math.inf if head[123:124] and head[123] & 7 in {1, 3} else _LARGEST
    if lengths and all(math.isfinite(each) and 0 < abs(each) <= largest for each in lengths):
        return None
    told = ", ".join(f"{each:g}" for each in lengths)
    return f"{keyword} {told}: positive numbers up to {_LARGEST:g} mm are wanted"
