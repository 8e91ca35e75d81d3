"""The pretraining benchmark: what sources of deep features are worth, beside the macro AUC of every set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.estimates import Comparison
from radfusion.core.features import FeatureTable
from radfusion.core.pretraining import BenchmarkSource, CentreResult, Pretraining, Robustness, Similarity
from radfusion.core.results import FittedModel
from radfusion.errors import FeatureError
from radfusion.evaluation import adjust_comparisons, compare_models
from radfusion.evaluation.agreement.features import rank_correlations
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.grids import UNTRAINED, PretrainingSettings, matched
from radfusion.extraction.robustness import control_tables
from radfusion.modelling.model import Model
from radfusion.networks.cost import network_cost
from radfusion.networks.similarity import debiased_cka
from radfusion.pipelines.centres import tell_centres_apart
from radfusion.pipelines.fitted import FittedStudy, arm_of, refitted
from radfusion.pipelines.judging import Judgement
from radfusion.study import Study

__all__ = ["assess_pretraining", "planned_pairs"]

Floats = NDArray[np.float64]


def planned_pairs(study: Study, arms: Sequence[str]) -> list[tuple[str, str]] | None:
    """Pairs of arms that a pretraining benchmark compares, decided before any result; None for other studies.

    Sources of the same network and layer, the untrained control last, or all of them; with a reference, each against
    it, or against the untrained control where no fitted source has it. A radiomics arm is compared with every source.

    Parameters
    ----------
    study : Study
        Settings.
    arms : sequence of str
        Arms that were fitted.
    """
    settings = study.pretraining
    if settings is None:
        return None
    fitted = [entry for entry in study.features.deep if arm_of(entry) in arms]
    ranked = sorted(fitted, key=lambda entry: entry.weights == UNTRAINED)
    pairs = [(arm_of(a), arm_of(b)) for a, b in _directed(ranked, settings)]
    return pairs + [(arm_of(entry), "radiomics") for entry in ranked if "radiomics" in arms]


def _directed(entries: Sequence[Deep], settings: PretrainingSettings) -> Iterator[tuple[Deep, Deep]]:
    """Pairs in the order of the entries; with a reference, those that have it, as the second."""
    for a, b in combinations(entries, 2):
        if not _comparable(a, b, settings):
            continue
        if settings.reference is None:
            yield a, b
            continue
        there = {each.weights for each in entries if _comparable(a, each, settings)}
        held = settings.reference if settings.reference in there else UNTRAINED
        if (a.weights == held) != (b.weights == held):
            yield (b, a) if a.weights == held else (a, b)


def _comparable(a: Deep, b: Deep, settings: PretrainingSettings) -> bool:
    return settings.pairs == "all" or matched(a) == matched(b)


def assess_pretraining(
    study: Study, fitted: FittedStudy, extractors: Sequence[Extractor], *, judgement: Judgement, place: Workers
) -> Pretraining | None:
    """Cost, similarity, robustness and what sources know of the centre; None for studies of other kinds.

    Parameters
    ----------
    study : Study
        Settings, under ``pretraining``.
    fitted : FittedStudy
        Feature tables and fitted arms.
    extractors : sequence of Extractor
        One per source.
    judgement : Judgement
        Names the best model of each arm.
    place : Workers
        Where work runs and is remembered.
    """
    settings = study.pretraining
    if settings is None:
        return None
    deep = [each for each in extractors if isinstance(each, Deep)]
    centres, reason = _centres(study, fitted, settings)
    return Pretraining(
        reference=settings.reference,
        sources=tuple(_benchmark_source(each, deep, fitted.tables[each.source]) for each in deep),
        similarities=tuple(_similarities(fitted, [each.source for each in deep])),
        robustness=tuple(_robustness(study, fitted, extractors, judgement=judgement, place=place)),
        centres=centres,
        centre_reason=reason,
    )


def _benchmark_source(extractor: Deep, others: Sequence[Deep], table: FeatureTable) -> BenchmarkSource:
    chosen = extractor.pretrained()
    cost = network_cost(chosen, extractor.layer_name, extractor.frozen_network().size)
    alike = (each for each in others if each.weights == UNTRAINED and matched(each) == matched(extractor))
    untrained = next((each.source for each in alike if each.source != extractor.source), None)
    return BenchmarkSource(
        source=extractor.source,
        arm=arm_of(extractor),
        weights=extractor.weights,
        network=extractor.network,
        layer=extractor.layer_name,
        untrained=untrained,
        n_features=table.frame.shape[1],
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        bytes=chosen.file.stat().st_size if chosen.file else None,
    )


def _similarities(fitted: FittedStudy, sources: Sequence[str]) -> Iterator[Similarity]:
    training = fitted.cohort.of_set("training").frame.index
    values = {name: fitted.tables[name].restrict(training).values for name in sources}
    for a, b in combinations(sources, 2):
        try:
            value, reason = debiased_cka(values[a], values[b]), None
        except FeatureError as error:
            value, reason = None, str(error)
        yield Similarity(sources=(a, b), value=value, n_cases=len(training), reason=reason)


def _centres(
    study: Study, fitted: FittedStudy, settings: PretrainingSettings
) -> tuple[tuple[CentreResult, ...], str | None]:
    if not settings.centre:
        return (), "the study does not ask for it"
    return tell_centres_apart(
        fitted.cohort,
        fitted.tables,
        folds=study.modelling.folds,
        seed=study.seed,
        level=study.evaluation.level,
    )


def _robustness(
    study: Study,
    fitted: FittedStudy,
    extractors: Sequence[Extractor],
    *,
    judgement: Judgement,
    place: Workers,
) -> list[Robustness]:
    best = {model.arm: model for model in judgement.models if model.best_of_arm}
    found = [
        each
        for extractor in extractors
        for each in _under_changes(study, fitted, extractor, model=best[arm_of(extractor)], place=place)
    ]
    tests = adjust_comparisons([each.comparison for each in found], study.evaluation.adjustment)
    return [each.model_copy(update={"comparison": test}) for each, test in zip(found, tests, strict=True)]


def _under_changes(
    study: Study, fitted: FittedStudy, extractor: Extractor, *, model: FittedModel, place: Workers
) -> Iterator[Robustness]:
    """Validation images under every change, shown to the model that was fitted on unchanged training images."""
    names = study.pretraining.robustness if study.pretraining else ()
    shown = fitted.cohort.without(list(fitted.cohort.of_set("training").frame.index))
    changed = control_tables(shown, extractor, names, seed=study.seed, imaging=study.imaging, workers=place)
    ready = refitted(study, fitted, model.arm, classifier=model.classifier)
    table = fitted.tables[extractor.source]
    spread = _training_spread(table, fitted)
    for name, under in changed.items():
        for one in shown.sets:
            part = shown.of_set(one)
            test, correlation, shift = _tried(
                ready, part, name, tables=(under, table), spread=spread, level=study.evaluation.level
            )
            yield Robustness(
                change=name,
                source=extractor.source,
                set=one,
                comparison=test.model_copy(update={"family": "robustness", "role": "exploratory"}),
                correlation=correlation,
                shift=shift,
                faults=tuple(each for each in under.exclusions if each.case in part.frame.index),
            )


def _tried(
    model: Model, part: Cohort, name: str, *, tables: tuple[FeatureTable, FeatureTable], spread: Floats, level: float
) -> tuple[Comparison, float | None, float | None]:
    """Test of a model on changed against unchanged images of one set, correlation and shift of the features."""
    cases = [case for case in part.frame.index if case in tables[0].frame.index]
    names = f"{model.name}, {name}", model.name
    if not cases:
        reason = "no changed image could be used"
        empty = Comparison(test="none", metric="macro_auc", difference=None, models=names, set=part.sets[0])
        return empty.model_copy(update={"level": level, "reason": reason}), None, None
    versions = [each.restrict(cases) for each in tables]
    first, second = (model.predict(each, part) for each in versions)
    test = compare_models(replace(first, model=names[0]), second, level=level)
    return test, *_change_of_features(*(each.frame for each in versions), spread=spread)


def _training_spread(table: FeatureTable, fitted: FittedStudy) -> Floats:
    """(features,) standard deviation on training cases."""
    training = table.restrict(fitted.cohort.of_set("training").frame.index)
    return np.asarray(training.frame.std(ddof=0), dtype=np.float64)


def _change_of_features(
    changed: pd.DataFrame, original: pd.DataFrame, *, spread: Floats
) -> tuple[float | None, float | None]:
    """Median correlation of features with themselves, and median shift of cases in units of their usual distance."""
    varies = (np.ptp(original.to_numpy(), axis=0) > 0) & (spread > 0)
    if len(original) < 2 or not varies.any():
        return None, None
    names = original.columns[varies]
    correlation = float(np.median(rank_correlations(changed[names], original[names])))
    before, after = (each[names].to_numpy() / spread[varies] for each in (original, changed))
    usual = np.sqrt(2 * np.nanvar(before, axis=0, ddof=1).sum())
    moved = np.sqrt(np.nansum((after - before) ** 2, axis=1))
    return correlation, float(np.median(moved) / usual)
