"""study.yaml to Study: every mistake is answered with file, line and key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from radfusion.cohorts.table import CohortSettings, read_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.kinds import StudyKind, with_defaults
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import StudyError
from radfusion.evaluation.settings import EvaluationSettings
from radfusion.extraction.controls import CONTROLS, ControlNames
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.grids import Grid, PretrainingSettings, with_untrained
from radfusion.extraction.robustness import StabilitySettings
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.settings import ModellingSettings

__all__ = ["CohortSettings", "FeatureSettings", "Statements", "Study"]

Key = tuple[str | int, ...]


class FeatureSettings(Settings):
    """Which features are extracted."""

    radiomics: Radiomics | None = Field(Radiomics(), description="PyRadiomics features; null for none")
    grid: Grid | None = Field(
        None, description="every combination of weights sources, networks and layers, as if each were listed in deep"
    )
    deep: tuple[Deep, ...] = Field((), description="one entry per weights source", validate_default=True)
    stability: StabilitySettings = Field(
        StabilitySettings(), description="how unstable features are found, between readers or under perturbations"
    )
    controls: ControlNames = Field(
        (),
        description="negative controls on which the final model is fitted anew, each a second extraction of the whole "
        "cohort: " + ", ".join(CONTROLS),
    )

    @field_validator("deep")
    @classmethod
    def _with_grid(cls, deep: tuple[Deep, ...], info: ValidationInfo) -> tuple[Deep, ...]:
        grid = info.data.get("grid")
        combined = grid.entries() if grid is not None else ()
        return (*combined, *(entry for entry in deep if entry not in combined))

    @model_validator(mode="after")
    def _sources(self) -> Self:
        names = [extractor.source for extractor in self.deep]
        if not names and self.radiomics is None:
            raise ValueError("no feature source: radiomics is null and deep has no entry")
        _require_different(names)
        return self

    def arms(self, fusion: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the arms that these features give."""
        deep = [extractor.source for extractor in self.deep]
        alone = ["radiomics"] if self.radiomics else []
        fused = [f"{kind}-{name}" for kind in fusion for name in deep] if self.radiomics else []
        return (*alone, *(f"deep-{name}" for name in deep), *fused)


def _require_different(names: list[str]) -> None:
    """Names of deep sources are names of files, which some systems do not tell apart by case."""
    folded = [name.lower() for name in names]
    twice = [name for name in names if folded.count(name.lower()) > 1]
    if twice:
        raise ValueError(
            f"two entries of deep are named {twice[0]!r}; give one another `name`: it stands in features and arms"
        )
    if "radiomics" in folded:
        raise ValueError("an entry of deep is named 'radiomics', which names the radiomic features; write another")


class Statements(Settings):
    """Facts only the authors know, typed once and printed where a report needs them."""

    data_note: str | None = Field(None, description="what a reader must know of the data; printed first, as a warning")
    objective: str | None = None
    design: Literal["retrospective", "prospective", "mixed"] | None = None
    ethics: str | None = None
    consent: str | None = None
    registration: str | None = None
    dates: str | None = None
    eligibility: str | None = None
    reference_standard: str | None = None
    segmentation: str | None = None
    acquisition: str | None = None
    modality: str | None = Field(None, description="for example radiograph, CT: compared with what the weights saw")
    funding: str | None = None
    conflicts: str | None = None
    data_sharing: str | None = None


