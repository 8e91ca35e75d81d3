"""Missing values: features with too many go, in the others they are filled in."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training
from radfusion.modelling.transforms import Impute

__all__ = ["Missing"]

Floats = NDArray[np.float64]


@STEPS.register("missing")
class Missing(Step):
    """Features without a finite value in too many training cases go; elsewhere a training value stands in.

    A chain that names no such step begins with it.
    """

    step: Literal["missing"] = "missing"
    max_share: float = Field(0.2, ge=0, le=1, description="largest share of training cases without a finite value")
    fill: Literal["median", "mean"] = Field("median", description="of the training cases, stands in for missing values")

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        absent = np.isnan(training.rows.values)
        few = absent.mean(axis=0) <= self.max_share
        values = training.rows.values[:, few]
        names = np.array(training.rows.names, dtype=object)[few]
        return FittedStep(Impute(tuple(names), _middle(values, self.fill)), {"filled": int(absent[:, few].sum())})


def _middle(values: Floats, what: str) -> Floats:
    """Median or mean of the values that are known; 0 where none is."""
    known = ~np.isnan(values).all(axis=0)
    middle = np.zeros(values.shape[1])
    if known.any():
        middle[known] = (np.nanmedian if what == "median" else np.nanmean)(values[:, known], axis=0)
    return middle
