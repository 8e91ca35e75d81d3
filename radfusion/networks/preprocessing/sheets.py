"""Contact sheets: what a network is shown of several cases, for the eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["contact_sheet"]

_GAP = 4


def contact_sheet(pictures: Sequence[NDArray[np.float32]], *, columns: int = 6) -> Image.Image:
    """Pictures of one size side by side, white between them.

    Parameters
    ----------
    pictures : sequence of (rows, columns) arrays of float32
        At least one; 0 is black and 1 is white.
    columns : int
        Pictures in a row of the sheet.

    Examples
    --------
    >>> contact_sheet([np.zeros((32, 32), dtype=np.float32)] * 7, columns=3).size
    (104, 104)
    """
    height, width = pictures[0].shape
    across, down = min(columns, len(pictures)), -(-len(pictures) // columns)
    sheet = np.full((down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP), 255, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = np.rint(picture * 255)
    return Image.fromarray(sheet)
