"""Fits: one classifier on one training part, tuned inside it, predicting cases that it did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.execution.work import Stage
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.scores import with_shares
from radfusion.modelling.tuning import TuningSettings

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
    trials : tuple of (mapping, float)
        Settings that were tried and their macro AUC over the inner folds; empty without a search.
    probabilities : (m, K) array
        Of the wanted cases.
    inside : (n, K) array or None
        Of the cases of the part, each from the fit without its inner fold; None without inner folds.
    """

    hyperparameters: Mapping[str, Any]
    trials: tuple[tuple[Mapping[str, Any], float], ...]
    probabilities: Floats
    inside: Floats | None


def fit_part(task: FitTask) -> Fitted:
    """Tune if asked, fit on the training part, predict the wanted cases."""
    with threadpool_limits(1):
        chosen = {**CLASSIFIERS[task.classifier].defaults, **task.hyperparameters}
        estimator = fit_classifier(task.classifier, task.values, task.labels, hyperparameters=chosen, seed=task.seed)
        inside = inner_probabilities(task, chosen) if task.inner else None
        return Fitted(chosen, (), probabilities(estimator, task.wanted), inside)


def inner_probabilities(task: FitTask, hyperparameters: Mapping[str, Any]) -> Floats:
    """(n, K) probabilities of the cases of the part, each from the fit without its inner fold."""
    result = np.empty((len(task.values), len(task.labels.classes)))
    for fold in task.inner:
        labels = task.labels.take(~fold.held)
        estimator = fit_classifier(
            task.classifier, fold.values[~fold.held], labels, hyperparameters=hyperparameters, seed=task.seed
        )
        predicted = probabilities(estimator, fold.values[fold.held])
        result[fold.held] = with_shares(predicted, labels.shares, task.labels.shares)
    return result


def _key(task: FitTask) -> list[Any]:
    who = [task.labels.codes, task.labels.patients, task.labels.classes]
    inner = [[fold.values, fold.held] for fold in task.inner]
    settings = [task.tuning.model_dump(mode="json"), task.balance.model_dump(mode="json")]
    chosen = [CLASSIFIERS[task.classifier].defaults, dict(task.hyperparameters)]
    return [task.classifier, chosen, who, task.values, inner, task.wanted, settings, task.seed]


def _encode(fitted: Fitted) -> tuple[dict[str, Floats], dict[str, Any]]:
    arrays = {"probabilities": fitted.probabilities}
    if fitted.inside is not None:
        arrays["inside"] = fitted.inside
    return arrays, {"hyperparameters": fitted.hyperparameters, "trials": fitted.trials}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Fitted:
    trials = tuple((dict(tried), float(score)) for tried, score in facts["trials"])
    return Fitted(dict(facts["hyperparameters"]), trials, arrays["probabilities"], arrays.get("inside"))


FITTING: Stage[FitTask, Fitted] = Stage("fit classifiers", "modelling", fit_part, _key, _encode, _decode)
