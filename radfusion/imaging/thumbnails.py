"""Small pictures of cases with the outline of the region."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.fingerprints import Grey, reduced
from radfusion.imaging.geometry import Box, box_shape, padded

__all__ = ["SIDE", "central_plane", "thumbnail"]

#: Longer side of a picture in pixels.
SIDE = 144
_GREYS = 24
_OUTLINE = (255, 176, 0)
_SMALL = 0.4  # of the film's longer side: smaller regions get a close-up beside the film
_GAP = 4


def central_plane(image: Grey, roi: NDArray[np.bool_]) -> tuple[Grey, NDArray[np.bool_]]:
    """Film and region themselves, or the slice of a volume that holds most of the region."""
    if image.ndim == 2:
        return image, roi
    place = int(np.argmax(np.count_nonzero(roi, axis=(1, 2))))
    return image[place], roi[place]


def thumbnail(plane: Grey, roi: NDArray[np.bool_], box: Box, *, small: Grey) -> bytes:
    r"""PNG of a film with the outline of its region; beside it a close-up where the region is small.

    Grey runs from the 0.5th to the 99.5th percentile of what is shown; the picture is for the eye, not for measuring.

    Parameters
    ----------
    plane : (rows, columns) array
        Grey values, higher is brighter.
    roi : (rows, columns) array of bool
        The region.
    box : tuple of slice
        Smallest box around the region.
    small : array
        The film at fewer pixels.

    Examples
    --------
    >>> film = np.eye(300)
    >>> thumbnail(film, film > 0, (slice(0, 300), slice(0, 300)), small=film)[:4]
    b'\x89PNG'
    """
    from PIL import Image

    tiles = [_tile(small, roi)]
    if max(box_shape(box)) < _SMALL * max(plane.shape):
        around = padded(box, max(4, max(box_shape(box)) // 2), plane.shape)
        tiles.append(_tile(plane[around], roi[around]))
    height = max(tile.shape[0] for tile in tiles)
    canvas = np.full((height, sum(tile.shape[1] for tile in tiles) + _GAP * (len(tiles) - 1)), _GREYS + 1, np.uint8)
    left = 0
    for tile in tiles:
        canvas[: tile.shape[0], left : left + tile.shape[1]] = tile
        left += tile.shape[1] + _GAP
    picture = Image.frombytes("P", (canvas.shape[1], canvas.shape[0]), canvas.tobytes())
    greys = [round(level * 255 / (_GREYS - 1)) for level in range(_GREYS)]
    picture.putpalette([value for grey in greys for value in (grey, grey, grey)] + [*_OUTLINE, 255, 255, 255])
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=9)
    return stream.getvalue()


def _tile(plane: Grey, roi: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Levels of grey at the size of a picture, the outline as one level more."""
    small, _ = reduced(plane, 2 * SIDE)
    shape = tuple(max(1, round(side * SIDE / max(plane.shape))) for side in plane.shape)
    grey = small[np.ix_(*_nearest(small.shape, shape))]
    inside = roi[np.ix_(*_nearest(roi.shape, shape))]
    low, high = np.percentile(small, [0.5, 99.5])
    levels = np.clip((grey - low) / max(float(high - low), 1e-12), 0, 1) * (_GREYS - 1)
    tile: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)
    tile[_edge(inside)] = _GREYS
    return tile


def _nearest(old: tuple[int, ...], new: tuple[int, ...]) -> list[NDArray[np.intp]]:
    return [
        np.minimum(((np.arange(wanted) + 0.5) * had / wanted).astype(np.intp), had - 1)
        for had, wanted in zip(old, new, strict=True)
    ]


def _edge(roi: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels outside a region that touch it, and those of the region on the border of the picture."""
    frame = np.pad(roi, 1)
    touched = frame[:-2, 1:-1] | frame[2:, 1:-1] | frame[1:-1, :-2] | frame[1:-1, 2:]
    border = np.ones_like(roi)
    border[1:-1, 1:-1] = False
    edge: NDArray[np.bool_] = (touched & ~roi) | (roi & border)
    return edge
