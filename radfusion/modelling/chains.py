"""A whole chain, steps and classifier, fitted on some rows to predict the others: the unit of every repetition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.fits import FitTask, fit_part
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.steps.base import Step
from radfusion.modelling.steps.combat import Combat
from radfusion.modelling.tuning import TuningSettings

__all__ = ["Chain"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chain:
    """Steps and a classifier with fixed hyperparameters.

    Attributes
    ----------
    classifier : str
        A registered classifier.
    hyperparameters : mapping
        Those that replace its defaults.
    steps : tuple of Step
        As in the study, but for centres: a repetition deals cases anew and may leave a small centre without training
        cases, whose other cases then pass as they are.
    balance : BalanceSettings
        Weights and resampling.
    seed : int
        Seed of folds inside steps, of resampling and of the estimator.
    """

    classifier: str
    hyperparameters: Mapping[str, Any]
    steps: tuple[Step, ...]
    balance: BalanceSettings
    seed: int

    @classmethod
    def of(
        cls, settings: ModellingSettings, classifier: str, chosen: Mapping[str, Any] | None = None, *, seed: int
    ) -> Chain:
        """The chain of a study with one of its classifiers; hyperparameters are by default those that it states."""
        chosen = settings.hyperparameters.get(classifier, {}) if chosen is None else chosen
        return cls(classifier, chosen, tuple(map(_lenient, completed(settings.steps))), settings.balance, seed)

    @property
    def key(self) -> list[Any]:
        """Everything that decides what it does to rows, as a value that can be hashed."""
        steps = [step.model_dump(mode="json") for step in self.steps]
        return [self.classifier, dict(self.hyperparameters), steps, self.balance.model_dump(mode="json"), self.seed]

    def held_out(self, rows: Rows, labels: TrainingLabels, within: Mask, *, unstable: frozenset[str] | None) -> Floats:
        """Probabilities of the rows outside `within` by the chain fitted on those within.

        Parameters
        ----------
        rows : Rows
            n cases.
        labels : TrainingLabels
            Of the n cases; those outside `within` are not looked at.
        within : (n,) array of bool
            Rows to fit on.
        unstable : frozenset of str or None
            Features that are unstable on them; None where that was not measured.

        Returns
        -------
        (m, K) array
            Under the class shares of the rows within.

        Raises
        ------
        UserError
            When a step cannot be fitted.
        """
        prepared = prepare(PreparationTask(rows, labels, within, self.steps, unstable, self.seed))
        with threadpool_limits(1):  # as in fitting
            values, wanted = (prepared.of_rows(rows.take(part)) for part in (within, ~within))
        task = FitTask(
            classifier=self.classifier,
            hyperparameters=self.hyperparameters,
            labels=labels.take(within),
            values=values,
            inner=(),
            wanted=wanted,
            tuning=TuningSettings(trials=0),
            balance=self.balance,
            seed=self.seed,
        )
        return fit_part(task).probabilities


def _lenient(step: Step) -> Step:
    return step.model_copy(update={"unseen": "unchanged"}) if isinstance(step, Combat) else step
