"""Mirrored views of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flips", "flipped"]

Flips = Literal["none", "horizontal", "vertical", "both"]

#: Axes of a stack (pictures, rows, columns) that each view is mirrored along.
_AXES: Mapping[Flips, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (2,)),
    "vertical": ((), (1,)),
    "both": ((), (2,), (1,), (1, 2)),
}


def flipped(pictures: NDArray[np.float32], flips: Flips) -> NDArray[np.float32]:
    """Pictures with their mirror images behind them.

    Parameters
    ----------
    pictures : (n, rows, columns) array of float32
        Pictures.
    flips : {"none", "horizontal", "vertical", "both"}
        Left to right, top to bottom, or both: then each picture has four views.

    Returns
    -------
    (n, rows, columns), (2n, rows, columns) or (4n, rows, columns) array of float32

    Examples
    --------
    >>> flipped(np.array([[[1, 2]]], dtype=np.float32), "horizontal").tolist()
    [[[1.0, 2.0]], [[2.0, 1.0]]]
    """
    return np.concatenate([np.flip(pictures, axes) for axes in _AXES[flips]])
