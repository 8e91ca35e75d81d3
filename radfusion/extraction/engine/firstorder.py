"""First-order features, in PyRadiomics' own order of operations: equal to the last bit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.engine.response import EPS, Features, Response, Undefined

__all__ = ["firstorder"]

_FLAT = "all pixels of the region are equal"


def firstorder(response: Response, _wanted: tuple[str, ...]) -> tuple[Features, Undefined]:
    """Statistics of the intensities, and entropy and uniformity of the grey levels."""
    x = response.image[response.roi].astype(np.float64)
    p10, p25, p75, p90 = np.percentile(np.sort(x), [10, 25, 75, 90])
    low, high, mean = x.min(), x.max(), x.mean()
    energy = np.sum((x + response.settings.get("voxelArrayShift", 0)) ** 2)
    values = {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": _entropy(response),
        "InterquartileRange": p75 - p25,
        "Kurtosis": math.nan,
        "Maximum": high,
        "MeanAbsoluteDeviation": np.abs(x - mean).mean(),
        "Mean": mean,
        "Median": np.median(x),
        "Minimum": low,
        "Range": high - low,
        "RobustMeanAbsoluteDeviation": _spread(x[(x >= p10) & (x <= p90)]),
        "RootMeanSquared": np.sqrt(energy / len(x)),
        "Skewness": math.nan,
        "TotalEnergy": energy * np.multiply.reduce(response.spacing[::-1]),
        "Uniformity": np.sum(_shares(response) ** 2),
        "Variance": np.std(x) ** 2,
        "StandardDeviation": np.std(x),
    }
    centred = x - mean
    second = np.mean(centred**2)
    if second > 0:
        values["Skewness"] = np.mean(np.power(centred, 3)) / second**1.5
        values["Kurtosis"] = np.mean(np.power(centred, 4)) / second**2.0
    undefined = {} if second > 0 else dict.fromkeys(("Skewness", "Kurtosis"), _FLAT)
    return values, {"RobustMeanAbsoluteDeviation": "no pixel lies between the 10th and 90th percentile", **undefined}


def _shares(response: Response) -> NDArray[np.float64]:
    counts = response.levels.counts
    counts = counts[counts > 0]
    return np.asarray(counts / counts.sum())


def _entropy(response: Response) -> float:
    p = _shares(response)
    return float(-1.0 * np.sum(p * np.log2(p + EPS)))


def _spread(x: NDArray[np.float64]) -> float:
    return float(np.abs(x - x.mean()).mean())
