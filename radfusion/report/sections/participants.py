"""Participants: sets, classes, centres, and who was left out and why."""

from __future__ import annotations

from collections import Counter
from functools import partial

from radfusion.core.results import SetSummary
from radfusion.report.blocks import Block, Cell, Data, Heading, Picture, Table, Text, Value, cells
from radfusion.report.drawings.flow import Flow, draw_flow
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import count, percent

__all__ = ["build"]

#: Centres named in a sentence, a box or a cell; tables/sets.csv names all.
NAMED = 4


def build(index: Index) -> list[Block]:
    """Counts of the sets, the flow chart and every exclusion by name."""
    if not index.results.sets:
        return []
    blocks: list[Block] = [Text(_opening(index)), _flow(index), _sets(index)]
    if not index.results.exclusions:
        return [*blocks, Text("No case was left out.")]
    return [*blocks, Heading("Cases left out"), _exclusions(index)]


def _opening(index: Index) -> str:
    sets, unit = index.results.sets, index.results.study.unit
    cases, patients = sum(each.n_cases for each in sets), sum(each.n_patients for each in sets)
    centres = sorted({centre for each in sets for centre in each.centres})
    origin = f" from {_centres(tuple(centres))}" if centres else ""
    return (
        f"{count(cases, 'case')} (unit of analysis: {unit}) of {count(patients, 'patient')}{origin} were analysed in "
        f"{count(len(sets), 'set')}; no patient belongs to two sets."
    )


def _stages(index: Index) -> list[str]:
    stages = Counter(each.stage for each in index.results.exclusions)
    return [f"{stage}: {number:,}" for stage, number in stages.items()]


def _box(index: Index, each: SetSummary) -> tuple[str, ...]:
    name = index.set_title(each.name)
    role = "" if each.role == each.name else f" ({each.role})"
    lines = [f"{name} set{role}", f"{count(each.n_cases, 'case')}, {count(each.n_patients, 'patient')}"]
    lines += [f"{index.label(name)}: {each.n_by_class.get(name, 0):,}" for name in index.classes]
    return (*lines, f"Centres: {_named(each.centres)}") if each.centres else tuple(lines)


def _named(centres: tuple[str, ...]) -> str:
    """Names while they are few, else their number; names may hold commas."""
    return "; ".join(centres) if len(centres) <= NAMED else f"{len(centres):,}"


def _centres(centres: tuple[str, ...]) -> str:
    number = count(len(centres), "centre")
    return f"{number} ({_named(centres)})" if len(centres) <= NAMED else number


def _flow(index: Index) -> Picture:
    results = index.results
    analysed, left_out = sum(each.n_cases for each in results.sets), len({each.case for each in results.exclusions})
    patients = sum(each.n_patients for each in results.sets)
    flow = Flow(
        all_cases=("Cases in the cohort table", f"n = {analysed + left_out:,}"),
        excluded=(f"Left out: {count(left_out, 'case')}", *_stages(index)) if left_out else (),
        analysed=("Cases analysed", f"n = {analysed:,} ({count(patients, 'patient')})"),
        sets=tuple(_box(index, each) for each in results.sets),
    )
    rows: list[tuple[str, str, int]] = [("cohort", "cases", analysed + left_out), ("left out", "cases", left_out)]
    for each in results.sets:
        rows += [(each.name, "cases", each.n_cases), (each.name, "patients", each.n_patients)]
        rows += [(each.name, f"class {name}", number) for name, number in each.n_by_class.items()]
    return Picture(
        name="flow",
        caption="Flow of cases from the cohort table to the sets, with classes.",
        alt="Flow chart of cases into sets",
        data=Data(("box", "what", "n"), tuple(rows)),
        draw=partial(draw_flow, flow),
    )


def _sets(index: Index) -> Table:
    rows: list[tuple[Cell, ...]] = []
    data: list[tuple[Value, ...]] = []
    for at, each in enumerate(index.results.sets):
        numbers = [each.n_by_class.get(name, 0) for name in index.classes]
        pointer = f"/sets/{at}/n_by_class"
        shares = [Cell(f"{n:,} ({percent(n / (each.n_cases or 1))})", pointer, numeric=True) for n in numbers]
        rows.append(
            cells(
                [
                    index.set_title(each.name),
                    each.role,
                    Cell(f"{each.n_cases:,}", f"/sets/{at}/n_cases", numeric=True),
                    Cell(f"{each.n_patients:,}", f"/sets/{at}/n_patients", numeric=True),
                    *shares,
                    _named(each.centres) or "not recorded",
                ]
            )
        )
        data.append((each.name, each.role, each.n_cases, each.n_patients, *numbers, "; ".join(each.centres)))
    return Table(
        name="sets",
        caption="Sets of the study.",
        columns=("Set", "Role", "Cases", "Patients", *(index.label(name) for name in index.classes), "Centres"),
        rows=tuple(rows),
        notes=("Classes are numbers of cases (percentage of the set).",),
        data=Data(("set", "role", "n_cases", "n_patients", *index.classes, "centres"), tuple(data)),
    )


def _exclusions(index: Index) -> Table:
    rows = tuple(
        (Cell(each.case, f"/exclusions/{at}"), Cell(each.stage), Cell(each.reason))
        for at, each in enumerate(index.results.exclusions)
    )
    return Table(
        "exclusions", "Cases left out, with the stage that met the problem.", ("Case", "Stage", "Reason"), rows
    )


SECTIONS.add("participants", Section("Participants", 20, build))
