"""Stability of features in a study: second readings are extracted, compared, and decide which features stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import Exclusion, FeatureStability, Selection, SelectionStep, Stability, StabilityPart
from radfusion.errors import EvaluationError, FeatureError
from radfusion.evaluation.agreement.features import feature_stability
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.robustness import Readings, StabilitySettings, perturbed_readings, reader_readings
from radfusion.study import Study

__all__ = ["assess_stability", "stable_tables", "with_stability_step"]

Compare: TypeAlias = Callable[[Sequence[pd.DataFrame]], tuple[FeatureStability, ...]]
#: Readers stand for readers in general: absolute agreement of one of them. Perturbed versions belong to their case
#: alone (the second version of one case has nothing to do with that of another): one-way.
FORMS = {"readers": "ICC(A,1)", "perturbations": "ICC(1,1)"}


def assess_stability(
    study: Study, cohort: Cohort, extractors: Sequence[Extractor], *, place: Workers
) -> tuple[Stability, ...]:
    """Stability of every source, between readers and under perturbations; only training cases are measured.

    Parameters
    ----------
    study : Study
        Settings under ``features.stability``.
    cohort : Cohort
        Cases that are used.
    extractors : sequence of Extractor
        One per source.
    place : Workers
        Where work runs and is remembered.

    Raises
    ------
    FeatureError
        When so many readings fail that nothing can be compared.
    """
    settings = study.features.stability
    found: list[Stability] = []
    by_readers = settings.readers == "auto" and len(cohort.readers) > 1
    for extractor in extractors:
        read = reader_readings(cohort, extractor, imaging=study.imaging, workers=place) if by_readers else None
        perturbed = perturbed_readings(
            cohort, extractor, settings, seed=study.seed, imaging=study.imaging, workers=place
        )
        readings = [each for each in (read, perturbed) if each is not None]
        found += [compare_readings(each, settings, level=study.evaluation.level) for each in readings]
    if by_readers and not any(each.kind == "readers" for each in found):
        place.progress.say("no two readers share two training cases, so readers are not compared")
    return tuple(found)


def compare_readings(readings: Readings, settings: StabilitySettings, *, level: float = 0.95) -> Stability:
    """Intraclass correlations of one source's features over its readings.

    Raises
    ------
    FeatureError
        When fewer than two cases have every reading.
    """
    form, frames = FORMS[readings.kind], [table.frame for table in readings.tables]
    faults = _faults(readings)
    compare = partial(feature_stability, form=form, minimum=settings.minimum_icc, use=settings.use, level=level)
    try:
        features = compare(frames)
    except EvaluationError as error:
        first = f"; first {faults[0].case}: {faults[0].stage}: {faults[0].reason}" if faults else ""
        raise FeatureError(f"features.stability, {readings.kind} of {readings.source}: {error}{first}") from error
    names = dict.fromkeys(readings.versions[1:]) if readings.kind == "perturbations" else ()
    return Stability(
        source=readings.source,
        kind=readings.kind,
        form=form,
        level=level,
        minimum=settings.minimum_icc,
        use=settings.use,
        n_cases=len(set.intersection(*(set(frame.index) for frame in frames))),
        n_ratings=len(frames),
        parts=tuple(_part(name, readings, compare) for name in names),
        faults=faults,
        features=features,
    )


def _part(name: str, readings: Readings, compare: Compare) -> StabilityPart:
    """One perturbation alone against the cases as they are."""
    pairs = zip(readings.versions, readings.tables, strict=True)
    frames = [table.frame for version, table in pairs if version in ("original", name)]
    alone = compare(frames)
    values = [each.value for each in alone if each.value is not None]
    median = float(np.median(values)) if values else None
    return StabilityPart(name=name, n_ratings=len(frames), n_stable=sum(each.kept for each in alone), median=median)


def _faults(readings: Readings) -> tuple[Exclusion, ...]:
    """Readings that could not be made. Readers are numbered: their names are nobody's business."""
    found = []
    for number, (version, table) in enumerate(zip(readings.versions, readings.tables, strict=True), start=1):
        name = f"reader {number}" if readings.kind == "readers" else version
        found += [_of_reading(each, name) for each in table.exclusions]
    return tuple(dict.fromkeys(found))


def _of_reading(fault: Exclusion, name: str) -> Exclusion:
    return Exclusion(case=fault.case, stage=f"{name}, {fault.stage}", reason=fault.reason)


def stable_tables(tables: Mapping[str, FeatureTable], stability: Iterable[Stability]) -> dict[str, FeatureTable]:
    """Tables with the features that every assessment of their source kept; other tables as they are.

    Raises
    ------
    FeatureError
        When a source has no stable feature.
    """
    found = dict(tables)
    for each in stability:
        table, kept = found[each.source], {feature.feature for feature in each.features if feature.kept}
        columns = [name for name in table.frame.columns if name in kept]
        if not columns:
            raise FeatureError(
                f"features.stability: no feature of {each.source} reaches an {each.form} of {each.minimum:g} "
                f"({each.use}, {each.kind}, {each.n_cases} cases); lower minimum_icc, or leave the source out"
            )
        found[each.source] = replace(table, frame=table.frame[columns])
    return found


def with_stability_step(selection: Selection, before: FeatureTable, settings: StabilitySettings) -> Selection:
    """The selection of an arm with the loss of unstable features as its first step, if there was one.

    Parameters
    ----------
    selection : Selection
        Of an arm that was fitted on stable features.
    before : FeatureTable
        All features of the arm.
    settings : StabilitySettings
        Printed with the step.
    """
    n_in, n_out = before.frame.shape[1], selection.steps[0].n_in if selection.steps else before.frame.shape[1]
    step = SelectionStep(
        name="stability", n_in=n_in, n_out=n_out, settings={"minimum_icc": settings.minimum_icc, "use": settings.use}
    )
    return selection.model_copy(update={"steps": (step, *selection.steps)})
