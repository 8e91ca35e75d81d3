"""Formats of feature tables: one module for each program that writes them.

A new format is a new module of this folder that adds its class to ``TABLE_FORMATS``.
"""

from __future__ import annotations

import importlib
import pkgutil

import pandas as pd

from radfusion.extraction.imported.formats.base import TABLE_FORMATS, TableFormat

__all__ = ["TABLE_FORMATS", "TableFormat", "format_of"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def format_of(table: pd.DataFrame) -> str:
    """Name of the first format that recognises a table of text; ``plain`` when none does.

    Examples
    --------
    >>> format_of(pd.DataFrame({"Image": ["a.nii"], "Mask": ["b.nii"], "original_glcm_Contrast": ["1.5"]}))
    'pyradiomics'
    >>> format_of(pd.DataFrame({"case": ["a"], "volume": ["1.5"]}))
    'plain'
    """
    found = (name for name, each in TABLE_FORMATS.items().items() if each.recognises(table))
    return next(found, "plain")
