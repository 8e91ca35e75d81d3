"""Everything that is wrong with a cohort table, found at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from radfusion.core.cohort_columns import ROLES, Layout
from radfusion.core.cohort_rows import of_rows
from radfusion.core.registry import nearest

__all__ = ["set_mistakes", "table_mistakes"]

Test = Callable[[str], re.Match[str] | None]

#: Nouns that are written into files which others open in a spreadsheet.
_WORDS = ("case", "patient", "label", "set", "centre", "segmentation_label", "reader")
_FILES = ("image", "segmentation")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORMULA = re.compile(r"[=@].*|[+-].*[(|!].*", re.DOTALL)
_ERROR = re.compile(r"#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)")
_CUT = re.compile(r"[0-9][.,][0-9]+[eE]\+[0-9]+")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:/.*", re.DOTALL)


def table_mistakes(frame: pd.DataFrame, classes: Sequence[str], layout: Layout) -> list[str]:
    """Mistakes of single rows, of repeated cases and of sets, each with its rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table in the words of the house.
    classes : sequence of str
        Allowed labels.
    layout : Layout
        What the table must hold.
    """
    mistakes = [f"{of_rows(rows)}: no {noun}" for noun in layout.required if len(rows := _without(frame, noun))]
    mistakes += _text_mistakes(frame)
    mistakes += _file_mistakes(frame)
    mistakes += _repeated_cases(frame)
    mistakes += _batch_mistakes(frame, layout) if layout.batch else []
    if "label" in layout.required:
        mistakes += _unknown(frame, "label", list(classes))
    if "set" in layout.required:
        mistakes += _unknown(frame, "set", [str(role) for role in ROLES])
        mistakes += set_mistakes(frame, classes)
    return mistakes


def set_mistakes(frame: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Mistakes in how cases are shared out to sets: nothing could be learned from them, or nothing believed.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the columns ``row``, ``patient``, ``label``, ``set`` and ``centre``.
    classes : sequence of str
        Classes of the study.
    """
    known = frame[frame["set"].isin(ROLES) & frame["patient"].notna()]
    mistakes = []
    several = known.groupby("patient")["set"].transform("nunique") > 1
    for patient, rows in known[several].groupby("patient", sort=False):
        where = ", ".join(f"{name} ({of_rows(part['row'])})" for name, part in rows.groupby("set", sort=False))
        mistakes.append(f"patient {patient!r} is in two sets: {where}; all cases of a patient belong to one set")
    training = known.loc[known["set"] == "training", "label"]
    if training.empty:
        mistakes.append(f"no case is in the set 'training'; sets are {', '.join(ROLES)}")
    else:
        absent = [label for label in classes if label not in set(training)]
        remedy = "share its cases out anew, merge it with another class, or take it out of cohort.classes and the table"
        mistakes += [f"class {label!r} has no training case: {remedy}" for label in absent]
    for name, rows in known.groupby("set", sort=False):
        if rows["label"].nunique() == 1:
            mistakes.append(f"set {name!r} has one class only ({rows['label'].iloc[0]!r}); a set needs at least two")
        elif name != "training" and rows["patient"].nunique() == 1:
            mistakes.append(f"set {name!r} has one patient only ({rows['patient'].iloc[0]!r}); a set needs several")
    return [*mistakes, *_shared_centres(known)]


def _shared_centres(known: pd.DataFrame) -> Iterator[str]:
    training = known[known["set"] == "training"]
    external = known[(known["set"] == "external") & known["centre"].isin(training["centre"].dropna())]
    for centre, rows in external.groupby("centre", sort=False)["row"]:
        others = training.loc[training["centre"] == centre, "row"]
        yield (
            f"{of_rows(rows)}: centre {centre!r} of the external set gave training cases too ({of_rows(others)}); "
            f"such a set is 'internal' or 'prospective'"
        )


def _without(frame: pd.DataFrame, noun: str) -> pd.Series[int]:
    return frame.loc[frame[noun].isna(), "row"]


