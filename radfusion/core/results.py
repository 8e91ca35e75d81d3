"""Results: what a study found, as data. Every number of a report is read from here.

All classes are frozen pydantic models, so that ``radfusion schema results`` is derived from them. A number that cannot
be estimated is ``None`` with a reason; NaN and infinity are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from radfusion.core.estimates import Comparison, Estimate, Exclusion, Noun
from radfusion.core.pretraining import Pretraining
from radfusion.core.selftest import SelfTest
from radfusion.core.trust import FittedRows, ModelChoice, RepeatedSplits, SetScoring
from radfusion.errors import RunError

__all__ = [
    "AuditFinding",
    "ClassifierTrial",
    "Comparison",
    "Confusion",
    "ControlResult",
    "Curve",
    "Estimate",
    "Exclusion",
    "FeatureSource",
    "FeatureStability",
    "FittedModel",
    "FittedRows",
    "ModelChoice",
    "OutputFile",
    "Provenance",
    "RepeatedSplits",
    "SelectedFeature",
    "Selection",
    "SelectionStep",
    "SetScoring",
    "SetSummary",
    "Stability",
    "StabilityPart",
    "StudyFacts",
    "StudyResults",
    "Threshold",
]


class Curve(Noun):
    """A plotted curve: ``kind`` is ``"roc"`` (x: 1 - specificity, y: sensitivity), ..."""

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    model: str = ""
    set: str = ""
    class_: str | None = Field(default=None, alias="class")


class Confusion(Noun):
    """Counts: rows are reference classes, columns predicted classes, in the order of ``classes``."""

    model: str
    set: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Threshold(Noun):
    """A decision threshold on the probability of one class, and the data that fixed it."""

    model: str
    class_: str = Field(alias="class")
    value: float | None
    rule: str
    fitted_on: str
    reason: str | None = None


class AuditFinding(Noun):
    """One line of the study's audit; codes are those of the guide's error table (``RF01`` ...)."""

    code: str
    verdict: Literal["pass", "warn", "fail", "not_applicable", "acknowledged"]
    message: str
    evidence: dict[str, Any] = Field(default_factory=dict)


class SetSummary(Noun):
    """Counts of one set."""

    name: str
    role: str
    n_cases: int
    n_patients: int
    n_by_class: dict[str, int]
    centres: tuple[str, ...] = ()


class FeatureSource(Noun):
    """One source of features.

    ``available`` is False for a source that was asked for but could not be had; ``reason`` then says why, and no arm
    uses it. ``health`` holds measured facts such as the share of the first principal component, ``self_test`` how
    the network met the pictures of this study.
    """

    name: str
    kind: str
    n_features: int
    available: bool = True
    reason: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    weights: dict[str, Any] | None = None
    health: dict[str, float] = Field(default_factory=dict)
    self_test: SelfTest | None = None

    @property
    def imported(self) -> bool:
        """Whether the features came as a table of another program; ``settings["imported"]`` lists its files."""
        return "imported" in self.settings


class FeatureStability(Noun):
    """Intraclass correlation of one feature over repeated readings of `n_cases` cases.

    ``kept`` says that it reaches the minimum of its :class:`Stability`; ``reason`` why a number is missing.
    """

    feature: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n_cases: int
    kept: bool
    reason: str | None = None


class StabilityPart(Noun):
    """One perturbation alone against the unperturbed cases: how many features reach the minimum, and the median ICC."""

    name: str
    n_ratings: int
    n_stable: int
    median: float | None


class Stability(Noun):
    """Stability of the features of one source: between readers, or under perturbations.

    ``form`` is in the notation of McGraw and Wong; ``n_ratings`` counts readers, or versions of a case with the
    original. ``faults`` are readings that could not be made.
    """

    source: str
    kind: Literal["readers", "perturbations"]
    form: str
    level: float
    minimum: float
    use: Literal["estimate", "lower"]
    n_cases: int
    n_ratings: int
    parts: tuple[StabilityPart, ...] = ()
    faults: tuple[Exclusion, ...] = ()
    features: tuple[FeatureStability, ...]


class ControlResult(Noun):
    """Macro AUC of one arm and classifier on a set, on the images and on those of a negative control.

    The chain was fitted anew on the control images. ``n_like_original`` of `n_features` have an absolute Spearman
    correlation of at least ``like`` with themselves on the unchanged training images.
    """

    control: str
    model: str
    original: Estimate
    controlled: Estimate
    n_features: int
    n_like_original: int
    like: float = 0.9


class SelectionStep(Noun):
    """One step of cleaning or selection with the number of features before and after.

    ``fitted_on`` is the ``sha256`` of its :class:`FittedRows`; empty for a step that was not fitted.
    """

    name: str
    n_in: int
    n_out: int
    settings: dict[str, Any] = Field(default_factory=dict)
    fitted_on: str = ""


class SelectedFeature(Noun):
    """A feature of a signature.

    ``coefficients`` are those of the LASSO per class, so that the score of a class is its intercept + the sum of
    coefficient * (x - mean) / scale. x is the value of the feature table, filled in where missing; where PCA or ComBat
    come before, it is the value that came of these. ``mean`` and ``scale`` are those of the training set,
    ``fold_frequency`` is the share of training folds that selected the feature, ``bootstrap_frequency`` that of
    bootstrap samples, None where none were drawn. Without coefficients there is no score: no LASSO was fitted, or a
    later step took some of its features out.
    """

    feature: str
    coefficients: dict[str, float]
    mean: float
    scale: float
    fold_frequency: float
    bootstrap_frequency: float | None = None


class Selection(Noun):
    """What was selected for one arm, on the training set only; ``fitted_on`` names its :class:`FittedRows`."""

    arm: str
    fitted_on: str
    n_cases: int
    steps: tuple[SelectionStep, ...]
    signature: tuple[SelectedFeature, ...]
    intercepts: dict[str, float] = Field(default_factory=dict)
    lambda_: dict[str, float] = Field(default_factory=dict, alias="lambda")
    deviance: tuple[dict[str, float], ...] = ()
    coefficient_path: tuple[dict[str, Any], ...] = ()


class ClassifierTrial(Noun):
    """One setting of one classifier and its score over inner folds; if pruned, given up, over the first of them."""

    hyperparameters: dict[str, Any]
    score: float
    pruned: bool = False


class FittedModel(Noun):
    """One model: an arm (which features, which fusion) with a classifier.

    ``cv_macro_auc`` is on training out-of-fold predictions with the whole chain repeated in every fold.
    ``best_of_arm`` and ``final`` were decided on it alone. ``fitted_on`` names the :class:`FittedRows` of the model and
    then of those that gave its out-of-fold predictions. Late fusion has ``parts``, the ``rule`` that combines them and
    its ``weights``: of the ``parts``, and the intercepts of the ``classes``, where the rule has some.
    """

    model: str
    arm: str
    classifier: str
    title: str = ""
    fusion: Literal["none", "early", "late"]
    sources: tuple[str, ...]
    hyperparameters: dict[str, Any]
    trials: tuple[ClassifierTrial, ...] = ()
    space: dict[str, str] = Field(default_factory=dict)
    cv_macro_auc: float
    best_of_arm: bool = False
    final: bool = False
    parts: tuple[str, ...] = ()
    rule: str | None = None
    weights: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    fitted_on: tuple[str, ...] = ()


class StudyFacts(Noun):
    """What the study file says about the study."""

    title: str
    kind: str
    seed: int
    classes: tuple[str, ...]
    class_names: dict[str, str] = Field(default_factory=dict)
    unit: str = "case"
    statements: dict[str, str | None] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)


class OutputFile(Noun):
    """A file of the run directory and its SHA-256."""

    path: str
    sha256: str


class Provenance(Noun):
    """What made the results: versions, inputs, machine. No time and no path, so that equal runs give equal bytes."""

    radfusion: str
    python: str
    platform: str
    processor: str
    packages: dict[str, str]
    study_sha256: str
    cohort_sha256: str
    images_sha256: str
    device: str = "cpu"


class StudyResults(Noun):
    """Everything a study found.

    ``primary_set`` is the set of the declared primary comparison; ``final_model`` the model chosen on training folds.
    """

    schema_version: Literal["1"] = "1"
    study: StudyFacts
    sets: tuple[SetSummary, ...]
    exclusions: tuple[Exclusion, ...] = ()
    sources: tuple[FeatureSource, ...] = ()
    stability: tuple[Stability, ...] = ()
    controls: tuple[ControlResult, ...] = ()
    pretraining: Pretraining | None = None
    fitted_rows: tuple[FittedRows, ...] = ()
    selections: tuple[Selection, ...] = ()
    models: tuple[FittedModel, ...] = ()
    final_model: str = ""
    choice: ModelChoice | None = None
    ledger: tuple[SetScoring, ...] = ()
    repeated_splits: RepeatedSplits | None = None
    thresholds: tuple[Threshold, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    curves: tuple[Curve, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    audit: tuple[AuditFinding, ...] = ()
    files: tuple[OutputFile, ...] = ()
    provenance: Provenance

    def to_json(self) -> str:
        """JSON text, keys in the order of the schema, numbers unrounded."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    @classmethod
    def read(cls, run: str | Path) -> StudyResults:
        """Read ``results.json`` of a run directory (or the file itself).

        Raises
        ------
        RunError
            When there is none, or it is not of this schema.
        """
        path = Path(run)
        path = path / "results.json" if path.is_dir() else path
        if not path.is_file():
            raise RunError(f"{path}: no such file; a finished run directory holds results.json")
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise RunError(f"{path}: not a results file of schema version 1: {error}") from error
