"""Whether the pixel bytes of a volume are all there; SimpleITK fills what is missing without a word."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from radfusion.errors import CaseError

if TYPE_CHECKING:
    from SimpleITK import ImageFileReader

__all__ = ["check_payload"]

_CHUNK = 1 << 20
_GZIP, _GZIP_OR_ZLIB = 31, 47
_NIFTI_FLOATS = {16: "f4", 64: "f8"}


def check_payload(path: Path, reader: ImageFileReader) -> None:
    """Check that a volume is neither shortened nor corrupt nor, as NIfTI, holds NaN that SimpleITK would turn into 0.

    Raises
    ------
    CaseError
        Saying how many bytes are there and how many are wanted.
    """
    with path.open("rb") as file:
        head = file.read(16384)
    try:
        if head.startswith(b"NRRD"):
            _check_nrrd(path, head, _bytes_wanted(reader))
        elif b"ElementDataFile" in head:
            _check_metaimage(path, head, _bytes_wanted(reader))
        else:
            _check_nifti(path, compressed=head.startswith(b"\x1f\x8b"))
    except (zlib.error, struct.error, ValueError) as error:
        raise CaseError(f"{path.name}: the pixel data are corrupt: {error}") from error


def _bytes_wanted(reader: ImageFileReader) -> int:
    import SimpleITK

    probe = SimpleITK.Image([1] * reader.GetDimension(), reader.GetPixelID())
    return int(math.prod(reader.GetSize()) * probe.GetSizeOfPixelComponent())


def _check_nrrd(path: Path, head: bytes, wanted: int) -> None:
    gap = re.search(rb"\r?\n\r?\n", head)
    if gap is None:
        raise CaseError(f"{path.name}: the NRRD header has no end")
    text, start = head[: gap.start()], gap.end()
    fields = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line and not line.startswith(b"#"))
    encoding = fields.get(b"encoding", b"raw").strip().lower()
    if encoding not in {b"raw", b"gzip", b"gz"}:
        raise CaseError(f"{path.name}: NRRD encoding {encoding.decode('ascii', 'replace')} is not read; raw or gzip")
    _check_length(path, _length(path, start, window=None if encoding == b"raw" else _GZIP, limit=wanted), wanted)


def _check_metaimage(path: Path, head: bytes, wanted: int) -> None:
    local = head.index(b"ElementDataFile")
    start = head.index(b"\n", local) + 1
    fields = [line.replace(b" ", b"").lower() for line in head[:local].splitlines()]
    window = _GZIP_OR_ZLIB if b"compresseddata=true" in fields else None
    _check_length(path, _length(path, start, window=window, limit=wanted), wanted)


def _check_nifti(path: Path, *, compressed: bool) -> None:
    window = _GZIP if compressed else None
    header = b""
    for part in _parts(path, 0, window):
        header += part
        if len(header) >= 352:
            break
    if header[344:347] != b"n+1":
        raise CaseError(f"{path.name}: is not NIfTI-1 in one file, nor NRRD, nor MetaImage")
    order = "<" if struct.unpack("<i", header[:4])[0] == 348 else ">"
    dims = struct.unpack(f"{order}8h", header[40:56])
    kind, bits = struct.unpack(f"{order}2h", header[70:74])
    start = int(struct.unpack(f"{order}f", header[108:112])[0])
    count = math.prod(dims[1 : dims[0] + 1])
    wanted = start + count * bits // 8
    if kind in _NIFTI_FLOATS:
        _check_finite(path, start, window=window, kind=np.dtype(order + _NIFTI_FLOATS[kind]), count=count)
    _check_length(path, _length(path, 0, window=window, limit=wanted), wanted)


def _check_finite(path: Path, start: int, *, window: int | None, kind: np.dtype[np.floating], count: int) -> None:
    payload = bytearray()
    for part in _parts(path, 0, window):
        payload += part
        if len(payload) > start + count * kind.itemsize:
            break
    values = np.frombuffer(payload, dtype=kind, offset=start, count=min(count, (len(payload) - start) // kind.itemsize))
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise CaseError(f"{path.name}: {bad} voxels are NaN or infinite; finite numbers are wanted")


def _parts(path: Path, start: int, window: int | None) -> Iterator[bytes]:
    """Bytes from `start` on, decompressed when a `window` is given.

    Raises
    ------
    CaseError
        When the compressed stream ends early.
    """
    stream = zlib.decompressobj(window) if window is not None else None
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            if stream is None:
                yield chunk
                continue
            yield from _inflated(stream, chunk)
            if stream.eof:
                return
    if stream is not None:
        raise CaseError(f"{path.name}: the compressed pixel data end early; the file is cut short")


def _inflated(stream: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    while chunk:
        yield stream.decompress(chunk, _CHUNK)
        chunk = stream.unconsumed_tail


def _length(path: Path, start: int, *, window: int | None, limit: int) -> int:
    """Number of pixel bytes; counting stops well beyond the `limit`, as a decompression bomb would not end."""
    length = 0
    for part in _parts(path, start, window):
        length += len(part)
        if length > limit + _CHUNK:
            break
    return length


def _check_length(path: Path, length: int, wanted: int) -> None:
    if length < wanted:
        raise CaseError(f"{path.name}: holds {length} of {wanted} bytes that its header promises; it is cut short")
