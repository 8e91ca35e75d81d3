"""Sections of the report: every module of this folder registers its own."""

import importlib
import pkgutil

from radfusion.report.sections.base import SECTIONS, Section, sections_in_order

__all__ = ["SECTIONS", "Section", "sections_in_order"]

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
