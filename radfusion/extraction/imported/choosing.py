"""Which columns of a table become features, and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort_rows import of_rows
from radfusion.core.registry import nearest
from radfusion.errors import FeatureError
from radfusion.extraction.imported.formats import TABLE_FORMATS
from radfusion.extraction.imported.formats.base import FAMILY
from radfusion.extraction.imported.numbers import Numbers, numbers_of
from radfusion.extraction.imported.reading import TextTable
from radfusion.extraction.imported.settings import Imported

__all__ = ["DROPPED", "Chosen", "choose_columns", "require_no_label"]

#: Why a column does not become a feature.
DROPPED: Mapping[str, str] = {
    "cohort": "a column of the cohort table",
    "unasked": "not asked for",
    "partial": "not in every file",
    "described": "tells of the extraction",
    "outcome": "named like an outcome",
    "prediction": "named like a prediction",
    "identifier": "named like an identifier, or counts the rows",
    "text": "no numbers",
    "empty": "no value in any case",
}
_OUTCOME = re.compile(
    r"(label|target|class|outcome|group|grade|stage|diagnosis|dx|y|y_true|gt|(ground_?)?truth|event|status|death|dead|"
    r"alive|surv[a-z0-9_]*|os|pfs|dfs|rfs|efs|recurrence|response|pathology|histology)s?"
    r"([_ .-]?(months?|days?|years?|time|event|status|label|[0-9]*yr))?",
    re.IGNORECASE,
)
_PREDICTION = re.compile(
    r"((y_|model_)?(logits?|prob(a|s|ability|abilities)?|pred(icted|iction|ictions|s)?|scores?)|risk|rad_?score|"
    r"(p|label)(?=[_.-][0-9]))([_ .-]?[0-9]+|[_ .-](class|label|score|pos|neg|prob).*)?",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(
    r"unnamed: ?[0-9]+|column [0-9]+|index|no\.?|nr\.?|(.*[_ .-])?u?id|(case|patient|subject|sample|study|exam)s?"
    r"([_ .-]?(id|name|no|number|index|date))?|mrn|accession.*|name|set|split|fold|centre|center|site|hospital|cohort",
    re.IGNORECASE,
)
#: Rows from which consecutive whole numbers are taken for a count of the rows.
_COUNTED = 10
#: Cases for each value of a column below which a column that determines the class is no surprise.
_PER_VALUE = 5


@dataclass(frozen=True)
class Chosen:
    """Columns that become features.

    Attributes
    ----------
    names : tuple of str
        Columns of the table.
    values : (rows, columns) array of float64
        All rows of the table; NaN where missing.
    steps : (columns,) array of float64
        Difference that the printed digits of a column can show.
    dropped : mapping of str to tuple of str
        Reason (a key of ``DROPPED``) to the columns that are left out for it.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    steps: NDArray[np.float64]
    dropped: Mapping[str, tuple[str, ...]]


def choose_columns(settings: Imported, table: TextTable, own: Collection[str]) -> Chosen:
    """Choose the columns that become features.

    Parameters
    ----------
    settings : Imported
        Which columns are asked for.
    table : TextTable
        Text.
    own : collection of str
        Columns of the cohort table that say case, patient, label, set or centre, or are declared covariates.

    Raises
    ------
    FeatureError
        When a column that is asked for is absent or holds no numbers, half of a column is no number, or no column is
        left.
    """
    where = f"features.imported: {settings.source}"
    _require_there(settings, table, own)
    dropped: dict[str, list[str]] = {"partial": list(table.partial)}
    numbers: dict[str, Numbers] = {}
    for name in map(str, table.cells.columns):
        asked = name in settings.columns.include
        reason = _by_name(name, settings, TABLE_FORMATS[table.format].described, own=own)
        if reason is None:
            numbers[name] = numbers_of(table.cells[name])
            reason = _by_values(numbers[name], named=asked)
            _require_numbers(f"{where}: column {name!r}", numbers[name], table, dropped=reason == "text" and not asked)
        if reason is not None:
            dropped.setdefault(reason, []).append(name)
    reasons = {key: tuple(names) for key, names in dropped.items() if names}
    gone = {name for names in reasons.values() for name in names}
    names = tuple(name for name in numbers if name not in gone)
    if not names:
        told = "; ".join(f"{DROPPED[key]}: {_some(names)}" for key, names in reasons.items())
        raise FeatureError(f"{where}: no column of the table becomes a feature ({told}); columns: names them in full")
    values = np.column_stack([numbers[name].values for name in names])
    return Chosen(names, values, np.array([numbers[name].step for name in names]), reasons)


