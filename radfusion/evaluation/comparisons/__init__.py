"""Tests between models: each module here registers its own in ``COMPARISONS`` and is found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from radfusion.evaluation.comparisons.base import COMPARISONS, Compare, ScoredPair

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = ["COMPARISONS", "Compare", "ScoredPair"]
