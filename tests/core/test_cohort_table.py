"""CSV, Excel and Parquet give one and the same table; what is no table is answered."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from radfusion.core.cohort_table import read_table
from radfusion.errors import CohortError

TABLE = pd.DataFrame(
    {
        "case": ["a", "b", "c"],
        "number": [7, 8, -9],
        "with gaps": [1.0, np.nan, 3.0],
        "decimal": [0.1, 2.5, 1e-7],
        "day": [dt.date(2020, 1, 31), dt.date(2021, 2, 1), None],
        "moment": [pd.Timestamp("2020-01-31"), pd.Timestamp("2021-02-01T12:30"), None],
        "yes": [True, False, True],
        "text": ["Zürich", "None", ""],
    }
)


def answer(path: Path, sheet: str | None = None) -> str:
    with pytest.raises(CohortError) as error:
        read_table(path, sheet)
    return str(error.value)


def workbook(path: Path, *rows: list[object], **more: list[list[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title, own in more.items():
        sheet = book.create_sheet(title)
        for row in own:
            sheet.append(row)
    book.save(path)
    return book


def test_excel_and_parquet_give_the_same_text(tmp_path: Path) -> None:
    TABLE.to_excel(tmp_path / "table.xlsx", index=False)
    TABLE.to_parquet(tmp_path / "table.parquet")
    excel, parquet = read_table(tmp_path / "table.xlsx"), read_table(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(excel, parquet)
    assert excel.iloc[0].tolist() == ["a", "7", "1", "0.1", "2020-01-31", "2020-01-31", "True", "Zürich"]
    assert excel["with gaps"].tolist() == ["1", "", "3"]
    assert excel["moment"].tolist() == ["2020-01-31", "2021-02-01T12:30:00", ""]
    assert excel.index.tolist() == [2, 3, 4]


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "table.csv")
    assert read_table(tmp_path / "table.csv")["case"].tolist() == ["a", "b", "c"]


def test_numbers_of_32_bits_keep_their_shortest_text(tmp_path: Path) -> None:
    pd.DataFrame({"x": np.array([0.1, 2, np.nan], dtype=np.float32)}).to_parquet(tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet")["x"].tolist() == ["0.1", "2"]


def test_leading_zeros_of_a_number_format_are_kept(tmp_path: Path) -> None:
    book = workbook(tmp_path / "x.xlsx", ["patient"], [42])
    book.active["A2"].number_format = "00000"
    book.save(tmp_path / "x.xlsx")
    assert read_table(tmp_path / "x.xlsx")["patient"].tolist() == ["00042"]


def test_a_sheet_is_named_where_several_have_content(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    workbook(path, ["case"], ["a"], films=[["case"], ["b"]], empty=[])
    assert "has the sheets 'Sheet', 'films'; name one of them" in answer(path)
    assert "no sheet 'film'; did you mean 'films'?" in answer(path, "film")
    assert read_table(path, "films")["case"].tolist() == ["b"]


def test_a_formula_without_a_value_is_answered_with_its_cell(tmp_path: Path) -> None:
    workbook(tmp_path / "x.xlsx", ["case", "age"], ["a", "=1+1"])
    assert "cell B2: a formula without a stored value" in answer(tmp_path / "x.xlsx")


def test_rows_are_numbered_as_the_spreadsheet_does(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('\ncase,note\n\na,"two\nlines"\n,\nb,\n')
    table = read_table(tmp_path / "x.csv")
    assert dict(zip(table["case"], table.index, strict=True)) == {"a": 4, "b": 6}


def test_every_row_with_too_many_values_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("case,set\na,b,c\nd,e,,\nf\ng,h,,i\n")
    message = answer(tmp_path / "x.csv")
    assert "row 2: 3 values, the header names 2 columns" in message
    assert "row 5: 4 values" in message
    assert "2 mistakes" in message


def test_a_column_without_name_is_kept_under_its_place(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "x.csv")
    assert read_table(tmp_path / "x.csv").columns[:2].tolist() == ["column 1", "case"]


def test_marks_that_nobody_sees_do_not_hide_a_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("\ufeffcase\u200b , set\na,b\n", encoding="utf-8")
    assert read_table(tmp_path / "x.csv").columns.tolist() == ["case", "set"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 and nothing more", "not an Excel workbook"),
        (b"PAR1 and nothing more", "not a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or locked Excel file"),
        ("case;set\na;b\n".encode("utf-16"), "not UTF-8 text"),
        (b'case,set\n"a,b\nc,d\n', "not a comma separated table"),
        (b"case\tset\na\tb\n", "columns are separated by tabs"),
        (b"case,set\n", "the table has no rows"),
    ],
)
def test_what_is_no_table_is_answered(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    assert message in answer(tmp_path / "x")


def test_lists_in_a_parquet_file_are_answered(tmp_path: Path) -> None:
    pd.DataFrame({"case": ["a"], "boxes": [[1, 2]]}).to_parquet(tmp_path / "x.parquet")
    assert "column 'boxes' holds lists" in answer(tmp_path / "x.parquet")


def test_a_sheet_of_a_csv_file_is_answered(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("case\na\n")
    assert "no Excel workbook, so it has no sheet 'films'" in answer(tmp_path / "x.csv", "films")