def _unknown(frame: pd.DataFrame, noun: str, allowed: list[str]) -> Iterator[str]:
    wrong = frame[frame[noun].notna() & ~frame[noun].isin(allowed)]
    for value, rows in wrong.groupby(noun, sort=False)["row"]:
        yield f"{of_rows(rows)}: {noun} {value!r} is unknown; {nearest(str(value), allowed)}"


def _text_mistakes(frame: pd.DataFrame) -> Iterator[str]:
    rules = [
        (_WORDS + _FILES, _CONTROL.search, "holds a line break or another control character"),
        (_WORDS, _FORMULA.fullmatch, "would be run as a formula by a spreadsheet; write it otherwise"),
        (_WORDS + _FILES, _ERROR.fullmatch, "is the error of a formula; mend it in the spreadsheet"),
        (("case", "patient"), _CUT.fullmatch, "is a number that a spreadsheet cut short; make the column text there"),
    ]
    for nouns, is_wrong, what in rules:
        for noun in nouns:
            yield from _where(frame, noun, is_wrong, what=what)


def _file_mistakes(frame: pd.DataFrame) -> Iterator[str]:
    for noun in _FILES:
        what = "is a web address; files must lie on this machine"
        yield from _where(frame, noun, _ADDRESS.fullmatch, what=what, show=False)
        if os.name != "nt":
            what = "starts with a drive letter of Windows; write files relative to the table"
            yield from _where(frame, noun, _DRIVE.fullmatch, what=what, show=False)


def _where(frame: pd.DataFrame, noun: str, is_wrong: Test, *, what: str, show: bool = True) -> Iterator[str]:
    """One sentence for all rows whose value is wrong in one way; the first value is shown, cut short."""
    wrong = frame[[value is not None and is_wrong(value) is not None for value in frame[noun]]]
    if len(wrong):
        value = f" {wrong[noun].iloc[0][:40]!r}" if show else ""
        yield f"{of_rows(wrong['row'])}: {noun}{value} {what}"


def _repeated_cases(frame: pd.DataFrame) -> Iterator[str]:
    named = frame[frame["case"].notna()]
    for case, rows in named[named["case"].duplicated(keep=False)].groupby("case", sort=False):
        numbers = of_rows(rows["row"])
        if rows["reader"].isna().all():
            yield f"{numbers}: case {case!r} is repeated; every case needs its own identifier"
            continue
        if rows["reader"].isna().any():
            yield f"{of_rows(_without(rows, 'reader'))}: no reader; case {case!r} has several rows, one per reader"
        for reader, same in rows[rows["reader"].duplicated(keep=False)].groupby("reader", sort=False):
            yield f"{of_rows(same['row'])}: case {case!r} is repeated for the reader {reader!r}; a reader has one row"
        for noun in ("patient", "label", "set", "image", "centre"):
            if rows[noun].nunique(dropna=False) > 1:
                values = ", ".join(repr(value) if value else "none" for value in rows[noun].unique())
                yield f"{numbers}: {noun} of case {case!r} is {values}; rows of one case differ in reader only"
        drawn = rows[rows["segmentation"].notna()].duplicated(["segmentation", "segmentation_label"])
        if drawn.any():
            yield f"{numbers}: readers of case {case!r} share one segmentation; each draws his own"


def _batch_mistakes(frame: pd.DataFrame, layout: Layout) -> Iterator[str]:
    if layout.columns["segmentation_label"] == "Label":
        what = (
            "is no whole number, but Label of PyRadiomics' batch tables is the value in the mask; "
            "if it is the class, write columns: {label: Label}"
        )
        yield from _where(frame, "segmentation_label", re.compile(r"(?![0-9]+$).*", re.DOTALL).fullmatch, what=what)
    if "Label_channel" in frame.columns:
        what = "names a channel of the mask, and only the first (0) is read; write that channel as a file of its own"
        yield from _where(frame, "Label_channel", re.compile(r"(?!0+(\.0*)?$).+", re.DOTALL).fullmatch, what=what)
