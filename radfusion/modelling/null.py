"""The shuffled-label run: what the whole chain finds where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash
from radfusion.errors import UserError
from radfusion.execution.work import Stage, Workers
from radfusion.modelling.chains import Chain
from radfusion.modelling.fitting import UnstableIn, case_facts, training_rows
from radfusion.modelling.folds import TrainingLabels, check_folds
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc, with_shares
from radfusion.modelling.settings import ModellingSettings

__all__ = ["NULL_CLASSIFIER", "NullTask", "data_hash", "null_auc", "shuffled_label_run", "shuffled_labels"]

#: The quickest classifier stands for all: what leaks, leaks in the steps before it or in the folds, which all share.
NULL_CLASSIFIER = "logistic"
#: Shuffles tried per repeat.
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class NullTask:
    """The chain on one set of shuffled labels.

    Attributes
    ----------
    rows : Rows
        The training cases.
    data : str
        Content hash of them.
    labels : TrainingLabels
        Shuffled.
    folds : (n,) array of int
        Fold of each case.
    unstable : tuple of frozenset of str, or of None
        Unstable features without each fold; None where that was not measured.
    chain : Chain
        As in the study.
    """

    rows: Rows
    data: str
    labels: TrainingLabels
    folds: NDArray[np.intp]
    unstable: tuple[frozenset[str] | None, ...]
    chain: Chain


def shuffled_label_run(
    table: FeatureTable,
    cohort: Cohort,
    settings: ModellingSettings | None = None,
    *,
    seed: int,
    workers: Workers | None = None,
    unstable: UnstableIn | None = None,
) -> tuple[float, ...]:
    """Macro AUCs of pooled out-of-fold predictions after shuffling the labels of the training patients.

    All steps of the study, what it does about unequal classes and logistic regression are fitted inside every fold, as
    for a real arm. A mean away from 0.5 would mean that something leaks.

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
    unstable : callable, optional
        Unstable features, measured on the cases it is given.

    Returns
    -------
    tuple of float
        One per repeat; one whose shuffled labels leave a step without what it needs is left out.

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
    labels, chain = TrainingLabels.from_rows(rows, cohort.classes), Chain.of(settings, NULL_CLASSIFIER, seed=seed)
    data, cases = data_hash(features), np.array(features.cases, dtype=object)
    tasks = []
    for shuffled in _shuffles(labels, settings, seed=seed):
        folds = shuffled.folds(settings.folds, seed=seed)
        known = tuple(unstable(list(cases[folds != fold])) if unstable else None for fold in range(settings.folds))
        tasks.append(NullTask(features, data, shuffled, folds, known, chain))
    return tuple(auc for found in _NULL.over(tasks, workers) for auc in found)


def data_hash(rows: Rows) -> str:
    """Content hash of rows: taken once, where many tasks share them."""
    return content_hash(rows.values, rows.names, rows.facts.to_dict(orient="list"))


def _shuffles(labels: TrainingLabels, settings: ModellingSettings, *, seed: int) -> list[TrainingLabels]:
    """The first shuffles that can be dealt to the folds; a rare class may by chance fall to too few patients."""
    found: list[TrainingLabels] = []
    for attempt in range(_ATTEMPTS * settings.null_runs):
        if len(found) == settings.null_runs:
            break
        shuffled = shuffled_labels(labels, seed=[seed, attempt])
        try:
            check_folds(shuffled, settings.fold_plan, seed=seed)
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


def null_auc(task: NullTask) -> tuple[float, ...]:
    """Macro AUC of the chain on the labels of the task; none where a step cannot be fitted without some fold."""
    labels = task.labels
    predicted = np.empty((len(labels.codes), len(labels.classes)))
    for fold, unstable in enumerate(task.unstable):
        within = task.folds != fold
        try:
            found = task.chain.held_out(task.rows, labels, within, unstable=unstable)
        except UserError:
            return ()
        predicted[~within] = with_shares(found, labels.take(within).shares, labels.shares)
    return (macro_auc(labels.codes, predicted),)


def _key(task: NullTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes, task.folds]
    unstable = [None if each is None else sorted(each) for each in task.unstable]
    return [task.data, who, unstable, task.chain.key]


def _encode(aucs: tuple[float, ...]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    return {}, {"auc": aucs[0] if aucs else None}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> tuple[float, ...]:  # noqa: ARG001
    return () if facts["auc"] is None else (float(facts["auc"]),)


_NULL: Stage[NullTask, tuple[float, ...]] = Stage("shuffled labels", "modelling", null_auc, _key, _encode, _decode)
