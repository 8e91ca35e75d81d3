"""PyRadiomics on one region: each filter on the crop that it needs, grey levels found once per image."""

from __future__ import annotations

import functools
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.geometry import Box, bounding_box, padded, size_text

if TYPE_CHECKING:
    import SimpleITK

__all__ = [
    "FILTERS",
    "MAX_GREY_LEVELS",
    "Region",
    "intensity_features",
    "margins",
    "one_quiet_thread",
    "responses",
    "shape_features",
]

#: Above this texture matrices take minutes and say nothing: a 16-bit film at bin width 25 has some 2,600 levels.
MAX_GREY_LEVELS = 512

#: Filters and what PyRadiomics calls them.
FILTERS = {
    "original": "Original",
    "log": "LoG",
    "wavelet": "Wavelet",
    "square": "Square",
    "squareroot": "SquareRoot",
    "logarithm": "Logarithm",
    "exponential": "Exponential",
    "gradient": "Gradient",
}
_WHOLE_IMAGE = ("square", "squareroot", "logarithm", "exponential")  # scaled by the largest intensity of the image
_MARGINS = {"wavelet": 6, "gradient": 2}  # coif1 has six coefficients
_LOG_MARGIN = 12.0  # standard deviations of the recursive Gaussian: less than 1e-8 of an edge reaches farther
_ADVISED_LEVELS = 64


@dataclass(frozen=True)
class Region:
    """Image and region as they enter the filters.

    Attributes
    ----------
    image : (rows, columns) or (slices, rows, columns) array of float64
    roi : array of bool, same shape
    spacing : tuple of float
        Distance between pixel centres in array order, in mm, or 1 where unknown.
    """

    image: NDArray[np.float64]
    roi: NDArray[np.bool_]
    spacing: tuple[float, ...]

    @functools.cached_property
    def box(self) -> Box:
        """Smallest box that holds the region."""
        return bounding_box(self.roi)

    def cropped(self, box: Box) -> Region:
        """Part inside a box."""
        return Region(self.image[box], self.roi[box], self.spacing)

    def itk_image(self) -> SimpleITK.Image:
        """Image for SimpleITK; origin and direction decide no feature and are left out."""
        return _itk(self.image, self.spacing)

    def itk_mask(self) -> SimpleITK.Image:
        """Region for SimpleITK, label 1."""
        return _itk(self.roi.astype(np.uint8), self.spacing)


def margins(name: str, spacing: Sequence[float], sigmas: Sequence[float]) -> tuple[int, ...]:
    """Pixels around a region along each axis that decide the response of a filter inside it.

    Examples
    --------
    >>> margins("log", (0.5, 1.0), (1.0, 2.0))
    (48, 24)
    """
    if name == "log":
        return tuple(math.ceil(_LOG_MARGIN * max(sigmas) / step) for step in spacing)
    return (_MARGINS.get(name, 0),) * len(spacing)


def shape_features(region: Region) -> dict[str, float]:
    """Shape of the region: ``original_shape2D_...`` of a film, ``original_shape_...`` of a volume."""
    name = "shape2D" if region.image.ndim == 2 else "shape"
    crop = region.cropped(region.box)
    measured = _families()[name](crop.itk_image(), crop.itk_mask(), label=1).execute()
    return {f"original_{name}_{feature}": _number(value) for feature, value in measured.items()}


def responses(region: Region, name: str, sigmas: Sequence[float]) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Title and values, cut to the box of the region, of each image that a filter makes.

    Raises
    ------
    CaseError
        When the image is too small for the filter, or its response is not finite.
    """
    import SimpleITK
    from radiomics import imageoperations

    if name == "log":
        _check_log_size(region, sigmas)
    box = _filter_box(name, region, sigmas)
    part = region.cropped(box)
    inner = tuple(
        slice(side.start - outer.start, side.stop - outer.start) for side, outer in zip(region.box, box, strict=True)
    )
    run = getattr(imageoperations, f"get{FILTERS[name]}Image")
    for image, title, _ in run(part.itk_image(), part.itk_mask(), sigma=list(sigmas)):
        # The precision of the filter is kept (single for LoG), so that bin edges round as in PyRadiomics.
        response = SimpleITK.GetArrayViewFromImage(image)[inner].copy()
        if not np.isfinite(response).all():
            raise CaseError(f"the {title} image has values that are not finite", stage="radiomics")
        yield title, response


def _filter_box(name: str, region: Region, sigmas: Sequence[float]) -> Box:
    """Part of the image that a filter has to see for the region's values to be those of the whole image."""
    shape = region.image.shape
    if name in _WHOLE_IMAGE:
        return tuple(slice(0, size) for size in shape)
    around = margins(name, region.spacing, sigmas)
    box = padded(region.box, around, shape)
    if name != "wavelet":
        return box
    # The transform is periodic: near a border the opposite one matters, so such an axis is kept whole.
    return tuple(
        slice(0, size) if side.start < margin or side.stop + margin > size else _even(outer, size)
        for side, outer, margin, size in zip(region.box, box, around, shape, strict=True)
    )


