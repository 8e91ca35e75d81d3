"""What a section is made of: plain frozen data that an HTML page, a text file or a CSV can be written from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from radfusion.report.styles import Style

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Data",
    "Facts",
    "Heading",
    "Level",
    "Note",
    "Picture",
    "References",
    "Table",
    "Text",
    "Value",
    "cells",
]

Level = Literal["pass", "warn", "fail", "info"]
Value: TypeAlias = str | float | int | None


@dataclass(frozen=True)
class Data:
    """Numbers as they are, unrounded: the CSV beside a figure or a table. None is an empty field."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Cell:
    """One printed value.

    ``ref`` is the JSON pointer of the number in ``results.json``; ``level`` colours the cell as a traffic light;
    ``numeric`` aligns it to the right.
    """

    text: str
    ref: str = ""
    level: Level | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Note:
    """A paragraph that must not be missed."""

    kind: ClassVar[str] = "note"
    level: Level
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Table:
    """A table: ``tables/<name>.csv`` holds `data`, or the printed cells when there is none.

    ``group`` says that the first column names groups of rows and is printed once per group.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    data: Data | None = None
    group: bool = False

    def as_data(self) -> Data:
        """Numbers of the table, or its printed cells."""
        return self.data or Data(self.columns, tuple(tuple(cell.text for cell in row) for row in self.rows))


@dataclass(frozen=True)
class Picture:
    """A figure: drawn when the report is written, with the plotted numbers in ``figures/<name>.csv``."""

    kind: ClassVar[str] = "picture"
    name: str
    caption: str
    alt: str
    data: Data
    draw: Callable[[Style], Canvas] = field(compare=False)


@dataclass(frozen=True)
class Code:
    """Text kept as it is, in a fixed-width font."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class References:
    """Numbered references: text and DOI (empty where there is none)."""

    kind: ClassVar[str] = "references"
    items: tuple[tuple[str, str], ...]


Block: TypeAlias = Heading | Text | Note | Facts | Table | Picture | Code | References


def cells(values: Sequence[str | Cell]) -> tuple[Cell, ...]:
    """Row of cells, with plain text where a string is given.

    Examples
    --------
    >>> cells(["a", Cell("1", numeric=True)])[0].text
    'a'
    """
    return tuple(value if isinstance(value, Cell) else Cell(value) for value in values)
