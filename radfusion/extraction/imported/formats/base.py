"""What a table format is."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

import pandas as pd

from radfusion.core.registry import Registry

__all__ = ["FAMILY", "TABLE_FORMATS", "TableFormat"]

#: A feature of PyRadiomics: image type, family, name.
FAMILY = re.compile(r"(^|_)(firstorder|shape|shape2D|glcm|glrlm|glszm|gldm|ngtdm)_[A-Za-z0-9]+")


class TableFormat(ABC):
    """One program's way to write a feature table.

    A subclass is added to ``TABLE_FORMATS``; its columns that describe the extraction never become features.
    """

    #: Words for a report.
    title: ClassVar[str]
    #: Columns that hold the case, the best first; compared without regard to capitals.
    cases: ClassVar[tuple[str, ...]] = ("case", "ID", "case_id", "patient", "patient_id", "PatientID", "sample_name")
    #: Columns that tell of the file, its settings or the program.
    described: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    @classmethod
    @abstractmethod
    def recognises(cls, table: pd.DataFrame) -> bool:
        """Whether a table of text looks like this format."""

    @classmethod
    def named(cls, columns: list[str]) -> dict[str, str]:
        """Column to name of the feature, without source."""
        return {column: column for column in columns}


TABLE_FORMATS: Registry[type[TableFormat]] = Registry("table format")
