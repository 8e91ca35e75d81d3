"""Shape of a region: PyRadiomics' mesh, its diameters from the convex hull."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.engine.families import feature_names, picked
from radfusion.extraction.engine.regions import Region
from radfusion.extraction.engine.response import Features, Undefined

__all__ = ["Mesh", "mesh_of", "shape_family"]

_NO_EXTENT = "the region has no extent along its longest axis"
_FEW_VOXELS = 1000  # up to here all pairs of vertices take less time than the table of neighbourhoods
_NO_WIDTH = 1e-14  # share of the largest eigenvalue
_NEIGHBOURHOODS = 256  # ways in which eight voxels around a corner can be inside or outside


@dataclass(frozen=True)
class Mesh:
    """Measures of the surface of a region.

    Attributes
    ----------
    area, volume : float
        In mm2 and mm3.
    diameters : tuple of float
        Largest distance between two vertices of the mesh in one slice, column plane, row plane, and in all, in mm.
    """

    area: float
    volume: float
    diameters: tuple[float, float, float, float]


def shape_family(
    family: str, region: Region, settings: Mapping[str, Any], *, wanted: Sequence[str] = ()
) -> tuple[Features, Undefined]:
    """Features of ``shape`` or ``shape2D``.

    Raises
    ------
    ValueError
        When ``shape2D`` is asked of a region of several slices.
    """
    roi, spacing = region.outline[region.box], region.plane.spacing
    names = feature_names(family, wanted)
    if family == "shape":
        return picked(*_shape(roi, spacing), names)
    if roi.ndim == 3:
        flat = int(settings.get("force2Ddimension", 0))
        if roi.shape[flat] > 1:
            raise ValueError(f"shape2D needs a region of one slice; this one has {roi.shape[flat]}")
        roi, spacing = np.squeeze(roi, flat), (*spacing[:flat], *spacing[flat + 1 :])
    return picked(*_shape_2d(roi, spacing), names)


def _shape_2d(roi: NDArray[np.bool_], spacing: Sequence[float]) -> tuple[Features, Undefined]:
    from radiomics import cShape

    perimeter, surface, diameter = cShape.calculate_coefficients2D(np.pad(roi, 1), np.array(spacing))
    minor, major = _axes(roi, spacing)
    sphericity = _ratio(2 * math.sqrt(math.pi * surface), perimeter)
    values = {
        "Elongation": _ratio(minor, major),
        "MajorAxisLength": major,
        "MaximumDiameter": diameter,
        "MeshSurface": surface,
        "MinorAxisLength": minor,
        "Perimeter": perimeter,
        "PerimeterSurfaceRatio": _ratio(perimeter, surface),
        "PixelSurface": np.count_nonzero(roi) * (spacing[0] * spacing[1]),
        "Sphericity": sphericity,
        "SphericalDisproportion": _ratio(1.0, sphericity),
    }
    return values, {"Elongation": _NO_EXTENT, "PerimeterSurfaceRatio": "the mesh encloses no surface"}


def _shape(roi: NDArray[np.bool_], spacing: Sequence[float]) -> tuple[Features, Undefined]:
    mesh = mesh_of(roi, spacing)
    least, minor, major = _axes(roi, spacing)
    area, volume = mesh.area, mesh.volume
    ball = (36 * math.pi * volume**2) ** (1.0 / 3.0)
    in_slices, in_columns, in_rows, anywhere = mesh.diameters
    values = {
        "Elongation": _ratio(minor, major),
        "Flatness": _ratio(least, major),
        "LeastAxisLength": least,
        "MajorAxisLength": major,
        "Maximum2DDiameterColumn": in_columns,
        "Maximum2DDiameterRow": in_rows,
        "Maximum2DDiameterSlice": in_slices,
        "Maximum3DDiameter": anywhere,
        "MeshVolume": volume,
        "MinorAxisLength": minor,
        "Sphericity": _ratio(ball, area),
        "SurfaceArea": area,
        "SurfaceVolumeRatio": _ratio(area, volume),
        "VoxelVolume": np.count_nonzero(roi) * (spacing[0] * spacing[2] * spacing[1]),
        "Compactness1": _ratio(volume, area**1.5 * math.sqrt(math.pi)),
        "Compactness2": _ratio(36.0 * math.pi * volume**2, area**3),
        "SphericalDisproportion": _ratio(area, ball),
    }
    return values, {"Elongation": _NO_EXTENT, "Flatness": _NO_EXTENT, "SurfaceVolumeRatio": "the mesh has no volume"}


def _ratio(over: float, below: float) -> float:
    return over / below if below else math.nan


def _axes(roi: NDArray[np.bool_], spacing: Sequence[float]) -> list[float]:
    """Lengths of the principal axes in mm, shortest first."""
    places = np.argwhere(roi) * np.array(spacing)
    places -= places.mean(axis=0)
    places /= np.sqrt(len(places))
    values = np.linalg.eigvalsh(places.T @ places)
    values[values < _NO_WIDTH * values[-1]] = 0.0  # a plane or a line has no width, but for rounding
    return [4 * math.sqrt(value) for value in values.tolist()]


def mesh_of(roi: NDArray[np.bool_], spacing: Sequence[float]) -> Mesh:
    """Surface of a region of a volume, as PyRadiomics' marching cubes make it.

    Area and volume are sums over the eight voxels around each corner: PyRadiomics is asked once for each of the 256
    ways in which they can lie, and never for the whole region, whose diameters it would search among all pairs of
    vertices.

    Parameters
    ----------
    roi : (slices, rows, columns) array of bool
        The region.
    spacing : (3,) sequence of float
        In mm, in array order.
    """
    from radiomics import cShape

    inside = np.pad(roi, 1)
    if np.count_nonzero(roi) <= _FEW_VOXELS:
        area, volume, diameters = cShape.calculate_coefficients(inside, np.array(spacing))
        return Mesh(area, volume, tuple(diameters))
    ways = _ways(inside)
    area, volume, direction = _cubes(tuple(spacing))
    counts = np.bincount(ways.ravel(), minlength=_NEIGHBOURHOODS)
    moved = sum(float(_weighted(ways, axis) @ direction[:, axis]) * step for axis, step in enumerate(spacing))
    return Mesh(float(counts @ area), float(counts @ volume) + moved, _diameters(inside, spacing))


def _ways(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Number of the neighbourhood of each corner: one bit per voxel."""
    ways = np.zeros(tuple(size - 1 for size in inside.shape), dtype=np.uint8)
    for bit, offset in enumerate(np.ndindex(2, 2, 2)):
        corner = tuple(slice(start, start + size) for start, size in zip(offset, ways.shape, strict=True))
        ways |= inside[corner].astype(np.uint8) << bit
    return ways


