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
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.cleaning import CleaningSettings
from radfusion.modelling.fitting import training_rows
from radfusion.modelling.folds import TrainingLabels, check_folds
from radfusion.modelling.preparation import PreparationTask, prepare
from radfusion.modelling.selection import SelectionSettings
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.tuning import TuningTask, macro_auc, out_of_fold

__all__ = ["NullTask", "null_auc", "shuffled_label_run", "shuffled_labels"]

_CLASSIFIER = "logistic"
#: Shuffles tried per repeat.
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class NullTask:
    """The chain on one set of shuffled labels.

    Attributes
    ----------
    values : (n, p) array
        Features of the training cases, unscaled.
    names : tuple of str
        The p features.
    labels : TrainingLabels
        Shuffled.
    n_folds : int
        Outer folds.
    cleaning, selection : CleaningSettings, SelectionSettings
        As in the study.
    seed : int
        Seed of folds and estimator.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    labels: TrainingLabels
    n_folds: int
    cleaning: CleaningSettings
    selection: SelectionSettings
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
    features = table.frame.loc[rows.index]
    labels = TrainingLabels.from_rows(rows, cohort.classes)
    values, names = features.to_numpy(dtype=np.float64), tuple(map(str, features.columns))
    tasks = [
        NullTask(values, names, shuffled, settings.folds, settings.cleaning, settings.selection, seed)
        for shuffled in _shuffles(labels, settings, seed=seed)
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
            check_folds(shuffled, settings.folds, settings.selection.folds, seed=seed)
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
    with threadpool_limits(1):
        labels, folds = task.labels, task.labels.folds(task.n_folds, seed=task.seed)
        frame = pd.DataFrame(task.values, columns=list(task.names))
        settings = (task.cleaning, task.selection, task.seed)
        parts = [
            PreparationTask(task.values, task.names, labels, folds != fold, *settings) for fold in range(task.n_folds)
        ]
        prepared = tuple(prepare(part).transform(frame) for part in parts)
        none = np.empty((0, 0))
        tuning = TuningTask(_CLASSIFIER, labels, folds, prepared, none, none, task.seed)
        return macro_auc(labels.codes, out_of_fold(tuning, CLASSIFIERS[_CLASSIFIER].grid[0]))


def _key(task: NullTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes, task.n_folds]
    return [task.values, task.names, who, task.cleaning, task.selection, task.seed]


def _encode(auc: float) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    return {}, {"auc": auc}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> float:  # noqa: ARG001
    return float(facts["auc"])


_NULL: Stage[NullTask, float] = Stage("shuffled labels", "modelling", null_auc, _key, _encode, _decode)
