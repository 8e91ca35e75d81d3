"""What a feature family sees: the response of a filter inside the box of a region."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.engine.levels import GreyLevels

__all__ = ["EPS", "Features", "Response", "Undefined", "entropy", "weighted_sum"]

#: What PyRadiomics adds to a probability before its logarithm.
EPS = float(np.spacing(1))

Features = dict[str, float]
Undefined = dict[str, str]


@dataclass(frozen=True)
class Response:
    """Response of a filter inside the box of a region.

    Attributes
    ----------
    image : array
        Intensities.
    roi : array of bool, same shape
        The region.
    levels : GreyLevels
        Its discretised intensities.
    spacing : tuple of float
        Distance between pixel centres in mm, in array order.
    settings : mapping
        PyRadiomics' settings.
    """

    image: NDArray[np.number[Any]]
    roi: NDArray[np.bool_]
    levels: GreyLevels
    spacing: tuple[float, ...]
    settings: Mapping[str, Any]

    @functools.cached_property
    def plane(self) -> tuple[bool, int]:
        """PyRadiomics' `force2D` and `force2Ddimension`."""
        return bool(self.settings.get("force2D", False)), int(self.settings.get("force2Ddimension", 0))

    @functools.cached_property
    def distances(self) -> NDArray[np.int_]:
        """Distances between neighbours in pixels."""
        return np.array(self.settings.get("distances", [1]))


def entropy(p: NDArray[np.float64], axis: int | tuple[int, ...] = -1) -> NDArray[np.float64]:
    """Entropy in bits along axes, as PyRadiomics computes it."""
    return np.asarray(-np.sum(p * np.log2(p + EPS), axis))


def weighted_sum(
    matrices: NDArray[np.float64], angles: NDArray[np.int_], response: Response, *, gaussian: bool
) -> NDArray[np.float64]:
    """Matrices (one per angle, first axis) added with the weights of `weightingNorm`; without it, those not empty.

    Parameters
    ----------
    matrices : (A, n, m) array
        One matrix per angle.
    angles : (A, axes) array
        Steps in pixels.
    response : Response
        Its settings and spacing.
    gaussian : bool
        Weights are exp(-distance^2) rather than the distance.
    """
    norm = response.settings.get("weightingNorm")
    if norm is not None:
        steps = np.abs(angles) * np.array(response.spacing)
        distance = _NORMS.get(norm, _no_norm)(steps)
        known = norm in _NORMS
        weights = np.exp(-(distance**2)) if gaussian and known else distance
        matrices = np.tensordot(weights, matrices, 1)[None]
    return np.asarray(matrices[matrices.sum((1, 2)) > 0])


def _no_norm(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones(len(steps))


_NORMS = {
    "infinity": lambda steps: steps.max(1),
    "euclidean": lambda steps: np.sqrt((steps**2).sum(1)),
    "manhattan": lambda steps: steps.sum(1),
}
