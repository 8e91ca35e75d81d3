"""Feature tables of other programs: read, matched to the cohort, and refused when they leak."""

from radfusion.extraction.imported.formats import TABLE_FORMATS
from radfusion.extraction.imported.leaks import LEAK_TESTS
from radfusion.extraction.imported.settings import ChosenColumns, Imported
from radfusion.extraction.imported.table import STAGE, imported_table

__all__ = ["LEAK_TESTS", "STAGE", "TABLE_FORMATS", "ChosenColumns", "Imported", "imported_table"]
