"""The model: what a study found best, ready for new cases, saved as numbers and never as code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import canonical_json
from radfusion.core.predictions import Predictions
from radfusion.core.results import SelectedFeature
from radfusion.errors import FeatureError, RunError
from radfusion.execution.provenance import package_versions
from radfusion.modelling.arms import ArmFit
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.estimators import read_estimator, write_estimator
from radfusion.modelling.fitting import case_facts, training_rows
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.fusion import LATE_RULES, combine
from radfusion.modelling.preparation import Preparation, packed, unpacked
from radfusion.modelling.rows import require_columns

__all__ = ["Model", "ModelPart", "fit_model", "fuse_models", "load_model", "save_model"]

Floats = NDArray[np.float64]
_FORMAT = 2
_PACKAGES = ("numpy", "scikit-learn", "xgboost", "lightgbm", "skops")


@dataclass(frozen=True, eq=False)
class ModelPart:
    """One classifier with its preparation; late fusion has two.

    Attributes
    ----------
    model : str
        ``arm/classifier``.
    classifier : str
        Its classifier.
    hyperparameters : mapping
        Of the classifier.
    preparation : Preparation
        The fitted steps.
    signature : tuple of SelectedFeature
        The features, with coefficients and fold frequencies.
    provenance : mapping of str to mapping
        Per source: how its features were extracted.
    estimator : object
        Fitted.
    """

    model: str
    classifier: str
    hyperparameters: Mapping[str, Any]
    preparation: Preparation
    signature: tuple[SelectedFeature, ...]
    provenance: Mapping[str, Mapping[str, Any]]
    estimator: Any

    def probabilities(self, frame: pd.DataFrame, facts: pd.DataFrame | None = None) -> Floats:
        """(n, K) array for the rows of a feature frame, with facts of the cases where a step asks for them."""
        with threadpool_limits(1):
            return probabilities(self.estimator, self.preparation.transform(frame, facts))


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model.

    Attributes
    ----------
    name : str
        ``arm/classifier``.
    classes : tuple of str
        Classes in the order of the probabilities.
    parts : tuple of ModelPart
        One, or the two that late fusion combines.
    rule : str or None
        How late fusion combines them.
    """

    name: str
    classes: tuple[str, ...]
    parts: tuple[ModelPart, ...]
    rule: str | None = None

    @property
    def signature(self) -> tuple[SelectedFeature, ...]:
        """Selected features of all parts, with coefficients."""
        return tuple(feature for part in self.parts for feature in part.signature)

    @property
    def columns(self) -> tuple[str, ...]:
        """Features that a table must have."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.preparation.inputs))

    @property
    def provenance(self) -> dict[str, Mapping[str, Any]]:
        """Per source: how its features were extracted for training, and must be extracted for new cases."""
        return {source: facts for part in self.parts for source, facts in part.provenance.items()}

    def predict(self, table: FeatureTable, cohort: Cohort | None = None) -> Predictions:
        """Probabilities of every case of a table.

        Parameters
        ----------
        table : FeatureTable
            With at least the columns of the model, in any order.
        cohort : Cohort, optional
            Patients, sets and labels of the cases; None for all of them when not given.

        Returns
        -------
        Predictions
            In the order of the table.

        Raises
        ------
        FeatureError
            When columns are absent, with their sources, or the cohort lacks a case.
        """
        require_columns([str(name) for name in table.frame.columns], self.columns)
        facts = None if cohort is None else case_facts(cohort, _rows(table, cohort))
        stacked = np.stack([part.probabilities(table.frame, facts) for part in self.parts])
        combined = stacked[0] if self.rule is None else combine(stacked, self.rule)
        return Predictions.from_arrays(_rows(table, cohort), combined, self.classes, self.name)


def fit_model(fit: ArmFit, classifier: str, *, table: FeatureTable, cohort: Cohort, seed: int) -> Model:
    """The model behind ``fit.fits[classifier].predictions``, to be kept.

    Parameters
    ----------
    fit : ArmFit
        Of :func:`fit_arms`.
    classifier : str
        One of its classifiers.
    table, cohort, seed
        Those that `fit` was made from.

    Returns
    -------
    Model
        Gives the same probabilities.
    """
    rows = training_rows(fit.arm, table, cohort)
    labels = TrainingLabels.from_rows(rows, cohort.classes)
    hyperparameters = fit.fits[classifier].hyperparameters
    with threadpool_limits(1):
        values = fit.preparation.transform(table.frame.loc[rows.index], case_facts(cohort, rows))
        estimator = fit_classifier(classifier, values, labels, hyperparameters=hyperparameters, seed=seed)
    part = ModelPart(
        model=fit.fits[classifier].model,
        classifier=classifier,
        hyperparameters=hyperparameters,
        preparation=fit.preparation,
        signature=fit.selection.signature,
        provenance={source: table.provenance.get(source, {}) for source in fit.sources},
        estimator=estimator,
    )
    return Model(part.model, cohort.classes, (part,))


def fuse_models(name: str, first: Model, second: Model, *, rule: str) -> Model:
    """Late fusion of two models; ``name`` is the ``arm/classifier`` of the fused one.

    Raises
    ------
    UnknownNameError
        When there is no such rule.
    """
    LATE_RULES[rule]
    return Model(name, first.classes, first.parts + second.parts, rule)


def save_model(model: Model, folder: str | Path) -> None:
    """Write a model into a folder: ``model.json`` (all numbers), ``input.json`` (what it needs), estimator files.

    Equal models give equal bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        _part_facts(part) | {"estimator": write_estimator(part.estimator, part.classifier, folder / f"part-{number}")}
        for number, part in enumerate(model.parts, start=1)
    ]
    facts = {
        "format": _FORMAT,
        "model": model.name,
        "classes": model.classes,
        "rule": model.rule,
        "parts": parts,
        "packages": package_versions(_PACKAGES),
    }
    needs = {
        "columns": model.columns,
        "sources": model.provenance,
        "missing": "a value that is missing or not finite is replaced by the median of the training cases",
    }
    for name, content in (("model.json", facts), ("input.json", needs)):
        text = json.dumps(json.loads(canonical_json(content)), indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def load_model(folder: str | Path) -> Model:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    RunError
        When the folder holds no model, or files that were changed.
    """
    file = Path(folder) / "model.json"
    if not file.is_file():
        raise RunError(f"{file}: no such file; the model of a finished run is in its folder 'model'")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        if facts["format"] != _FORMAT:
            raise RunError(f"{file}: format {facts['format']!r}; this version reads format {_FORMAT}")
        parts = tuple(_part(part, Path(folder)) for part in facts["parts"])
        if facts["rule"] is not None and facts["rule"] not in LATE_RULES:
            raise RunError(f"{file}: {LATE_RULES.unknown(facts['rule'])}")
        return Model(facts["model"], tuple(facts["classes"]), parts, facts["rule"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: not a model file: {type(error).__name__}: {error}") from error


def _part_facts(part: ModelPart) -> dict[str, Any]:
    arrays, told = packed(part.preparation)
    return {
        "model": part.model,
        "classifier": part.classifier,
        "hyperparameters": part.hyperparameters,
        "signature": part.signature,
        "preparation": {"arrays": {name: array.tolist() for name, array in arrays.items()}, "told": told},
        "provenance": part.provenance,
    }


def _part(facts: dict[str, Any], folder: Path) -> ModelPart:
    if facts["classifier"] not in CLASSIFIERS:
        raise RunError(f"{folder / 'model.json'}: {CLASSIFIERS.unknown(facts['classifier'])}")
    signature = tuple(SelectedFeature(**feature) for feature in facts["signature"])
    prepared = facts["preparation"]
    arrays = {name: np.array(values, dtype=np.float64) for name, values in prepared["arrays"].items()}
    return ModelPart(
        model=facts["model"],
        classifier=facts["classifier"],
        hyperparameters=facts["hyperparameters"],
        preparation=unpacked(arrays, prepared["told"]),
        signature=signature,
        provenance=facts["provenance"],
        estimator=read_estimator(facts["estimator"], facts["classifier"], folder),
    )


def _rows(table: FeatureTable, cohort: Cohort | None) -> pd.DataFrame:
    columns = ["patient", "set", "label"]
    if cohort is None:
        return pd.DataFrame(None, index=table.frame.index, columns=columns, dtype=object)
    absent = [case for case in table.frame.index if case not in cohort.frame.index]
    if absent:
        raise FeatureError(f"the cohort has no row for {len(absent)} cases of the table, first {absent[0]!r}")
    return cohort.frame.loc[table.frame.index]
