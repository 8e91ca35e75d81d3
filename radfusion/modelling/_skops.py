"""skops, imported at a fifth of the cost.

At import it looks for estimators in all modules of scikit-learn, some of which import torch where it is installed: ten
seconds that no radiomics model needs.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

__all__ = ["skops_io"]


class _Hidden(MetaPathFinder):
    """Says of torch that it is not there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Nothing."""
        del path, target
        if name == "torch":
            raise ModuleNotFoundError("torch has no part in this", name=name)


@functools.cache
def skops_io() -> ModuleType:
    """The module ``skops.io``."""
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        return importlib.import_module("skops.io")
    finally:
        sys.meta_path.remove(hidden)
