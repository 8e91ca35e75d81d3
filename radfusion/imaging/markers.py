"""Burnt-in text: letters of lead or of the console, which a network reads before it reads the bone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radfusion.imaging.fingerprints import Grey

__all__ = ["TextBox", "find_text"]

# Lengths are shares of the film's longer side; brightness runs from 0 (darkest) to 1 (brightest but 0.2% of pixels).
_STROKE = 0.03
_HEIGHT, _WIDTH = (0.02, 0.11), (0.012, 0.11)
_ASPECT, _FILL = (0.35, 1.3), (0.35, 0.85)
_FAINT, _CONTRAST, _BRIGHT = 0.16, 0.3, 0.5
_UNEVEN, _HALO, _SOLID = 0.35, 0.3, 0.62
_BORDER, _INSIDE = 0.2, 0.05


@dataclass(frozen=True)
class TextBox:
    """Where a film probably bears a letter.

    Attributes
    ----------
    box : tuple of int
        First row, last row + 1, first column, last column + 1.
    score : float
        From 0 to 1: contrast of the strokes times evenness of what lies around them.
    """

    box: tuple[int, int, int, int]
    score: float


def find_text(film: Grey, roi: NDArray[np.bool_], *, factor: int = 1) -> tuple[TextBox, ...]:
    """Look for probable burnt-in letters of a film, the most certain first.

    A letter is a small connected structure of thin, bright, even strokes near the border and outside the region: what
    an opening with a square of 3% of the film takes away by more than 16% of the range of grey values, 2% to 11% high,
    not solid, on an even ground. Text inside the region or in the middle of the film is not looked for.

    Parameters
    ----------
    film : (rows, columns) array
        Grey values, higher is brighter; some 250 to 600 pixels long: average larger films first.
    roi : (rows, columns) array of bool
        Region, or the union of the regions of the film.
    factor : int
        Pixels of the original film per pixel of `film`; boxes are those of the original.

    Examples
    --------
    >>> film = np.zeros((200, 200))
    >>> film[10:22, 12:14], film[20:22, 12:19] = 1.0, 1.0
    >>> [found.box for found in find_text(film, film > 2)]
    [(10, 22, 12, 19)]
    """
    low, high = np.percentile(film[::2, ::2], [0.5, 99.8])
    if high <= low:  # a letter may be all that is not black
        low, high = float(film.min()), float(film.max())
    if high <= low:
        return ()
    grey = np.clip((film.astype(np.float32) - low) / (high - low), 0.0, 1.3)
    boxes = (TextBox(_scaled(box, factor), round(min(score, 1.0), 3)) for box, score in _letters(grey, roi))
    return tuple(sorted(boxes, key=lambda text: (-text.score, text.box)))


def _letters(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> Iterator[tuple[tuple[slice, slice], float]]:
    from scipy import ndimage

    longest = max(grey.shape)
    stroke = max(5, round(_STROKE * longest)) | 1
    strokes = grey - ndimage.grey_opening(grey, size=(stroke, stroke))
    parts, _ = ndimage.label(strokes > _FAINT, np.ones((3, 3)))
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        height, width = (side.stop - side.start for side in box)
        if not (_within(height / longest, _HEIGHT) and _within(width / longest, _WIDTH)):
            continue
        if not _within(width / height, _ASPECT) or _from_border(box, grey.shape) > _BORDER * longest:
            continue
        around = tuple(slice(max(0, side.start - 3), side.stop + 3) for side in box)
        score = _score(grey[around], strokes[around], parts[around] == number, inside=inside[around])
        if score > 0:
            yield box, score


def _score(
    grey: NDArray[np.float32], strokes: NDArray[np.float32], letter: NDArray[np.bool_], *, inside: NDArray[np.bool_]
) -> float:
    """0 for what is no letter."""
    from scipy import ndimage

    rows, columns = np.flatnonzero(letter.any(axis=1)), np.flatnonzero(letter.any(axis=0))
    area = int(np.count_nonzero(letter))
    fill = area / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))
    square = np.ones((3, 3), dtype=bool)
    near = ndimage.binary_dilation(letter, square)
    ground = ndimage.binary_dilation(near, square, iterations=2) & ~near
    contrast = float(np.percentile(strokes[letter], 75))
    halo = float(np.median(strokes[ground])) / contrast if ground.any() else 0.0
    ground &= strokes <= _FAINT  # a frame or the next letter is no unevenness
    uneven = float(grey[ground].std()) / contrast if ground.any() else 0.0
    solid = np.count_nonzero(ndimage.binary_erosion(letter)) / area
    is_letter = (
        _within(fill, _FILL)
        and contrast > _CONTRAST
        and float(np.percentile(grey[letter], 75)) > _BRIGHT
        and uneven < _UNEVEN
        and halo < _HALO
        and solid < _SOLID
        and int(np.count_nonzero(inside & letter)) < _INSIDE * area
    )
    return contrast * (1 - uneven) if bool(is_letter) else 0.0


def _within(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def _from_border(box: tuple[slice, slice], shape: tuple[int, ...]) -> float:
    middles = [(side.start + side.stop) / 2 for side in box]
    nearest: float = min(min(middle, length - middle) for middle, length in zip(middles, shape, strict=True))
    return nearest


def _scaled(box: tuple[slice, slice], factor: int) -> tuple[int, int, int, int]:
    rows, columns = box
    return rows.start * factor, rows.stop * factor, columns.start * factor, columns.stop * factor
