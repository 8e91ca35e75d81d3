"""study.yaml to Study: every mistake is answered with file, line and key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML

from radfusion.cohorts.table import CohortSettings, read_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.kinds import StudyKind, with_defaults
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.core.study_text import parse_yaml, plain_values, set_value, study_error
from radfusion.errors import StudyError
from radfusion.evaluation.settings import EvaluationSettings
from radfusion.extraction.clinical import check_covariates
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.grids import PretrainingSettings, with_untrained
from radfusion.extraction.settings import FeatureSettings, require_different
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.arm_plan import check_arms, check_steps, planned_arms
from radfusion.modelling.settings import ModellingSettings

__all__ = ["CohortSettings", "FeatureSettings", "Statements", "Study"]


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
    def _declared_covariates(cls, features: FeatureSettings, info: ValidationInfo) -> FeatureSettings:
        cohort = info.data.get("cohort")
        if cohort is not None:
            check_covariates(features.clinical, cohort.covariates)
        return features

    @field_validator("features")
    @classmethod
    def _untrained_control(cls, features: FeatureSettings, info: ValidationInfo) -> FeatureSettings:
        if info.data.get("kind") != "pretraining-benchmark":
            return features
        if not features.deep:
            raise ValueError("a pretraining benchmark compares weights sources: list them in grid, or in deep")
        if features.imported:
            raise ValueError("imported: a pretraining benchmark extracts what it compares; allowed is []")
        deep = tuple(with_untrained(features.deep))
        require_different([entry.source for entry in deep])
        return features.model_copy(update={"deep": deep})

    @field_validator("modelling")
    @classmethod
    def _known_arms(cls, modelling: ModellingSettings, info: ValidationInfo) -> ModellingSettings:
        if info.data.get("kind") == "pretraining-benchmark":
            allowed = {"fusion": (), "arms": {}, "default_arms": True}
            for key in (key for key, value in allowed.items() if getattr(modelling, key) != value):
                shown = json.dumps(allowed[key])
                raise ValueError(f"{key}: a pretraining benchmark fuses nothing; allowed is {shown}")
        if features := info.data.get("features"):
            check_arms(features.kinds, modelling)
            check_steps(features.kinds, modelling)
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
            arms = list(planned_arms(features.kinds, modelling).names)
            for name in evaluation.primary.models:
                if name not in arms:
                    raise ValueError(f"primary.models: no arm is named {name!r}; {nearest(name, arms)}")
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
        tree = parse_yaml(text, file)
        for override in overrides:
            set_value(tree, override, file)
        try:
            study = cls.model_validate_json(json.dumps(plain_values(tree, tree, file)))
        except ValidationError as error:
            raise study_error(error, cls, tree, file=file) from error
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
        table, images = self.resolve(self.cohort.table), self.features.needs_images
        return read_cohort(self.cohort, table, seed=self.seed, images=images)

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
