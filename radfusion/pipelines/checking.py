"""Everything that can fail later, looked at before any computing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from radfusion.cohorts.checks import check_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.registry import nearest
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError, StudyError, UserError, WeightsError
from radfusion.execution.cache import Cache, default_cache_folder
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.deep import Deep
from radfusion.modelling.folds import TrainingLabels, check_folds
from radfusion.modelling.harmonisable import check_harmonisation
from radfusion.networks.weights import WEIGHTS
from radfusion.pipelines.fitted import plan_of
from radfusion.pipelines.given import imported_tables
from radfusion.pipelines.intake import Intake, intake
from radfusion.pipelines.intake_tables import intake_page
from radfusion.report.intake import write_intake
from radfusion.study import Study

__all__ = ["CheckedIntake", "CheckedStudy", "check", "check_study", "unusable_sets"]

_BYTES_PER_CASE = 100_000  # features of one source in the cache, generously, and the facts of the intake


@dataclass(frozen=True)
class CheckedStudy:
    """What the check of a study found.

    Attributes
    ----------
    cohort : Cohort
        The cohort, checked as a table.
    missing_sources : mapping of str to str
        Weights source to why it cannot be had here at present.
    """

    cohort: Cohort
    missing_sources: dict[str, str]


@dataclass(frozen=True)
class CheckedIntake:
    """What the check of a study and of its files found.

    Attributes
    ----------
    intake : Intake
        Facts, findings and exclusions; the findings on the cohort's table come first.
    missing_sources : mapping of str to str
        Weights source to why it cannot be had here at present.
    problems : tuple of str
        What stops a run, or would exclude cases from it; empty: the study is ready.
    """

    intake: Intake
    missing_sources: dict[str, str]
    problems: tuple[str, ...]


def check_study(study: Study, cache: Cache | None = None) -> CheckedStudy:
    """Check cohort table, folds, primary comparison, packages, weights, devices and disk, before any file is read.

    Parameters
    ----------
    study : Study
        The study.
    cache : Cache, optional
        Where finished work will be kept; the user's cache when not given.

    Raises
    ------
    CohortError
        With every mistake of the cohort table.
    StudyError
        When the set of the primary comparison has no case.
    WeightsError
        When a weights file that the study names is not there, or not what it should be.
    UserError
        When a class has too few training patients for the folds, a device is asked for that is not there, a package is
        missing, the disk is full; and for several mistakes, with all of them.
    """
    found = _look(study, cache)
    if found.errors or found.cohort is None:
        raise found.error()
    return CheckedStudy(found.cohort, found.missing)


def check(study: Study, out: str | Path, place: Workers) -> CheckedIntake:
    """Check a study and look at every one of its files; write the intake's page into `out`.

    Parameters
    ----------
    study : Study
        The study.
    out : path
        Folder of ``intake.html``, ``contact_sheet.png``, ``cases.csv``, ``acquisition.csv``, ``sets.csv`` and
        ``findings.json``.
    place : Workers
        Who works, where it is remembered and who is told.

    Raises
    ------
    UserError
        When the cohort table cannot be used, with every mistake of table and study.
    """
    looked = _look(study, place.cache)
    if looked.cohort is None:
        raise looked.error()
    found = intake(study, looked.cohort, place)
    exclusions = tuple({item.case: item for item in (*looked.absent, *found.exclusions)}.values())
    found = replace(found, findings=(*check_cohort(looked.cohort), *found.findings), exclusions=exclusions)
    kept = looked.cohort.without([item.case for item in found.exclusions])
    general = [*map(str, looked.errors), *unusable_sets(kept, looked.cohort, len(found.exclusions))]
    general += [finding.message for finding in found.refused]
    write_intake(intake_page(found, study, general), Path(out))
    return CheckedIntake(found, looked.missing, (*general, *_excluded(found.exclusions, looked.cohort)))


def unusable_sets(kept: Cohort, cohort: Cohort, exclusions: int) -> list[str]:
    """Sets and classes that exclusions leave without the cases that a study needs.

    Parameters
    ----------
    kept, cohort : Cohort
        Without and with the excluded cases.
    exclusions : int
        Number of excluded cases.
    """
    if not exclusions:
        return []
    mistakes = []
    for name in cohort.sets:
        labels = kept.of_set(name).frame["label"]
        if labels.nunique() < min(2, len(cohort.classes)):
            mistakes.append(f"set {name!r} has fewer than two classes left after {exclusions} exclusions")
    absent = set(cohort.classes) - set(kept.of_set("training").frame["label"])
    return mistakes + [f"class {label!r} has no usable training case" for label in cohort.classes if label in absent]


@dataclass
class _Looked:
    """Mistakes so far; a mistake in one thing does not keep the others from being looked at."""

    cohort: Cohort | None = None
    errors: list[UserError] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    absent: tuple[Exclusion, ...] = ()

    def error(self) -> UserError:
        """The only mistake as it is, several as one."""
        return self.errors[0] if len(self.errors) == 1 else UserError("\n".join(map(str, self.errors)))

    @contextmanager
    def collected(self) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self.errors.append(error)


def _look(study: Study, cache: Cache | None) -> _Looked:
    found = _Looked()
    with found.collected():
        found.cohort = study.read_cohort()
    if found.cohort is not None:
        cohort = found.cohort
        for rule in (_primary, _folds, _chain):
            with found.collected():
                rule(study, cohort)
        with found.collected():
            tables = imported_tables(study, cohort).values()
            found.absent = tuple(item for table in tables for item in table.exclusions)
        with found.collected():
            _disk(study, cohort, (cache or Cache(default_cache_folder())).folder)
    with found.collected():
        _radiomics(study)
    if study.features.grid is not None:
        found.missing |= study.features.grid.left_out()
    for extractor in study.features.deep:
        with found.collected():
            _deep(study, extractor, found.missing)
    with found.collected():
        _choice(study, found.missing)
    return found


def _primary(study: Study, cohort: Cohort) -> None:
    primary = study.evaluation.primary
    if primary and primary.set not in cohort.sets:
        raise StudyError(
            f"no case is in the set {primary.set!r}; sets of the table: {', '.join(cohort.sets)}",
            file=study.file,
            key="evaluation.primary.set",
        )


def _choice(study: Study, missing: Mapping[str, str]) -> None:
    """Refuse a final model that no arm and classifier of the study will give."""
    named = study.modelling.choice.model
    plan = plan_of(study, [source for source in study.features.kinds if source not in missing])
    models = [f"{arm}/{each}" for arm in plan.names for each in study.modelling.classifiers]
    if named is not None and named not in models:
        raise StudyError(
            f"no model is named {named!r}; {nearest(named, models)}", file=study.file, key="modelling.choice.model"
        )


def _folds(study: Study, cohort: Cohort) -> None:
    labels = TrainingLabels.from_rows(cohort.of_set("training").frame.sort_index(), cohort.classes)
    check_folds(labels, study.modelling.fold_plan, seed=study.seed)


def _chain(study: Study, cohort: Cohort) -> None:
    steps = study.modelling.steps
    for step in steps:
        step.require_classes(len(cohort.classes))
    check_harmonisation(steps, cohort, study.modelling.fold_plan, seed=study.seed)


def _radiomics(study: Study) -> None:
    reason = study.features.radiomics.unavailable() if study.features.radiomics else None
    if reason:
        raise FeatureError(f"{study.file}: features.radiomics: {reason}")


def _deep(study: Study, extractor: Deep, missing: dict[str, str]) -> None:
    reason = study.at_hand(extractor).unavailable()
    if reason and extractor.file is not None:
        raise WeightsError(f"{study.file}: features.deep: {reason}")
    if reason and not any(form.url for form in WEIGHTS[extractor.weights].files_of(extractor.network)):
        missing[extractor.source] = reason
    if reason is None or extractor.device not in ("auto", "cpu"):
        extractor.computing()


def _disk(study: Study, cohort: Cohort, folder: Path) -> None:
    """Refuse a run whose features would not fit where they are kept."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    wanted = _BYTES_PER_CASE * len(cohort.frame) * (len(study.features.deep) + 2)
    left = shutil.disk_usage(there).free
    if left < wanted:
        raise UserError(
            f"the disk of the cache ({folder}) has {left / 1e6:.0f} MB left; the study needs some "
            f"{wanted / 1e6:.0f} MB (--cache names another folder)"
        )


def _excluded(exclusions: tuple[Exclusion, ...], cohort: Cohort) -> Iterator[str]:
    for item in exclusions:
        yield f"case {item.case!r}, row {cohort.frame['row'][item.case]}: {item.stage}: {item.reason}"
