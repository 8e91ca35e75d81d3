"""Robustness: other random splits, how often the validation sets were scored, and what everything was fitted on."""

from __future__ import annotations

from functools import partial

from radfusion.report.blocks import Block, Cell, Data, Heading, Note, Picture, Table, Text
from radfusion.report.drawings.splits import Splits, draw_splits
from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.split_sentences import splits_sentence
from radfusion.report.wording import count

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """Repeated splits, the ledger and the fitted rows, as far as the study has them."""
    return [*_splits(index), *_ledger(index), *_rows(index)]


def _splits(index: Index) -> list[Block]:
    found = index.results.repeated_splits
    if found is None:
        return []
    blocks: list[Block] = [Heading("Repeated splits"), Text(splits_sentence(index, found))]
    if found.n_failed:
        failed = count(found.n_failed, "split")
        blocks.append(Note("warn", f"{failed} could not be fitted and is not counted; first: {found.reason}."))
    if found.median is None or found.low is None or found.high is None:
        return blocks
    axis = f"{index.metric_name(MACRO_AUC)} on the held-out part"
    drawn = Splits(found.values, found.low, found.median, found.high, found.used, axis[0].upper() + axis[1:])
    rows = tuple((number, value) for number, value in enumerate(found.values, start=1))
    picture = Picture(
        name="repeated_splits",
        caption=f"{drawn.axis} over {count(len(found.values), 'random split')}, one point each; the band holds the "
        "2.5th to the 97.5th percentile, the line is the median.",
        alt="AUC of the final model's chain over random splits",
        data=Data(("split", "macro_auc"), rows),
        draw=partial(draw_splits, drawn),
    )
    return [*blocks, picture]


def _ledger(index: Index) -> list[Block]:
    found = index.results.ledger
    if not found:
        return []
    rows = tuple(
        (
            Cell(index.set_title(each.set)),
            Cell(f"{each.earlier:,}", f"/ledger/{at}/earlier", level="warn" if each.earlier else None, numeric=True),
            Cell(each.set_sha256[:8]),
            Cell(each.configuration_sha256[:8]),
        )
        for at, each in enumerate(found)
    )
    table = Table(
        name="ledger",
        caption="Validation sets in the ledger of the cohort.",
        columns=("Set", "Earlier configurations", "Cases (SHA-256)", "This configuration (SHA-256)"),
        rows=rows,
        notes=("The ledger lies beside the cohort table and counts every configuration that a set was scored under.",),
        data=Data(
            ("set", "earlier", "set_sha256", "configuration_sha256"),
            tuple((each.set, each.earlier, each.set_sha256, each.configuration_sha256) for each in found),
        ),
    )
    return [Heading("Scorings of the validation sets"), table]


def _rows(index: Index) -> list[Block]:
    found = index.results.fitted_rows
    if not found:
        return []
    rows = tuple(
        (
            Cell(each.name),
            Cell(f"{each.n_cases:,}", f"/fitted_rows/{at}/n_cases", numeric=True),
            Cell(f"{each.n_patients:,}", f"/fitted_rows/{at}/n_patients", numeric=True),
            Cell(each.sha256[:8]),
        )
        for at, each in enumerate(found)
        if "inner fold" not in each.name
    )
    inner = len(found) - len(rows)
    more = f" {count(inner, 'more list')}, of inner folds, are in results.json." if inner else ""
    table = Table(
        name="fitted_rows",
        caption="Cases that steps and classifiers were fitted on.",
        columns=("Fitted on", "Cases", "Patients", "SHA-256"),
        rows=rows,
        notes=(
            "Before any validation set was scored, the run held each list against the cases that its fit predicts: "
            f"none is in both, nor another case of its patient. The CSV file names the cases.{more}",
        ),
        data=Data(("fitted_on", "case"), tuple((each.name, case) for each in found for case in each.cases)),
    )
    return [Heading("What was fitted on which cases"), table]


SECTIONS.add("robustness", Section("Robustness", 75, build))
