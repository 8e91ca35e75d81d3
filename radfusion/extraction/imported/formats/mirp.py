"""Tables of MIRP: 26 columns on image, mask and perturbation, then features by IBSI family."""

from __future__ import annotations

import re
from typing import ClassVar

import pandas as pd

from radfusion.extraction.imported.formats.base import TABLE_FORMATS, TableFormat


@TABLE_FORMATS.register("mirp")
class MIRP(TableFormat):
    """Version 2 names the sample ``sample_name`` and describes it in ``image_*``; version 1 wrote ``id_*``."""

    title: ClassVar[str] = "MIRP"
    cases: ClassVar[tuple[str, ...]] = ("sample_name", "id_subject")
    described: ClassVar[re.Pattern[str]] = re.compile(r"(image|id|img_data|diag)_.*|sample_name")

    @classmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """By the columns that describe a sample."""
        names = set(map(str, table.columns))
        return {"sample_name", "image_settings_id"} <= names or {"id_subject", "img_data_settings_id"} <= names
