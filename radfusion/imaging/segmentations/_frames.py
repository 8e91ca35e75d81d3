"""Frames of DICOM segmentations, decoded one by one."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import decoding

__all__ = ["planes_of"]

_TITLE = "DICOM segmentation"
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def planes_of(path: Path, indices: Sequence[int], shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """Planes of a DICOM file by their index.

    Parameters
    ----------
    path : path
        The file.
    indices : sequence of int
        Frames, counted from 0.
    shape : tuple of int
        Rows and columns that the header promises.

    Raises
    ------
    CaseError
        When pixels are damaged or no installed decoder reads them.
    """
    from pydicom import dcmread

    with decoding(path, _TITLE):
        header = dcmread(path, force=True)
        syntax = str(header.file_meta.get("TransferSyntaxUID") or "")
        found = _inflated(header, indices) if syntax == _DEFLATED_FRAMES else _decoded(path, header, indices)
        wrong = [plane.shape for plane in found if plane.shape != shape]
    if wrong:
        raise CaseError(f"{path.name}: the header promises frames of {shape}, the pixel data hold {wrong[0]}")
    return found


def _decoded(path: Path, header: Any, indices: Sequence[int]) -> list[NDArray[Any]]:
    from pydicom.pixels.utils import iter_pixels
    from pydicom.uid import ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in header.file_meta:
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    rows, columns = int(header.Rows), int(header.Columns)
    if int(header.BitsAllocated) == 1 and rows * columns % 8 and not header.file_meta.TransferSyntaxUID.is_compressed:
        return _unpacked(header.PixelData, indices, (rows, columns))
    try:
        return list(iter_pixels(header, indices=list(indices)))
    except NotImplementedError as error:
        raise CaseError(f"{path.name}: no installed decoder reads {header.file_meta.TransferSyntaxUID.name}") from error


def _unpacked(content: bytes, indices: Sequence[int], shape: tuple[int, int]) -> list[NDArray[Any]]:
    """Frames of single bits that begin within a byte, where pydicom does not find them one by one."""
    size, found = shape[0] * shape[1], []
    for index in indices:
        first, stop = index * size, (index + 1) * size
        if stop > 8 * len(content):
            raise ValueError(f"frame {index + 1} ends at bit {stop} of {8 * len(content)}")
        bits = np.unpackbits(np.frombuffer(content[first // 8 : -(-stop // 8)], dtype=np.uint8), bitorder="little")
        found.append(bits[first % 8 : first % 8 + size].reshape(shape))
    return found


def _inflated(header: Any, indices: Sequence[int]) -> list[NDArray[Any]]:
    """Deflated Image Frame Compression, which pydicom does not know: every frame is a deflate stream."""
    from pydicom.encaps import get_frame

    shape, bits = (int(header.Rows), int(header.Columns)), int(header.BitsAllocated)
    size = shape[0] * shape[1]
    found = []
    for index in indices:
        frame = get_frame(header.PixelData, index, number_of_frames=int(header.get("NumberOfFrames") or 1))
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, size * max(bits // 8, 1) + 8)
        values = np.frombuffer(content, dtype=np.uint8 if bits <= 8 else "<u2")
        values = np.unpackbits(values, bitorder="little") if bits == 1 else values
        found.append(values[:size].reshape(shape))
    return found
