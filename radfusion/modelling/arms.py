"""What was fitted for an arm: a feature set, alone or fused, with every classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from radfusion.core.predictions import Predictions
from radfusion.core.results import ClassifierTrial, Selection
from radfusion.modelling.preparation import Preparation

__all__ = ["ArmFit", "ClassifierFit", "LateFit"]


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
    """

    arm: str
    sources: tuple[str, ...]
    preparation: Preparation
    fold_signatures: tuple[tuple[str, ...], ...]
    selection: Selection
    fits: Mapping[str, ClassifierFit]


@dataclass(frozen=True, eq=False)
class LateFit:
    """Late fusion of two arms.

    Attributes
    ----------
    arm : str
        Name of the fused arm.
    parts : tuple of str
        Names of the two arms.
    sources : tuple of str
        Feature sources of both.
    rule : str
        How probabilities are combined.
    fits : mapping of str to ClassifierFit
        By classifier, for the classifiers that both arms have.
    """

    arm: str
    parts: tuple[str, str]
    sources: tuple[str, ...]
    rule: str
    fits: Mapping[str, ClassifierFit] = field(default_factory=dict)
