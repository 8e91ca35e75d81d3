"""The cohort: one row per case, with patient, label, set and files."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import CohortError

__all__ = ["ROLES", "Cohort", "CohortColumns", "Role"]

Role = Literal["training", "internal", "external", "prospective"]
ROLES: tuple[Role, ...] = ("training", "internal", "external", "prospective")
#: Words for an unknown centre. Elsewhere only an empty field is missing: a class may be called "none".
UNKNOWN = ("na", "nan", "none", "null", "n/a", "unknown")


class CohortColumns(Settings):
    """Which column of the table holds what."""

    case: str = Field("case", description="identifier of the unit of analysis, unique in the table")
    patient: str = Field("patient", description="identifier of the patient: cases of a patient stay together")
    image: str = Field("image", description="image file, relative to the table")
    segmentation: str = Field("segmentation", description="segmentation file, relative to the table")
    label: str = Field("label", description="reference class")
    set: str = Field("set", description="which set the case belongs to")
    centre: str | None = Field("centre", description="hospital; null when the table has none")


@dataclass(frozen=True)
class Cohort:
    """Cases of a study.

    Attributes
    ----------
    frame : pandas.DataFrame
        Indexed by ``case``; columns ``patient``, ``image``, ``segmentation``, ``label``, ``set``, ``centre`` (None when
        unknown) and the covariates, all text as read; ``row`` is the row in the file (header is row 1).
    classes : tuple of str
        Classes in the order of the study.
    root : pathlib.Path
        Folder that relative file names start from.
    """

    frame: pd.DataFrame
    classes: tuple[str, ...]
    root: Path

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        columns: CohortColumns | None = None,
        classes: Sequence[str] | None = None,
        sets: Mapping[str, str] | None = None,
    ) -> Cohort:
        """Read and check a cohort table.

        Parameters
        ----------
        path : path
            CSV file, UTF-8, comma separated, with a header.
        columns : CohortColumns, optional
            Which column holds what.
        classes : sequence of str, optional
            The allowed labels in order; all labels of the table, sorted, when not given.
        sets : mapping of str to str, optional
            Value in the table to set name: ``{"train": "training"}``. Values must otherwise be set names.

        Raises
        ------
        CohortError
            With every mistake of the table: absent columns, missing or repeated case identifiers, missing patients,
            unknown labels or sets, one patient in two sets, a set with one class.
        """
        path = Path(path)
        columns = columns or CohortColumns()
        table = _read_text_table(path)
        _require_columns(table, columns, path)
        frame = _standardise(table, columns, dict(sets or {}))
        known = tuple(classes) if classes else tuple(sorted(frame["label"].dropna().unique()))
        mistakes = [*_row_mistakes(frame, known), *_cohort_mistakes(frame, known)]
        if mistakes:
            raise CohortError(mistakes, file=path)
        return cls(frame.set_index("case"), known, path.parent)

    @property
    def sets(self) -> tuple[Role, ...]:
        """Sets that have cases, in the order training, internal, external, prospective."""
        present = set(self.frame["set"])
        return tuple(role for role in ROLES if role in present)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that the nouns of the table do not use."""
        own = {"row", "patient", "image", "segmentation", "label", "set", "centre"}
        return tuple(name for name in self.frame.columns if name not in own)

    def of_set(self, *names: str) -> Cohort:
        """The cases of the named sets."""
        return Cohort(self.frame[self.frame["set"].isin(names)], self.classes, self.root)

    def without(self, cases: Sequence[str]) -> Cohort:
        """The cohort less the given cases."""
        return Cohort(self.frame.drop(index=list(cases)), self.classes, self.root)

    def image_path(self, case: str) -> Path:
        """Image file of a case."""
        return self.root / str(self.frame.at[case, "image"])

    def segmentation_path(self, case: str) -> Path:
        """Segmentation file of a case."""
        return self.root / str(self.frame.at[case, "segmentation"])

    def segmentation_label(self, case: str) -> int | str | None:
        """Value or name of the case's structure in its segmentation; None where the table does not say."""
        if "segmentation_label" not in self.frame.columns:
            return None
        stated = self.frame.at[case, "segmentation_label"]
        if stated is None:
            return None
        return int(str(stated)) if str(stated).isdigit() else str(stated)


