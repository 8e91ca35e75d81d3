"""Fitted arms to estimates, comparisons and curves, with the choices made on training folds only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.predictions import Predictions
from radfusion.core.results import (
    AuditFinding,
    Comparison,
    Confusion,
    Curve,
    Estimate,
    FittedModel,
    ModelChoice,
    StudyResults,
    Threshold,
)
from radfusion.evaluation import (
    adjust_comparisons,
    class_comparisons,
    compare_models,
    compare_with_no_information,
    confusion,
    evaluate_set,
    one_vs_rest_auc,
    roc_curves,
    training_thresholds,
)
from radfusion.evaluation.audit import audit_results
from radfusion.evaluation.plan import planned_comparisons
from radfusion.modelling.arms import ArmFit, ClassifierFit, LateFit
from radfusion.modelling.choice import Candidate, ChoiceSettings, choose
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.study import Study

__all__ = ["Judgement", "judge", "with_out_of_fold"]

Arm = ArmFit | LateFit


@dataclass(frozen=True)
class Judgement:
    """What the fitted arms are worth.

    Attributes
    ----------
    models : tuple of FittedModel
        Every arm with every classifier.
    final : FittedModel
        The model that the study's rule chooses on training out-of-fold predictions.
    choice : ModelChoice
        How it was chosen.
    predictions : mapping of str to Predictions
        Per model: all cases of the validation sets, and the training cases out of fold.
    """

    models: tuple[FittedModel, ...]
    final: FittedModel
    choice: ModelChoice
    predictions: Mapping[str, Predictions]
    thresholds: tuple[Threshold, ...]
    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    curves: tuple[Curve, ...]
    confusions: tuple[Confusion, ...]

    def audit(self, results: StudyResults, cohort_findings: tuple[AuditFinding, ...]) -> tuple[AuditFinding, ...]:
        """Findings on cohort and results, ordered by code."""
        return tuple(sorted((*cohort_findings, *audit_results(results)), key=lambda finding: finding.code))


def judge(
    study: Study, cohort: Cohort, arms: Mapping[str, Arm], *, pairs: Sequence[tuple[str, str]] | None = None
) -> Judgement:
    """Choose models on training folds, then evaluate and compare all of them on every set.

    Thresholds come from training out-of-fold predictions; no choice looks at a validation set.

    Parameters
    ----------
    study : Study
        Settings.
    cohort : Cohort
        Cases that are used.
    arms : mapping of str to ArmFit or LateFit
        What was fitted.
    pairs : sequence of two str, optional
        Arms to compare; by default those of :func:`planned_comparisons`.
    """
    models, choice = _models(study, arms)
    final = next(model for model in models if model.final)
    best = [model for model in models if model.best_of_arm]
    level = study.evaluation.level
    out_of_fold = {model.model: arms[model.arm].fits[model.classifier].out_of_fold for model in models}
    predictions = {
        model.model: with_out_of_fold(out_of_fold[model.model], arms[model.arm].fits[model.classifier].predictions)
        for model in models
    }
    thresholds = tuple(
        threshold for model in best for threshold in training_thresholds(out_of_fold[model.model], study.evaluation)
    )
    estimates = [
        estimate
        for name, prediction in predictions.items()
        for one in cohort.sets
        for estimate in evaluate_set(prediction.of_set(one), _of_model(thresholds, name), level=level)
    ]
    tested = [one for one in cohort.sets if one != "training"]
    by_arm = {model.arm: predictions[model.model] for model in best}
    planned = _planned(study, arms) if pairs is None else pairs
    return Judgement(
        models=models,
        final=final,
        choice=choice,
        predictions=predictions,
        thresholds=thresholds,
        estimates=tuple(estimates),
        comparisons=_comparisons(study, by_arm, tested, pairs=planned),
        curves=tuple(
            curve for prediction in by_arm.values() for one in tested for curve in roc_curves(prediction.of_set(one))
        ),
        confusions=tuple(
            _confusion(prediction.of_set(one), one) for prediction in by_arm.values() for one in cohort.sets
        ),
    )


def _planned(study: Study, arms: Mapping[str, Arm]) -> list[tuple[str, str]]:
    late = {name: arm.parts for name, arm in arms.items() if isinstance(arm, LateFit)}
    weights = [source for source, kind in study.features.kinds.items() if kind == "deep"]
    return planned_comparisons({name: arm.sources for name, arm in arms.items()}, late=late, weights=weights)


def _models(study: Study, arms: Mapping[str, Arm]) -> tuple[tuple[FittedModel, ...], ModelChoice]:
    """All models, the one that stands for each arm, and the final one."""
    settings, level = study.modelling.choice, study.evaluation.level
    fits = {fit.model: fit for arm in arms.values() for fit in arm.fits.values()}

    def standard_error(model: str) -> float | None:
        found = fits[model].out_of_fold
        patients = found.frame["patient"]
        areas = one_vs_rest_auc(found.labels, found.probabilities, found.classes, level=level, patients=patients)
        return areas[-1].se

    candidates = {name: _candidates(study, name, arms) for name in arms}
    choice = choose([each for own in candidates.values() for each in own], settings, standard_error)
    # A model that is named stands for its arm; the other arms are then shown by their highest.
    of_arm = ChoiceSettings() if settings.rule == "named" else settings
    best = {name: choose(own, of_arm, standard_error).model for name, own in candidates.items()}
    best |= {name: choice.model for name, own in candidates.items() if choice.model in {each.model for each in own}}
    models = tuple(
        _model(name, arm, fit, best=best[name], final=choice.model)
        for name, arm in arms.items()
        for fit in arm.fits.values()
    )
    return models, choice


def _candidates(study: Study, name: str, arms: Mapping[str, Arm]) -> list[Candidate]:
    arm, order = arms[name], study.modelling.classifiers
    parts = [arms[part] for part in arm.parts] if isinstance(arm, LateFit) else [arm]
    size = sum(len(part.preparation.names) for part in parts if isinstance(part, ArmFit))
    return [Candidate(fit.model, fit.cv_macro_auc, size, order.index(one)) for one, fit in arm.fits.items()]


def _model(name: str, arm: Arm, fit: ClassifierFit, *, best: str, final: str) -> FittedModel:
    return FittedModel(
        model=fit.model,
        arm=name,
        classifier=fit.classifier,
        title=CLASSIFIERS[fit.classifier].title,
        fusion=_fusion(arm),
        sources=arm.sources,
        hyperparameters=dict(fit.hyperparameters),
        trials=fit.trials,
        space=_space(fit),
        cv_macro_auc=fit.cv_macro_auc,
        best_of_arm=fit.model == best,
        final=fit.model == final,
        parts=tuple(f"{part}/{fit.classifier}" for part in arm.parts) if isinstance(arm, LateFit) else (),
        rule=arm.rule if isinstance(arm, LateFit) else None,
        weights=dict(fit.weights),
    )


def _space(fit: ClassifierFit) -> dict[str, str]:
    """What the search covered, of the hyperparameters that were not the same in all trials."""
    tried = [trial.hyperparameters for trial in fit.trials]
    space = CLASSIFIERS[fit.classifier].space if tried else {}
    varied = [name for name in space if any(each[name] != tried[0][name] for each in tried)]
    return {name: space[name].searched for name in varied}


def _fusion(arm: Arm) -> Literal["none", "early", "late"]:
    if isinstance(arm, LateFit):
        return "late"
    return "early" if len(arm.sources) > 1 else "none"


def with_out_of_fold(out_of_fold: Predictions, everything: Predictions) -> Predictions:
    """Out-of-fold predictions for the training set, the fitted model's predictions for the other sets."""
    others = everything.frame[everything.frame["set"] != "training"]
    return Predictions(pd.concat([out_of_fold.frame, others]), everything.classes, everything.model)


