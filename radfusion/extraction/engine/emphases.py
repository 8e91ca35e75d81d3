"""Features of run lengths, zone sizes and dependences: counts by grey level and size, one set of formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.engine.response import EPS, Features, Response, Undefined, weighted_sum

__all__ = ["emphases", "gldm", "glrlm", "glszm"]

Matrices = NDArray[np.float64]  # (A, n, m): one per angle, level by size


def glrlm(response: Response, _wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Features of the runs of equal levels, mean over the angles.

    References
    ----------
    .. [1] Galloway MM. Texture analysis using gray level run lengths. Comput Graph Image Process 1975;4:172-9.
       doi:10.1016/S0146-664X(75)80008-6
    """
    from radiomics import cMatrices

    levels = response.levels
    longest = max(levels.image.shape)
    counts, angles = cMatrices.calculate_glrlm(levels.image, response.roi, levels.highest, longest, *response.plane)
    matrices = weighted_sum(np.moveaxis(counts[0], 2, 0), angles, response, gaussian=False)
    return _named(emphases(matrices, levels.present), _RUNS), {}


def glszm(response: Response, _wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Features of the connected zones of equal levels.

    References
    ----------
    .. [1] Thibault G, et al. Texture indexes and gray level size zone matrix: application to cell nuclei
       classification. PRIP 2009:140-5.
    """
    from radiomics import cMatrices

    levels = response.levels
    counts = cMatrices.calculate_glszm(
        levels.image, response.roi, levels.highest, int(levels.counts.sum()), *response.plane
    )
    return _named(emphases(counts, levels.present), _ZONES), {}


def gldm(response: Response, _wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Features of the number of neighbours whose level differs by `gldm_a` at most.

    References
    ----------
    .. [1] Sun C, Wee WG. Neighboring gray level dependence matrix for texture classification. Comput Vis Graph Image
       Process 1983;23:341-52. doi:10.1016/0734-189X(83)90032-4
    """
    from radiomics import cMatrices

    levels, apart = response.levels, response.settings.get("gldm_a", 0)
    counts = cMatrices.calculate_gldm(
        levels.image, response.roi, response.distances, levels.highest, apart, *response.plane
    )
    return _named(emphases(counts, levels.present), _DEPENDENCES), {}


def emphases(matrices: Matrices, present: NDArray[np.int_]) -> Features:
    """Features of counts by grey level and size, mean over the first axis.

    Parameters
    ----------
    matrices : (A, Ng, M) array
        Counts of level 1 to Ng (rows) and size 1 to M (columns), one matrix per angle.
    present : (n,) array of int
        Levels that occur.

    Returns
    -------
    dict of str to float
        By names of our own, which the families translate to theirs.
    """
    sizes = np.flatnonzero(matrices.any((0, 1)))
    p = matrices[:, present[:, None] - 1, sizes]
    i, j = present.astype(np.float64), (sizes + 1).astype(np.float64)
    total = p.sum((1, 2))
    by_level, by_size = p.sum(2), p.sum(1)
    low, high, short, long = 1 / i**2, i**2, 1 / j**2, j**2
    p_low, p_high = low @ p, high @ p
    share = p / total[:, None, None]
    per_angle = {
        "short": by_size @ short / total,
        "long": by_size @ long / total,
        "low": by_level @ low / total,
        "high": by_level @ high / total,
        "short low": p_low @ short / total,
        "short high": p_high @ short / total,
        "long low": p_low @ long / total,
        "long high": p_high @ long / total,
        "level uniformity": (by_level**2).sum(1) / total,
        "level uniformity, normalised": (by_level**2).sum(1) / total**2,
        "size uniformity": (by_size**2).sum(1) / total,
        "size uniformity, normalised": (by_size**2).sum(1) / total**2,
        "level variance": _variance(by_level / total[:, None], i),
        "size variance": _variance(by_size / total[:, None], j),
        "entropy": -(share * np.log2(share + EPS)).sum((1, 2)),
        "percentage": total / (by_size @ j),
    }
    means = np.stack(list(per_angle.values())).mean(axis=1)
    return dict(zip(per_angle, means.tolist(), strict=True))


def _variance(p: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((p * (x - (p @ x)[:, None]) ** 2).sum(1))


def _named(values: Features, names: dict[str, str]) -> Features:
    return {name: values[own] for name, own in names.items()}


_RUNS = {
    "GrayLevelNonUniformity": "level uniformity",
    "GrayLevelNonUniformityNormalized": "level uniformity, normalised",
    "GrayLevelVariance": "level variance",
    "HighGrayLevelRunEmphasis": "high",
    "LongRunEmphasis": "long",
    "LongRunHighGrayLevelEmphasis": "long high",
    "LongRunLowGrayLevelEmphasis": "long low",
    "LowGrayLevelRunEmphasis": "low",
    "RunEntropy": "entropy",
    "RunLengthNonUniformity": "size uniformity",
    "RunLengthNonUniformityNormalized": "size uniformity, normalised",
    "RunPercentage": "percentage",
    "RunVariance": "size variance",
    "ShortRunEmphasis": "short",
    "ShortRunHighGrayLevelEmphasis": "short high",
    "ShortRunLowGrayLevelEmphasis": "short low",
}
_ZONES = {
    "GrayLevelNonUniformity": "level uniformity",
    "GrayLevelNonUniformityNormalized": "level uniformity, normalised",
    "GrayLevelVariance": "level variance",
    "HighGrayLevelZoneEmphasis": "high",
    "LargeAreaEmphasis": "long",
    "LargeAreaHighGrayLevelEmphasis": "long high",
    "LargeAreaLowGrayLevelEmphasis": "long low",
    "LowGrayLevelZoneEmphasis": "low",
    "SizeZoneNonUniformity": "size uniformity",
    "SizeZoneNonUniformityNormalized": "size uniformity, normalised",
    "SmallAreaEmphasis": "short",
    "SmallAreaHighGrayLevelEmphasis": "short high",
    "SmallAreaLowGrayLevelEmphasis": "short low",
    "ZoneEntropy": "entropy",
    "ZonePercentage": "percentage",
    "ZoneVariance": "size variance",
}
_DEPENDENCES = {
    "DependenceEntropy": "entropy",
    "DependenceNonUniformity": "size uniformity",
    "DependenceNonUniformityNormalized": "size uniformity, normalised",
    "DependenceVariance": "size variance",
    "GrayLevelNonUniformity": "level uniformity",
    "GrayLevelVariance": "level variance",
    "HighGrayLevelEmphasis": "high",
    "LargeDependenceEmphasis": "long",
    "LargeDependenceHighGrayLevelEmphasis": "long high",
    "LargeDependenceLowGrayLevelEmphasis": "long low",
    "LowGrayLevelEmphasis": "low",
    "SmallDependenceEmphasis": "short",
    "SmallDependenceHighGrayLevelEmphasis": "short high",
    "SmallDependenceLowGrayLevelEmphasis": "short low",
}
