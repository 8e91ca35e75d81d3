"""The shuffled-label run: what the whole chain finds where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.errors import UserError
from radfusion.execution.work import Stage, Workers
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.fitting import case_facts, training_rows
from radfusion.modelling.folds import TrainingLabels, check_folds
from radfusion.modelling.preparation import PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc, with_shares
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.steps.base import Step
from radfusion.modelling.steps.lasso import step_folds

__all__ = ["NullTask", "null_auc", "shuffled_label_run", "shuffled_labels"]

_CLASSIFIER = "logistic"
#: Shuffles tried per repeat.
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class NullTask:
    """The chain on one set of shuffled labels.

    Attributes
    ----------
    rows : Rows
        The training cases.
    labels : TrainingLabels
        Shuffled.
    n_folds : int
        Outer folds.
    steps : tuple of Step
        As in the study.
    seed : int
        Seed of folds and estimator.
    """

    rows: Rows
    labels: TrainingLabels
    n_folds: int
    steps: tuple[Step, ...]
    seed: int


def shuffled_label_run(
    table: FeatureTable,
    cohort: Cohort,
    settings: ModellingSettings | None = None,
    *,
    seed: int,
    workers: Workers | None = None,
) -> tuple[float, ...]:
    """Macro AUCs of pooled out-of-fold predictions after shuffling the labels of the training patients.

    Cleaning, selection and logistic regression are fitted inside every fold, as for a real arm. A mean away from 0.5
    would mean that something leaks.

    Parameters
    ----------
    table : FeatureTable
        Features of an arm.
    cohort : Cohort
        Labels, patients, sets.
    settings : ModellingSettings, optional
        ``null_runs`` is the number of repeats.
    seed : int
        Seed of the shuffling, the folds and the estimators.
    workers : Workers, optional
        Executor, cache and progress.

    Returns
    -------
    tuple of float
        One per repeat.

    Raises
    ------
    FeatureError
        When no training case has features.
    UserError
        When classes have too few training patients for the folds.
    """
    settings, workers = settings or ModellingSettings(), workers or Workers()
    rows = training_rows("shuffled labels", table, cohort)
    features = Rows.from_frame(table.frame.loc[rows.index], case_facts(cohort, rows))
    labels, steps = TrainingLabels.from_rows(rows, cohort.classes), completed(settings.steps)
    tasks = [
        NullTask(features, shuffled, settings.folds, steps, seed) for shuffled in _shuffles(labels, settings, seed=seed)
    ]
    return tuple(_NULL.over(tasks, workers))


def _shuffles(labels: TrainingLabels, settings: ModellingSettings, *, seed: int) -> list[TrainingLabels]:
    """The first shuffles that can be dealt to the folds; a rare class may by chance fall to too few patients."""
    found: list[TrainingLabels] = []
    for attempt in range(_ATTEMPTS * settings.null_runs):
        if len(found) == settings.null_runs:
            break
        shuffled = shuffled_labels(labels, seed=[seed, attempt])
        try:
            check_folds(shuffled, settings.folds, step_folds(settings.steps), seed=seed)
        except UserError:
            continue
        found.append(shuffled)
    return found


def shuffled_labels(labels: TrainingLabels, *, seed: int | list[int]) -> TrainingLabels:
    """Deal the labels of patients, drawn in random order, to the patients in their own order.

    Class counts stay, and labels that went together in a patient mostly still do.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(labels.patients, kind="stable")
    drawn = rng.permutation(pd.unique(labels.patients))
    donors = np.concatenate([np.flatnonzero(labels.patients == patient) for patient in drawn])
    codes = np.empty_like(labels.codes)
    codes[order] = labels.codes[donors]
    return TrainingLabels(codes, labels.patients, labels.classes)


def null_auc(task: NullTask) -> float:
    """Macro AUC of the chain on the labels of the task."""
    labels, folds = task.labels, task.labels.folds(task.n_folds, seed=task.seed)
    predicted = np.empty((len(labels.codes), len(labels.classes)))
    chosen = CLASSIFIERS[_CLASSIFIER].defaults
    for fold in range(task.n_folds):
        within = folds != fold
        part = labels.take(within)
        chain = prepare(PreparationTask(task.rows, labels, within, task.steps, None, task.seed))
        values = chain.of_rows(task.rows)
        with threadpool_limits(1):
            fitted = fit_classifier(_CLASSIFIER, values[within], part, hyperparameters=chosen, seed=task.seed)
            found = probabilities(fitted, values[~within])
        predicted[~within] = with_shares(found, part.shares, labels.shares)
    return macro_auc(labels.codes, predicted)


def _key(task: NullTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes, task.n_folds]
    steps = [step.model_dump(mode="json") for step in task.steps]
    return [task.rows.values, task.rows.names, task.rows.facts.to_dict(orient="list"), who, steps, task.seed]


def _encode(auc: float) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    return {}, {"auc": auc}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> float:  # noqa: ARG001
    return float(facts["auc"])


_NULL: Stage[NullTask, float] = Stage("shuffled labels", "modelling", null_auc, _key, _encode, _decode)
