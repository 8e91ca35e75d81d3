"""A feature table that another program made, as features of a study's cases: matched, checked, or refused."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError
from radfusion.extraction.imported.choosing import DROPPED, Chosen, choose_columns, require_no_label
from radfusion.extraction.imported.formats import TABLE_FORMATS
from radfusion.extraction.imported.leaks import TableRows, already_scaled, found_leaks
from radfusion.extraction.imported.reading import TextTable, read_text
from radfusion.extraction.imported.repeated_rows import MOST_ROWS, between_rows, equal_rows
from radfusion.extraction.imported.settings import Imported

__all__ = ["STAGE", "imported_table"]

#: Stage of the exclusion of a case that has no row.
STAGE = "imported table"
#: Dropped columns that the provenance names; the others are counted.
_NAMED = 20
#: Values from here on have no square, and are not looked at by the leak tests.
_SQUARED = 1e150
_INSTEAD = (
    "A validation of such a table is not one of new patients, so it is refused and cannot be acknowledged away. Give "
    "the features as they were extracted, one row per patient's region: scaling, projection and balancing are fitted "
    "inside every training fold here"
)


def imported_table(
    settings: Imported, folder: str | Path, cohort: Cohort, *, own: Collection[str] = ()
) -> FeatureTable:
    """Read an imported table for the cases of a cohort.

    Parameters
    ----------
    settings : Imported
        Where the table is, and which columns are features.
    folder : path
        Folder that relative file names start from.
    cohort : Cohort
        Cases of the study with patient, label and set.
    own : collection of str
        Columns of the cohort's table, by their names there; in the imported table they are never features.

    Returns
    -------
    FeatureTable
        One row per case that the table has, in the order of the cohort; cases without a row are its exclusions. The
        provenance tells files, format, rows, columns that were left out and why, and what the leak tests looked at.

    Raises
    ------
    FeatureError
        When a file or a column is not what the study says; when the class follows from a column; and when the table
        was scaled, projected or filled up over more than its training rows (RF02).
    """
    text = read_text(settings, Path(folder), cohort)
    chosen = choose_columns(settings, text, own)
    place = pd.Series(text.cases.index, index=text.cases).drop("", errors="ignore")
    there = [case for case in cohort.frame.index if case in place.index]
    if not there:
        raise FeatureError(
            f"features.imported: {settings.source}: none of the {len(cohort.frame)} cases of the cohort is in the "
            f"column {text.case_column!r} ({len(place)} rows); the first case is {cohort.frame.index[0]!r}"
        )
    frame = pd.DataFrame(chosen.values[place[there]], index=pd.Index(there), columns=list(chosen.names))
    require_no_label(settings, frame, cohort.frame.loc[there, "label"])
    rows = _rows(chosen, text, cohort)
    facts = _facts(settings, text, chosen, used=len(there)) | {"leak_tests": _tested(settings, rows)}
    names = TABLE_FORMATS[text.format].named(list(chosen.names))
    frame.columns = pd.Index([f"{settings.source}:{names[name]}" for name in chosen.names])
    absent = f"has no row in {', '.join(str(each['name']) for each in text.files)}"
    gone = tuple(Exclusion(case=case, stage=STAGE, reason=absent) for case in cohort.frame.index if case not in place)
    return FeatureTable(frame, {settings.source: facts}, gone)


def _rows(chosen: Chosen, text: TextTable, cohort: Cohort) -> TableRows:
    known = cohort.frame.reindex(text.cases)
    patients, sets = (known[name].fillna("").to_numpy(dtype=str) for name in ("patient", "set"))
    cases, files = text.cases.to_numpy(dtype=str), text.file.to_numpy(dtype=str)
    values = np.where(np.abs(chosen.values) < _SQUARED, chosen.values, np.nan)
    return TableRows(values, chosen.steps, chosen.names, cases, patients, sets, files)


def _tested(settings: Imported, rows: TableRows) -> dict[str, Any]:
    """What the leak tests looked at; they raise where they find something."""
    used = rows.taken(rows.used)
    found = [*found_leaks(rows), *equal_rows(used), *between_rows(used)]
    if found:
        raise FeatureError(f"features.imported: {settings.source}: {'. '.join(found)}. {_INSTEAD}.")
    return {
        "rows": len(rows.cases),
        "features": len(rows.names),
        "already_scaled_in_training": already_scaled(rows),
        "interpolated_rows_looked_for": len(used.cases) <= MOST_ROWS,
    }


def _facts(settings: Imported, text: TextTable, chosen: Chosen, *, used: int) -> dict[str, Any]:
    dropped = {
        DROPPED[reason]: {"count": len(names), "names": list(names[:_NAMED])}
        for reason, names in chosen.dropped.items()
    }
    return {
        "imported": [dict(each) for each in text.files],
        "kind": settings.kind,
        "format": text.format,
        "program": TABLE_FORMATS[text.format].title,
        "case_column": text.case_column,
        "rows_used": used,
        "rows_unused": len(text.cases) - used,
        "missing_values": int(np.isnan(chosen.values).sum()),
        "dropped_columns": dropped,
    }
