"""What a model asks of a new case, and what it answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from radfusion.core.cohort_covariates import Covariate
from radfusion.core.estimates import Noun
from radfusion.core.results import Threshold

__all__ = [
    "Answer",
    "CaseWarning",
    "ClassFacts",
    "Contribution",
    "Decision",
    "Explanation",
    "FeatureRange",
    "InputContract",
    "LinearTerm",
    "SourceContract",
]


class ClassFacts(Noun):
    """A class, in the order of the probabilities, and how much of it the model was fitted on."""

    label: str
    name: str
    n_cases: int
    n_patients: int


class SourceContract(Noun):
    """A feature source.

    ``kind`` is radiomics, deep, clinical, imported, ...; ``extractor`` holds its settings as a study file writes them
    (None: features come as a table), ``identity`` what training features were made with: settings, versions, hash of
    the weights.
    """

    name: str
    kind: str = ""
    extractor: dict[str, Any] | None = None
    identity: dict[str, Any] = Field(default_factory=dict)


class FeatureRange(Noun):
    """A raw feature in the training cases; ``missing`` is the share of cases without a finite value."""

    feature: str
    minimum: float | None
    p1: float | None
    median: float | None
    p99: float | None
    maximum: float | None
    missing: float


class InputContract(Noun):
    """What a model asks of a new case.

    Attributes
    ----------
    radfusion : str
        Version that fitted the model.
    model : str
        ``arm/classifier``.
    unit : str
        What a case is, in the singular.
    classes : tuple of ClassFacts
        In the order of the probabilities, with counts of the training cases.
    n_cases, n_patients : int
        Training cases and their patients.
    sources : tuple of SourceContract
        Where features come from.
    imaging : dict or None
        How files become scans; None where nothing says so.
    columns : dict of str to str
        Columns of the study's cohort table that are asked for under other names than the usual ones.
    features : tuple of FeatureRange
        Every feature that is needed.
    missing : str
        What becomes of a missing value.
    asks : dict of str to tuple of str
        What steps must be told of every case (``centre``, covariates), with the values that they accept; empty: any.
    centres : tuple of str
        Centres of the training cases, where the model adjusts for the centre.
    covariates : dict of str to Covariate
        Covariates of the cohort table that are asked for, those that may be unknown of a case included.
    thresholds : tuple of Threshold
        Decision thresholds per class, with rule and origin.
    """

    radfusion: str
    model: str
    unit: str = "case"
    classes: tuple[ClassFacts, ...]
    n_cases: int
    n_patients: int
    sources: tuple[SourceContract, ...]
    imaging: dict[str, Any] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    features: tuple[FeatureRange, ...]
    missing: str
    asks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    centres: tuple[str, ...] = ()
    covariates: dict[str, Covariate] = Field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()


class Decision(Noun):
    """One class against the rest at its stored threshold: positive from the threshold on."""

    class_: str = Field(alias="class")
    probability: float
    threshold: float | None
    positive: bool | None
    rule: str
    fitted_on: str


class CaseWarning(Noun):
    """Something about a case that a reader of its probabilities must know.

    ``beyond`` is the distance from the training range in widths of that range; None where the range has no width.
    """

    kind: Literal["outside-training-range", "missing", "image", "segmentation", "centre", "covariate", "computing"]
    message: str
    feature: str | None = None
    value: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    beyond: float | None = None


class Contribution(Noun):
    """What a raw feature does for the predicted class of one case.

    ``probability`` and ``log_odds`` are those of the case less those of the same case with the feature at its training
    median; ``log_odds`` is None where a probability is 0 or 1. ``value`` is None where it is missing.
    """

    feature: str
    value: float | None
    median: float
    probability: float
    log_odds: float | None


class LinearTerm(Noun):
    """One term of a linear model, exact: ``contribution`` is coefficient times prepared value.

    The terms of a class and its intercept sum to its linear predictor: of two classes the log odds of the predicted
    one, of more the exponent from which the shares of the classes are formed. ``model`` is the part of the fusion.
    """

    model: str
    feature: str
    value: float
    coefficient: float
    contribution: float


class Explanation(Noun):
    """Why a class was predicted.

    Attributes
    ----------
    class_ : str
        The predicted class.
    method : str
        How contributions are defined.
    n_features : int
        Features that the model needs; `contributions` holds those with the largest absolute change.
    contributions : tuple of Contribution
        In order of absolute size.
    linear : tuple of LinearTerm
        Of linear models (logistic regression), in order of absolute size; empty for others.
    intercepts : dict of str to float
        Of the linear models, by model.
    """

    class_: str = Field(alias="class")
    method: str
    n_features: int
    contributions: tuple[Contribution, ...] = ()
    linear: tuple[LinearTerm, ...] = ()
    intercepts: dict[str, float] = Field(default_factory=dict)


class Answer(Noun):
    """What a model says of one case."""

    case: str
    model: str
    probabilities: dict[str, float]
    class_names: dict[str, str]
    predicted: str
    decisions: tuple[Decision, ...]
    warnings: tuple[CaseWarning, ...]
    explanation: Explanation
