"""Audit: what the study checked of itself."""

from __future__ import annotations

from collections import Counter

from radfusion.core.results import AuditFinding
from radfusion.report.blocks import Block, Cell, Data, Level, Table, Text
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section

__all__ = ["LEVELS", "build", "tally"]

#: Traffic light of each verdict.
LEVELS: dict[str, Level] = {
    "fail": "fail",
    "warn": "warn",
    "acknowledged": "warn",
    "pass": "pass",
    "not_applicable": "info",
}
_ORDER = tuple(LEVELS)


def tally(index: Index) -> tuple[tuple[str, int], ...]:
    """Number of findings by verdict, the worst first."""
    found: Counter[str] = Counter(each.verdict for each in index.results.audit)
    return tuple((name, found[name]) for name in _ORDER if found[name])


def build(index: Index) -> list[Block]:
    """Findings, the worst first."""
    if not index.results.audit:
        return [Text("No audit was made.")]
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in tally(index))
    return [Text(f"Findings: {words}."), _table(index)]


def _table(index: Index) -> Table:
    ranked = sorted(enumerate(index.results.audit), key=lambda item: _ORDER.index(item[1].verdict))
    return Table(
        name="audit",
        caption="Findings of the audit.",
        columns=("Code", "Verdict", "Finding"),
        rows=tuple(_row(at, each) for at, each in ranked),
        data=Data(("code", "verdict", "message"), tuple((e.code, e.verdict, e.message) for _, e in ranked)),
    )


def _row(at: int, each: AuditFinding) -> tuple[Cell, ...]:
    verdict = Cell(each.verdict.replace("_", " "), level=LEVELS[each.verdict])
    return (Cell(each.code, f"/audit/{at}"), verdict, Cell(each.message))


SECTIONS.add("audit", Section("Audit", 90, build))
