"""Everything that can fail later, looked at before any computing."""

from __future__ import annotations

from dataclasses import dataclass

from radfusion.core.cohort import Cohort
from radfusion.errors import CaseError, StudyError, WeightsError
from radfusion.execution.executors import Executor
from radfusion.execution.progress import Progress
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.folds import TrainingLabels, check_folds
from radfusion.networks.devices import choose_device
from radfusion.networks.weights import WEIGHTS
from radfusion.study import Study

__all__ = ["CheckedStudy", "bad_cases", "check_study"]


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
class _Reading:
    case: str
    row: int
    image: str
    segmentation: str
    settings: ImagingSettings


def check_study(study: Study) -> CheckedStudy:
    """Check cohort table, folds, primary comparison and weights sources.

    Raises
    ------
    CohortError
        With every mistake of the cohort table.
    StudyError
        When the set of the primary comparison has no case.
    WeightsError
        When a weights file that the study names is not there, or not what it should be.
    UserError
        When a class has too few training patients for the folds, or a device is asked for that is not there.
    """
    cohort = study.read_cohort()
    primary = study.evaluation.primary
    if primary and primary.set not in cohort.sets:
        raise StudyError(
            f"no case is in the set {primary.set!r}; sets of the table: {', '.join(cohort.sets)}",
            file=study.file,
            key="evaluation.primary.set",
        )
    labels = TrainingLabels.from_rows(cohort.of_set("training").frame, cohort.classes)
    check_folds(labels, study.modelling.folds, study.modelling.selection.folds, seed=study.seed)
    missing = {}
    for extractor in study.features.deep:
        if extractor.device == "cuda":
            choose_device("cuda")
        reason = study.at_hand(extractor).unavailable()
        if reason and extractor.file is not None:
            raise WeightsError(f"{study.file}: features.deep: {reason}")
        if reason and not WEIGHTS[extractor.weights].url:
            missing[extractor.source] = reason
    return CheckedStudy(cohort, missing)


def bad_cases(study: Study, cohort: Cohort, *, executor: Executor, progress: Progress) -> dict[str, str]:
    """Read every image and segmentation; case to what is wrong, for those that a run would exclude."""
    tasks = [
        _Reading(str(case), row, str(cohort.image_path(case)), str(cohort.segmentation_path(case)), study.imaging)
        for case, row in zip(cohort.frame.index, cohort.frame["row"].tolist(), strict=True)
    ]
    progress.start("read images and segmentations", len(tasks))
    problems = {}
    for task, outcome in zip(tasks, executor.map(_problem, tasks), strict=True):
        problem = outcome.error or outcome.value
        if problem:
            problems[task.case] = f"row {task.row}: {problem}"
        progress.advance()
    progress.finish(f"{len(problems)} of {len(tasks)} cases cannot be used")
    return problems


def _problem(task: _Reading) -> str:
    try:
        read_scan(task.case, task.image, task.segmentation, settings=task.settings)
    except CaseError as error:
        return f"{error.stage}: {error.reason}"
    return ""
