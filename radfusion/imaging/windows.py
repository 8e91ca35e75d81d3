"""Windows of intensities."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["WindowShape", "windowed"]

WindowShape = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


def windowed(
    values: NDArray[np.float64], centre: float, width: float, *, shape: WindowShape = "LINEAR_EXACT"
) -> NDArray[np.float64]:
    """Intensities through a window, 0 to 255.

    Parameters
    ----------
    values : array
        Intensities.
    centre, width : float
        Window in the unit of `values`.
    shape : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT function [1]_; ``LINEAR`` is the standard's own, half a unit beside the exact one.

    Returns
    -------
    array of float64, same shape

    References
    ----------
    .. [1] DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3.

    Examples
    --------
    >>> windowed(np.array([-200.0, 40.0, 120.0, 999.0]), 40, 400)
    array([  0. , 127.5, 178.5, 255. ])
    """
    if shape == "SIGMOID":
        return 255.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700, 700)))
    if shape == "LINEAR":
        centre, width = centre - 0.5, max(width - 1.0, 1e-6)
    return np.clip(((values - centre) / width + 0.5) * 255.0, 0.0, 255.0)
