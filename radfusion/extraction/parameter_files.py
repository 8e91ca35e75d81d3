"""Parameter files of PyRadiomics: read unchanged, every mistake answered with file, line and key."""

# ruff: noqa: N815 - the names are those of PyRadiomics

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_serializer,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import StudyError
from radfusion.extraction.parameters import (
    DEFAULTS,
    FAMILIES,
    IMAGE_TYPES,
    Parameters,
    feature_names,
    known_wavelet,
)

__all__ = ["ParameterFile", "SettingSet", "VoxelSettings", "read_parameter_file"]

INTERPOLATORS = (
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
)
_LONGEST = 1_000_000  # characters; a parameter file has some thousands


def _no_truth(value: Any) -> Any:
    """YAML's ``yes`` is no number."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("number", "a number is wanted")
    return value


Number = Annotated[int | float, BeforeValidator(_no_truth)]  # 1 stays 1: log-sigma-1-mm is not log-sigma-1-0-mm
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Whole = Annotated[StrictInt, Field(ge=0)]
Count = Annotated[StrictInt, Field(ge=1)]


class SettingSet(Settings):
    """Settings of PyRadiomics under their own names; null leaves PyRadiomics' default."""

    minimumROIDimensions: Annotated[StrictInt, Field(ge=1, le=3)] | None = Field(
        None, description="least number of axes along which a region is longer than one pixel"
    )
    minimumROISize: Count | None = Field(None, description="regions of so many pixels or fewer are refused")
    geometryTolerance: Positive | None = Field(None, description="not used: imaging.geometry_tolerance decides")
    correctMask: StrictBool | None = Field(None, description="not used: imaging decides how grids are matched")
    additionalInfo: StrictBool | None = Field(None, description="not used: provenance is always kept, beside features")
    label: Count | None = Field(None, description="not used: imaging.segmentation_label or the cohort table decides")
    label_channel: Whole | None = Field(None, description="not used: the cohort table names the structure")
    binWidth: Positive | None = Field(None, description="width of a grey level; 25")
    binCount: Count | None = Field(None, description="number of grey levels; goes before binWidth")
    normalize: StrictBool | None = Field(None, description="give the whole image mean 0 and one standard deviation")
    normalizeScale: Positive | None = Field(None, description="that standard deviation; 1")
    removeOutliers: Positive | None = Field(None, description="clip a normalised image at so many standard deviations")
    resampledPixelSpacing: Annotated[tuple[NotNegative, ...], Field(min_length=2, max_length=3)] | None = Field(
        None, description="mm between pixels after resampling, x first; 0 keeps an axis"
    )
    interpolator: Literal[INTERPOLATORS] | Annotated[StrictInt, Field(ge=1, le=10)] | None = Field(  # type: ignore[valid-type]
        None, description="how intensities are interpolated; null switches resampling off"
    )
    padDistance: Whole | None = Field(None, description="pixels around the region that are resampled; 5")
    preCrop: StrictBool | None = Field(None, description="cut the image to the region and padDistance before filters")
    distances: Annotated[tuple[Count, ...], Field(min_length=1)] | None = Field(
        None, description="pixels between neighbours in glcm and ngtdm; 1"
    )
    force2D: StrictBool | None = Field(None, description="texture slice by slice")
    force2Ddimension: Annotated[StrictInt, Field(ge=0, le=2)] | None = Field(
        None, description="axis across the slices: 0 z, 1 y, 2 x"
    )
    resegmentRange: Annotated[tuple[Number, ...], Field(min_length=1, max_length=2)] | None = Field(
        None, description="intensities that stay in the region: lowest, or lowest and highest"
    )
    resegmentMode: Literal["absolute", "relative", "sigma"] | None = Field(
        None, description="unit of resegmentRange: intensity, share of the maximum, standard deviations"
    )
    resegmentShape: StrictBool | None = Field(None, description="measure the shape of the resegmented region too")
    sigma: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = Field(
        None, description="widths of the Laplacian of Gaussian in mm"
    )
    start_level: Whole | None = Field(None, description="first level of the wavelet transform that is measured; 0")
    level: Count | None = Field(None, description="number of levels of the wavelet transform; 1")
    wavelet: StrictStr | None = Field(None, description="mother wavelet; coif1")
    gradientUseSpacing: StrictBool | None = Field(None, description="gradient per mm rather than per pixel; true")
    lbp2DRadius: Positive | None = Field(None, description="radius in pixels of the 2-D local binary pattern; 1")
    lbp2DSamples: Count | None = Field(None, description="samples on that circle; 8")
    lbp2DMethod: Literal["default", "ror", "uniform", "var"] | None = Field(
        None, description="kind of the 2-D local binary pattern; uniform"
    )
    lbp3DLevels: Count | None = Field(None, description="levels of spherical harmonics of the 3-D local binary pattern")
    lbp3DIcosphereRadius: Positive | None = Field(None, description="radius in voxels of its sphere; 1")
    lbp3DIcosphereSubdivision: Whole | None = Field(None, description="subdivisions of its icosahedron; 1")
    voxelArrayShift: StrictInt | None = Field(None, description="added to intensities before Energy and its relatives")
    symmetricalGLCM: StrictBool | None = Field(None, description="count co-occurrences in both directions; true")
    weightingNorm: Literal["euclidean", "manhattan", "infinity", "no_weighting"] | None = Field(
        None, description="norm that weights the directions of glcm and glrlm by distance; null: mean over directions"
    )
    gldm_a: Whole | None = Field(None, description="largest difference of dependent grey levels; 0")

    @field_validator("wavelet")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return None if name is None else known_wavelet(name)

    @model_serializer
    def given(self) -> dict[str, Any]:
        """What is said, as plain values; of nulls only that of the interpolator says something."""
        said = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        kept = {name: value for name, value in said.items() if value is not None or name == "interpolator"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


class VoxelSettings(Settings):
    """Settings of voxel-based extraction: read and checked, of no effect on features of regions."""

    kernelRadius: Count | None = Field(None, description="pixels on either side of a voxel")
    maskedKernel: StrictBool | None = Field(None, description="look only at voxels of the region")
    initValue: Number | None = Field(None, description="value of feature maps outside the region")
    voxelBatch: Count | None = Field(None, description="voxels computed together")


Named = TypeVar("Named")
Filter = Annotated[SettingSet, BeforeValidator(lambda own: {} if own is None else own)]


class ParameterFile(Settings):
    """Content of a parameter file of PyRadiomics.

    Examples
    --------
    >>> file = ParameterFile.model_validate({"imageType": {"LoG": {"sigma": [1.5]}}, "setting": {"binWidth": 10}})
    >>> file.parameters().image_types
    {'LoG': {'sigma': [1.5]}}
    """

    imageType: dict[str, Filter] = Field({}, description="image types with their own settings; Original when empty")
    featureClass: dict[str, tuple[StrictStr, ...] | None] = Field(
        {}, description="feature classes with the wanted features, null or empty for all; all classes when empty"
    )
    setting: SettingSet = Field(SettingSet(), description="settings of all image types")
    voxelSetting: VoxelSettings = Field(VoxelSettings(), description="of no effect on features of regions")

    @field_validator("imageType")
    @classmethod
    def _image_types(cls, types: dict[str, SettingSet]) -> dict[str, SettingSet]:
        return _all_named(types, "image type", list(IMAGE_TYPES.values()))

    @field_validator("featureClass")
    @classmethod
    def _families(cls, families: dict[str, tuple[str, ...] | None]) -> dict[str, tuple[str, ...] | None]:
        for family, features in _all_named(families, "feature class", list(FAMILIES)).items():
            known = list(feature_names(family)) if features else []
            for feature in features or ():
                if known and feature not in known:
                    raise ValueError(f"{family} has no feature named {feature!r}; {nearest(feature, known)}")
        return families

    @model_serializer
    def content(self) -> dict[str, Any]:
        """The file as plain values, without what it leaves open."""
        families = {name: list(features or ()) for name, features in self.featureClass.items()}
        types = {name: own.given() for name, own in self.imageType.items()}
        parts = {"imageType": types, "featureClass": families, "setting": self.setting.given()}
        return {name: part for name, part in parts.items() if part}

    def parameters(self) -> Parameters:
        """What is asked for, PyRadiomics' defaults filled in."""
        types = {name: own.given() for name, own in self.imageType.items()} or {"Original": {}}
        families = {name: tuple(features or ()) for name, features in self.featureClass.items()}
        return Parameters(types, families or dict.fromkeys(FAMILIES, ()), {**DEFAULTS, **self.setting.given()})


def _all_named(found: dict[str, Named], what: str, known: list[str]) -> dict[str, Named]:
    for name in found:
        if name not in known:
            raise ValueError(f"no {what} is named {name!r}; {nearest(name, known)}")
    return found


def read_parameter_file(path: str | Path) -> ParameterFile:
    """Read a parameter file, YAML or JSON.

    Parameters
    ----------
    path : path
        The file, as PyRadiomics' own command line takes it.

    Returns
    -------
    ParameterFile
        Its content, checked.

    Raises
    ------
    StudyError
        Naming file, line, key and what is allowed, for every mistake of the file at once.
    """
    path = Path(path)
    tree = _tree(path)
    try:
        return ParameterFile.model_validate(tree)
    except ValidationError as error:
        raise _mistakes(error, tree, path) from error


def _tree(path: Path) -> CommentedMap:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise StudyError(f"the parameter file cannot be read: {why}", file=path.name) from error
    if len(text) > _LONGEST:
        raise StudyError(f"no parameter file: more than {_LONGEST} characters", file=path.name)
    try:
        tree = YAML(typ="rt", pure=True).load(text)  # JSON is YAML
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        what = " ".join(str(error.problem or error.context).split())
        raise StudyError(f"neither valid YAML nor JSON: {what}", file=path.name, line=line) from error
    except YAMLError as error:
        raise StudyError(f"neither valid YAML nor JSON: {' '.join(str(error).split())}", file=path.name) from error
    if not isinstance(tree, CommentedMap):
        known = ", ".join(ParameterFile.model_fields)
        raise StudyError(f"no parameter file of PyRadiomics: a mapping is wanted, of {known}", file=path.name, line=1)
    return tree


def _mistakes(error: ValidationError, tree: CommentedMap, path: Path) -> StudyError:
    found = dict.fromkeys(_found(detail, tree) for detail in error.errors())
    (line, key, message), *others = sorted(found)
    tail = "".join(f"\n{path.name}:{line}: {key}: {message}" for line, key, message in others)
    return StudyError(message + tail, file=path.name, line=line, key=key)


def _found(detail: ErrorDetails, tree: CommentedMap) -> tuple[int, str, str]:
    """Line, key and message of one mistake."""
    key = list(_written(detail["loc"], tree))
    dotted = ".".join(str(part) for part in key)
    if detail["type"] == "extra_forbidden":
        message = f"PyRadiomics has no such setting; {nearest(str(key[-1]), _allowed(key))}"
    elif detail["type"] == "value_error":
        message = detail["msg"].removeprefix("Value error, ")
    else:
        said = "" if isinstance(detail["input"], Mapping) else f"; got {detail['input']!r}"
        message = f"{detail['msg'][0].lower()}{detail['msg'][1:]}{said}"
    return _line(tree, key), dotted, message


def _written(location: tuple[int | str, ...], tree: CommentedMap) -> Iterator[int | str]:
    """Part of pydantic's location that stands in the file: not the branches of a union."""
    node: Any = tree
    for part in location:
        inside = isinstance(node, Mapping) and part in node
        if inside or (isinstance(node, list) and isinstance(part, int) and part < len(node)):
            yield part
            node = node[part]


def _allowed(key: list[int | str]) -> list[str]:
    model = {1: ParameterFile, 2: VoxelSettings if key[0] == "voxelSetting" else SettingSet}.get(len(key), SettingSet)
    return list(model.model_fields)


def _line(tree: CommentedMap, key: list[int | str]) -> int:
    node: Any = tree
    line = 1
    for part in key:
        position = node.lc.key(part) if isinstance(node, CommentedMap) else node.lc.item(part)
        line, node = position[0] + 1, node[part]
    return line
