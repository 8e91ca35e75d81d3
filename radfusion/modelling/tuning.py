"""Tuning: the hyperparameters of one classifier on one arm, by the out-of-fold predictions of the training set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.folds import TrainingLabels

__all__ = ["Tuned", "TuningTask", "macro_auc", "tune", "with_shares"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TuningTask:
    """One classifier on one arm.

    Attributes
    ----------
    classifier : str
        A registered classifier.
    labels : TrainingLabels
        Of the n training cases.
    folds : (n,) array of int
        Fold of each.
    prepared : tuple of (n, k_f) arrays
        Per fold: the training cases through the cleaning and selection that were fitted without that fold.
    training : (n, k) array
        The training cases through cleaning and selection fitted on all of them.
    every : (m, k) array
        All cases of the arm in the same way.
    seed : int
        Seed of the estimators.
    """

    classifier: str
    labels: TrainingLabels
    folds: NDArray[np.intp]
    prepared: tuple[Floats, ...]
    training: Floats
    every: Floats
    seed: int


@dataclass(frozen=True, eq=False)
class Tuned:
    """The best setting of a classifier, and what it predicts.

    Attributes
    ----------
    scores : tuple of float
        Macro AUC of each setting of the grid.
    best : int
        Position of the best, the first of equals.
    out_of_fold : (n, K) array
        Probabilities of the training cases from models that saw neither them nor their patient.
    probabilities : (m, K) array
        Of all cases, from the model fitted on the whole training set.
    """

    scores: tuple[float, ...]
    best: int
    out_of_fold: Floats
    probabilities: Floats

    @property
    def score(self) -> float:
        """Macro AUC of the best setting."""
        return self.scores[self.best]


def tune(task: TuningTask) -> Tuned:
    """Try every setting of the grid in the folds, then fit the best on all training cases."""
    grid = CLASSIFIERS[task.classifier].grid
    with threadpool_limits(1):
        trials = [out_of_fold(task, hyperparameters) for hyperparameters in grid]
        scores = tuple(macro_auc(task.labels.codes, trial) for trial in trials)
        best = int(np.argmax(scores))
        final = fit_classifier(task.classifier, task.training, task.labels, hyperparameters=grid[best], seed=task.seed)
        return Tuned(scores, best, trials[best], probabilities(final, task.every))


def out_of_fold(task: TuningTask, hyperparameters: Mapping[str, Any]) -> Floats:
    """(n, K) probabilities of the training cases, each from the model that was fitted without its fold."""
    result = np.empty((len(task.folds), len(task.labels.classes)))
    for fold, values in enumerate(task.prepared):
        outside, inside = task.folds != fold, task.folds == fold
        labels = task.labels.take(outside)
        estimator = fit_classifier(
            task.classifier, values[outside], labels, hyperparameters=hyperparameters, seed=task.seed
        )
        result[inside] = with_shares(probabilities(estimator, values[inside]), labels.shares, task.labels.shares)
    return result


def with_shares(predicted: Floats, before: Floats, after: Floats) -> Floats:
    """Probabilities under other class shares.

    A fold that holds many cases of a class leaves few for training, so the classes' shares in the training parts run
    against the cases that are scored. Pooled over folds this lowers an AUC, below 0.5 where there is nothing to find.
    Bringing every fold to the shares of the whole training set, which the final model has too, undoes it.

    Parameters
    ----------
    predicted : (n, K) array
        Probabilities, rows with sum 1.
    before, after : (K,) array
        Class shares that the model was fitted with, and those wanted.

    References
    ----------
    1. Saerens M, Latinne P, Decaestecker C. Adjusting the outputs of a classifier to new a priori probabilities.
       Neural Comput 2002;14(1):21-41. doi:10.1162/089976602753284446

    Examples
    --------
    >>> with_shares(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.2, 0.8]))
    array([[0.2, 0.8]])
    """
    weighted = predicted / before * after
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def macro_auc(codes: NDArray[np.intp], predicted: Floats) -> float:
    """Mean over classes of the AUC of one class against the rest; ties count half.

    Parameters
    ----------
    codes : (n,) array of int
        Classes, each with a case.
    predicted : (n, K) array
        Probabilities.

    Examples
    --------
    >>> macro_auc(np.array([0, 0, 1]), np.array([[0.8, 0.2], [0.4, 0.6], [0.4, 0.6]]))
    0.75
    """
    from scipy.stats import rankdata

    n_classes = predicted.shape[1]
    member = codes[:, None] == np.arange(n_classes)
    inside = member.sum(axis=0)
    rank_sums = (rankdata(predicted, axis=0) * member).sum(axis=0)
    aucs = (rank_sums - inside * (inside + 1) / 2) / (inside * (len(codes) - inside))
    return float(aucs.mean())
