"""Features of the neighbouring grey tone difference matrix."""

from __future__ import annotations

import numpy as np

from radfusion.extraction.engine.response import Features, Response, Undefined

__all__ = ["ngtdm"]

_FLAT = "the region has one grey level"
_SMOOTH = "no pixel differs from the mean of its neighbours"


def ngtdm(response: Response, _wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Features of the difference between a pixel and the mean of its neighbours.

    References
    ----------
    .. [1] Amadasun M, King R. Textural features corresponding to textural properties. IEEE Trans Syst Man Cybern
       1989;19:1264-74. doi:10.1109/21.44046
    """
    from radiomics import cMatrices

    levels = response.levels
    table = cMatrices.calculate_ngtdm(levels.image, response.roi, response.distances, levels.highest, *response.plane)[
        0
    ]
    counts, s, i = table[table[:, 0] > 0].T
    pixels, p = counts.sum(), counts / counts.sum()
    apart = i[:, None] - i
    both = p[:, None] + p
    ps = p * s
    steps, weighted, differences = np.abs(i[:, None] * p[:, None] - i * p).sum(), ps.sum(), s.sum()
    values = {
        "Busyness": (weighted, steps),
        "Coarseness": (1.0, weighted),
        "Complexity": ((np.abs(apart) * (ps[:, None] + ps) / both).sum(), pixels),
        "Contrast": (
            (p[:, None] * p * apart**2).sum() * differences / pixels,
            len(i) * (len(i) - 1),
        ),
        "Strength": ((both * apart**2).sum(), differences),
    }
    flat = len(i) == 1
    undefined = {name: _FLAT if flat else _SMOOTH for name, (_, below) in values.items() if below == 0}
    return {name: float(over / below) for name, (over, below) in values.items() if below != 0}, undefined
