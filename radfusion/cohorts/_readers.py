"""Another person's outline of the same vertebra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_again"]

_BIAS_MM = 0.35  # standard deviation of how much larger or smaller a reader draws a vertebra
_JITTER_MM = 0.55  # of the boundary around that
_REACH_MM = 4.0  # along the boundary, within which the jitter is much the same


def drawn_again(region: NDArray[np.bool_], spacing: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Outline a region anew: its boundary is moved by a smooth random field, without leaving the film.

    Parameters
    ----------
    region : (rows, columns) array of bool
        As the first reader outlines it; not empty.
    spacing : float
        Distance between pixel centres in mm.
    rng : numpy.random.Generator
        The reader's hand.

    Returns
    -------
    (rows, columns) array of bool
        Never empty.
    """
    from scipy import ndimage

    inside = ndimage.distance_transform_edt(region) - 0.5
    outside = ndimage.distance_transform_edt(~region) - 0.5
    depth = np.where(region, inside, -outside) * spacing
    field = ndimage.gaussian_filter(rng.standard_normal(region.shape), _REACH_MM / spacing, mode="nearest")
    moved = depth + rng.normal(0.0, _BIAS_MM) + _JITTER_MM * field / field.std() > 0
    parts, count = ndimage.label(moved)
    sizes = ndimage.sum_labels(moved, parts, range(1, count + 1))
    drawn: NDArray[np.bool_] = parts == 1 + int(np.argmax(sizes)) if count else region.copy()
    return drawn
