"""Results to a page: sections, figures, tables and Methods text, rendered from results alone."""

from radfusion.report.write import write_report

__all__ = ["write_report"]
