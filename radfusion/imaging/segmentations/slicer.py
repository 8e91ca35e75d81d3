"""3D Slicer segmentations (.seg.nrrd): named segments, in layers where they overlap."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding
from radfusion.imaging.geometry import Grid
from radfusion.imaging.segmentations._fitting import fitted
from radfusion.imaging.segmentations.base import KINDS, Drawn, Kind, Segmentation, Structure, Target
from radfusion.imaging.settings import ImagingSettings

__all__ = ["SlicerSegmentation", "SlicerSegmentations"]

_TITLE = "3D Slicer segmentation"
_SEGMENT = re.compile(r"^Segment(\d+)_(Name|LabelValue|Layer|ID):=(.*)$", re.MULTILINE)
_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1",
    "uint8_t": "u1", "short": "i2", "signed short": "i2", "int16": "i2", "int16_t": "i2", "ushort": "u2",
    "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2", "int": "i4", "signed int": "i4", "int32": "i4",
    "int32_t": "i4", "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
}  # fmt: skip
# Signs that turn (x, y, z) of a space into LPS.
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip


class SlicerSegmentations(Kind):
    """NRRD files with segment names; they may cover a part of the image only, as Slicer crops them."""

    title = _TITLE

    def recognises(self, head: bytes) -> bool:
        """Whether the file is NRRD and names segments."""
        return head.startswith(b"NRRD") and re.search(rb"^Segment\d+_(?:ID|Name|LabelValue)", head, re.M) is not None

    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:
        """All layers, after their bytes were found to be there."""
        with decoding(path, _TITLE):
            text, start = _header(path)
            fields = dict(re.findall(r"^([a-z ]+): *(.*?)\s*$", text, re.MULTILINE))
            sizes = [int(each) for each in fields["sizes"].split()]
            if len(sizes) not in {3, 4} or min(sizes) < 1:
                raise CaseError(f"{path.name}: has sizes {sizes}; three axes, or layers and three axes, are allowed")
            if int(np.prod(sizes, dtype=object)) > settings.max_pixels:
                raise CaseError(
                    f"{path.name}: sizes {sizes}; at most {settings.max_pixels} pixels (imaging.max_pixels)"
                )
            layers = _layers(path, fields, sizes, start=start)
            return SlicerSegmentation(path, _segments(text), layers, grid=_grid(fields, sizes), settings=settings)


class SlicerSegmentation(Segmentation):
    """Segments of a .seg.nrrd file.

    Parameters
    ----------
    path : path
        The file, for messages.
    segments : sequence of mapping
        ``Name``, ``LabelValue`` and ``Layer`` of each segment, as text, where the file states them.
    layers : (slices, rows, columns, layers) array
        Label maps.
    grid : Grid
        Where their voxels lie.
    settings : ImagingSettings
        Tolerance.
    """

    def __init__(
        self,
        path: Path,
        segments: Sequence[Mapping[str, str]],
        layers: NDArray[Any],
        *,
        grid: Grid,
        settings: ImagingSettings,
    ) -> None:
        self._path, self._layers, self._grid, self._settings = path, layers, grid, settings
        self._places: dict[Structure, int] = {}
        for number, segment in enumerate(segments):
            # Slicer 4.10 and before: one layer per segment, 1 inside.
            alone = "LabelValue" not in segment and layers.shape[-1] > 1
            layer = int(segment.get("Layer", number if alone else 0))
            names = tuple(dict.fromkeys(filter(None, (segment.get("Name"), segment.get("ID")))))
            self._places[Structure(int(segment.get("LabelValue", 1)), names)] = layer

    def structures(self, target: Target) -> Sequence[Structure]:  # noqa: ARG002 - the header names them
        """Segments of the header."""
        return list(self._places)

    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Voxels of the segment's layer that carry its value."""
        roi = self._layers[..., self._places[structure]] == structure.value
        return fitted(roi, self._grid, target, path=self._path, settings=self._settings, partial=True)


def _header(path: Path) -> tuple[str, int]:
    """Text of an NRRD header, and where the data begin."""
    content = path.read_bytes()
    end = re.search(rb"\r?\n\r?\n", content)
    if end is None:
        raise CaseError(f"{path.name}: the NRRD header has no end")
    return content[: end.start()].decode("utf-8", "replace").replace("\r\n", "\n"), end.end()


def _layers(path: Path, fields: Mapping[str, str], sizes: Sequence[int], *, start: int) -> NDArray[Any]:
    """Values with the layers last."""
    if "data file" in fields or "datafile" in fields:
        raise CaseError(f"{path.name}: keeps its pixels in another file; save it as one .seg.nrrd file")
    kind = np.dtype(("<" if fields.get("endian", "little") == "little" else ">") + _TYPES[fields["type"].lower()])
    wanted = int(np.prod(sizes)) * kind.itemsize
    content = path.read_bytes()[start:]
    if fields["encoding"].lower() in {"gzip", "gz"}:
        content = zlib.decompressobj(31).decompress(content, wanted)
    elif fields["encoding"].lower() != "raw":
        raise CaseError(f"{path.name}: NRRD encoding {fields['encoding']} is not read; raw or gzip")
    if len(content) < wanted:
        raise CaseError(
            f"{path.name}: holds {len(content)} of {wanted} bytes that its header promises; it is cut short"
        )
    values = np.frombuffer(content, dtype=kind, count=wanted // kind.itemsize).reshape(sizes[::-1])
    return values if len(sizes) == 4 else values[..., None]


def _grid(fields: Mapping[str, str], sizes: Sequence[int]) -> Grid:
    """Place of the voxels, in LPS, reversed."""
    signs = np.array(_SPACES[fields["space"].lower()], dtype=float)
    vectors = [_vector(each) for each in re.findall(r"\(.*?\)", fields["space directions"])]
    origin = _vector(fields["space origin"]) * signs
    axes = np.array(vectors) * signs
    lengths = np.linalg.norm(axes, axis=1)
    direction = (axes / lengths[:, None]).T[::-1, ::-1]
    shape = tuple(sizes[-3:][::-1])
    return Grid(shape, tuple(lengths[::-1].tolist()), tuple(origin[::-1].tolist()), tuple(direction.ravel().tolist()))


def _vector(text: str) -> NDArray[np.float64]:
    numbers = np.array(text.strip(" ()").split(","), dtype=np.float64)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError(f"{text} is not a vector of three numbers")
    return numbers


def _segments(text: str) -> list[dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for number, field, value in _SEGMENT.findall(text):
        found.setdefault(int(number), {})[field] = value.strip()
    return [found[number] for number in sorted(found)]


KINDS.add("slicer", SlicerSegmentations())
