"""Confusion matrices: counts and row percentages."""

from __future__ import annotations

from functools import partial

from radfusion.report.blocks import Block, Cell, Data, Picture, Table, Text
from radfusion.report.drawings.confusion import Matrix, Row, draw_confusions
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import percent

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """Matrices of the final model and of the models of the primary comparison; all others in a table."""
    if not index.results.confusions:
        return []
    blocks: list[Block] = [Text("Cases are given to the class of highest probability.")]
    drawn = _picture(index)
    return [*blocks, drawn, _table(index)] if drawn else [*blocks, _table(index)]


def _models(index: Index) -> tuple[str, ...]:
    primary = () if index.primary is None else index.primary[1].models
    known = {each.model for each in index.results.confusions}
    named = dict.fromkeys((index.results.final_model, *primary))
    return tuple(name for name in named if name in known)


def _picture(index: Index) -> Picture | None:
    models, sets = _models(index), index.tests
    rows, data = [], []
    for name in models:
        row = []
        for each in sets:
            found = index.confusion(name, each.name)
            if found is None:
                continue
            row.append(Matrix(f"{index.set_title(each.name)}, n = {sum(map(sum, found.counts)):,}", found.counts))
            data += [(name, each.name, reference, predicted, number)
                     for reference, line in zip(found.classes, found.counts, strict=True)
                     for predicted, number in zip(found.classes, line, strict=True)]  # fmt: skip
        heading = f"{name} (final model)" if name == index.results.final_model else name
        rows.append(Row(heading, tuple(row)))
    if not any(row.matrices for row in rows):
        return None
    classes = tuple(index.label(name) for name in index.classes)
    return Picture(
        name="confusion",
        caption="Confusion matrices of the final model and of the models of the primary comparison: number of "
        "cases and percentage of the reference class.",
        alt="Confusion matrices",
        data=Data(("model", "set", "reference", "predicted", "n"), tuple(data)),
        draw=partial(draw_confusions, tuple(rows), classes),
    )


def _table(index: Index) -> Table:
    rows, data = [], []
    for at, each in enumerate(index.results.confusions):
        for place, (reference, line) in enumerate(zip(each.classes, each.counts, strict=True)):
            total = sum(line)
            shares = [f"{n:,} ({percent(n / total)})" if total else f"{n:,}" for n in line]
            pointer = f"/confusions/{at}/counts/{place}"
            numbers = [Cell(words, pointer, numeric=True) for words in shares]
            rows.append((Cell(f"{each.model}, {each.set} set"), Cell(index.label(reference)), *numbers))
            data += [(each.model, each.set, reference, predicted, n)
                     for predicted, n in zip(each.classes, line, strict=True)]  # fmt: skip
    return Table(
        name="confusion",
        caption="Predicted classes by reference class, all models with a matrix.",
        columns=("Model and set", "Reference", *(f"Predicted {index.label(name)}" for name in index.classes)),
        rows=tuple(rows),
        notes=("Number of cases (percentage of the reference class).",),
        data=Data(("model", "set", "reference", "predicted", "n"), tuple(data)),
        group=True,
    )


SECTIONS.add("confusion", Section("Confusion matrices", 80, build))