def require_no_label(settings: Imported, frame: pd.DataFrame, labels: pd.Series[str]) -> None:
    """Refuse columns from whose values the class follows.

    Parameters
    ----------
    settings : Imported
        For the message.
    frame : pandas.DataFrame
        Cases by columns.
    labels : pandas.Series
        Class of each case.

    Raises
    ------
    FeatureError
        When a column has few values and each belongs to one class.
    """
    found = []
    for name in frame.columns:
        known = frame[name].dropna()
        count = len(np.unique(known))
        if 1 < count <= len(known) / _PER_VALUE and labels[known.index].groupby(known).nunique().max() == 1:
            found.append(str(name))
    if found:
        raise FeatureError(
            f"features.imported: {settings.source}: the class follows from the value of {_some(found)} in every case: "
            "it is the outcome, or was made from it, and no feature; write columns: {exclude: [...]}"
        )


def _require_there(settings: Imported, table: TextTable, own: Collection[str]) -> None:
    where, names = f"features.imported: {settings.source}", [str(name) for name in table.cells.columns]
    for wanted in (*settings.columns.include, *settings.columns.exclude):
        if not any(name == wanted or fnmatchcase(name, wanted) for name in names):
            raise FeatureError(f"{where}: columns: no column is named {wanted!r}; {nearest(wanted, names[:50])}")
    for wanted in settings.columns.include:
        if wanted in own:
            raise FeatureError(f"{where}: columns: {wanted!r} is a column of the cohort table, and no feature here")


def _by_name(name: str, settings: Imported, described: re.Pattern[str], *, own: Collection[str]) -> str | None:
    chosen = settings.columns
    if name in own:
        return "cohort"
    if _matches(name, chosen.exclude) or (chosen.include and not _matches(name, chosen.include)):
        return "unasked"
    if name in chosen.include:
        return None
    if FAMILY.search(name):  # glcm_Id is the inverse difference, no identifier
        return "described" if described.fullmatch(name) else None
    rules = (("described", described), ("outcome", _OUTCOME), ("prediction", _PREDICTION), ("identifier", _IDENTIFIER))
    return next((reason for reason, pattern in rules if pattern.fullmatch(name)), None)


def _by_values(numbers: Numbers, *, named: bool) -> str | None:
    known = numbers.values[np.isfinite(numbers.values)]
    if len(known) == 0:
        return "text" if numbers.wrong.any() else "empty"
    if numbers.wrong.any():
        return "text"
    whole = len(known) >= _COUNTED and len(np.unique(known)) == len(known) and bool((known == np.floor(known)).all())
    counts = whole and np.ptp(known) == len(known) - 1
    return "identifier" if counts and not named else None


def _require_numbers(column: str, numbers: Numbers, table: TextTable, *, dropped: bool) -> None:
    """A column of words is left out; one of numbers with a few words is a mistake that must not vanish."""
    known, wrong = int(np.isfinite(numbers.values).sum()), int(numbers.wrong.sum())
    if not wrong or (dropped and wrong > known):
        return
    rows = of_rows(table.row[numbers.wrong])
    advice = "write numbers with a decimal point, leave missing ones empty, or exclude the column"
    raise FeatureError(f"{column}: {rows}: no number where {known} other rows have one; {advice}")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