def _even(side: slice, size: int) -> slice:
    """Side of an even length, as the transform would repeat a row otherwise."""
    if (side.stop - side.start) % 2 == 0:
        return side
    return slice(side.start, side.stop + 1) if side.stop < size else slice(side.start - 1, side.stop)


def _check_log_size(region: Region, sigmas: Sequence[float]) -> None:
    """PyRadiomics leaves out a filter that does not fit, and the table would lose its columns."""
    least = [max(4, math.ceil(max(sigmas) / step) + 1) for step in region.spacing]
    if any(size < needed for size, needed in zip(region.image.shape, least, strict=True)):
        raise CaseError(
            f"the image is {size_text(region.image.shape)}; the Laplacian of Gaussian of width {max(sigmas):g} "
            f"needs {size_text(least)}",
            stage="radiomics",
        )


def intensity_features(
    response: NDArray[np.floating], region: Region, families: Sequence[str], *, title: str, binning: Mapping[str, float]
) -> dict[str, float]:
    """First-order and texture features of one response.

    Parameters
    ----------
    response : array
        Values inside the box of the region.
    region : Region
        The region.
    families : sequence of str
        Names of PyRadiomics' feature classes.
    title : str
        Name of the response: first part of the feature names.
    binning : mapping
        ``binWidth`` or ``binCount``.

    Raises
    ------
    CaseError
        When a bin width would give more than 512 grey levels.
    """
    roi = region.roi[region.box]
    levels = _grey_levels(response, roi, binning, title=title)
    image, mask = _itk(response, region.spacing), _itk(roi.astype(np.uint8), region.spacing)
    values: dict[str, float] = {}
    for name in families:
        measured = _on_given_levels(name)(image, mask, label=1, **binning, grey_levels=levels).execute()
        values.update({f"{title}_{name}_{feature}": _number(value) for feature, value in measured.items()})
    return values


@dataclass(frozen=True)
class _GreyLevels:
    """Discretised intensities of one image, and the levels that occur: every family uses the same."""

    image: NDArray[np.int_]
    present: NDArray[np.int_]


def _grey_levels(
    response: NDArray[np.floating], roi: NDArray[np.bool_], binning: Mapping[str, float], *, title: str
) -> _GreyLevels:
    """Discretise as PyRadiomics does, after the number of levels was predicted."""
    from radiomics import imageoperations

    inside = response[roi]
    ends = np.array([inside.min(), inside.max()])
    if "binWidth" in binning:
        _check_levels(ends, binning["binWidth"], title)
    # The edges depend on the ends alone; PyRadiomics searches all pixels for them, in Python, once per family.
    edges = imageoperations.getBinEdges(ends, **binning)
    levels = np.zeros(response.shape, dtype=np.int_)
    levels[roi] = np.digitize(inside, edges)
    return _GreyLevels(levels, np.flatnonzero(np.bincount(levels[roi])))


def _check_levels(ends: NDArray[np.floating], width: float, title: str) -> None:
    low, high = ends.tolist()
    levels = int(high // width - low // width) + 1
    if levels > MAX_GREY_LEVELS:
        advised = float(f"{(high - low) / _ADVISED_LEVELS:.2g}")
        raise CaseError(
            f"bin_width {width:g} gives {levels} grey levels in the {title} image (values {low:g} to {high:g}); "
            f"at most {MAX_GREY_LEVELS} are allowed: set bin_width near {advised:g}, or bin_count",
            stage="radiomics",
        )


@functools.cache
def _on_given_levels(name: str) -> Any:
    """Feature class of PyRadiomics that takes the grey levels it is given."""
    family = _families()[name]
    names = family.getFeatureNames()

    def given_levels(self: Any, _matrix: NDArray[np.float64]) -> NDArray[np.int_]:
        levels: _GreyLevels = self.settings["grey_levels"]
        self.coefficients["grayLevels"] = levels.present
        self.coefficients["Ng"] = int(levels.present[-1])
        return levels.image

    # Looking the names up again for every image would take longer than some of the features.
    overrides = {"_applyBinning": given_levels, "getFeatureNames": classmethod(lambda _: names)}
    return type(family.__name__, (family,), {**overrides, "__module__": family.__module__})


def _families() -> Mapping[str, Any]:
    import radiomics

    return radiomics.getFeatureClasses()  # type: ignore[no-any-return]


def _itk(values: NDArray[Any], spacing: Sequence[float]) -> SimpleITK.Image:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing([float(step) for step in reversed(spacing)])
    return image


def _number(value: Any) -> float:
    """Real part: shape features come back complex with numpy 2.5; what is not finite is NaN."""
    number = float(np.real(value))
    return number if math.isfinite(number) else math.nan


@contextmanager
def one_quiet_thread() -> Iterator[None]:
    """One ITK thread (parallelism is the executor's), no log lines of PyRadiomics, no warnings on flat regions."""
    import radiomics  # sets the level of its logger when it is first imported
    import SimpleITK

    logger, process = logging.getLogger(radiomics.__name__), SimpleITK.ProcessObject
    level, threads = logger.level, process.GetGlobalDefaultNumberOfThreads()
    logger.setLevel(logging.CRITICAL + 1)
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(threads)
        logger.setLevel(level)
