"""Batch tables of PyRadiomics: the columns of its input, what it tells of the extraction, then the features."""

from __future__ import annotations

import re
from typing import ClassVar

import pandas as pd

from radfusion.extraction.imported.formats.base import FAMILY, TABLE_FORMATS, TableFormat


@TABLE_FORMATS.register("pyradiomics")
class PyRadiomics(TableFormat):
    """``diagnostics_*`` since version 2.0, ``general_info_*`` before; every column of the input is copied."""

    title: ClassVar[str] = "PyRadiomics"
    cases: ClassVar[tuple[str, ...]] = (*TableFormat.cases, "Image")
    described: ClassVar[re.Pattern[str]] = re.compile(
        r"(diagnostics_|general_info_|provenance_).*|Image|Mask|Label|Label_channel|Reader"
    )

    @classmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """By what it tells of the extraction, or by the names of its features."""
        names = [str(name) for name in table.columns]
        told = any(name.startswith(("diagnostics_", "general_info_")) for name in names)
        return told or any(FAMILY.search(name) and ":" not in name for name in names)
