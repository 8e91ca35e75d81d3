"""Weights sources as data: each module here adds its own to ``WEIGHTS`` and is found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from radfusion.networks.sources.base import WEIGHTS, Graph, InputFormat, Pretrained, WeightsFile, WeightsSource

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = ["WEIGHTS", "Graph", "InputFormat", "Pretrained", "WeightsFile", "WeightsSource"]
