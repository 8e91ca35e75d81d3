"""Any other table: one column of cases, the others are features where they are numbers."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from radfusion.extraction.imported.formats.base import TABLE_FORMATS, TableFormat


@TABLE_FORMATS.register("plain")
class Plain(TableFormat):
    """Nothing is known of it but what the study says."""

    title: ClassVar[str] = "a table of numbers"

    @classmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """Never: it is what remains."""
        del table
        return False
