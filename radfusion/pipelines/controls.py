"""Negative controls in a study: the final model is fitted anew on images without texture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import ControlResult, Estimate, FittedModel
from radfusion.evaluation import evaluate_set
from radfusion.evaluation.agreement.features import rank_correlations
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.robustness import control_tables
from radfusion.modelling.fitting import fit_arms
from radfusion.pipelines.fitted import Arm, FittedStudy, arm_tables, fused, plan_of
from radfusion.pipelines.judging import Judgement, with_out_of_fold
from radfusion.study import Study

__all__ = ["run_controls"]

#: Absolute Spearman correlation from which a feature under a control is still like itself.
LIKE = 0.9


def run_controls(
    study: Study,
    fitted: FittedStudy,
    extractors: Sequence[Extractor],
    *,
    judgement: Judgement,
    place: Workers,
) -> tuple[ControlResult, ...]:
    """Macro AUC of the final model's chain on every set under each negative control of the study.

    Cleaning, selection, tuning and fitting are repeated on the control images, with the same folds; the model and its
    classifier are those that were chosen on the images. Features that come of no image stay as they are.

    Parameters
    ----------
    study : Study
        Settings; controls under ``features.controls``.
    fitted : FittedStudy
        Cases that are used, and their features; features that are unstable on the images stay dropped.
    extractors : sequence of Extractor
        One per source.
    judgement : Judgement
        Names the final model and what it reached.
    place : Workers
        Where work runs and is remembered.
    """
    names, final, cohort, tables = study.features.controls, judgement.final, fitted.cohort, fitted.tables
    made = {
        each.source: control_tables(cohort, each, names, seed=study.seed, imaging=study.imaging, workers=place)
        for each in extractors
        if names and each.source in final.sources
    }
    found: list[ControlResult] = []
    for name in names:
        shown = {source: _as_fitted(made[source][name], tables[source]) for source in made}
        unchanged = {source: tables[source] for source in final.sources if source not in made}
        gone = [case for case in cohort.frame.index if any(case not in each.frame.index for each in shown.values())]
        used = cohort.without(gone)
        images = _of_cases(judgement.predictions[final.model], used)
        now = replace(fitted, cohort=used, tables=shown | unchanged)
        predictions = _refitted(study, now, final=final, place=place)
        like = _like_themselves(tables, shown, used)
        found += [
            ControlResult(
                control=name,
                model=final.model,
                original=_macro(_evaluated(images, one, study.evaluation.level), final.model, one),
                controlled=_macro(_evaluated(predictions, one, study.evaluation.level), final.model, one),
                n_features=sum(each.frame.shape[1] for each in shown.values()),
                n_like_original=like,
                like=LIKE,
            )
            for one in used.sets
        ]
    return tuple(found)


def _of_cases(predictions: Predictions, cohort: Cohort) -> Predictions:
    """Predictions on the images of the cases that the control has, too."""
    kept = predictions.frame[predictions.frame.index.isin(cohort.frame.index)]
    return replace(predictions, frame=kept)


def _as_fitted(control: FeatureTable, table: FeatureTable) -> FeatureTable:
    """The control's table with the columns of the images' table."""
    return replace(control, frame=control.frame.reindex(columns=table.frame.columns))


def _like_themselves(tables: Mapping[str, FeatureTable], shown: Mapping[str, FeatureTable], cohort: Cohort) -> int:
    """Features that the control leaves nearly as they were on training cases."""
    training = cohort.of_set("training").frame.index
    pairs = ((tables[source].restrict(training), shown[source].restrict(training)) for source in shown)
    return sum(sum(rho >= LIKE for rho in rank_correlations(one.frame, other.frame)) for one, other in pairs)


def _refitted(study: Study, now: FittedStudy, *, final: FittedModel, place: Workers) -> Predictions:
    """Predictions of the final model's arm and classifier, fitted on the tables of now."""
    settings = study.modelling.model_copy(update={"classifiers": (final.classifier,)})
    late = {name: each for name, each in plan_of(study, now.tables).late.items() if name == final.arm}
    wanted = [part.split("/")[0] for part in final.parts] or [final.arm]
    arms = {name: table for name, table in arm_tables(study, now.tables).items() if name in wanted}
    fitted = fit_arms(arms, now.cohort, settings, seed=study.seed, workers=place, unstable=now.unstable)
    found: dict[str, Arm] = {**fitted, **fused(fitted, late)}
    fit = found[final.arm].fits[final.classifier]
    return with_out_of_fold(fit.out_of_fold, fit.predictions)


def _evaluated(predictions: Predictions, one: str, level: float) -> Sequence[Estimate]:
    return evaluate_set(predictions.of_set(one), (), level=level)


def _macro(estimates: Sequence[Estimate], model: str, one: str) -> Estimate:
    return next(each for each in estimates if (each.metric, each.model, each.set) == ("macro_auc", model, one))
