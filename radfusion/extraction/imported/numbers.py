"""Text of a table as numbers, with the precision that it was printed with."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Numbers", "numbers_of"]

#: What stands for a missing value, in small letters; numbers that are not finite are missing, too.
MISSING = frozenset(
    ("", "na", "n/a", "nan", "none", "null", "-", ".", "inf", "-inf", "+inf", "infinity", "-infinity", "#n/a",
     "#div/0!", "#num!", "#value!")
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?([0-9]*)|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes
    ----------
    values : (n,) array of float64
        NaN where missing, or where the text is no number.
    step : float
        Difference that the printed digits can show: 1e-6 for six decimals.
    wrong : (n,) array of bool
        Where the text is no number and not missing.
    """

    values: NDArray[np.float64]
    step: float
    wrong: NDArray[np.bool_]


def numbers_of(text: pd.Series[str]) -> Numbers:
    """Read a column of text.

    Examples
    --------
    >>> found = numbers_of(pd.Series(["1.50", "-2e-3", "NaN", "Inf", "high"]))
    >>> found.values.tolist(), found.step, found.wrong.tolist()
    ([1.5, -0.002, nan, nan, nan], 0.001, [False, False, False, False, True])
    """
    values, decimals, wrong = np.full(len(text), math.nan), 0, np.zeros(len(text), dtype=bool)
    for place, cell in enumerate(text.tolist()):
        plain = cell.strip()
        found = _NUMBER.fullmatch(plain)
        if found is None:
            wrong[place] = plain.lower() not in MISSING
            continue
        value = float(plain)
        values[place] = value if math.isfinite(value) else math.nan
        decimals = max(decimals, len(found[1] or found[2] or "") - int(found[3] or 0))
    return Numbers(values, 10.0 ** -min(decimals, 300), wrong)
