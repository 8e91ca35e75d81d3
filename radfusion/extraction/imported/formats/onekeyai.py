"""Tables of OnekeyAI (``rad_features.csv``): the file name of the image under ``ID``, then PyRadiomics' features."""

from __future__ import annotations

import re
from typing import ClassVar

import pandas as pd

from radfusion.extraction.imported.formats.base import TABLE_FORMATS, TableFormat

_FILE = r".+\.(nii|nii\.gz|nrrd|mha|mhd|dcm|png|jpe?g|bmp|tiff?)"


@TABLE_FORMATS.register("onekeyai")
class OnekeyAI(TableFormat):
    """Its notebooks join the features with ``label`` and ``group``, and write ``_`` for ``-`` in names."""

    title: ClassVar[str] = "OnekeyAI"
    cases: ClassVar[tuple[str, ...]] = ("ID",)
    described: ClassVar[re.Pattern[str]] = re.compile(r"group|fname|image|mask", re.IGNORECASE)

    @classmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """By an ``ID`` that is a file name, without anything told of the extraction."""
        if "ID" not in table.columns or any(str(name).startswith("diagnostics_") for name in table.columns):
            return False
        return bool(table["ID"].str.fullmatch(_FILE, case=False).mean() > 0.5)
