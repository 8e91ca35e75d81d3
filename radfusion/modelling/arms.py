"""What was fitted for an arm: a feature set, alone or fused, with every classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from radfusion.core.predictions import Predictions
from radfusion.core.results import ClassifierTrial, Selection
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.preparation import Preparation

__all__ = ["ArmFit", "ClassifierFit", "LateFit", "Level", "PartFit"]

Level = Literal["full", "fold", "inner"]


@dataclass(frozen=True)
class PartFit:
    """A part of the training set that an arm was fitted on, with the cases that this fit predicts as unseen ones.

    Attributes
    ----------
    name : str
        ``training``, ``training without fold 1``, ...
    cases : tuple of str
        Cases that every classifier was fitted on.
    steps : frozenset of str
        Hashes of the cases that the steps before were fitted on, as the steps themselves recorded them.
    unseen : tuple of str
        Cases whose predictions count; for the whole training set those outside it.
    level : {"full", "fold", "inner"}
        The whole training set, all but a fold of it, or all but an inner fold.
    """

    name: str
    cases: tuple[str, ...]
    steps: frozenset[str]
    unseen: tuple[str, ...]
    level: Level = "fold"


@dataclass(frozen=True, eq=False)
class ClassifierFit:
    """One model of an arm.

    Attributes
    ----------
    model : str
        ``arm/classifier``.
    classifier : str
        Its classifier.
    hyperparameters : mapping
        Of the model fitted on the whole training set; empty for late fusion, whose parts have their own.
    trials : tuple of ClassifierTrial
        Every setting that was tried for it.
    cv_macro_auc : float
        Macro AUC of `out_of_fold`.
    out_of_fold : Predictions
        Training cases, from models that saw neither them nor their patient: steps, search for hyperparameters and
        fit were repeated without their fold.
    predictions : Predictions
        All cases of the arm, from the model fitted on the whole training set.
    fold_hyperparameters : tuple of mapping
        Of the models fitted without each fold.
    inside : tuple of Predictions
        Per fold, the cases outside it by models fitted without it and without their own inner fold; last, all training
        cases in the same way, each without its fold. Empty where nobody asked.
    balance : BalanceSettings
        What was done about classes of unequal size.
    """

    model: str
    classifier: str
    hyperparameters: Mapping[str, Any]
    trials: tuple[ClassifierTrial, ...]
    cv_macro_auc: float
    out_of_fold: Predictions
    predictions: Predictions
    fold_hyperparameters: tuple[Mapping[str, Any], ...] = ()
    inside: tuple[Predictions, ...] = ()
    balance: BalanceSettings = field(default_factory=BalanceSettings)
    weights: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ArmFit:
    """One arm.

    Attributes
    ----------
    arm : str
        Its name.
    sources : tuple of str
        Feature sources; several after early fusion.
    preparation : Preparation
        The steps, fitted on the whole training set.
    fold_signatures : tuple of tuple of str
        Features that were selected without each fold.
    selection : Selection
        The same for the report, with fold frequencies.
    fits : mapping of str to ClassifierFit
        By classifier.
    parts : tuple of PartFit
        What steps and classifiers were fitted on: the whole training set first, then without each fold, then inner
        folds.
    """

    arm: str
    sources: tuple[str, ...]
    preparation: Preparation
    fold_signatures: tuple[tuple[str, ...], ...]
    selection: Selection
    fits: Mapping[str, ClassifierFit]
    parts: tuple[PartFit, ...] = ()


@dataclass(frozen=True, eq=False)
class LateFit:
    """Late fusion of two arms or more.

    Attributes
    ----------
    arm : str
        Name of the fused arm.
    parts : tuple of str
        Names of the arms.
    sources : tuple of str
        Feature sources of all.
    rule : str
        How probabilities are combined.
    fits : mapping of str to ClassifierFit
        By classifier, for the classifiers that all arms have.
    """

    arm: str
    parts: tuple[str, ...]
    sources: tuple[str, ...]
    rule: str
    fits: Mapping[str, ClassifierFit] = field(default_factory=dict)
