"""A cohort table as text: CSV, Excel or Parquet, told apart by content."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pandas as pd

from radfusion.core.registry import nearest
from radfusion.errors import CohortError

__all__ = ["cleaned", "read_table"]

Rows = list[tuple[int, list[str]]]
Cells = list[tuple[int, Sequence[Any]]]
#: Marks without width that text brings along from web pages and word processors.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
#: Excel keeps 15 digits of a number; an integer beyond them has lost some.
_EXACT = 1e15


def read_table(path: Path, sheet: str | None = None, *, semicolons: bool = False) -> pd.DataFrame:
    """Read every value of a table as text.

    Parameters
    ----------
    path : pathlib.Path
        CSV (UTF-8, commas; gzipped, too), Excel workbook (``.xlsx``) or Parquet. The content decides, not the name.
    sheet : str, optional
        Sheet of a workbook; needed when several have content.
    semicolons : bool
        Whether semicolons may separate the columns of a CSV file, as in files that programs write.

    Returns
    -------
    pandas.DataFrame
        Text, empty where a value is missing: whole numbers without ``.0``, dates as ``YYYY-MM-DD``, true and false as
        ``True`` and ``False``. The index holds row numbers as a spreadsheet shows them: 1 is the header.

    Raises
    ------
    CohortError
        When the file is absent, of another kind, damaged, without rows, or its header names a column twice.
    """
    if path.is_dir():
        raise CohortError(["is a folder; the table is a CSV, Excel or Parquet file in it"], file=path)
    if not path.is_file():
        raise CohortError(
            ["the table does not exist; write its path (cohort.table) relative to the study file"], file=path
        )
    try:
        rows = _rows(path, sheet, semicolons=semicolons)
    except UnicodeDecodeError as error:
        raise CohortError([f"not UTF-8 text (byte {error.start}): save the table as CSV UTF-8"], file=path) from error
    except (OSError, EOFError, zlib.error) as error:
        raise CohortError([f"cannot be read: {getattr(error, 'strerror', None) or 'damaged'}"], file=path) from error
    except csv.Error as error:
        raise CohortError([f"not a comma separated table: {error}"], file=path) from error
    return _framed([(row, values) for row, values in rows if any(values)], path)


def cleaned(text: str) -> str:
    """Text without blanks at its ends and without marks that nobody sees; accents in one form.

    Examples
    --------
    >>> cleaned(" Zu\u0308rich\u200b ") == "Z\u00fcrich"
    True
    """
    return unicodedata.normalize("NFC", text.translate(_INVISIBLE)).strip()


def _rows(path: Path, sheet: str | None, *, semicolons: bool) -> Rows:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        return _excel_rows(path, sheet)
    if head == b"\xd0\xcf\x11\xe0":
        raise CohortError(["an old or locked Excel file; save it without a password as .xlsx or CSV UTF-8"], file=path)
    if sheet is not None:
        raise CohortError([f"no Excel workbook, so it has no sheet {sheet!r}"], file=path)
    if head == b"PAR1":
        return _parquet_rows(path)
    content = gzip.decompress(path.read_bytes()) if head.startswith(b"\x1f\x8b") else path.read_bytes()
    return _csv_rows(content.decode("utf-8-sig"), path, semicolons=semicolons)


def _csv_rows(text: str, path: Path, *, semicolons: bool) -> Rows:
    rows = list(enumerate(csv.reader(StringIO(text, newline=""), strict=True), start=1))
    header = next((values for _, values in rows if any(values)), [])
    if len(header) == 1 and ";" in header[0] and semicolons:
        return list(enumerate(csv.reader(StringIO(text, newline=""), delimiter=";", strict=True), start=1))
    if len(header) == 1:
        for name, mark in (("semicolons", ";"), ("tabs", "\t")):
            if mark in header[0]:
                raise CohortError([f"columns are separated by {name}; save the table with commas"], file=path)
    return rows


def _parquet_rows(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, ValueError) as error:
        raise CohortError([f"not a Parquet file that can be read: {str(error).splitlines()[0]}"], file=path) from error
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            raise CohortError([f"column {name!r} holds lists or records; a cell holds one value"], file=path)
        # The shortest text of a 32-bit number: 0.1, not 0.10000000149.
        single = pa.types.is_float32(column.type) or pa.types.is_float16(column.type)
        values = column.cast(pa.string()).to_pylist() if single else column.to_pylist()
        columns.append([_text(float(value) if single and value else value) for value in values])
    return [(1, list(table.column_names)), *enumerate(map(list, zip(*columns, strict=True)), start=2)]


def _excel_rows(path: Path, sheet: str | None) -> Rows:
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings(action="ignore"):  # openpyxl tells of styles and validations it passes over
            cells = _workbook_cells(path, sheet)
    except (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError) as error:
        sentence = "not an Excel workbook (.xlsx) that can be read; save it anew or as CSV UTF-8"
        raise CohortError([sentence], file=path) from error
    return [(row, [_cell_text(cell) for cell in values]) for row, values in cells]


def _workbook_cells(path: Path, sheet: str | None) -> Cells:
    import openpyxl

    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        name = _sheet_name(book, sheet, path)
        cells = _cells(book[name])
    if not any(cell.data_type == "f" for _, row in cells for cell in row):
        return cells
    with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
        return _computed(cells, _cells(book[name]), path)


def _sheet_name(book: Any, sheet: str | None, path: Path) -> str:
    names = [str(each.title) for each in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise CohortError([f"no sheet {sheet!r}; {nearest(sheet, names)}"], file=path)
        return sheet
    used = [name for name in names if any(any(cell.value is not None for cell in row) for _, row in _cells(book[name]))]
    if len(used) > 1:
        listed = ", ".join(map(repr, used))
        raise CohortError([f"the workbook has the sheets {listed}; name one of them (cohort.sheet)"], file=path)
    return used[0] if used else names[0]


def _cells(sheet: Any) -> Cells:
    sheet.reset_dimensions()  # some programs write a wrong size of the sheet
    return list(enumerate(sheet.iter_rows(), start=1))


def _computed(cells: Cells, values: Cells, path: Path) -> Cells:
    """Cells with the values that the spreadsheet program stored for formulas."""
    empty = [
        f"cell {cell.coordinate}: a formula without a stored value; save the table in a spreadsheet program"
        for (_, written), (_, row) in zip(cells, values, strict=True)
        for cell, value in zip(written, row, strict=True)
        if cell.data_type == "f" and value.value is None
    ]
    if empty:
        raise CohortError(empty, file=path)
    return values


def _cell_text(cell: Any) -> str:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if re.fullmatch("0+", cell.number_format or ""):  # 00042 is a number with a format
            return f"{value:0{len(cell.number_format)}.0f}"
        if isinstance(value, float) and not value.is_integer():
            return f"{value:.15g}"
        value = float(value)
    return _text(value)


def _text(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - not a number
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    if isinstance(value, dt.datetime):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _framed(rows: Rows, path: Path) -> pd.DataFrame:
    if len(rows) < 2:
        raise CohortError(["the table has no rows"], file=path)
    (_, header), *body = rows
    while header and not header[-1].strip():
        header = header[:-1]
    names = [cleaned(name) or f"column {place}" for place, name in enumerate(header, start=1)]
    mistakes = [*_named_twice(names), *_too_long(body, len(names))]
    if mistakes:
        raise CohortError(mistakes, file=path)
    filled = [[*values[: len(names)], *[""] * (len(names) - len(values))] for _, values in body]
    return pd.DataFrame(filled, index=[row for row, _ in body], columns=names, dtype=object)


def _named_twice(names: Iterable[str]) -> Iterator[str]:
    names = list(names)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two columns are named {name!r}; every column needs its own name"


def _too_long(body: Rows, width: int) -> Iterator[str]:
    for row, values in body:
        if any(values[width:]):
            yield f"row {row}: {len(values)} values, the header names {width} columns"
