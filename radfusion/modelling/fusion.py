"""Late fusion: the probabilities of two arms, combined case by case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.predictions import Predictions
from radfusion.core.registry import Registry
from radfusion.errors import UserError
from radfusion.modelling.arms import ArmFit, ClassifierFit, LateFit
from radfusion.modelling.scores import macro_auc

__all__ = ["LATE_RULES", "combine", "late_fusion"]

Floats = NDArray[np.float64]
LateRule = Callable[[Floats], Floats]
LATE_RULES: Registry[LateRule] = Registry("late fusion rule")


@LATE_RULES.register("mean")
def mean_probability(stacked: Floats) -> Floats:
    """Arithmetic mean over the first axis of a (models, n, K) array."""
    return np.asarray(stacked.mean(axis=0))


@LATE_RULES.register("geometric-mean")
def geometric_mean_probability(stacked: Floats) -> Floats:
    """Geometric mean over the first axis of a (models, n, K) array, not yet of sum 1."""
    # A class to which one model gives no probability at all is all but excluded, not an error.
    return np.asarray(np.exp(np.log(np.maximum(stacked, 1e-12)).mean(axis=0)))


def combine(stacked: Floats, rule: str) -> Floats:
    """(n, K) probabilities, rows with sum 1, of a (models, n, K) array.

    Raises
    ------
    UnknownNameError
        When there is no such rule.

    Examples
    --------
    >>> combine(np.array([[[0.2, 0.8]], [[0.6, 0.4]]]), "mean")
    array([[0.4, 0.6]])
    """
    combined = LATE_RULES[rule](stacked)
    return np.asarray(combined / combined.sum(axis=1, keepdims=True))


def late_fusion(name: str, first: ArmFit, second: ArmFit, *, rule: str = "mean") -> LateFit:
    """Fuse two arms, classifier by classifier, for the cases that both have.

    Nothing is fitted: the rule has no weights, and the out-of-fold probabilities of both arms come from models that saw
    neither the case nor its patient.

    Parameters
    ----------
    name : str
        Name of the fused arm.
    first, second : ArmFit
        Arms of the same study.
    rule : str
        ``mean`` or another of LATE_RULES.

    Returns
    -------
    LateFit

    Raises
    ------
    UnknownNameError
        When there is no such rule.
    UserError
        When the arms have no classifier, or no training case of some class, in common.
    """
    shared = [classifier for classifier in first.fits if classifier in second.fits]
    if not shared:
        raise UserError(f"late fusion {name!r}: the arms {first.arm!r} and {second.arm!r} share no classifier")
    fits = {
        classifier: _fused(f"{name}/{classifier}", first.fits[classifier], second.fits[classifier], rule=rule)
        for classifier in shared
    }
    return LateFit(name, (first.arm, second.arm), tuple(dict.fromkeys(first.sources + second.sources)), rule, fits)


def _fused(model: str, first: ClassifierFit, second: ClassifierFit, *, rule: str) -> ClassifierFit:
    out_of_fold = _combined(model, first.out_of_fold, second.out_of_fold, rule=rule)
    codes = pd.Index(out_of_fold.classes).get_indexer(pd.Index(out_of_fold.labels))
    absent = [name for code, name in enumerate(out_of_fold.classes) if code not in codes]
    if absent:
        raise UserError(f"late fusion {model!r}: no training case of class {absent[0]!r} is in both arms")
    return ClassifierFit(
        model=model,
        classifier=first.classifier,
        hyperparameters={},
        trials=(),
        cv_macro_auc=macro_auc(codes, out_of_fold.probabilities),
        out_of_fold=out_of_fold,
        predictions=_combined(model, first.predictions, second.predictions, rule=rule),
    )


def _combined(model: str, first: Predictions, second: Predictions, *, rule: str) -> Predictions:
    shared = first.frame.index[first.frame.index.isin(second.frame.index)]
    rows, others = first.frame.loc[shared], second.frame.loc[shared]
    stacked = np.stack([Predictions(part, first.classes, model).probabilities for part in (rows, others)])
    return Predictions.from_arrays(rows, combine(stacked, rule), first.classes, model)