class Study(Settings):
    """A study as its file describes it.

    Examples
    --------
    >>> Study.from_text('''
    ... title: Fractures
    ... cohort: {table: cohort.csv, classes: ["0", "1"]}
    ... modeling: {}
    ... ''')
    Traceback (most recent call last):
    radfusion.errors.StudyError: study.yaml:4: modeling: unknown key; did you mean 'modelling'? ...
    """

    kind: StudyKind = Field("fusion", description="kind of study")
    title: str = Field(min_length=1)
    seed: int = Field(20240328, ge=0, lt=2**31, description="seed of every random step")
    cohort: CohortSettings
    imaging: ImagingSettings = ImagingSettings()
    features: FeatureSettings = FeatureSettings()
    modelling: ModellingSettings = ModellingSettings()
    pretraining: PretrainingSettings | None = Field(None, description="of a pretraining benchmark: what is compared")
    evaluation: EvaluationSettings = EvaluationSettings()
    statements: Statements = Statements()
    _file: Path = PrivateAttr(default=Path("study.yaml"))

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_kind(cls, data: Any) -> Any:
        return with_defaults(data) if isinstance(data, Mapping) else data

    @field_validator("features")
    @classmethod
    def _untrained_control(cls, features: FeatureSettings, info: ValidationInfo) -> FeatureSettings:
        if info.data.get("kind") != "pretraining-benchmark":
            return features
        if not features.deep:
            raise ValueError("a pretraining benchmark compares weights sources: list them in grid, or in deep")
        deep = tuple(with_untrained(features.deep))
        _require_different([entry.source for entry in deep])
        return features.model_copy(update={"deep": deep})

    @field_validator("modelling")
    @classmethod
    def _nothing_fused(cls, modelling: ModellingSettings, info: ValidationInfo) -> ModellingSettings:
        if info.data.get("kind") == "pretraining-benchmark" and modelling.fusion:
            raise ValueError("fusion: a pretraining benchmark fuses nothing; allowed is []")
        return modelling

    @field_validator("pretraining")
    @classmethod
    def _only_of_benchmarks(
        cls, pretraining: PretrainingSettings | None, info: ValidationInfo
    ) -> PretrainingSettings | None:
        if pretraining is not None and info.data.get("kind", "") == "fusion":
            raise ValueError("belongs to studies of kind pretraining-benchmark")
        features = info.data.get("features")
        reference = pretraining.reference if pretraining else None
        if features is not None and reference and all(entry.weights != reference for entry in features.deep):
            raise ValueError(f"reference: no source has the weights {reference!r}")
        return pretraining

    @field_validator("evaluation")
    @classmethod
    def _primary_arms(cls, evaluation: EvaluationSettings, info: ValidationInfo) -> EvaluationSettings:
        features, modelling = info.data.get("features"), info.data.get("modelling")
        if evaluation.primary is not None and features is not None and modelling is not None:
            arms = features.arms(modelling.fusion)
            for name in evaluation.primary.models:
                if name not in arms:
                    raise ValueError(f"primary.models: no arm is named {name!r}; {nearest(name, list(arms))}")
        return evaluation

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Sequence[str] = ()) -> Study:
        """Read a study file.

        Parameters
        ----------
        path : path
            YAML 1.2 file.
        overrides : sequence of str
            ``dotted.key=value`` with a YAML value; applied before checking.

        Raises
        ------
        StudyError
            Naming file, line, key and what is allowed, for every mistake of the file at once.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"cannot be read: {error}", file=path) from error
        return cls.from_text(text, path, overrides)

    @classmethod
    def from_text(cls, text: str, file: str | Path = "study.yaml", overrides: Sequence[str] = ()) -> Study:
        """Read a study from YAML text; see :meth:`from_yaml`."""
        file = Path(file)
        tree = _parse(text, file)
        for override in overrides:
            _override(tree, override, file)
        try:
            study = cls.model_validate_json(json.dumps(_plain(tree, tree, file)))
        except ValidationError as error:
            raise _study_error(error, tree, file) from error
        study._file = file  # noqa: SLF001 - pydantic's way to keep what is no field
        return _with_parameters(study)

    @property
    def file(self) -> Path:
        """The study file."""
        return self._file

    def resolve(self, path: Path) -> Path:
        """A path of the study file: relative ones start from its folder."""
        return path if path.is_absolute() else self._file.parent / path

    def at_hand(self, extractor: Deep) -> Deep:
        """A deep extractor whose weights file, if the study names one, is resolved."""
        return extractor.model_copy(update={"file": extractor.file and self.resolve(extractor.file)})

    def read_cohort(self) -> Cohort:
        """Read and check the cohort table; share its cases out to sets where the study says so.

        Raises
        ------
        CohortError
            With every mistake of the table.
        """
        return read_cohort(self.cohort, self.resolve(self.cohort.table), seed=self.seed)

    def to_yaml(self) -> str:
        """The study with every default spelled out."""
        stream = StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # the order of image types is that of the features
        yaml.dump(self.model_dump(mode="json"), stream)
        return stream.getvalue()


def _with_parameters(study: Study) -> Study:
    """The study with the content of PyRadiomics' parameter file in place of its path."""
    if study.features.radiomics is None:
        return study
    radiomics = study.features.radiomics.at_hand(study.file.parent)
    return study.model_copy(update={"features": study.features.model_copy(update={"radiomics": radiomics})})


