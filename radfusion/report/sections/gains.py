"""Gains: what each source adds to the arms without it."""

from __future__ import annotations

from radfusion.core.results import Comparison
from radfusion.report.blocks import Block, Cell, Table, Text
from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import join, p_value

__all__ = ["build"]

Steps = dict[tuple[str, str], dict[str, tuple[int, Comparison]]]


def build(index: Index) -> list[Block]:
    """Planned comparisons of an arm with one that lacks some of its sources, by set."""
    steps = _steps(index)
    sets = [each.name for each in index.results.sets if any(each.name in by_set for by_set in steps.values())]
    if not steps:
        return []
    sources = {each.model: each.sources for each in index.results.models}
    rows = []
    for (more, less), by_set in steps.items():
        added = [source for source in sources[more] if source not in sources[less]]
        cells = [cell for name in sets for cell in _gain(index, by_set.get(name))]
        rows.append((Cell(less.split("/")[0]), Cell(join(added)), Cell(more.split("/")[0]), *cells))
    columns = [column for name in sets for column in (f"{name.capitalize()}: gain", "P")]
    return [
        Text(
            f"Each line adds sources to an arm; the gain is the difference in {index.metric_name(MACRO_AUC)} between "
            "the best models of both arms, which training folds chose. Where an interval holds zero, none was shown."
        ),
        Table(
            name="gains",
            caption=f"Gain of each step: difference in {index.metric_name(MACRO_AUC)} ({index.interval_words}) and P "
            "value, adjusted but for the primary comparison.",
            columns=("From", "Adding", "To", *columns),
            rows=tuple(rows),
            group=True,
        ),
    ]


def _steps(index: Index) -> Steps:
    """Declared comparisons of overall AUC, by models and set, where the first model has more sources."""
    sources = {each.model: set(each.sources) for each in index.results.models}
    found: Steps = {}
    for at, each in enumerate(index.results.comparisons):
        declared = each.role in ("primary", "secondary") and each.class_ is None and set(each.models) <= set(sources)
        if declared and sources[each.models[1]] < sources[each.models[0]]:
            found.setdefault(each.models, {})[each.set] = (at, each)
    return dict(sorted(found.items(), key=lambda step: (len(sources[step[0][1]]), step[0][1])))


def _gain(index: Index, step: tuple[int, Comparison] | None) -> tuple[Cell, Cell]:
    if step is None:
        return Cell("–", numeric=True), Cell("–", numeric=True)
    at, each = step
    key = "p" if each.p_adjusted is None else "p_adjusted"
    chance = p_value(each.p if each.p_adjusted is None else each.p_adjusted, each.reason).removeprefix("= ")
    pointer = f"/comparisons/{at}"
    return (
        Cell(index.difference(each), f"{pointer}/difference", numeric=True),
        Cell(chance, f"{pointer}/{key}", numeric=True),
    )


SECTIONS.add("gains", Section("Gain of each step", 72, build))
