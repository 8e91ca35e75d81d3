"""Stability of features in a study: second readings are extracted, compared, and decide which features stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.results import Exclusion, FeatureStability, Stability, StabilityPart
from radfusion.errors import EvaluationError, FeatureError
from radfusion.evaluation.agreement.features import feature_stability, shared_ratings, stable_features
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.robustness import Readings, StabilitySettings, perturbed_readings, reader_readings
from radfusion.modelling.fitting import UnstableIn
from radfusion.study import Study

__all__ = ["assess_stability", "compare_readings", "second_readings", "unstable_in"]

Compare: TypeAlias = Callable[[Sequence[pd.DataFrame]], tuple[FeatureStability, ...]]
#: Readers stand for readers in general: absolute agreement of one of them. Perturbed versions belong to their case
#: alone (the second version of one case has nothing to do with that of another): one-way.
FORMS = {"readers": "ICC(A,1)", "perturbations": "ICC(1,1)"}


def second_readings(
    study: Study, cohort: Cohort, extractors: Sequence[Extractor], *, place: Workers
) -> tuple[Readings, ...]:
    """Readings of every source, by readers and under perturbations; only training cases are measured.

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
    """
    settings = study.features.stability
    found: list[Readings] = []
    by_readers = settings.readers == "auto" and len(cohort.readers) > 1
    for extractor in extractors:
        read = reader_readings(cohort, extractor, imaging=study.imaging, workers=place) if by_readers else None
        perturbed = perturbed_readings(
            cohort, extractor, settings, seed=study.seed, imaging=study.imaging, workers=place
        )
        found += [each for each in (read, perturbed) if each is not None]
    if by_readers and not any(each.kind == "readers" for each in found):
        place.progress.say("no two readers share two training cases, so readers are not compared")
    return tuple(found)


def assess_stability(
    readings: Iterable[Readings], settings: StabilitySettings, *, level: float = 0.95
) -> tuple[Stability, ...]:
    """Stability of the features of every source on all training cases that were read.

    Raises
    ------
    FeatureError
        When so many readings fail that nothing can be compared, or a source has no feature that is stable in all of
        its assessments.
    """
    found = tuple(compare_readings(each, settings, level=level) for each in readings)
    left: dict[str, set[str]] = {}
    for each in found:
        kept = {feature.feature for feature in each.features if feature.kept}
        left[each.source] = left.get(each.source, kept) & kept
        if not left[each.source]:
            raise FeatureError(
                f"features.stability: no feature of {each.source} reaches an {each.form} of {each.minimum:g} "
                f"({each.use}, {each.kind}, {each.n_cases} cases); lower minimum_icc, or leave the source out"
            )
    return found


def unstable_in(
    readings: Sequence[Readings], settings: StabilitySettings, *, level: float = 0.95, progress: Progress | None = None
) -> UnstableIn | None:
    """Unstable features as a function of training cases: measured on the readings of these cases only.

    Parameters
    ----------
    readings : sequence of Readings
        Of :func:`second_readings`.
    settings : StabilitySettings
        What is enough.
    level : float
        Confidence level of the intervals.
    progress : Progress, optional
        Is told, once per source and kind of reading, when fewer than two of the cases have every reading, so that
        these readings drop nothing.

    Returns
    -------
    callable or None
        From cases to the features that some reading does not agree on, or None where no reading can be compared.
        Each set of cases is measured once. None where nothing was read.
    """
    if not readings:
        return None
    rated = [_Rated.of(each) for each in readings]
    say = cache((progress or Progress()).say)

    @cache
    def measured(cases: frozenset[str]) -> frozenset[str] | None:
        found = [each.unstable(cases, settings, level=level) for each in rated]
        for each, names in zip(readings, found, strict=True):
            if names is None:
                say(
                    f"stability of {each.source}, {each.kind}: in some folds fewer than 2 training cases have every "
                    "reading; these readings drop nothing there"
                )
        known = [names for names in found if names is not None]
        return frozenset().union(*known) if known else None

    return lambda cases: measured(frozenset(cases))


@dataclass(frozen=True, eq=False)
class _Rated:
    """Readings as one array; `partial` are features that not every reading has."""

    form: str
    features: NDArray[np.object_]
    cases: tuple[str, ...]
    ratings: NDArray[np.float64]
    partial: frozenset[str]

    @classmethod
    def of(cls, readings: Readings) -> _Rated:
        frames = [table.frame for table in readings.tables]
        features, cases, ratings = shared_ratings(frames)
        everything = {str(name) for frame in frames for name in frame.columns}
        rest = frozenset(everything - set(features))
        return cls(FORMS[readings.kind], np.array(features, dtype=object), cases, ratings, rest)

    def unstable(self, cases: frozenset[str], settings: StabilitySettings, *, level: float) -> frozenset[str] | None:
        within = np.array([case in cases for case in self.cases], dtype=bool)
        if within.sum() < 2:
            return None
        kept = stable_features(
            self.ratings[:, within], form=self.form, minimum=settings.minimum_icc, use=settings.use, level=level
        )
        return self.partial | frozenset(self.features[~kept])


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
