"""The model: what a study found best, ready for new cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.cohort import Cohort
from radfusion.core.contract import InputContract
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import SelectedFeature
from radfusion.errors import FeatureError
from radfusion.modelling.arms import ArmFit
from radfusion.modelling.classifiers import fit_classifier, probabilities
from radfusion.modelling.contract import merged_contract, training_contract
from radfusion.modelling.fitting import case_facts, training_rows
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.fusion import LATE_RULES, combine
from radfusion.modelling.preparation import Preparation
from radfusion.modelling.rows import require_columns

__all__ = ["Model", "ModelPart", "fit_model", "fuse_models"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelPart:
    """One classifier with its preparation; late fusion has several.

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
    estimator : object
        Fitted.
    """

    model: str
    classifier: str
    hyperparameters: Mapping[str, Any]
    preparation: Preparation
    signature: tuple[SelectedFeature, ...]
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
        One, or those that late fusion combines.
    contract : InputContract
        What it asks of new cases.
    rule : str or None
        How late fusion combines them.
    weights : mapping
        Of that rule, where it has some.
    """

    name: str
    classes: tuple[str, ...]
    parts: tuple[ModelPart, ...]
    contract: InputContract
    rule: str | None = None
    weights: Mapping[str, Any] = field(default_factory=dict)

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
        return {source.name: source.identity for source in self.contract.sources}

    def probabilities(self, frame: pd.DataFrame, facts: pd.DataFrame | None = None) -> Floats:
        """(n, K) array for the rows of a feature frame, with facts of the cases where a step asks for them.

        Raises
        ------
        FeatureError
            When columns are absent, with their sources.
        """
        require_columns([str(name) for name in frame.columns], self.columns)
        stacked = np.stack([part.probabilities(frame, facts) for part in self.parts])
        return stacked[0] if self.rule is None else combine(stacked, self.rule, self.weights)

    def predict(self, table: FeatureTable, cohort: Cohort | None = None) -> Predictions:
        """Probabilities of every case of a table.

        Parameters
        ----------
        table : FeatureTable
            With at least the columns of the model, in any order.
        cohort : Cohort, optional
            Patients, sets, labels, centres and covariates of the cases; a model that asks for none of them needs it
            not.

        Returns
        -------
        Predictions
            In the order of the table.

        Raises
        ------
        FeatureError
            When columns are absent, with their sources, or the cohort lacks a case.
        """
        facts = None if cohort is None else case_facts(cohort, _rows(table, cohort))
        return Predictions.from_arrays(
            _rows(table, cohort), self.probabilities(table.frame, facts), self.classes, self.name
        )


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
    fitted = fit.fits[classifier]
    with threadpool_limits(1):
        values = fit.preparation.transform(table.frame.loc[rows.index], case_facts(cohort, rows))
        estimator = fit_classifier(
            classifier,
            values,
            labels,
            hyperparameters=fitted.hyperparameters,
            seed=seed,
            balance=fitted.balance,
        )
    part = ModelPart(
        model=fitted.model,
        classifier=classifier,
        hyperparameters=fitted.hyperparameters,
        preparation=fit.preparation,
        signature=fit.selection.signature,
        estimator=estimator,
    )
    contract = training_contract(part.model, fit.preparation, table, cohort=cohort, rows=rows)
    return Model(part.model, cohort.classes, (part,), contract)


def fuse_models(name: str, models: Sequence[Model], *, rule: str, weights: Mapping[str, Any] | None = None) -> Model:
    """Late fusion of models; ``name`` is the ``arm/classifier`` of the fused one.

    Parameters
    ----------
    name : str
        Of the fused model.
    models : sequence of Model
        Its parts, in the order of the weights.
    rule : str
        One of LATE_RULES.
    weights : mapping, optional
        Of the rule, where it has some: those of the fused :class:`ClassifierFit`.

    Raises
    ------
    UnknownNameError
        When there is no such rule.
    """
    LATE_RULES[rule]
    contract = merged_contract(name, tuple(model.contract for model in models))
    parts = tuple(part for model in models for part in model.parts)
    return Model(name, models[0].classes, parts, contract, rule, dict(weights or {}))


def _rows(table: FeatureTable, cohort: Cohort | None) -> pd.DataFrame:
    columns = ["patient", "set", "label"]
    if cohort is None:
        return pd.DataFrame(None, index=table.frame.index, columns=columns, dtype=object)
    absent = [case for case in table.frame.index if case not in cohort.frame.index]
    if absent:
        raise FeatureError(f"the cohort has no row for {len(absent)} cases of the table, first {absent[0]!r}")
    return cohort.frame.loc[table.frame.index]
