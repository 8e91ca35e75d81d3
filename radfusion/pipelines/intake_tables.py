"""An intake as the tables and pictures of its page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from radfusion.cohorts.acquisition import ACQUISITION, AcquisitionFact, acquisition_table
from radfusion.imaging.inspection import CaseFacts
from radfusion.pipelines.intake import Intake
from radfusion.pipelines.intake_rules import acquisition_of, grey_levels
from radfusion.report.blocks import Data, Table, Value, cells
from radfusion.report.intake import IntakePage, PicturedCase
from radfusion.study import Study

__all__ = ["acquisition_facts", "intake_page"]

_COLUMNS = (
    "case", "patient", "set", "label", "centre", "size", "spacing_mm", "modality", "darkest", "brightest", "bits",
    "black_share", "saturated_share", "corners", "roi_pixels", "roi_components", "roi_darkest", "roi_brightest",
    "grey_levels", "text_boxes", "pixel_sha256", "perceptual_hash",
)  # fmt: skip
_MOST_COLUMNS = 8


def intake_page(found: Intake, study: Study, problems: Sequence[str] = ()) -> IntakePage:
    """Everything that the page tells.

    Parameters
    ----------
    found : Intake
        What the intake found.
    study : Study
        For names and bins.
    problems : sequence of str
        What else stops a run.
    """
    ready = not (problems or found.exclusions or found.refused)
    return IntakePage(
        title=study.title,
        verdict=" ".join(problems) if problems else _verdict(found),
        ready=ready,
        findings=found.findings,
        exclusions=found.exclusions,
        sets=_sets(found, study),
        acquisition=_acquisition(found),
        cases=_cases(found, study),
        pictures=tuple(_pictured(found, study, case) for case in _in_order(found)),
    )


def acquisition_facts(found: Intake) -> tuple[AcquisitionFact, ...]:
    """Acquisition by set and centre, for the report of a run."""
    return acquisition_table(found.cohort, {case: acquisition_of(facts) for case, facts in found.facts.items()})


def _verdict(found: Intake) -> str:
    counted = f"{len(found.cohort.frame)} cases of {found.cohort.frame['patient'].nunique()} patients"
    if found.refused:
        return " ".join(finding.message for finding in found.refused)
    if found.exclusions:
        return f"{len(found.exclusions)} of {counted} cannot be used; a run excludes them by name."
    warned = f"{len(found.warnings)} cases have a warning." if found.warnings else "No case has a warning."
    return f"All {counted} can be used. {warned}"


def _sets(found: Intake, study: Study) -> Table:
    names = found.cohort.sets
    columns = [_of_one_set(found, study, name) for name in names]
    rows = [cells([title, *(column[title] for column in columns)]) for title in columns[0]]
    return Table(
        name="sets",
        caption="Cases and images by set.",
        columns=("", *names),
        rows=tuple(rows),
        notes=("Median (quartiles; range). Grey levels are those of the unfiltered region for the study's bins.",),
    )


def _of_one_set(found: Intake, study: Study, name: str) -> dict[str, str]:
    part = found.cohort.of_set(name).frame
    facts = [found.facts[case] for case in part.index if case in found.facts]
    words = study.cohort.class_names
    classes = {f"Class {words.get(label, label)}": (part["label"] == label).sum() for label in found.cohort.classes}
    levels = [grey_levels(each, study) for each in facts]
    return {
        "Cases": str(len(part)),
        "Patients": str(part["patient"].nunique()),
        **{title: str(count) for title, count in classes.items()},
        "Centres": ", ".join(sorted(map(str, part["centre"].dropna().unique()))) or "unknown",
        "Cannot be used": str(sum(item.case in part.index for item in found.exclusions)),
        "Cases with a warning": str(sum(case in part.index for case in found.warnings)),
        **{title: _spread([of(each) for each in facts]) for title, of in _MEASURED.items()},
        "Grey levels in the region": _spread(levels),
        "Modality": ", ".join(sorted({each.modality for each in facts})) or "unknown",
    }


def _area(facts: CaseFacts) -> float | None:
    return facts.roi_pixels * math.prod(facts.spacing) if facts.spacing else None


_MEASURED: Mapping[str, Callable[[CaseFacts], float | None]] = {
    "Rows": lambda each: each.size[-2],
    "Columns": lambda each: each.size[-1],
    "Pixel spacing, mm": lambda each: each.spacing[-1] if each.spacing else None,
    "Region, pixels": lambda each: each.roi_pixels,
    "Region, mm² or mm³": _area,
}


def _spread(measured: Sequence[float | None]) -> str:
    values = [value for value in measured if value is not None]
    if not values:
        return "unknown"
    low, first, middle, third, high = (f"{value:.4g}" for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    return middle if low == high else f"{middle} ({first} to {third}; {low} to {high})"


def _acquisition(found: Intake) -> Table:
    """Facts down, sets and centres across; where there are many centres, sets alone."""
    facts = acquisition_facts(found)
    data = [
        (each.fact, each.set, each.centre, each.images, each.known, each.median, each.low, each.high, _counts(each))
        for each in facts
    ]
    shown = facts
    if len({(each.set, each.centre) for each in facts}) > _MOST_COLUMNS:
        shown = _of_sets(found)
    groups = {
        (each.set, each.centre): f"{each.set} {each.centre} (n = {each.images})".replace("  ", " ") for each in shown
    }
    told = {(each.fact, each.set, each.centre): _told(each) for each in shown}
    rows = [
        cells([ACQUISITION[fact], *(told.get((fact, *group), "") for group in groups)])
        for fact in dict.fromkeys(each.fact for each in shown)
    ]
    return Table(
        name="acquisition",
        caption="Acquisition by set and centre, from the headers of the image files.",
        columns=("", *groups.values()),
        rows=tuple(rows),
        notes=(
            "Median (range), or counts; every image counts once. Names, dates and serial numbers are never read. "
            "The CSV file has a row for each set and centre.",
        ),
        data=Data(("fact", "set", "centre", "images", "known", "median", "low", "high", "counts"), tuple(data)),
    )


def _of_sets(found: Intake) -> tuple[AcquisitionFact, ...]:
    cohort = replace(found.cohort, frame=found.cohort.frame.assign(centre=None))
    return acquisition_table(cohort, {case: acquisition_of(facts) for case, facts in found.facts.items()})


def _counts(fact: AcquisitionFact) -> str:
    return "; ".join(f"{value}: {count}" for value, count in fact.counts.items())


def _told(fact: AcquisitionFact) -> str:
    return fact.summary + (f" [{fact.known} known]" if 0 < fact.known < fact.images else "")


def _cases(found: Intake, study: Study) -> Table:
    extra = sorted({name for facts in found.facts.values() for name in facts.facts} - set(_COLUMNS))
    rows, data = [], []
    for case, facts in found.facts.items():
        values = _case_values(found, study, case)
        warnings = "; ".join(found.warnings.get(case, ()))
        stated = tuple(facts.facts.get(name) for name in extra)
        data.append((*values.values(), *stated, warnings))
        shown = ("case", "set", "label", "size", "spacing_mm", "roi_pixels", "grey_levels", "text_boxes")
        rows.append(cells([*("" if values[name] is None else str(values[name]) for name in shown), warnings]))
    return Table(
        name="cases",
        caption="Facts of every case.",
        columns=(
            "Case",
            "Set",
            "Class",
            "Size",
            "Spacing, mm",
            "Region, pixels",
            "Grey levels",
            "Text boxes",
            "Warnings",
        ),
        rows=tuple(rows),
        notes=("cases.csv holds all facts.",),
        data=Data((*_COLUMNS, *extra, "warnings"), tuple(data)),
    )


def _case_values(found: Intake, study: Study, case: str) -> dict[str, Value]:
    facts, row = found.facts[case], found.cohort.frame.loc[case]
    spacing = " x ".join(f"{step:g}" for step in facts.spacing) if facts.spacing else None
    own = tuple(None if row[name] is None else str(row[name]) for name in ("patient", "set", "label", "centre"))
    values = (
        case, *own, " x ".join(map(str, facts.size)), spacing, facts.modality, *facts.range, facts.bits,
        round(facts.black, 6), round(facts.saturated, 6), round(facts.corners, 4), facts.roi_pixels,
        facts.facts.get("roi_components"), *facts.roi_range, grey_levels(facts, study), len(facts.text),
        facts.pixel_hash, facts.perceptual_hash,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _in_order(found: Intake) -> list[str]:
    """Cases by set and class in the order of the study, then as in the table."""
    sets, classes, frame = found.cohort.sets, found.cohort.classes, found.cohort.frame
    rank = {
        case: (sets.index(name), classes.index(label))
        for case, name, label in zip(frame.index, frame["set"], frame["label"], strict=True)
    }
    return sorted(found.facts, key=lambda case: rank[case])


def _pictured(found: Intake, study: Study, case: str) -> PicturedCase:
    row = found.cohort.frame.loc[case]
    label = study.cohort.class_names.get(str(row["label"]), str(row["label"]))
    return PicturedCase(case, str(row["set"]), label, found.facts[case].thumbnail, found.warnings.get(case, ()))
