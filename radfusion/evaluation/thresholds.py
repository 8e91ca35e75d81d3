"""Decision thresholds; they are chosen on training out-of-fold predictions and only applied elsewhere."""

from __future__ import annotations

import numpy as np

from radfusion.core.predictions import Predictions
from radfusion.core.results import Threshold
from radfusion.errors import EvaluationError
from radfusion.evaluation.settings import EvaluationSettings
from radfusion.evaluation.threshold_rules import ThresholdSettings, best_thresholds

__all__ = ["training_thresholds"]


def training_thresholds(out_of_fold: Predictions, settings: EvaluationSettings) -> list[Threshold]:
    """Threshold of each class by the rule of the settings.

    Parameters
    ----------
    out_of_fold : Predictions
        Predictions of training cases by models that were not fitted on them.
    settings : EvaluationSettings
        Names the rule.

    Raises
    ------
    EvaluationError
        When a case is not of the training set, so that no threshold is ever fitted to a set it is applied to.
    """
    if strange := sorted(set(out_of_fold.frame["set"]) - {"training"}):
        raise EvaluationError(
            f"{out_of_fold.model}: thresholds from the set {strange[0]!r}; allowed is the training set, out of fold"
        )
    return [_threshold(out_of_fold, name, settings.threshold) for name in out_of_fold.classes]


def _threshold(out_of_fold: Predictions, name: str, rule: ThresholdSettings) -> Threshold:
    truth = out_of_fold.labels == name
    bare = Threshold(
        model=out_of_fold.model, class_=name, value=None, rule=rule.words, fitted_on="training out-of-fold predictions"
    )
    if truth.all() or not truth.any():
        extent = "every" if len(truth) and truth.all() else "no"
        return bare.model_copy(update={"reason": f"{extent} training case is of class {name!r}"})
    scores = out_of_fold.probabilities[:, out_of_fold.classes.index(name)]
    value = best_thresholds(truth, scores, rule, positive=True)[0]
    if not np.isfinite(value):
        return bare.model_copy(update={"reason": f"no threshold tells class {name!r} from the rest"})
    return bare.model_copy(update={"value": value})
