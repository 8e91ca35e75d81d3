"""Tuning: a search for the hyperparameters of one classifier, by inner folds of the cases that it is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.core.hashing import canonical_json
from radfusion.core.results import ClassifierTrial
from radfusion.core.settings import Settings
from radfusion.modelling.hyperparameters import Hyperparameter
from radfusion.modelling.scores import macro_auc

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["TuningSettings", "best_trial", "inner_score", "search"]

Floats = NDArray[np.float64]
#: Scores of a setting after each inner fold, over the folds so far; None where a class has no case yet.
Scores = Callable[[Mapping[str, Any]], Iterable[float | None]]
_SMALLEST_PROBABILITY = 1e-15
#: Settings that are scored on every inner fold before one may be given up; none is given up on a single fold.
_NEVER_PRUNED = 4


class TuningSettings(Settings):
    """Search for hyperparameters; by default none: the defaults are good without."""

    trials: int = Field(
        0, ge=0, description="settings to try per classifier at most, the defaults first; 0: the defaults only"
    )
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="how settings are proposed: tree-structured Parzen estimator, or at random"
    )
    pruning: bool = Field(
        True, description="give up a setting whose score over the inner folds so far is below the median of the others"
    )
    metric: Literal["macro_auc", "log_loss"] = Field(
        "macro_auc", description="what is made best over the inner folds; log_loss is recorded with a minus sign"
    )


def inner_score(codes: NDArray[np.intp], predicted: Floats, metric: Literal["macro_auc", "log_loss"]) -> float | None:
    """Score of probabilities, higher is better; None where an area needs a class that has no case.

    Parameters
    ----------
    codes : (n,) array of int
        Classes.
    predicted : (n, K) array
        Probabilities.
    metric : {"macro_auc", "log_loss"}
        The latter with a minus sign.

    Examples
    --------
    >>> round(inner_score(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]), "log_loss"), 3)
    -0.367
    """
    if metric == "log_loss":
        of_class = predicted[np.arange(len(codes)), codes]
        return float(np.log(np.maximum(of_class, _SMALLEST_PROBABILITY)).mean())
    present = np.bincount(codes, minlength=predicted.shape[1]) > 0
    return macro_auc(codes, predicted) if present.all() else None


def best_trial(trials: Iterable[ClassifierTrial]) -> ClassifierTrial:
    """The trial of the highest score that was not given up, the earliest among equals."""
    return max((trial for trial in trials if not trial.pruned), key=lambda trial: trial.score)


def search(
    start: Mapping[str, Any],
    space: Mapping[str, Hyperparameter],
    scores: Scores,
    *,
    folds: int,
    settings: TuningSettings,
    seed: int,
) -> tuple[ClassifierTrial, ...]:
    """Try settings, the start first.

    Parameters
    ----------
    start : mapping
        All hyperparameters; those outside `space` stay as they are.
    space : mapping of str to Hyperparameter
        What is searched; not empty.
    scores : callable
        Gives, for hyperparameters, the score after each inner fold.
    folds : int
        Number of inner folds.
    settings : TuningSettings
        Number of trials, sampler, pruning.
    seed : int
        Seed of the sampler.

    Returns
    -------
    tuple of ClassifierTrial
        In the order in which they were tried; a setting that is proposed again is not tried again.

    References
    ----------
    1. Akiba T, Sano S, Yanase T, Ohta T, Koyama M. Optuna: a next-generation hyperparameter optimization framework.
       KDD 2019:2623-2631. doi:10.1145/3292500.3330701
    2. Bergstra J, Bardenet R, Bengio Y, Kegl B. Algorithms for hyper-parameter optimization. NeurIPS 2011:2546-2554.
    """
    found: dict[str, ClassifierTrial] = {}
    with _silent():
        study = _study(settings, seed)
        study.enqueue_trial({name: start[name] for name in space})
        for _ in range(settings.trials):
            proposed = study.ask()
            chosen = {**start, **{name: each.suggest(proposed, name) for name, each in space.items()}}
            key = canonical_json(chosen)
            if key not in found:
                found[key] = _tried(chosen, scores(chosen), proposed, last=folds - 1 if settings.pruning else 0)
            _tell(study, proposed, found[key])
    return tuple(found.values())


def _tried(chosen: Mapping[str, Any], scores: Iterable[float | None], proposed: Any, *, last: int) -> ClassifierTrial:
    """Score a setting; it may be given up after any inner fold before the last."""
    reached = None
    for step, score in enumerate(scores):
        if score is None:
            continue
        reached = score
        proposed.report(score, step)
        if step < last and proposed.should_prune():
            return ClassifierTrial(hyperparameters=dict(chosen), score=score, pruned=True)
    if reached is None:
        raise ValueError("a setting was scored without a case of every class")
    return ClassifierTrial(hyperparameters=dict(chosen), score=reached)


def _tell(study: Study, proposed: Any, trial: ClassifierTrial) -> None:
    from optuna.trial import TrialState

    if trial.pruned:
        study.tell(proposed, state=TrialState.PRUNED)
    else:
        study.tell(proposed, trial.score)


def _study(settings: TuningSettings, seed: int) -> Study:
    import optuna

    sampler = optuna.samplers.TPESampler if settings.sampler == "tpe" else optuna.samplers.RandomSampler
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_NEVER_PRUNED, n_warmup_steps=1)
    return optuna.create_study(direction="maximize", sampler=sampler(seed=seed), pruner=pruner)


@contextmanager
def _silent() -> Iterator[None]:
    """Optuna without its log, which is as it was afterwards."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
