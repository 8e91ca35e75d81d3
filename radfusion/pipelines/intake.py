"""The intake of a study: every case is read once and looked at, before anything is computed from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from radfusion.cohorts.acquisition import confounding_findings
from radfusion.cohorts.duplicates import duplicate_findings, repeated_in_later_sets
from radfusion.core.cohort import Cohort
from radfusion.core.hashing import content_hash
from radfusion.core.results import AuditFinding, Exclusion
from radfusion.execution.executors import Outcome
from radfusion.execution.provenance import package_versions, source_revision
from radfusion.execution.work import Workers
from radfusion.imaging.inspection import CaseFacts, Fault, Inspection, inspect_batch
from radfusion.imaging.loading import CaseFiles
from radfusion.pipelines.intake_rules import acquisition_of, case_warnings, predicted_fault, warning_findings
from radfusion.study import Study

__all__ = ["Intake", "intake"]

_SECONDS = 600.0
#: What the intake of a study says whose features all come from tables.
NO_IMAGE = (
    "No image was read: all features come from tables. Equal or similar films in two sets, and how images were "
    "acquired, were not looked for."
)


@dataclass(frozen=True)
class Intake:
    """What the intake of a study found.

    Attributes
    ----------
    cohort : Cohort
        All cases of the table.
    facts : mapping of str to CaseFacts
        Case to its facts; cases whose files cannot be read have none.
    exclusions : tuple of Exclusion
        Cases that a run would exclude, in the order of the table, each with stage and reason.
    findings : tuple of AuditFinding
        Duplicates and confounding by the guide's codes (RF03, RF19), what warns of cases as IN01 and following.
    warnings : mapping of str to tuple of str
        Case to what is unusual about it; only cases with something unusual.
    """

    cohort: Cohort
    facts: Mapping[str, CaseFacts]
    exclusions: tuple[Exclusion, ...]
    findings: tuple[AuditFinding, ...]
    warnings: Mapping[str, tuple[str, ...]]

    @property
    def refused(self) -> tuple[AuditFinding, ...]:
        """Findings that no study may go on with: equal pixels in two sets."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")


def intake(study: Study, cohort: Cohort, place: Workers) -> Intake:
    """Read every case, look at it and compare it with its set; without a source of images there is nothing to read.

    Parameters
    ----------
    study : Study
        How files are read and what will be extracted.
    cohort : Cohort
        Cases.
    place : Workers
        Who works, where it is remembered and who is told.
    """
    if not study.features.needs_images:
        return Intake(cohort, {}, (), (AuditFinding(code="RF03", verdict="not_applicable", message=NO_IMAGE),), {})
    facts: dict[str, CaseFacts] = {}
    faults: dict[str, Fault] = {}
    films = _films(cohort)
    place.progress.start("look at images and segmentations", len(films))
    for film, outcome in zip(films, _outcomes(films, study, place), strict=True):
        for found in outcome.value or _unanswered(film, outcome):
            if isinstance(found, Fault):
                faults[found.case] = found
            else:
                facts[found.case] = found
        place.progress.advance()
    if study.cohort.duplicates == "exclude":
        repeated = repeated_in_later_sets(cohort, {case: each.pixel_hash for case, each in facts.items()})
        faults |= {case: Fault(case, "duplicate", reason) for case, reason in repeated.items()}
    predicted = {case: predicted_fault(each, study) for case, each in facts.items()}
    faults |= {case: fault for case, fault in predicted.items() if fault is not None and case not in faults}
    place.progress.finish(f"{len(faults)} of {len(cohort.frame)} cases cannot be used")
    facts = {str(case): facts[str(case)] for case in cohort.frame.index if str(case) in facts}
    ordered = [faults[str(case)] for case in cohort.frame.index if str(case) in faults]
    warnings = case_warnings(facts, cohort, study)
    return Intake(
        cohort=cohort,
        facts=facts,
        exclusions=tuple(Exclusion(case=fault.case, stage=fault.stage, reason=fault.reason) for fault in ordered),
        findings=(*_comparisons(facts, cohort.without(sorted(faults))), *warning_findings(warnings, facts, cohort)),
        warnings={case: tuple(text for _, text in found) for case, found in warnings.items() if found},
    )


def _films(cohort: Cohort) -> list[tuple[CaseFiles, ...]]:
    """Cases by image file, so that each film is decoded once."""
    films: dict[str, list[CaseFiles]] = {}
    for case in cohort.frame.index:
        drawn = str(cohort.segmentation_path(case)) if cohort.frame.at[case, "segmentation"] is not None else None
        files = CaseFiles(str(case), str(cohort.image_path(case)), drawn, cohort.segmentation_label(case))
        films.setdefault(files.image, []).append(files)
    return [tuple(film) for film in films.values()]


def _outcomes(
    films: list[tuple[CaseFiles, ...]], study: Study, place: Workers
) -> Iterator[Outcome[list[CaseFacts | Fault]]]:
    cache = None if place.cache is None else str(place.cache.folder)
    made_by = content_hash(package_versions(), source_revision("imaging"))
    tasks = [Inspection(film, study.imaging, cache, made_by) for film in films]
    return place.executor.map(inspect_batch, tasks, timeout=_SECONDS)


def _unanswered(film: tuple[CaseFiles, ...], outcome: Outcome[list[CaseFacts | Fault]]) -> list[CaseFacts | Fault]:
    return [Fault(files.case, "read", outcome.error or "the worker gave no result") for files in film]


def _comparisons(facts: Mapping[str, CaseFacts], cohort: Cohort) -> list[AuditFinding]:
    pixels = {case: each.pixel_hash for case, each in facts.items()}
    # Films without any structure have the hash 0 and would all look alike.
    alike = {case: value for case, each in facts.items() if (value := int(each.perceptual_hash, 16))}
    stated = {case: acquisition_of(each) for case, each in facts.items()}
    return [*duplicate_findings(cohort, pixels, alike), *confounding_findings(cohort, stated)]