def _of_model(thresholds: tuple[Threshold, ...], model: str) -> tuple[Threshold, ...]:
    return tuple(threshold for threshold in thresholds if threshold.model == model)


def _comparisons(
    study: Study, by_arm: Mapping[str, Predictions], sets: Sequence[str], *, pairs: Sequence[tuple[str, str]]
) -> tuple[Comparison, ...]:
    settings = study.evaluation
    primary = settings.primary
    pairs = list(pairs)
    if primary and primary.models not in pairs and all(arm in by_arm for arm in primary.models):
        pairs = [pair for pair in pairs if set(pair) != set(primary.models)]
        pairs.insert(0, primary.models)
    found: list[Comparison] = []
    for a, b in pairs:
        for one in sets:
            is_primary = primary is not None and (a, b) == primary.models and one == primary.set
            test = compare_models(by_arm[a].of_set(one), by_arm[b].of_set(one), level=settings.level)
            role = "primary" if is_primary else "secondary"
            found.append(test.model_copy(update={"role": role, "family": role}))
            found.extend(_per_class(by_arm[a].of_set(one), by_arm[b].of_set(one), settings.level))
    for predictions in by_arm.values():
        for one in sets:
            test = compare_with_no_information(predictions.of_set(one), level=settings.level)
            found.append(test.model_copy(update={"role": "exploratory", "family": "no-information rate"}))
    return tuple(adjust_comparisons(found, settings.adjustment))


def _per_class(a: Predictions, b: Predictions, level: float) -> Iterator[Comparison]:
    if len(a.classes) == 2:
        return
    for test in class_comparisons(a, b, level=level):
        yield test.model_copy(update={"role": "exploratory", "family": "per class"})


def _confusion(predictions: Predictions, one: str) -> Confusion:
    classes = predictions.classes
    return Confusion(
        model=predictions.model,
        set=one,
        classes=classes,
        counts=confusion(predictions.labels, predictions.predicted, classes),
    )
