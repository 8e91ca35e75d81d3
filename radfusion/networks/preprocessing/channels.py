"""Grey levels as the numbers that a network expects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radfusion.networks.sources import InputFormat

__all__ = ["network_input"]


def network_input(grey: NDArray[np.float32], expected: InputFormat) -> NDArray[np.float32]:
    """Grey levels as a network expects them: repeated to three channels, scaled, centred.

    Parameters
    ----------
    grey : (..., rows, columns) array of float32
        0 to 1.
    expected : InputFormat
        Numbers of the weights source.

    Returns
    -------
    (..., 3, rows, columns) array of float32
        Channels in the order of the source, which for grey images shows in mean and SD only.
    """
    mean = np.asarray(expected.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(expected.std, dtype=np.float32)[:, None, None]
    return (np.float32(expected.white) * grey[..., None, :, :] - mean) / std
