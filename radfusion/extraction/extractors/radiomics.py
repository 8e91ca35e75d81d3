"""Radiomic features by PyRadiomics."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from radfusion.core.registry import nearest
from radfusion.core.scan import Scan
from radfusion.errors import CaseError, StudyError
from radfusion.extraction.as_pyradiomics import as_stored, measure_cropped
from radfusion.extraction.engine import MAX_GREY_LEVELS, Measured, measure
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.parameter_files import ParameterFile, SettingSet, read_parameter_file
from radfusion.extraction.parameters import (
    IMAGE_TYPES,
    NAMES,
    READING,
    Parameters,
    feature_names,
    in_words,
    known_wavelet,
    translated,
)
from radfusion.extraction.presets import PRESETS, PresetName, preset_values

__all__ = ["Radiomics"]

ImageType = Literal[
    "original", "log", "wavelet", "square", "squareroot", "logarithm", "exponential", "gradient", "lbp-2d", "lbp-3d"
]
FeatureClass = Literal["shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
_Spacing = Annotated[tuple[NonNegativeFloat, ...], Field(min_length=2, max_length=3)]
Interpolator = Literal["b-spline", "linear", "nearest", "gaussian"]

_REVISION = 3  # of how values are computed here: raised when they change, so that no cache entry outlives them
_COMPUTES = ("pyradiomics-cuda", "pyradiomics", "SimpleITK", "numpy", "scipy", "PyWavelets", "scikit-image", "trimesh")
_OUR_NAMES = {theirs: ours for ours, theirs in NAMES.items()}
_THEIR_NAMES = re.compile(rf"\b({'|'.join(_OUR_NAMES)})\b")


class Radiomics(Extractor):
    """Features of PyRadiomics under its own names: ``original_glcm_Contrast``, ``wavelet-LH_firstorder_Mean``.

    Films are computed as true two-dimensional images, volumes as three-dimensional ones; a volume of one slice is a
    film. Values equal those of a plain ``RadiomicsFeatureExtractor`` on the whole image. Where a scan has no pixel
    spacing, one pixel counts as 1 mm.

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
    >>> Radiomics(preset="ct", log_sigma=(2.0,)).resampled_spacing
    1.0
    """

    kind: ClassVar[str] = "radiomics"

    preset: PresetName | None = Field(
        default=None, description="radiograph, ct, mr or pet: values to start from; keys that are given go before them"
    )
    parameters: (
        Annotated[
            Annotated[Path, Tag("file")] | Annotated[ParameterFile, Tag("content")],
            Discriminator(lambda given: "content" if isinstance(given, Mapping | ParameterFile) else "file"),
        ]
        | None
    ) = Field(
        default=None,
        description="parameter file of PyRadiomics (YAML or JSON), relative to the study file; it decides alone",
    )
    image_types: tuple[ImageType, ...] = Field(
        default=("original", "log", "wavelet"),
        min_length=1,
        description="filters whose responses are measured: " + ", ".join(IMAGE_TYPES),
    )
    log_sigma: tuple[PositiveFloat, ...] = Field(
        default=(1.0, 2.0, 3.0),
        min_length=1,
        description="widths of the Laplacian of Gaussian in mm (pixels without spacing)",
    )
    wavelet: str = Field(default="coif1", description="mother wavelet, as PyWavelets names it")
    wavelet_level: PositiveInt = Field(default=1, description="number of wavelet levels that are measured")
    wavelet_start_level: int = Field(default=0, ge=0, description="first of these levels")
    feature_classes: tuple[FeatureClass, ...] = Field(
        default=("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"),
        min_length=1,
        description="families of features; shape is PyRadiomics' shape2D on films",
    )
    features: dict[FeatureClass, tuple[str, ...]] = Field(
        default={}, description="only these features of a family, by PyRadiomics' names; families not named give all"
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
    remove_outliers: PositiveFloat | None = Field(
        default=None, description="clip a normalised image at so many standard deviations"
    )
    resampled_spacing: PositiveFloat | _Spacing | None = Field(
        default=None,
        description="mm between pixels after resampling: one number for all axes, or one per axis (rows, columns; "
        "volumes: slices first; 0 keeps an axis); null: as is",
    )
    interpolator: Interpolator = Field(default="b-spline", description="how intensities are interpolated in resampling")
    padding: int | None = Field(
        default=None, ge=0, description="pixels around the region that are resampled; null: as many as the filters need"
    )
    resegment_range: tuple[float, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=2,
        description="only pixels from the lower to the upper number stay in the region, or from the only one upwards",
    )
    resegment_mode: Literal["absolute", "relative", "sigma"] = Field(
        default="absolute",
        description="unit of resegment_range: intensity, share of the region's maximum, standard deviations",
    )
    resegment_shape: bool = Field(default=False, description="measure the shape of the resegmented region")
    force_2d: bool = Field(default=False, description="texture slice by slice in volumes")
    force_2d_dimension: int = Field(default=0, ge=0, le=2, description="axis across the slices: 0 z, 1 y, 2 x")
    distances: tuple[PositiveInt, ...] = Field(
        default=(1,), min_length=1, description="pixels between neighbours in glcm and ngtdm"
    )
    weighting_norm: Literal["euclidean", "manhattan", "infinity", "no_weighting"] | None = Field(
        default=None, description="norm that weights directions of glcm and glrlm; null: mean over directions"
    )
    array_shift: int = Field(default=0, description="added to intensities before Energy, TotalEnergy and RMS")
    minimum_roi_dimensions: int = Field(
        default=2, ge=1, le=3, description="least number of axes along which the region is longer than one pixel"
    )
    minimum_roi_size: PositiveInt | None = Field(default=None, description="regions of so many pixels or fewer fail")
    settings: SettingSet = Field(
        default=SettingSet(), description="further settings under PyRadiomics' names, for example gldm_a"
    )

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        """A preset's values under the given ones; a width replaces the count, and the other way round."""
        if not isinstance(given, Mapping) or given.get("parameters") is not None:
            return given
        base = preset_values(given["preset"]) if str(given.get("preset")) in PRESETS else {}
        if given.get("bin_count") is not None:
            base.pop("bin_width", None)
        values = {**base, **given}
        if values.get("bin_width") is not None and "bin_count" not in given:
            values["bin_count"] = None
        return values

    @field_validator("wavelet")
    @classmethod
    def _known_wavelet(cls, name: str) -> str:
        return known_wavelet(name)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.parameters is not None:
            return self._alone()
        if (self.bin_count is None) == (self.bin_width is None):
            raise ValueError("exactly one of bin_count and bin_width is wanted; set the other to null")
        for name in ("image_types", "feature_classes", "log_sigma", "distances"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names something twice: {', '.join(map(str, values))}")
        _check_features(self)
        _check_further(self.settings)
        return self

    def _alone(self) -> Self:
        fields = type(self).model_fields
        others = [name for name in fields if name != "parameters" and getattr(self, name) != fields[name].default]
        if others:
            raise ValueError(f"the parameter file decides alone; take out {', '.join(others)}, or parameters")
        return self

    @property
    def source(self) -> str:
        """Prefix of the feature names."""
        return "radiomics"

    def at_hand(self, folder: Path) -> Self:
        """The same with the content of its parameter file, whose path may start from `folder`.

        Raises
        ------
        StudyError
            When the file is absent or wrong.
        """
        if not isinstance(self.parameters, Path):
            return self
        return self.model_copy(update={"parameters": read_parameter_file(folder / self.parameters)})

    def unavailable(self) -> str | None:
        """Why PyRadiomics cannot be used, or its parameter file not be read, or None."""
        try:
            importlib.import_module("radiomics.imageoperations")
            importlib.import_module("SimpleITK")
        except ImportError as error:
            return f"PyRadiomics cannot be imported ({error}); install pyradiomics-cuda (it needs a C compiler)"
        try:
            self.asked(2)
        except StudyError as error:
            return str(error)
        return None

    def identity(self) -> Mapping[str, Any]:
        """Settings or the content of the parameter file, versions of what computes, revision of this module."""
        if self.parameters is None:
            told: dict[str, Any] = {"settings": self.model_dump(mode="json", exclude={"parameters"})}
            file = None
        else:
            asked = self.asked(3)
            told = {"settings": in_words(asked), "not_used": self.not_used()}
            file = asked.as_file()
        return {**told, "parameter_file": file, "versions": dict(_versions()), "revision": _REVISION}

    def not_used(self) -> dict[str, Any]:
        """Settings of the parameter file that say how files are read, which `imaging` decides here."""
        settings = self.asked(3).settings if self.parameters is not None else {}
        return {name: settings[name] for name in READING if name in settings}

    def asked(self, axes: int) -> Parameters:
        """What PyRadiomics is asked for, on images of two or three axes.

        Raises
        ------
        StudyError
            When the parameter file is absent or wrong.
        """
        if self.parameters is not None:
            content = read_parameter_file(self.parameters) if isinstance(self.parameters, Path) else self.parameters
            return _flattened(content.parameters(), axes)
        wavelet = {"wavelet": self.wavelet, "level": self.wavelet_level, "start_level": self.wavelet_start_level}
        own: dict[str, dict[str, Any]] = {"log": {"sigma": list(self.log_sigma)}, "wavelet": wavelet}
        families = {}
        for name in self.feature_classes:
            family, named = _family(name, axes), self.features.get(name, ())
            wanted = tuple(feature for feature in named if feature in feature_names(family))
            families.update({family: wanted} if wanted or not named else {})
        types = {IMAGE_TYPES[name]: own.get(name, {}) for name in self.image_types}
        settings = translated(self.model_dump(mode="json", include=set(NAMES)), axes)
        return _flattened(Parameters(types, families, {**settings, **self.settings.given()}), axes)

    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Features of each scan; a value that cannot be computed is NaN.

        Raises
        ------
        CaseError
            When a region or image is too small for a filter, the grey levels would be too many, or PyRadiomics fails.
        """
        rows = []
        for measured in self.measure(scans):
            if isinstance(measured, CaseError):
                raise measured
            rows.append(measured.values)
        return rows

    def measure(self, scans: Sequence[Scan]) -> list[Measured | CaseError]:
        """Features of each scan with what could not be computed, or why the scan gives none.

        Scans of one image share its filtered images.
        """
        groups: dict[tuple[int, Any], list[int]] = {}
        for position, scan in enumerate(scans):
            groups.setdefault((id(scan.image), scan.spacing), []).append(position)
        results: dict[int, Measured | CaseError] = {}
        for positions in groups.values():
            results.update(zip(positions, self._of_one_image([scans[at] for at in positions]), strict=True))
        return [results[position] for position in range(len(scans))]

    def _of_one_image(self, scans: Sequence[Scan]) -> list[Measured | CaseError]:
        first = scans[0]
        axes = first.image.ndim - (first.image.ndim == 3 and first.image.shape[0] == 1)
        asked = self.asked(axes)
        resampled = asked.settings.get("resampledPixelSpacing") and asked.settings.get("interpolator")
        if first.spacing is None and resampled:
            reason = "has no pixel spacing, which resampled_spacing needs; see imaging.spacing"
            return [CaseError(reason, stage="radiomics") for _ in scans]
        image = as_stored(first.image) if resampled else first.image
        spacing = first.spacing or (1.0,) * image.ndim
        rois = [scan.roi for scan in scans]
        cut = bool(asked.settings.get("preCrop")) and not resampled
        found = measure_cropped(image, rois, spacing, asked=asked) if cut else measure(image, rois, spacing, asked)
        return [_told(measured, asked, in_file=self.parameters is not None) for measured in found]


def _family(name: str, axes: int) -> str:
    return "shape2D" if name == "shape" and axes == 2 else name


def _flattened(asked: Parameters, axes: int) -> Parameters:
    """The same, for a film without force2D: on two axes PyRadiomics would filter along one of them only."""
    if axes == 3:
        return asked
    settings = {name: value for name, value in asked.settings.items() if not name.startswith("force2D")}
    return Parameters(asked.image_types, asked.feature_classes, settings)


def _check_features(given: Radiomics) -> None:
    for family, names in given.features.items():
        if family not in given.feature_classes:
            raise ValueError(f"features names {family}, which feature_classes leaves out")
        known = [*feature_names(family), *(feature_names("shape2D") if family == "shape" else ())]
        for name in names if known else ():
            if name not in known:
                raise ValueError(f"{family} has no feature named {name!r}; {nearest(name, known)}")


def _check_further(settings: SettingSet) -> None:
    words = _OUR_NAMES | dict.fromkeys(READING, "imaging")
    words |= {
        "sigma": "log_sigma",
        "wavelet": "wavelet",
        "level": "wavelet_level",
        "start_level": "wavelet_start_level",
    }
    for name in settings.given():
        if name in words:
            raise ValueError(f"settings holds {name}, which a study calls {words[name]}")


def _told(measured: Measured | CaseError, asked: Parameters, *, in_file: bool) -> Measured | CaseError:
    """Result in the words of the study, which names what PyRadiomics leaves out without a word."""
    if isinstance(measured, CaseError):
        return measured if in_file else CaseError(_in_study_words(measured.reason), stage=measured.stage)
    faults = dict(measured.faults)
    if set(asked.feature_classes) & {"shape", "shape2D"} == {"shape2D"} and not any(
        "_shape2D_" in name for name in measured.values
    ):
        faults["original_shape2D"] = "shape2D is of films, and with force_2d of one slice; for volumes name shape"
    if "LoG" in asked.image_types and not {**asked.settings, **asked.image_types["LoG"]}.get("sigma"):
        faults["log-sigma"] = "LoG names no sigma, so there is no such image to measure"
    if not measured.values:
        return CaseError(next(iter(faults.values()), "no feature could be computed"), stage="radiomics")
    return Measured(
        measured.values, faults if in_file else {name: _in_study_words(why) for name, why in faults.items()}
    )


def _in_study_words(text: str) -> str:
    return _THEIR_NAMES.sub(lambda found: _OUR_NAMES[found[0]], text)


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _COMPUTES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)