def _weighted(ways: NDArray[np.uint8], axis: int) -> NDArray[np.float64]:
    """Sum of the positions along an axis of the corners of each kind."""
    places = np.arange(ways.shape[axis], dtype=np.float64)
    shape = [1] * ways.ndim
    shape[axis] = -1
    weights = np.broadcast_to(places.reshape(shape), ways.shape)
    return np.bincount(ways.ravel(), weights.ravel(), minlength=_NEIGHBOURHOODS).astype(np.float64, copy=False)


@functools.lru_cache(maxsize=32)
def _cubes(spacing: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Area, volume and change of volume per mm of shift along each axis, of each of the 256 neighbourhoods.

    The volume of an open surface depends on its place. It is shifted by one voxel along an axis with a copy of its
    first layer put before it; that layer and its copy add a volume that is known.
    """
    steps = np.array(spacing)
    cubes = [np.array([way >> bit & 1 for bit in range(8)], dtype=bool).reshape(2, 2, 2) for way in range(256)]
    area, volume = np.array([_coefficients(cube, steps) for cube in cubes]).T
    shift = np.empty((_NEIGHBOURHOODS, 3))
    for axis in range(3):
        for way, cube in enumerate(cubes):
            first = cube.take([0], axis)
            before = _coefficients(np.concatenate([first, first], axis), steps)[1]
            both = _coefficients(np.concatenate([first, cube], axis), steps)[1]
            shift[way, axis] = (both - before - volume[way]) / steps[axis]
    return area, volume, shift


def _coefficients(cube: NDArray[np.bool_], steps: NDArray[np.float64]) -> tuple[float, float]:
    from radiomics import cShape

    area, volume, _ = cShape.calculate_coefficients(np.ascontiguousarray(cube), steps)
    return area, volume


def _diameters(inside: NDArray[np.bool_], spacing: Sequence[float]) -> tuple[float, float, float, float]:
    """Largest distances between vertices: the middles of the edges from a voxel inside to one outside."""
    doubled = np.concatenate([_crossings(inside, axis) for axis in range(3)])
    in_planes = [_largest_in_planes(doubled, axis, spacing) for axis in range(3)]
    return in_planes[0], in_planes[1], in_planes[2], _largest(_row_ends(doubled), spacing)


def _crossings(inside: NDArray[np.bool_], axis: int) -> NDArray[np.int_]:
    """Twice the voxel coordinates of the vertices on edges along an axis: whole numbers."""
    places = 2 * np.argwhere(np.diff(inside, axis=axis))
    places[:, axis] += 1
    return places


def _row_ends(places: NDArray[np.int_]) -> NDArray[np.int_]:
    """First and last vertex of each row along the last axis: no other can be an end of a diameter."""
    ordered = places[np.lexsort(places.T[::-1])]
    new = np.any(np.diff(ordered[:, :-1], axis=0) != 0, axis=1)
    return np.asarray(ordered[np.concatenate([[True], new]) | np.concatenate([new, [True]])])


def _largest_in_planes(places: NDArray[np.int_], axis: int, spacing: Sequence[float]) -> float:
    others = [other for other in range(3) if other != axis]
    steps = [spacing[other] for other in others]
    ordered = places[np.argsort(places[:, axis], kind="stable")]
    starts = np.flatnonzero(np.diff(ordered[:, axis])) + 1
    return max(_largest(_row_ends(plane), steps) for plane in np.split(ordered[:, others], starts))


def _largest(places: NDArray[np.int_], spacing: Sequence[float]) -> float:
    """Largest distance between points given in half voxels."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    points = places * (np.array(spacing) / 2)
    if len(points) > 64:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:  # all on a line: its ends come first and last
            points = points[[0, -1]]
    return float(pdist(points).max()) if len(points) > 1 else 0.0