def _read_text_table(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise CohortError(["is a folder; the table is a CSV file in it"], file=path)
    if not path.is_file():
        raise CohortError(
            ["the table does not exist; write its path (cohort.table) relative to the study file"], file=path
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        _check_header(text, path)
        # pandas shifts all columns when rows have an extra field: index_col=False turns that into a warning.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False, index_col=False)
    except UnicodeDecodeError as error:
        raise CohortError([f"not UTF-8 text (byte {error.start}): save the table as CSV UTF-8"], file=path) from error
    except OSError as error:
        raise CohortError([f"cannot be read: {error.strerror}"], file=path) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise CohortError([f"not a comma separated table: {' '.join(str(error).split())}"], file=path) from error
    table = table[(table != "").any(axis=1)]  # spreadsheets leave empty rows at the end
    if table.empty:
        raise CohortError(["the table has no rows"], file=path)
    return table


def _check_header(text: str, path: Path) -> None:
    header = next(csv.reader(StringIO(text)), [])
    if len(header) == 1:
        for name, mark in (("semicolons", ";"), ("tabs", "\t")):
            if mark in header[0]:
                raise CohortError([f"columns are separated by {name}; save the table with commas"], file=path)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CohortError(
            [f"two columns are named {name!r}; every column needs its own name" for name in twice], file=path
        )


def _require_columns(table: pd.DataFrame, columns: CohortColumns, path: Path) -> None:
    present = [str(name) for name in table.columns]
    absent = [
        f"no column {name!r} (for {noun}); {nearest(name, present)}"
        for noun, name in columns.model_dump().items()
        if name is not None and name not in present and noun != "centre"
    ]
    centre = columns.centre
    if centre is not None and centre not in present and "centre" in columns.model_fields_set:
        absent.append(f"no column {centre!r} (for centre); {nearest(centre, present)}")
    if absent:
        raise CohortError(absent, file=path)


def _standardise(table: pd.DataFrame, columns: CohortColumns, sets: Mapping[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame({"row": table.index + 2})
    table = table.reset_index(drop=True)
    taken = set()
    for noun, name in columns.model_dump().items():
        present = name is not None and name in table.columns
        frame[noun] = table[name].str.strip() if present else ""
        taken.add(name)
    for name in table.columns:
        if name not in taken:
            frame[name if name not in frame.columns else f"{name} (table)"] = table[name].str.strip()
    frame["set"] = frame["set"].map(lambda value: sets.get(value, value))
    nouns = list(columns.model_dump())
    missing = frame[nouns] == ""
    missing["centre"] |= frame["centre"].str.lower().isin(UNKNOWN)
    frame[nouns] = frame[nouns].astype(object).mask(missing, None)
    return frame


def _row_mistakes(frame: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    mistakes = []
    for noun in ("case", "patient", "image", "segmentation", "label", "set"):
        rows = frame.loc[frame[noun].isna(), "row"]
        mistakes += [f"{_rows(rows)}: no {noun}"] if len(rows) else []
    named = frame[frame["case"].notna()]
    for case, rows in named[named["case"].duplicated(keep=False)].groupby("case", sort=False)["row"]:
        mistakes.append(
            f"rows {', '.join(map(str, rows))}: case {case!r} is repeated; every case needs its own identifier"
        )
    for noun, allowed in (("label", [*classes]), ("set", [str(role) for role in ROLES])):
        wrong = frame[frame[noun].notna() & ~frame[noun].isin(allowed)]
        for value, rows in wrong.groupby(noun, sort=False)["row"]:
            mistakes.append(f"{_rows(rows)}: {noun} {value!r} is unknown; {nearest(str(value), allowed)}")
    return mistakes


def _cohort_mistakes(frame: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    mistakes = []
    known = frame[frame["set"].isin(ROLES) & frame["patient"].notna()]
    for patient, rows in known.groupby("patient", sort=False):
        if rows["set"].nunique() > 1:
            where = ", ".join(f"{name} ({_rows(part['row'])})" for name, part in rows.groupby("set", sort=False))
            mistakes.append(f"patient {patient!r} is in two sets: {where}; all cases of a patient belong to one set")
    training = known.loc[known["set"] == "training", "label"]
    if training.empty:
        mistakes.append(f"no case is in the set 'training'; sets are {', '.join(ROLES)}")
    else:
        absent = [label for label in classes if label not in set(training)]
        mistakes += [f"class {label!r} has no training case" for label in absent]
    for name, rows in known.groupby("set", sort=False):
        if rows["label"].nunique() == 1:
            mistakes.append(f"set {name!r} has one class only ({rows['label'].iloc[0]!r}); a set needs at least two")
    return mistakes


def _rows(rows: pd.Series[int]) -> str:
    numbers = [str(row) for row in rows]
    shown = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"