def _parse(text: str, file: Path) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        message = f"not valid YAML: {error.problem or error.context}"
        raise StudyError(" ".join(message.split()), file=file, line=line) from error
    except YAMLError as error:
        raise StudyError(f"not valid YAML: {' '.join(str(error).split())}", file=file) from error
    if not isinstance(tree, CommentedMap):
        raise StudyError("a study file is a mapping of keys; `radfusion new` writes one", file=file, line=1)
    return tree


def _override(tree: CommentedMap, override: str, file: Path) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted.strip():
        raise StudyError(f"--set {override!r}: write dotted.key=value", file=file)
    *parents, last = dotted.strip().split(".")
    node: Any = tree
    for name in parents:
        node = _child(node, name, dotted=dotted, file=file)
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise StudyError(f"--set {override!r}: {text!r} is not a YAML value", file=file) from error
    if isinstance(node, CommentedSeq):
        node[_position(node, last, dotted=dotted, file=file)] = value
    else:
        node[last] = value


def _child(node: Any, name: str, *, dotted: str, file: Path) -> Any:
    if isinstance(node, CommentedSeq):
        found = node[_position(node, name, dotted=dotted, file=file)]
        if not isinstance(found, CommentedMap | CommentedSeq):
            raise StudyError(f"--set {dotted}: {name!r} is a value, nothing can be set in it", file=file)
        return found
    if not isinstance(node.get(name), CommentedMap | CommentedSeq):
        node[name] = CommentedMap()
    return node[name]


def _position(node: CommentedSeq, name: str, *, dotted: str, file: Path) -> int:
    if not name.isdigit() or int(name) >= len(node):
        raise StudyError(f"--set {dotted}: {name!r} is not a position from 0 to {len(node) - 1}", file=file)
    return int(name)


def _plain(node: Any, tree: CommentedMap, file: Path, *, key: Key = ()) -> Any:
    """Plain JSON values; a date or other YAML object is refused rather than turned into text."""
    if isinstance(node, Mapping):
        return {str(name): _plain(value, tree, file, key=(*key, str(name))) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value, tree, file, key=(*key, position)) for position, value in enumerate(node)]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    kind = type(node).__name__.lower()
    raise StudyError(
        f"a {kind} is not allowed here; put it in quotes", file=file, line=_line(tree, key), key=_dotted(key)
    )


def _study_error(error: ValidationError, tree: CommentedMap, file: Path) -> StudyError:
    found = [(_line(tree, key), _dotted(key), message) for key, message in _messages(error)]
    found = list(dict.fromkeys(sorted(found, key=lambda item: item[0])))
    first, *others = found
    tail = "".join(f"\n{file}:{line}: {key}: {message}" for line, key, message in others)
    return StudyError(first[2] + tail, file=file, line=first[0], key=first[1])


def _messages(error: ValidationError) -> Iterator[tuple[Key, str]]:
    for detail in error.errors():
        key = tuple(part for part in detail["loc"] if not str(part).startswith("function-"))
        if detail["type"] == "extra_forbidden":
            allowed = _allowed(key)
            yield key, f"unknown key; {nearest(str(key[-1]), allowed)}" if allowed else "unknown key"
        elif detail["type"] == "missing":
            yield key, "this key is required"
        else:
            yield key, _sentence(detail)


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    if detail["type"] == "value_error" or isinstance(given, dict | list):
        return message
    return f"{message[0].lower()}{message[1:]}; got {given!r}"


def _allowed(key: Key) -> list[str]:
    """Names allowed beside the last part of a key, found by walking the settings classes."""
    model: Any = Study
    for part in key[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return []
        model = next((kind for kind in _kinds(field.annotation) if hasattr(kind, "model_fields")), None)
    return list(model.model_fields) if model is not None else []


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _kinds(argument)


def _line(tree: CommentedMap, key: Key) -> int:
    """Line of a key, or of its nearest parent that is written in the file."""
    node: Any = tree
    line = 1
    for part in key:
        try:
            position = node.lc.key(part) if isinstance(node, CommentedMap) else node.lc.item(part)
            node = node[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
        line = position[0] + 1
    return line


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)
