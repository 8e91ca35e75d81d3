"""PyRadiomics' features of one or several regions of an image, each filter on the crop that it needs."""

from radfusion.extraction.engine.levels import MAX_GREY_LEVELS
from radfusion.extraction.engine.measuring import Measured, measure
from radfusion.extraction.engine.quiet import one_quiet_thread

__all__ = ["MAX_GREY_LEVELS", "Measured", "measure", "one_quiet_thread"]
