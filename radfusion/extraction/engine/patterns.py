"""Local binary patterns in three dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["sphere_patterns"]

_BATCH = 2**20  # samples in memory at once


@dataclass(frozen=True)
class _Sphere:
    """Points around a voxel, and spherical harmonics there.

    Attributes
    ----------
    points : (points, 3) array
        Offsets in voxels, added to slice, row and column in this order.
    harmonics : (points, levels squared) complex array
        Orders -n to n of each level n.
    """

    points: NDArray[np.float64]
    harmonics: NDArray[np.complex128]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        from scipy.special import sph_harm_y
        from trimesh.creation import icosphere

        radius, levels = settings.get("lbp3DIcosphereRadius", 1), settings.get("lbp3DLevels", 2)
        points = np.array(icosphere(settings.get("lbp3DIcosphereSubdivision", 1), radius).vertices)
        polar = np.arccos(np.clip(points[:, 2] / radius, -1, 1))
        azimuth = np.arctan2(points[:, 1], points[:, 0])
        orders = [(level, order) for level in range(levels) for order in range(-level, level + 1)]
        # PyRadiomics takes each angle for the other one; so do we, or no value would be its own.
        return cls(points, np.column_stack([sph_harm_y(*pair, azimuth, polar) for pair in orders]))

    @property
    def levels(self) -> list[slice]:
        """Columns of each level."""
        levels = round(self.harmonics.shape[1] ** 0.5)
        return [slice(level**2, (level + 1) ** 2) for level in range(levels)]


def sphere_patterns(
    image: NDArray[np.number[Any]], roi: NDArray[np.bool_], settings: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Binary pattern on a sphere around each voxel of a region: its power per level of harmonics, and the kurtosis.

    Intensities are sampled on the sphere by cubic splines and compared with the one in its middle; the zeros and
    ones are split into spherical harmonics.

    Parameters
    ----------
    image : (slices, rows, columns) array
        The whole volume; beyond it intensities count as 0. Where all are whole numbers samples are rounded, as
        PyRadiomics does with a file of whole numbers.
    roi : array of bool
        The region.
    settings : mapping
        PyRadiomics' ``lbp3DLevels`` (2 when absent), ``lbp3DIcosphereRadius`` in voxels (1), and
        ``lbp3DIcosphereSubdivision`` (1).

    Returns
    -------
    (levels + 1, voxels) array
        In the order of ``image[roi]``; the last row is the kurtosis of the samples, NaN where all are equal.

    Notes
    -----
    As in PyRadiomics, polar angle and azimuth are swapped in the harmonics, so that from the second level on the
    values are not free of rotation as those of the reference are; and a sphere in voxels is none in mm where voxels
    are no cubes.

    References
    ----------
    .. [1] Banerjee J, Moelker A, Niessen WJ, van Walsum T. 3D LBP-based rotationally invariant region description.
       In: Computer Vision - ACCV 2012 Workshops. LNCS 7728. Springer; 2013. p. 26-37.
       doi:10.1007/978-3-642-37410-4_3

    Examples
    --------
    >>> image, roi = np.zeros((5, 5, 5)), np.zeros((5, 5, 5), dtype=bool)
    >>> image[2, 2, 2], roi[2, 2, 2] = 100, True
    >>> sphere_patterns(image, roi, {}).round(2).tolist()  # the brightest voxel: nothing around it reaches it
    [[0.0], [0.0], [1.98]]
    """
    from scipy.ndimage import spline_filter

    sphere, whole = _Sphere.of(settings), bool(np.array_equal(image, np.rint(image)))
    splines, voxels, middles = spline_filter(image, output=np.float64), np.argwhere(roi), image[roi]
    found = np.empty((len(sphere.levels) + 1, len(voxels)))
    step = max(_BATCH // len(sphere.points), 1)
    for start in range(0, len(voxels), step):
        batch = slice(start, start + step)
        samples = _sampled(splines, voxels[batch], sphere, whole=whole)
        found[:-1, batch] = _powers(samples >= middles[batch, None], sphere)
        found[-1, batch] = _kurtosis(samples)
    return found


def _sampled(
    splines: NDArray[np.float64], voxels: NDArray[np.int64], sphere: _Sphere, *, whole: bool
) -> NDArray[np.float64]:
    """Intensities around each voxel, (voxels, points)."""
    from scipy.ndimage import map_coordinates

    places = voxels.T[:, :, None] + sphere.points.T[:, None, :]
    samples: NDArray[np.float64] = map_coordinates(splines, places, prefilter=False)
    return np.trunc(samples + np.copysign(0.5, samples)) if whole else samples


def _powers(signs: NDArray[np.bool_], sphere: _Sphere) -> NDArray[np.float64]:
    """Norm over the sphere of the part of the pattern in each level, (levels, voxels).

    Points are added one by one: equal counts of ones have equal bits, so that no voxel changes its grey level.
    """
    coefficients = np.zeros((len(signs), sphere.harmonics.shape[1]), dtype=np.complex128)
    for point, values in enumerate(sphere.harmonics):
        coefficients += signs[:, point, None] * values
    powers = np.zeros((len(signs), len(sphere.levels)), dtype=np.complex128)
    for values in sphere.harmonics:
        parts = coefficients * values
        for level, orders in enumerate(sphere.levels):
            powers[:, level] += parts[:, orders].sum(axis=1) ** 2
    return np.sqrt(powers).real.T


def _kurtosis(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import kurtosis

    return np.asarray(kurtosis(samples, axis=1))
