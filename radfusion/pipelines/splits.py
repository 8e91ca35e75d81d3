"""Repeated splits in a study: the final model's chain on other splits, and where the study's own split lies."""

from __future__ import annotations

import numpy as np

from radfusion.core.results import RepeatedSplits
from radfusion.execution.work import Workers
from radfusion.modelling.arms import ArmFit, LateFit
from radfusion.modelling.chains import Chain
from radfusion.modelling.repeats import RepeatedModel, repeated_splits
from radfusion.pipelines.fitted import FittedStudy, arm_tables
from radfusion.pipelines.judging import Judgement
from radfusion.study import Study

__all__ = ["study_splits"]


def study_splits(study: Study, fitted: FittedStudy, judgement: Judgement, *, place: Workers) -> RepeatedSplits | None:
    """Macro AUCs of the final model's chain on random splits, with that of the split which the study used.

    Parameters
    ----------
    study : Study
        ``modelling.repeated_splits`` is the number of splits.
    fitted : FittedStudy
        Features, cohort and fitted arms.
    judgement : Judgement
        Names the final model and what it predicts.
    place : Workers
        Where work runs and is remembered.
    """
    final = _final(study, fitted, judgement)
    repeats = study.modelling.repeated_splits
    found = repeated_splits(final, fitted.cohort, repeats, seed=study.seed, workers=place, unstable=fitted.unstable)
    if found is None or "internal" not in found.sets or not found.values:
        return found
    wanted = ("macro_auc", final.model, "internal")
    used = next(each.value for each in judgement.estimates if (each.metric, each.model, each.set) == wanted)
    if used is None:
        return found
    values = np.array(found.values)
    below = float(((values < used) + (values == used) / 2).mean())
    return found.model_copy(update={"used": used, "percentile": 100 * below})


def _final(study: Study, fitted: FittedStudy, judgement: Judgement) -> RepeatedModel:
    final, settings = judgement.final, study.modelling
    arm, tables = fitted.arms[final.arm], arm_tables(study, fitted.tables)
    parts = [fitted.arms[name] for name in arm.parts] if isinstance(arm, LateFit) else [arm]
    alone = [part for part in parts if isinstance(part, ArmFit)]
    return RepeatedModel(
        model=final.model,
        tables=tuple(tables[part.arm] for part in alone),
        chains=tuple(
            Chain.of(settings, final.classifier, part.fits[final.classifier].hyperparameters, seed=study.seed)
            for part in alone
        ),
        rule=arm.rule if isinstance(arm, LateFit) else None,
        weights=arm.fits[final.classifier].weights,
    )
