"""Tables that ``radfusion extract`` writes: ``case``, then features under the name of their source."""

from __future__ import annotations

import re
from typing import ClassVar

import pandas as pd

from radfusion.extraction.imported.formats.base import TABLE_FORMATS, TableFormat

_SOURCED = re.compile(r"[^:]+:.+")


@TABLE_FORMATS.register("radfusion")
class Own(TableFormat):
    """The source before the colon gives way to the one that the study names."""

    title: ClassVar[str] = "radfusion"
    cases: ClassVar[tuple[str, ...]] = ("case",)

    @classmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """By ``case`` and names with a source."""
        names = [str(name) for name in table.columns]
        return "case" in names and len(names) > 1 and all(_SOURCED.fullmatch(name) for name in names if name != "case")

    @classmethod
    def named(cls, columns: list[str]) -> dict[str, str]:
        """Names without their source, where the table has one source only."""
        if len({column.partition(":")[0] for column in columns}) > 1:
            return super().named(columns)
        return {column: column.partition(":")[2] or column for column in columns}
