"""Radiomic features by PyRadiomics."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.extraction._pyradiomics import (
    FILTERS,
    MAX_GREY_LEVELS,
    Region,
    intensity_features,
    margins,
    one_quiet_thread,
    responses,
    shape_features,
)
from radfusion.extraction.extractors.base import Extractor
from radfusion.imaging.geometry import box_shape, size_text

__all__ = ["Radiomics"]

ImageType = Literal["original", "log", "wavelet", "square", "squareroot", "logarithm", "exponential", "gradient"]
FeatureClass = Literal["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]

_REVISION = 1  # of how values are computed here: raised when they change, so that no cache entry outlives them


class Radiomics(Extractor):
    """Features of PyRadiomics under its own names: ``original_glcm_Contrast``, ``wavelet-LH_firstorder_Mean``.

    Films are computed as true two-dimensional images, volumes as three-dimensional ones. Values equal those of a plain
    ``RadiomicsFeatureExtractor`` on the whole image. Where a scan has no pixel spacing, one pixel counts as 1 mm.

    References
    ----------
    .. [1] van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype. Cancer Res
       2017;77:e104-7. doi:10.1158/0008-5472.CAN-17-0339
    .. [2] Zwanenburg A, et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-38.
       doi:10.1148/radiol.2020191145

    Examples
    --------
    >>> Radiomics(bin_width=25.0).bin_count is None
    True
    """

    kind: ClassVar[str] = "radiomics"

    image_types: tuple[ImageType, ...] = Field(
        default=("original", "log", "wavelet"),
        min_length=1,
        description="filters whose responses are measured: " + ", ".join(FILTERS),
    )
    log_sigma: tuple[PositiveFloat, ...] = Field(
        default=(1.0, 2.0, 3.0),
        min_length=1,
        description="widths of the Laplacian of Gaussian in mm (pixels without spacing)",
    )
    feature_classes: tuple[FeatureClass, ...] = Field(
        default=("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"),
        min_length=1,
        description="families of features; shape is PyRadiomics' shape2D on films",
    )
    bin_count: int | None = Field(
        default=32,
        ge=2,
        le=MAX_GREY_LEVELS,
        description="number of grey levels between the darkest and the brightest pixel of each region; the default, "
        "as radiographs have no intensity unit, where IBSI advises a fixed number",
    )
    bin_width: PositiveFloat | None = Field(
        default=None, description="width of a grey level instead of bin_count, for calibrated intensities (CT: 25)"
    )
    normalise: bool = Field(
        default=False, description="first give each whole image mean 0 and standard deviation normalise_scale"
    )
    normalise_scale: PositiveFloat = Field(default=100.0, description="standard deviation after normalise")
    resampled_spacing: tuple[PositiveFloat, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=3,
        description="mm between pixels after B-spline resampling (rows, columns; volumes: slices first); null: as is",
    )

    @model_validator(mode="before")
    @classmethod
    def _width_replaces_count(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("bin_width") is not None and "bin_count" not in given:
            return {**given, "bin_count": None}
        return given

    @model_validator(mode="after")
    def _check(self) -> Radiomics:
        if (self.bin_count is None) == (self.bin_width is None):
            raise ValueError("exactly one of bin_count and bin_width is wanted; set the other to null")
        for name in ("image_types", "feature_classes", "log_sigma"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names something twice: {', '.join(map(str, values))}")
        return self

    @property
    def source(self) -> str:
        """Prefix of the feature names."""
        return "radiomics"

    def unavailable(self) -> str | None:
        """Why PyRadiomics cannot be used, or None."""
        try:
            importlib.import_module("radiomics.imageoperations")
            importlib.import_module("SimpleITK")
        except ImportError as error:
            return f"PyRadiomics cannot be imported ({error}); install pyradiomics-cuda (it needs a C compiler)"
        return None

    def identity(self) -> Mapping[str, Any]:
        """Settings, versions of what computes, and the revision of this module."""
        return {"settings": self.model_dump(mode="json"), "versions": dict(_versions()), "revision": _REVISION}

    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Features of each scan; a value that cannot be computed is NaN.

        Raises
        ------
        CaseError
            When a region or image is too small for a filter, the grey levels would be too many, or PyRadiomics fails.
        """
        with one_quiet_thread():
            return [self._measured(scan) for scan in scans]

    def _measured(self, scan: Scan) -> dict[str, float]:
        try:
            region = _prepared(scan, self)
            return _features(region, self)
        except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
            words = " ".join(str(error).split())[-300:] or type(error).__name__
            raise CaseError(f"PyRadiomics failed: {words}", stage="radiomics") from error


