"""Tables of other programs as text, row by row, with the case that each row is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.cohort_rows import of_rows
from radfusion.core.cohort_table import cleaned, read_table
from radfusion.core.hashing import file_hash
from radfusion.core.registry import nearest
from radfusion.errors import CohortError, FeatureError
from radfusion.extraction.imported.formats import TABLE_FORMATS, format_of
from radfusion.extraction.imported.settings import Imported

__all__ = ["TextTable", "read_text"]

_ENDING = re.compile(r"\.(nii|nii\.gz|nrrd|nhdr|mha|mhd|dcm|png|jpe?g|bmp|tiff?|npy|csv)$", re.IGNORECASE)
_FILE, _ROW = "\0file", "\0row"


@dataclass(frozen=True)
class TextTable:
    """Text of one or several tables.

    Attributes
    ----------
    cells : pandas.DataFrame
        Every column of every table but that of the cases, as text; empty where a value is missing.
    cases : pandas.Series
        Case of each row, empty where the row has none.
    file, row : pandas.Series
        Name of the table and row in it (1 is the header).
    case_column : str
        Where the cases were found.
    format : str
        Name in ``TABLE_FORMATS``.
    files : tuple of mapping
        ``name``, ``sha256`` and ``rows`` of each table.
    partial : tuple of str
        Columns that some of the tables lack.
    """

    cells: pd.DataFrame
    cases: pd.Series[str]
    file: pd.Series[str]
    row: pd.Series[int]
    case_column: str
    format: str
    files: tuple[Mapping[str, Any], ...]
    partial: tuple[str, ...]


def read_text(settings: Imported, folder: Path, cohort: Cohort) -> TextTable:
    """Read the tables of one source.

    Parameters
    ----------
    settings : Imported
        Where they are and what they are.
    folder : pathlib.Path
        Where relative names start from.
    cohort : Cohort
        Its cases tell whether the table names them as they are or as image files.

    Raises
    ------
    FeatureError
        When a file cannot be read, no column holds the cases, or a case has two rows.
    """
    paths = {name: folder / path for name, path in settings.paths.items()}
    tables = {name: _read(settings, path) for name, path in paths.items()}
    shared = [name for name in next(iter(tables.values())).columns if all(name in each for each in tables.values())]
    partial = [name for each in tables.values() for name in each.columns if name not in shared]
    together = _below_each_other(tables, shared)
    kind = format_of(together[shared]) if settings.format == "auto" else settings.format
    column = _case_column(settings, kind, shared)
    start = together[_FILE] + "-" if settings.prefixed else ""
    cases = _as_in_cohort(together[column].map(cleaned), start, cohort)
    files = together[_FILE].map({name: path.name for name, path in paths.items()})
    _require_once(settings, cases, files, rows=together[_ROW], known=set(cohort.frame.index))
    counts = together[_FILE].value_counts()
    facts = [{"name": path.name, "sha256": file_hash(path), "rows": int(counts[name])} for name, path in paths.items()]
    return TextTable(
        cells=together[[name for name in shared if name != column]],
        cases=cases,
        file=files,
        row=together[_ROW],
        case_column=column,
        format=kind,
        files=tuple(facts),
        partial=tuple(dict.fromkeys(partial)),
    )


def _below_each_other(tables: Mapping[str, pd.DataFrame], shared: list[str]) -> pd.DataFrame:
    parts = []
    for name, each in tables.items():
        part = each[shared].copy()
        part[_FILE], part[_ROW] = name, each.index
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _read(settings: Imported, path: Path) -> pd.DataFrame:
    if not path.is_file():
        what = "is a folder; write files: and list the tables in it" if path.is_dir() else "does not exist"
        sentence = f"features.imported: {settings.source}: {path.name} {what}"
        raise FeatureError(f"{sentence}; names start from the folder of the study file")
    try:
        return read_table(path, settings.sheet, semicolons=True)
    except CohortError as error:
        told = "; ".join(each.replace("cohort.sheet", "sheet") for each in error.mistakes)
        raise FeatureError(f"features.imported: {settings.source}: {path.name}: {told}") from error


def _case_column(settings: Imported, kind: str, names: list[str]) -> str:
    where = f"features.imported: {settings.source}: {', '.join(path.name for path in settings.paths.values())}"
    if settings.case is not None:
        if settings.case not in names:
            raise FeatureError(f"{where}: no column {settings.case!r} (case); {nearest(settings.case, names[:50])}")
        return settings.case
    lower = {name.lower(): name for name in reversed(names)}
    found = [lower[name.lower()] for name in TABLE_FORMATS[kind].cases if name.lower() in lower]
    if not found:
        first = ", ".join(map(repr, names[:5]))
        raise FeatureError(f"{where}: which column holds the case? write case: NAME; the first columns are {first}")
    return found[0]


def _as_in_cohort(written: pd.Series[str], start: pd.Series[str] | str, cohort: Cohort) -> pd.Series[str]:
    """Cases as they are written, or without folder and ending of a file name if more of the cohort's are found so."""
    known = set(cohort.frame.index)
    plain = written.map(lambda name: _ENDING.sub("", name.replace("\\", "/").rsplit("/", 1)[-1]))
    as_they_are, as_files = ((start + each).where(each != "", "") for each in (written, plain))
    return as_files if as_files.isin(known).sum() > as_they_are.isin(known).sum() else as_they_are


def _require_once(
    settings: Imported, cases: pd.Series[str], files: pd.Series[str], *, rows: pd.Series[int], known: set[str]
) -> None:
    """A case has one row; what the cohort does not name may be a patient's name, and is not repeated."""
    twice = cases[cases.duplicated(keep=False) & (cases != "")]
    mistakes = []
    for case, same in twice.groupby(twice, sort=False):
        at = [f"{name} {of_rows(rows[part.index])}" for name, part in same.groupby(files[same.index], sort=False)]
        who = f"case {case!r}" if case in known else "one case, which the cohort does not have,"
        mistakes.append(f"{who} has several rows: {', '.join(at)}")
    if mistakes:
        more = f"; and {len(mistakes) - 5} more cases" if len(mistakes) > 5 else ""
        advice = "leave one row per case (of several regions, settings or perturbations, the one that is meant)"
        told = "; ".join(mistakes[:5])
        raise FeatureError(f"features.imported: {settings.source}: {told}{more}; {advice}")
