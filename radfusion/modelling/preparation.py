"""Preparation: cleaning and selection fitted together, the part of a model that all classifiers of an arm share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.results import SelectionStep
from radfusion.modelling.cleaning import Cleaning, CleaningSettings, fit_cleaning
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.selection import Candidates, SelectionSettings, Signature, fit_signature

__all__ = ["Preparation", "PreparationTask", "decode_preparation", "encode_preparation", "prepare"]

Floats = NDArray[np.float64]
Entry = tuple[dict[str, NDArray[Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Preparation:
    """A fitted cleaning and signature.

    Attributes
    ----------
    cleaning : Cleaning
        Of the features of the signature only, in its order; its steps tell the whole story.
    signature : Signature
        What was selected.
    """

    cleaning: Cleaning
    signature: Signature

    @property
    def names(self) -> tuple[str, ...]:
        """Features of the signature."""
        return self.signature.names

    @property
    def steps(self) -> tuple[SelectionStep, ...]:
        """Steps of cleaning, then the step of selection."""
        return (*self.cleaning.steps, self.signature.step)

    def transform(self, frame: pd.DataFrame) -> Floats:
        """(n, k) array: the features of the signature, imputed and standardised.

        Raises
        ------
        FeatureError
            When features of the signature are absent from the frame.
        """
        return self.cleaning.transform(frame)


@dataclass(frozen=True, eq=False)
class PreparationTask:
    """Training values of an arm and the rows of them to fit on (all but one fold, or all).

    Attributes
    ----------
    values : (n, p) array
        Features of the training cases, unscaled.
    names : tuple of str
        The p features.
    labels : TrainingLabels
        Of the n cases.
    rows : (n,) array of bool
        Rows to fit on.
    cleaning, selection : CleaningSettings, SelectionSettings
        What to do.
    seed : int
        Seed of the folds of the selection.
    """

    values: Floats
    names: tuple[str, ...]
    labels: TrainingLabels
    rows: NDArray[np.bool_]
    cleaning: CleaningSettings
    selection: SelectionSettings
    seed: int


def prepare(task: PreparationTask) -> Preparation:
    """Clean and select on the rows of the task.

    Raises
    ------
    UserError
        When a class has too few patients for the folds of the selection.
    """
    with threadpool_limits(1):
        labels = task.labels.take(task.rows)
        frame = pd.DataFrame(task.values[task.rows], columns=list(task.names))
        cleaning = fit_cleaning(frame, labels.codes, task.cleaning)
        candidates = Candidates(cleaning.transform(frame), cleaning.names, labels)
        signature = fit_signature(candidates, task.selection, seed=task.seed)
    return Preparation(cleaning.restrict(signature.names), signature)


def encode_preparation(prepared: Preparation) -> Entry:
    """Arrays and facts for the cache."""
    cleaning, signature = prepared.cleaning, prepared.signature
    arrays = {"medians": cleaning.medians, "means": cleaning.means, "scales": cleaning.scales}
    arrays |= {f"coefficients {name}": row for name, row in signature.coefficients.items()}
    facts = {
        "names": signature.names,
        "modelled": list(signature.coefficients),
        "intercepts": signature.intercepts,
        "lambdas": signature.lambdas,
        "deviance": signature.deviance,
        "path": signature.path,
        "steps": [step.model_dump() for step in prepared.steps],
    }
    return arrays, facts


def decode_preparation(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Preparation:
    """Preparation of a cache entry."""
    names = tuple(facts["names"])
    *cleaned, selected = (SelectionStep(**step) for step in facts["steps"])
    signature = Signature(
        names=names,
        coefficients={name: arrays[f"coefficients {name}"] for name in facts["modelled"]},
        intercepts={name: facts["intercepts"][name] for name in facts["modelled"]},
        lambdas=dict(facts["lambdas"]),
        deviance=tuple(facts["deviance"]),
        path=tuple(facts["path"]),
        step=selected,
    )
    return Preparation(Cleaning(names, arrays["medians"], arrays["means"], arrays["scales"], tuple(cleaned)), signature)
