"""Fingerprints of pixels: one that any change breaks, one that survives rescaling and compression."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grey", "narrowed", "perceptual_hash", "pixel_hash", "reduced"]

#: Grey values as decoded or narrowed.
Grey: TypeAlias = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]

_KINDS = (np.uint8, np.uint16, np.int16, np.int32)
_SIDE, _KEPT = 32, 8


def narrowed(image: Grey) -> Grey:
    """Hold the same values in the smallest of uint8, uint16, int16 and int32; as they are where none fits.

    Examples
    --------
    >>> narrowed(np.array([0.0, 4095.0])).dtype, narrowed(np.array([0.5])).dtype
    (dtype('uint16'), dtype('float64'))
    """
    if image.dtype in _KINDS:
        return image
    low, high = float(image.min()), float(image.max())
    for kind in _KINDS:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            whole: NDArray[np.integer[Any]] = image.astype(kind)
            return whole if np.array_equal(whole, image) else image
    return image


def pixel_hash(image: Grey) -> str:
    """SHA-256 of size and values, as 64 hexadecimal digits; the file format does not count.

    Parameters
    ----------
    image : (rows, columns) or (slices, rows, columns) array
        Grey values.

    Examples
    --------
    >>> pixel_hash(np.eye(2)) == pixel_hash(np.eye(2, dtype=np.uint8)) != pixel_hash(np.eye(2)[::-1])
    True
    """
    values = narrowed(image)
    digest = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def reduced(plane: Grey, longest: int) -> tuple[NDArray[np.float32], int]:
    """Plane averaged over squares of whole pixels, so that its longer side is about `longest`, and that factor.

    Examples
    --------
    >>> small, factor = reduced(np.arange(16.0).reshape(4, 4), 2)
    >>> small.tolist(), factor
    ([[2.5, 4.5], [10.5, 12.5]], 2)
    """
    factor = max(1, round(max(plane.shape) / longest))
    factor = min(factor, *plane.shape)
    if factor == 1:
        return plane.astype(np.float32), 1
    rows, columns = (side // factor for side in plane.shape)
    cut = plane[: rows * factor, : columns * factor]
    kind = np.uint32 if cut.dtype in (np.uint8, np.uint16) else np.float64
    down = np.zeros((rows, columns * factor), dtype=kind)
    for step in range(factor):
        down += cut[step::factor]
    across = down.reshape(rows, columns, factor).sum(axis=2)
    return (across / factor**2).astype(np.float32), factor


def perceptual_hash(plane: Grey) -> str:
    """64 bits of a film's coarse structure, as 16 hexadecimal digits.

    The film is averaged to 32 x 32 pixels whatever its size, and its cosine transform is taken; the 8 x 8 slowest
    waves but the mean give one bit each: above their median or not. Neither brightness, contrast nor size changes
    the bits, and recompression changes few of them, so that near-duplicates differ in few bits.

    Parameters
    ----------
    plane : (rows, columns) array
        Grey values.

    References
    ----------
    .. [1] Zauner C. Implementation and benchmarking of perceptual image hash functions. Thesis, Hagenberg, 2010.

    Examples
    --------
    >>> film = np.add.outer(np.arange(90.0) ** 2, 40 * np.arange(70.0))
    >>> perceptual_hash(film) == perceptual_hash(3 * film + 7)
    True
    """
    side = _averaging(plane.shape[0]) @ plane.astype(np.float64) @ _averaging(plane.shape[1]).T
    spread = float(np.ptp(side))
    if spread == 0:
        return "0" * 16
    waves = _cosines() @ ((side - side.min()) / spread) @ _cosines().T
    slow = waves.ravel().round(9)  # equal films give equal bits, however a sum was ordered
    slow[0] = np.median(slow[1:])
    bits = np.packbits(slow > np.median(slow[1:]))
    return bits.tobytes().hex()


@functools.lru_cache(maxsize=64)
def _averaging(length: int) -> NDArray[np.float64]:
    """(32, length) matrix of area averages: each row sums to one, border pixels count by their share."""
    edges = np.linspace(0.0, length, _SIDE + 1)
    first = np.arange(length)
    overlap = np.minimum(edges[1:, None], first + 1.0) - np.maximum(edges[:-1, None], first)
    shares: NDArray[np.float64] = np.clip(overlap, 0.0, None) * _SIDE / length
    return shares


@functools.cache
def _cosines() -> NDArray[np.float64]:
    """(8, 32) matrix: the slowest waves of the discrete cosine transform."""
    return np.cos(np.pi * np.outer(np.arange(_KEPT), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE))
