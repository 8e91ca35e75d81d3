"""From an image and its regions to what enters the filters: normalised, resampled, checked, resegmented."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.geometry import Box, bounding_box, box_shape, size_text

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["Plane", "Region", "itk_image", "normalised", "regions_of"]

Pixels = NDArray[np.number[Any]]


@dataclass(frozen=True)
class Plane:
    """Pixels and their distances: a film or a volume.

    Attributes
    ----------
    image : (rows, columns) or (slices, rows, columns) array
        Intensities; whole numbers stay whole numbers when resampled, as in PyRadiomics.
    spacing : tuple of float
        Distance between pixel centres in mm, in array order.
    """

    image: Pixels
    spacing: tuple[float, ...]


@dataclass(frozen=True)
class Region:
    """A region of a plane.

    Attributes
    ----------
    plane : Plane
        Where it lies; regions of one image share the object unless they are resampled.
    roi : array of bool
        Pixels that are measured.
    outline : array of bool
        Pixels whose shape is measured: as drawn, before a resegmentation by intensity.
    box : tuple of slice
        Smallest box around `roi`.
    """

    plane: Plane
    roi: NDArray[np.bool_]
    outline: NDArray[np.bool_]
    box: Box


def itk_image(values: NDArray[Any], spacing: Sequence[float]) -> SimpleITK.Image:
    """Image for SimpleITK; origin and direction decide no feature and are left out."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing([float(step) for step in reversed(spacing)])
    return image


def normalised(plane: Plane, settings: Mapping[str, Any]) -> Plane:
    """Mean 0 and standard deviation `normalizeScale` over the whole image, outliers drawn in; only if asked for.

    Raises
    ------
    CaseError
        When all pixels are equal.
    """
    if not settings.get("normalize", False):
        return plane
    from radiomics import imageoperations
    from SimpleITK import GetArrayFromImage

    if plane.image.min() == plane.image.max():
        raise CaseError("all pixels are equal, so the image cannot be normalised", stage="radiomics")
    chosen = {name: settings[name] for name in ("normalizeScale", "removeOutliers") if name in settings}
    image = imageoperations.normalizeImage(itk_image(plane.image, plane.spacing), **chosen)
    return Plane(GetArrayFromImage(image), plane.spacing)


def regions_of(
    plane: Plane, rois: Sequence[NDArray[np.bool_]], settings: Mapping[str, Any], *, margin: int
) -> list[Region | CaseError]:
    """Region of each boolean array, or why there is none.

    Parameters
    ----------
    plane : Plane
        Image, normalised if wanted.
    rois : sequence of arrays of bool
        Regions as drawn.
    settings : mapping
        PyRadiomics' settings.
    margin : int
        Pixels around a resampled region where `padDistance` is not set: what the filters need.
    """
    found: list[Region | CaseError] = []
    for roi in rois:
        try:
            found.append(_region(plane, roi, settings, margin=margin))
        except CaseError as error:
            found.append(error)
    return found


def _region(plane: Plane, roi: NDArray[np.bool_], settings: Mapping[str, Any], *, margin: int) -> Region:
    if roi.shape != plane.image.shape:
        raise CaseError(
            f"the region is {size_text(roi.shape)}, the image {size_text(plane.image.shape)}", stage="radiomics"
        )
    if not roi.any():
        raise CaseError("the region is empty", stage="radiomics")
    if settings.get("resampledPixelSpacing") is not None and settings.get("interpolator", "sitkBSpline") is not None:
        plane, roi = _resampled(plane, roi, settings, margin=margin)
    region = Region(plane, roi, roi, bounding_box(roi))
    _check_size(region, settings)
    if settings.get("resegmentRange") is not None:
        region = _resegmented(region, settings)
        _check_size(region, settings)
    return region


def _resampled(
    plane: Plane, roi: NDArray[np.bool_], settings: Mapping[str, Any], *, margin: int
) -> tuple[Plane, NDArray[np.bool_]]:
    """Resample on PyRadiomics' grid, with its `padDistance` or the margin that the filters need."""
    import SimpleITK
    from radiomics import imageoperations

    spacing, axes = tuple(settings["resampledPixelSpacing"]), plane.image.ndim
    if len(spacing) == axes + 1 and axes == 2:  # a film counts as one slice
        spacing = spacing[:2]
    if len(spacing) != axes:
        raise CaseError(f"resampledPixelSpacing has {len(spacing)} numbers, the image {axes} axes", stage="radiomics")
    pad = settings.get("padDistance")
    image, mask = imageoperations.resampleImage(
        itk_image(plane.image, plane.spacing),
        itk_image(roi.astype(np.uint8), plane.spacing),
        resampledPixelSpacing=spacing,
        interpolator=settings.get("interpolator", "sitkBSpline"),
        padDistance=margin if pad is None else pad,
        label=1,
    )
    left = SimpleITK.GetArrayFromImage(mask) == 1
    if not left.any():
        raise CaseError(f"nothing is left of the region at a spacing of {spacing} mm", stage="radiomics")
    return Plane(SimpleITK.GetArrayFromImage(image), tuple(reversed(image.GetSpacing()))), left


def _check_size(region: Region, settings: Mapping[str, Any]) -> None:
    size = box_shape(region.box)
    wide, wanted = sum(side > 1 for side in size), settings.get("minimumROIDimensions", 2)
    if wide < max(wanted, 1):
        raise CaseError(
            f"the region is {size_text(size)}; at least 2 along {max(wanted, 1)} axes are needed "
            "(minimumROIDimensions)",
            stage="radiomics",
        )
    least, pixels = settings.get("minimumROISize"), int(np.count_nonzero(region.roi[region.box]))
    if least is not None and pixels <= least:
        raise CaseError(
            f"the region has {pixels} pixels; more than {least} are needed (minimumROISize)", stage="radiomics"
        )


def _resegmented(region: Region, settings: Mapping[str, Any]) -> Region:
    """Only pixels in a range of intensity; the shape stays that of the region as drawn, unless `resegmentShape`."""
    inside = region.plane.image[region.roi]
    limits = sorted(settings["resegmentRange"])
    mode = settings.get("resegmentMode", "absolute")
    if mode == "relative":
        limits = [np.max(inside) * limit for limit in limits]
    elif mode == "sigma":
        mean, deviation = np.mean(inside), np.std(inside)
        limits = [mean + deviation * limit for limit in limits]
    kept = inside >= limits[0]
    if len(limits) == 2:
        kept &= inside <= limits[1]
    if np.count_nonzero(kept) <= 1:
        raise CaseError(
            f"resegmentRange leaves {np.count_nonzero(kept)} of {kept.size} pixels of the region", stage="radiomics"
        )
    roi = np.zeros_like(region.roi)
    roi[region.roi] = kept
    outline = roi if settings.get("resegmentShape", False) else region.outline
    return dataclasses.replace(region, roi=roi, outline=outline, box=bounding_box(roi))
