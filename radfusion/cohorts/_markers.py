"""Burnt-in laterality markers: letters of lead in a corner of the film."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["burn_marker"]

_GLYPHS: Mapping[str, tuple[str, ...]] = {
    "L": ("##.....", "##.....", "##.....", "##.....", "##.....", "##.....", "##.....", "#######", "#######"),
    "R": ("#####..", "######.", "##..###", "##...##", "##..###", "######.", "#####..", "##.###.", "##..###"),
}
_HEIGHT_MM = 11.0
_MARGIN_MM = 9.0


def burn_marker(
    film: NDArray[np.floating[Any]],
    text: str,
    corner: str,
    *,
    spacing: float,
    framed: bool,
    rng: np.random.Generator,
) -> tuple[int, int, int, int]:
    """Draw a letter into a corner of the film, in place.

    Parameters
    ----------
    film : (rows, columns) array of float32
        Grey values from 0 to 1.
    text : {"L", "R"}
        The letter.
    corner : str
        ``"top left"``, ``"top right"``, ``"bottom left"`` or ``"bottom right"``.
    spacing : float
        Distance between pixel centres in mm.
    framed : bool
        Whether the letter stands in a frame.
    rng : numpy.random.Generator
        Places the marker within a few mm.

    Returns
    -------
    tuple of int
        First row, last row + 1, first column, last column + 1 of the marker.
    """
    stamp = _stamp(text, spacing=spacing, framed=framed)
    margin = np.round((_MARGIN_MM + rng.uniform(-2.0, 3.0, size=2)) / spacing).astype(int)
    side = (corner.split()[0] == "bottom", corner.split()[1] == "right")
    first = [
        int(length - gap - extent if far else gap)
        for length, extent, gap, far in zip(film.shape, stamp.shape, margin, side, strict=True)
    ]
    rows, columns = slice(first[0], first[0] + stamp.shape[0]), slice(first[1], first[1] + stamp.shape[1])
    film[rows, columns] += stamp * (0.97 - film[rows, columns])
    return rows.start, rows.stop, columns.start, columns.stop


def _stamp(text: str, *, spacing: float, framed: bool) -> NDArray[np.float32]:
    """Opacity of the letter, 0 to 1, at the pixel spacing of the film."""
    glyph = np.array([[mark == "#" for mark in line] for line in _GLYPHS[text]], dtype=np.float32)
    if framed:
        glyph = np.pad(np.pad(glyph, 1), 1, constant_values=1.0)
    rows = max(9, round(_HEIGHT_MM * glyph.shape[0] / 9 / spacing))
    columns = max(6, round(rows * glyph.shape[1] / glyph.shape[0] * 0.95))
    down = np.linspace(-0.5, glyph.shape[0] - 0.5, rows * 2 + 1)[1::2]
    across = np.linspace(-0.5, glyph.shape[1] - 0.5, columns * 2 + 1)[1::2]
    nearest = np.ix_(
        np.clip(np.round(down), 0, glyph.shape[0] - 1).astype(int),
        np.clip(np.round(across), 0, glyph.shape[1] - 1).astype(int),
    )
    stamp: NDArray[np.float32] = glyph[nearest]
    return stamp
