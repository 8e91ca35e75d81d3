"""Fitting: every arm with every classifier, on the training set, by tasks that an executor may run anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import ClassifierTrial, SelectedFeature, Selection
from radfusion.errors import FeatureError
from radfusion.execution.work import Stage, Workers
from radfusion.modelling.arms import ArmFit, ClassifierFit
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import (
    Preparation,
    PreparationTask,
    decode_preparation,
    encode_preparation,
    prepare,
)
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.tuning import Tuned, TuningTask, tune

__all__ = ["fit_arms", "selected_features", "training_rows"]

Floats = NDArray[np.float64]


def fit_arms(
    arms: Mapping[str, FeatureTable],
    cohort: Cohort,
    settings: ModellingSettings | None = None,
    *,
    seed: int,
    workers: Workers | None = None,
) -> dict[str, ArmFit]:
    """Fit every classifier on every arm.

    All arms share one assignment of patients to folds. Cleaning and selection are fitted once on the whole training set
    and once without each fold. The hyperparameters of a classifier are those of the best macro AUC of its pooled
    out-of-fold predictions; it is then fitted on the whole training set and predicts every case of the arm.

    Parameters
    ----------
    arms : mapping of str to FeatureTable
        Feature table of each arm (joined tables for early fusion). Rows of cases outside the cohort are not used.
    cohort : Cohort
        Labels, patients, sets.
    settings : ModellingSettings, optional
        What to fit.
    seed : int
        Seed of folds and estimators.
    workers : Workers, optional
        Executor, cache and progress.

    Returns
    -------
    dict of str to ArmFit
        In the order of `arms`; equal whatever the executor.

    Raises
    ------
    UserError
        When classes have too few training patients for the folds.
    FeatureError
        When an arm has no row for any training case.
    """
    settings, workers = settings or ModellingSettings(), workers or Workers()
    data = _arms(arms, cohort, settings.folds, seed=seed) if arms else []
    tasks = [task for arm in data for task in _preparation_tasks(arm, settings, seed=seed)]
    prepared = _per_arm(PREPARATION.over(tasks, workers), len(data))
    tuning = [
        task
        for arm, preparations in zip(data, prepared, strict=True)
        for task in _tuning_tasks(arm, preparations, settings.classifiers, seed=seed)
    ]
    tuned = _per_arm(TUNING.over(tuning, workers), len(data))
    return {
        arm.name: _arm_fit(arm, preparations, dict(zip(settings.classifiers, results, strict=True)))
        for arm, preparations, results in zip(data, prepared, tuned, strict=True)
    }


@dataclass(frozen=True, eq=False)
class _Arm:
    """Features and cohort rows of the cases of an arm, in cohort order, with the folds of its training cases."""

    name: str
    sources: tuple[str, ...]
    features: pd.DataFrame
    rows: pd.DataFrame
    labels: TrainingLabels
    folds: NDArray[np.intp]

    @property
    def training(self) -> NDArray[np.bool_]:
        return np.asarray(self.rows["set"] == "training")


def training_rows(name: str, table: FeatureTable, cohort: Cohort) -> pd.DataFrame:
    """Cohort rows of the training cases that have features, in cohort order.

    Raises
    ------
    FeatureError
        When there is none.
    """
    rows = cohort.frame[(cohort.frame["set"] == "training") & cohort.frame.index.isin(table.frame.index)]
    if rows.empty:
        raise FeatureError(f"arm {name!r}: no training case has features")
    return rows


def _arms(arms: Mapping[str, FeatureTable], cohort: Cohort, n_folds: int, *, seed: int) -> list[_Arm]:
    training = {name: training_rows(name, table, cohort) for name, table in arms.items()}
    used = {case for rows in training.values() for case in rows.index}
    rows = cohort.frame[cohort.frame.index.isin(used)]
    shared = pd.Series(TrainingLabels.from_rows(rows, cohort.classes).folds(n_folds, seed=seed), index=rows.index)
    result = []
    for name, table in arms.items():
        present = cohort.frame[cohort.frame.index.isin(table.frame.index)]
        labels = TrainingLabels.from_rows(training[name], cohort.classes)
        folds = shared.loc[training[name].index].to_numpy(dtype=np.intp)
        # An arm whose excluded cases leave a shared fold without use gets folds of its own.
        folds = folds if _usable(folds, labels, n_folds) else labels.folds(n_folds, seed=seed)
        result.append(_Arm(name, table.sources, table.frame.loc[present.index], present, labels, folds))
    return result


def _usable(folds: NDArray[np.intp], labels: TrainingLabels, n_folds: int) -> bool:
    filled = len(np.unique(folds)) == n_folds
    return filled and all(min(labels.take(folds != fold).counts().values()) > 0 for fold in range(n_folds))


def _preparation_tasks(arm: _Arm, settings: ModellingSettings, *, seed: int) -> list[PreparationTask]:
    """One per fold that is left out, then one of the whole training set. All share one array of values."""
    values = arm.features.to_numpy(dtype=np.float64)[arm.training]
    names = tuple(map(str, arm.features.columns))
    masks = [*(arm.folds != fold for fold in range(settings.folds)), np.ones(len(values), dtype=bool)]
    return [
        PreparationTask(values, names, arm.labels, mask, settings.cleaning, settings.selection, seed) for mask in masks
    ]


def _tuning_tasks(
    arm: _Arm, preparations: Sequence[Preparation], classifiers: Sequence[str], *, seed: int
) -> list[TuningTask]:
    *in_folds, full = preparations
    training = arm.features[arm.training]
    prepared = tuple(preparation.transform(training) for preparation in in_folds)
    every = full.transform(arm.features)
    return [TuningTask(name, arm.labels, arm.folds, prepared, every[arm.training], every, seed) for name in classifiers]


def _per_arm(results: Sequence[Any], n_arms: int) -> list[Sequence[Any]]:
    each = len(results) // max(1, n_arms)
    return [results[number * each : (number + 1) * each] for number in range(n_arms)]


def _arm_fit(arm: _Arm, preparations: Sequence[Preparation], tuned: Mapping[str, Tuned]) -> ArmFit:
    *in_folds, full = preparations
    signatures = tuple(preparation.names for preparation in in_folds)
    return ArmFit(
        arm=arm.name,
        sources=arm.sources,
        preparation=full,
        fold_signatures=signatures,
        selection=_selection(arm, full, signatures),
        fits={name: _classifier_fit(arm, name, result) for name, result in tuned.items()},
    )


def _selection(arm: _Arm, full: Preparation, signatures: Sequence[Sequence[str]]) -> Selection:
    signature = full.signature
    return Selection(
        arm=arm.name,
        fitted_on="training",
        n_cases=int(arm.training.sum()),
        steps=full.steps,
        signature=selected_features(full, signatures),
        intercepts=signature.intercepts,
        lambda_=signature.lambdas,
        deviance=signature.deviance,
        coefficient_path=signature.path,
    )


def selected_features(full: Preparation, signatures: Sequence[Sequence[str]]) -> tuple[SelectedFeature, ...]:
    """Signature of the whole training set, with the share of `signatures` (one per fold) that hold each feature."""
    cleaning = full.cleaning
    return tuple(
        SelectedFeature(
            feature=name,
            coefficients={of: float(row[column]) for of, row in full.signature.coefficients.items()},
            mean=float(cleaning.means[column]),
            scale=float(cleaning.scales[column]),
            fold_frequency=sum(name in each for each in signatures) / max(1, len(signatures)),
        )
        for column, name in enumerate(full.names)
    )


def _classifier_fit(arm: _Arm, name: str, tuned: Tuned) -> ClassifierFit:
    grid = CLASSIFIERS[name].grid
    model, classes = f"{arm.name}/{name}", arm.labels.classes
    return ClassifierFit(
        model=model,
        classifier=name,
        hyperparameters=dict(grid[tuned.best]),
        trials=tuple(
            ClassifierTrial(hyperparameters=dict(tried), score=score)
            for tried, score in zip(grid, tuned.scores, strict=True)
        ),
        cv_macro_auc=tuned.score,
        out_of_fold=Predictions.from_arrays(arm.rows[arm.training], tuned.out_of_fold, classes, model),
        predictions=Predictions.from_arrays(arm.rows, tuned.probabilities, classes, model),
    )


def _preparation_key(task: PreparationTask) -> list[Any]:
    labels = task.labels.take(task.rows)
    who = [labels.codes, labels.patients, labels.classes]
    return [task.values[task.rows], task.names, who, task.cleaning, task.selection, task.seed]


def _tuning_key(task: TuningTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes, task.folds]
    grid = CLASSIFIERS[task.classifier].grid
    return [task.classifier, grid, who, task.prepared, task.training, task.every, task.seed]


def _encode_tuned(tuned: Tuned) -> tuple[dict[str, Floats], dict[str, Any]]:
    arrays = {"out_of_fold": tuned.out_of_fold, "probabilities": tuned.probabilities}
    return arrays, {"scores": tuned.scores, "best": tuned.best}


def _decode_tuned(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Tuned:
    return Tuned(tuple(facts["scores"]), facts["best"], arrays["out_of_fold"], arrays["probabilities"])


PREPARATION: Stage[PreparationTask, Preparation] = Stage(
    "clean and select", "modelling", prepare, _preparation_key, encode_preparation, decode_preparation
)
TUNING: Stage[TuningTask, Tuned] = Stage(
    "fit classifiers", "modelling", tune, _tuning_key, _encode_tuned, _decode_tuned
)