def _features(region: Region, settings: Radiomics) -> dict[str, float]:
    values = shape_features(region) if "shape" in settings.feature_classes else {}
    families = [name for name in settings.feature_classes if name != "shape"]
    width, count = settings.bin_width, settings.bin_count or 0
    binning = {"binWidth": width} if width is not None else {"binCount": count}
    for name in settings.image_types if families else ():
        for title, response in responses(region, name, settings.log_sigma):
            values |= intensity_features(response, region, families, title=title, binning=binning)
    return values


def _prepared(scan: Scan, settings: Radiomics) -> Region:
    """Normalised, then resampled, then checked region; a volume of one slice is a film."""
    region = Region(scan.image, scan.roi, scan.spacing or (1.0,) * scan.image.ndim)
    if region.image.ndim == 3 and region.image.shape[0] == 1:
        region = Region(region.image[0], region.roi[0], region.spacing[1:])
    if not region.roi.any():
        raise CaseError("the region is empty", stage="radiomics")
    if settings.normalise:
        region = _normalised(region, settings.normalise_scale)
    if settings.resampled_spacing is not None:
        if scan.spacing is None:
            raise CaseError(
                "has no pixel spacing, which resampled_spacing needs; see imaging.spacing", stage="radiomics"
            )
        region = _resampled(region, settings.resampled_spacing, settings)
    size = box_shape(region.box)
    if min(size) < 2:
        raise CaseError(f"the region is {size_text(size)}; at least 2 along every axis are needed", stage="radiomics")
    return region


def _normalised(region: Region, scale: float) -> Region:
    """Scale by the whole image, before any crop changes its mean."""
    import SimpleITK

    if float(np.ptp(region.image)) == 0.0:
        raise CaseError("all pixels are equal, so the image cannot be normalised", stage="radiomics")
    image = SimpleITK.Normalize(region.itk_image()) * scale
    return Region(SimpleITK.GetArrayFromImage(image), region.roi, region.spacing)


def _resampled(region: Region, spacing: tuple[float, ...], settings: Radiomics) -> Region:
    """Resample as PyRadiomics does, on its grid, with the margin that the filters need."""
    import SimpleITK
    from radiomics import imageoperations

    axes = region.image.ndim
    if len(spacing) != axes:
        raise CaseError(f"resampled_spacing has {len(spacing)} numbers, the image {axes} axes", stage="radiomics")
    margin = max(max(margins(name, spacing, settings.log_sigma)) for name in settings.image_types)
    image, mask = imageoperations.resampleImage(
        region.itk_image(),
        region.itk_mask(),
        resampledPixelSpacing=spacing[::-1],
        interpolator=SimpleITK.sitkBSpline,
        padDistance=margin,
        label=1,
    )
    roi = SimpleITK.GetArrayFromImage(mask) == 1
    if not roi.any():
        raise CaseError(f"nothing is left of the region at a spacing of {spacing} mm", stage="radiomics")
    return Region(SimpleITK.GetArrayFromImage(image), roi, tuple(reversed(image.GetSpacing())))


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in ("pyradiomics-cuda", "pyradiomics", "SimpleITK", "numpy", "PyWavelets"):
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)
