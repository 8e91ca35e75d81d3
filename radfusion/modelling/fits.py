"""Fits: one classifier on one training part, tuned inside it, predicting cases that it did not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.hashing import canonical_json
from radfusion.core.results import ClassifierTrial
from radfusion.execution.work import Stage
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.hyperparameters import Hyperparameter
from radfusion.modelling.scores import with_shares
from radfusion.modelling.tuning import TuningSettings, best_trial, inner_score, search

__all__ = ["FITTING", "FitTask", "Fitted", "InnerFold", "fit_part", "inner_probabilities"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InnerFold:
    """An inner fold of a training part.

    Attributes
    ----------
    values : (n, k) array
        The training part through the steps that were fitted on it without this fold.
    held : (n,) array of bool
        Cases of this fold.
    """

    values: Floats
    held: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FitTask:
    """One classifier on one training part: all training cases, or those outside a fold.

    Attributes
    ----------
    classifier : str
        A registered classifier.
    hyperparameters : mapping
        Those that the study states; they replace defaults and are not tuned.
    labels : TrainingLabels
        Of the n cases of the part.
    values : (n, k) array
        Those cases through the steps that were fitted on them.
    inner : tuple of InnerFold
        For tuning, and for probabilities inside the part; empty where neither is asked for.
    wanted : (m, k) array
        Cases to predict, through the same steps as `values`.
    tuning : TuningSettings
        Budget of the search.
    balance : BalanceSettings
        Weights and resampling.
    seed : int
        Seed of estimators and of the search.
    """

    classifier: str
    hyperparameters: Mapping[str, Any]
    labels: TrainingLabels
    values: Floats
    inner: tuple[InnerFold, ...]
    wanted: Floats
    tuning: TuningSettings
    balance: BalanceSettings
    seed: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of a fit.

    Attributes
    ----------
    hyperparameters : mapping
        All that the classifier was fitted with.
    trials : tuple of ClassifierTrial
        Settings that were tried and their scores over the inner folds; empty without a search.
    probabilities : (m, K) array
        Of the wanted cases.
    inside : (n, K) array or None
        Of the cases of the part, each from the fit without its inner fold; None without inner folds.
    """

    hyperparameters: Mapping[str, Any]
    trials: tuple[ClassifierTrial, ...]
    probabilities: Floats
    inside: Floats | None


def fit_part(task: FitTask) -> Fitted:
    """Tune if asked, fit on the training part, predict the wanted cases."""
    chosen = {**CLASSIFIERS[task.classifier].defaults, **task.hyperparameters}
    with threadpool_limits(1):
        chosen, trials, inside = _tuned(task, chosen) if _searched(task) else (chosen, (), None)
        if inside is None and task.inner:
            inside = inner_probabilities(task, chosen)
        estimator = _fit(task, task.values, task.labels, hyperparameters=chosen)
        return Fitted(chosen, trials, probabilities(estimator, task.wanted), inside)


def inner_probabilities(task: FitTask, hyperparameters: Mapping[str, Any]) -> Floats:
    """(n, K) probabilities of the cases of the part, each from the fit without its inner fold."""
    result = np.empty((len(task.values), len(task.labels.classes)))
    for held, predicted in _by_inner_fold(task, hyperparameters):
        result[held] = predicted
    return result


def _searched(task: FitTask) -> dict[str, Hyperparameter]:
    """What there is to search: nothing where the study states it, or no feature was selected."""
    if task.tuning.trials == 0 or not task.inner or task.values.shape[1] == 0:
        return {}
    space = CLASSIFIERS[task.classifier].space
    return {name: each for name, each in space.items() if name not in task.hyperparameters}


def _tuned(task: FitTask, start: dict[str, Any]) -> tuple[dict[str, Any], tuple[ClassifierTrial, ...], Floats]:
    """The setting that did best over the inner folds, all that were tried, and the probabilities of the best."""
    inside: dict[str, Floats] = {}

    def scores(hyperparameters: Mapping[str, Any]) -> Iterator[float | None]:
        known = np.zeros(len(task.values), dtype=bool)
        predicted = np.empty((len(task.values), len(task.labels.classes)))
        for held, found in _by_inner_fold(task, hyperparameters):
            known, predicted[held] = known | held, found
            yield inner_score(task.labels.codes[known], predicted[known], task.tuning.metric)
        inside[canonical_json(hyperparameters)] = predicted

    trials = search(start, _searched(task), scores, folds=len(task.inner), settings=task.tuning, seed=task.seed)
    chosen = dict(best_trial(trials).hyperparameters)
    return chosen, trials, inside[canonical_json(chosen)]


def _by_inner_fold(task: FitTask, hyperparameters: Mapping[str, Any]) -> Iterator[tuple[NDArray[np.bool_], Floats]]:
    """Cases of each inner fold with their probabilities under the class shares of the part."""
    for fold in task.inner:
        labels = task.labels.take(~fold.held)
        estimator = _fit(task, fold.values[~fold.held], labels, hyperparameters=hyperparameters)
        predicted = probabilities(estimator, fold.values[fold.held])
        yield fold.held, with_shares(predicted, labels.shares, task.labels.shares)


def _fit(task: FitTask, values: Floats, labels: TrainingLabels, *, hyperparameters: Mapping[str, Any]) -> Any:
    return fit_classifier(
        task.classifier, values, labels, hyperparameters=hyperparameters, seed=task.seed, balance=task.balance
    )


def _key(task: FitTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes]
    inner = [[fold.values, fold.held] for fold in task.inner]
    settings = [task.tuning.model_dump(mode="json"), task.balance.model_dump(mode="json")]
    known = CLASSIFIERS[task.classifier]
    chosen = [known.defaults, {name: each.searched for name, each in known.space.items()}, dict(task.hyperparameters)]
    return [task.classifier, chosen, who, task.values, inner, task.wanted, settings, task.seed]


def _encode(fitted: Fitted) -> tuple[dict[str, Floats], dict[str, Any]]:
    arrays = {"probabilities": fitted.probabilities}
    if fitted.inside is not None:
        arrays["inside"] = fitted.inside
    trials = [trial.model_dump(mode="json") for trial in fitted.trials]
    return arrays, {"hyperparameters": fitted.hyperparameters, "trials": trials}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Fitted:
    trials = tuple(ClassifierTrial.model_validate(trial) for trial in facts["trials"])
    return Fitted(dict(facts["hyperparameters"]), trials, arrays["probabilities"], arrays.get("inside"))


FITTING: Stage[FitTask, Fitted] = Stage("fit classifiers", "modelling", fit_part, _key, _encode, _decode)
