"""Perturbations: small random changes of image and region that a trustworthy feature should survive.

They stand in for a second image or a second segmentation where there is none [1]_. Each is a function of a scan and a
random generator; the strengths are the defaults of its arguments.

References
----------
.. [1] Zwanenburg A, et al. Assessing robustness of radiomic features by image perturbation. Sci Rep 2019;9:614.
   doi:10.1038/s41598-018-36938-4
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from radfusion.core.registry import Registry
from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.imaging.geometry import Box, bounding_box, box_shape, padded

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "dilate",
    "erode",
    "noise",
    "noise_level",
    "perturb",
    "randomise_contour",
    "reassign_supervoxels",
    "rotate",
    "translate",
]

Perturbation: TypeAlias = Callable[[Scan, Generator], Scan]
Floats: TypeAlias = NDArray[np.float64]

PERTURBATIONS: Registry[Perturbation] = Registry("perturbation")


def perturb(scan: Scan, name: str, rng: Generator) -> Scan:
    """Apply a perturbation, or several in turn: ``"noise+translate"``.

    Raises
    ------
    CaseError
        When the region cannot be changed so, or nothing is left of it.
    UnknownNameError
        When there is no such perturbation.
    """
    if not scan.roi.any():
        raise CaseError("the region is empty", stage="perturbation")
    for part in name.split("+"):
        scan = PERTURBATIONS[part](scan, rng)
        if not scan.roi.any():
            raise CaseError(f"{part}: nothing is left of the region", stage="perturbation")
    return scan


@PERTURBATIONS.register("rotate")
def rotate(scan: Scan, rng: Generator, *, degrees: float = 10.0) -> Scan:
    """Turn image and region about the region's centre, in the plane of rows and columns.

    Parameters
    ----------
    scan : Scan
        Image and region.
    rng : numpy.random.Generator
        Draws the angle.
    degrees : float
        The angle is uniform from minus to plus so many degrees.
    """
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    turn = np.eye(scan.image.ndim)
    turn[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    spacing = _spacing(scan)
    # Pixels need not be square: turned in mm, so the matrix between indices is scaled on both sides.
    return _moved(scan, turn * spacing / spacing[:, None], np.zeros(scan.image.ndim))


@PERTURBATIONS.register("translate")
def translate(scan: Scan, rng: Generator, *, least: float = 0.25, most: float = 0.75) -> Scan:
    """Move image and region by a fraction of a pixel along every axis.

    Whole pixels would change nothing, so the fraction is uniform from `least` to `most`.
    """
    axes = scan.image.ndim
    # A volume of one slice has no neighbour to move towards.
    shift = rng.uniform(least, most, size=axes) * (np.array(scan.image.shape) > 1)
    return _moved(scan, np.eye(axes), shift)


def _moved(scan: Scan, matrix: Floats, shift: Floats) -> Scan:
    """Cubic interpolation of the image; of the region linear, pixels that are at least half inside."""
    box = bounding_box(scan.roi)
    centre = np.array([(side.start + side.stop - 1) / 2 for side in box])
    offset = centre - matrix @ centre + shift
    image = ndimage.affine_transform(scan.image, matrix, offset, order=3, mode="nearest")
    inside = ndimage.affine_transform(scan.roi.astype(np.float32), matrix, offset, order=1, mode="constant")
    return replace(scan, image=image, roi=inside >= 0.5)


@PERTURBATIONS.register("noise")
def noise(scan: Scan, rng: Generator) -> Scan:
    """Add Gaussian noise of the strength that the image already has around the region."""
    return replace(scan, image=scan.image + rng.normal(0.0, noise_level(scan), size=scan.image.shape))


def noise_level(scan: Scan, *, margin: int = 16) -> float:
    """Standard deviation of the noise around the region, from its finest diagonal detail.

    Immerkaer's mask [1]_ with the median absolute value that wavelet thresholding uses [2]_, so that edges and burnt-in
    text, which are few, do not count.

    Parameters
    ----------
    scan : Scan
        Image and region.
    margin : int
        Pixels around the region that are looked at: collimated borders of a film, which hold no noise, are not.

    Raises
    ------
    CaseError
        When the image has fewer than three rows or columns.

    References
    ----------
    .. [1] Immerkaer J. Fast noise variance estimation. Comput Vis Image Underst 1996;64:300-2.
       doi:10.1006/cviu.1996.0060
    .. [2] Chang SG, Yu B, Vetterli M. Adaptive wavelet thresholding for image denoising and compression. IEEE Trans
       Image Process 2000;9:1532-46. doi:10.1109/83.862633

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(100, 5, size=(200, 200))
    >>> round(noise_level(Scan("a", image, np.ones(image.shape, dtype=bool), None)))
    5
    """
    values = scan.image[_around(scan, margin)]
    # Second differences along both axes: slopes, curvature and straight edges leave no trace in them. Of independent
    # pixels of standard deviation 1 they have 6.
    diagonal = np.diff(np.diff(values, n=2, axis=-1), n=2, axis=-2) / 6
    if not diagonal.size:
        raise CaseError("the image has fewer than 3 rows or columns: its noise is unknown", stage="perturbation")
    # 0.6745 is the median absolute value of a standard normal variable.
    return float(np.median(np.abs(diagonal)) / 0.6745)


@PERTURBATIONS.register("dilate")
def dilate(scan: Scan, rng: Generator, *, least: float = 0.05, most: float = 0.25) -> Scan:
    """Grow the region evenly until its area (volume) is larger by a share uniform from `least` to `most`."""
    return _resized(scan, rng.uniform(least, most), rng)


@PERTURBATIONS.register("erode")
def erode(scan: Scan, rng: Generator, *, least: float = 0.05, most: float = 0.25) -> Scan:
    """Shrink the region evenly until its area (volume) is smaller by a share uniform from `least` to `most`."""
    return _resized(scan, -rng.uniform(least, most), rng)


def _resized(scan: Scan, change: float, rng: Generator) -> Scan:
    """Whole shells of equal distance, and of the last one as many pixels, at random, as reach the size."""
    box, distance = _signed_distance(scan)
    wanted = min(max(round(scan.n_roi * (1 + change)), 1), distance.size)
    level = np.partition(distance, wanted - 1, axis=None)[wanted - 1]
    part = distance < level
    shell = np.flatnonzero(distance == level)
    part.flat[rng.permutation(shell)[: wanted - int(part.sum())]] = True
    return _with_region(scan, box, part)


@PERTURBATIONS.register("contour")
def randomise_contour(scan: Scan, rng: Generator, *, depth: float = 0.06, length: float = 0.3) -> Scan:
    """Let the boundary wander in and out, as a second reader's hand would.

    Parameters
    ----------
    scan : Scan
        Image and region.
    rng : numpy.random.Generator
        Draws the displacement.
    depth : float
        Standard deviation of the displacement, as a share of the radius of a disc (ball) of the region's size; the
        default gives a compact region a Dice coefficient of about 0.95 with the original.
    length : float
        Width of the Gaussian that smooths the displacement along the boundary, in the same unit.
    """
    box, distance = _signed_distance(scan)
    spacing, radius = _spacing(scan), _radius(scan)
    field = ndimage.gaussian_filter(rng.normal(size=distance.shape), length * radius / spacing, mode="reflect")
    displacement = depth * radius * field / field.std()
    return _with_region(scan, box, distance <= displacement)


@PERTURBATIONS.register("supervoxel")
def reassign_supervoxels(scan: Scan, rng: Generator, *, pieces: int = 50) -> Scan:
    """Redraw the region along supervoxels of the image.

    Simple linear iterative clustering cuts the surroundings into patches of like intensity. A patch belongs to the new
    region with a probability equal to its share inside the old one; from 0.9 always, below 0.2 never.

    Parameters
    ----------
    scan : Scan
        Image and region.
    rng : numpy.random.Generator
        Decides on each patch.
    pieces : int
        Number of patches that would fill the region.
    """
    box = _around(scan, _margin(scan))
    side = max(2, round((scan.n_roi / pieces) ** (1 / _axes(scan))))
    patches = _supervoxels(scan.image[box].squeeze(), side).reshape(scan.roi[box].shape)
    inside = np.bincount(patches.ravel(), weights=scan.roi[box].ravel())
    share = inside / np.maximum(np.bincount(patches.ravel()), 1)
    taken = (share >= 0.9) | ((share >= 0.2) & (rng.random(share.size) < share))
    taken[np.argmax(share)] = True
    return _with_region(scan, box, taken[patches])


def _supervoxels(values: Floats, side: int) -> NDArray[np.intp]:
    """Number of the patch of every pixel; patches start as squares (cubes) of `side` pixels."""
    import SimpleITK

    low, high = np.percentile(values, (1, 99))
    # On a scale of 100 the usual weight of space against intensity, 10, has its usual meaning.
    scaled = np.clip((values - low) / max(high - low, np.finfo(np.float64).tiny), 0, 1) * 100
    cut = SimpleITK.SLICImageFilter()
    cut.SetNumberOfThreads(1)
    cut.SetSuperGridSize([side] * values.ndim)
    cut.SetSpatialProximityWeight(10.0)
    patches = cut.Execute(SimpleITK.GetImageFromArray(scaled.astype(np.float32)))
    return SimpleITK.GetArrayFromImage(patches).astype(np.intp)


def _spacing(scan: Scan) -> Floats:
    return np.array(scan.spacing or (1.0,) * scan.image.ndim)


def _axes(scan: Scan) -> int:
    """Number of axes: a volume of one slice is a film."""
    return sum(size > 1 for size in scan.image.shape)


def _radius(scan: Scan) -> float:
    """Radius in mm of the disc or ball that is as large as the region."""
    sides = [side for side, size in zip(_spacing(scan), scan.image.shape, strict=True) if size > 1]
    size = scan.n_roi * float(np.prod(sides))
    return float(np.sqrt(size / np.pi) if len(sides) == 2 else np.cbrt(3 * size / (4 * np.pi)))


def _margin(scan: Scan) -> int:
    """Pixels around the region that a perturbation of its boundary may reach."""
    return 3 + max(box_shape(bounding_box(scan.roi))) // 3


def _around(scan: Scan, margin: int) -> Box:
    return padded(bounding_box(scan.roi), margin, scan.image.shape)


def _signed_distance(scan: Scan) -> tuple[Box, Floats]:
    """Distance to the boundary in mm around the region: negative inside, positive outside."""
    box, spacing = _around(scan, _margin(scan)), _spacing(scan)
    roi = scan.roi[box]
    if roi.all():
        raise CaseError("the region is the whole image: its boundary cannot be perturbed", stage="perturbation")
    outside = ndimage.distance_transform_edt(~roi, sampling=spacing)
    inside = ndimage.distance_transform_edt(roi, sampling=spacing)
    # Distances are between centres of pixels; the boundary runs half way between them.
    half = spacing[np.array(scan.image.shape) > 1].min() / 2
    return box, np.where(roi, half - inside, outside - half)


def _with_region(scan: Scan, box: Box, part: NDArray[np.bool_]) -> Scan:
    """The scan with another region, which lies within `box`; the image stays the same object."""
    roi = np.zeros_like(scan.roi)
    roi[box] = part
    return replace(scan, roi=roi)
