"""Scaling: features on a common scale, by training cases."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling._ranks import ROUNDING
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training
from radfusion.modelling.transforms import Affine

__all__ = ["Scale"]

Floats = NDArray[np.float64]


@STEPS.register("scale")
class Scale(Step):
    """Each feature less its centre, divided by its scale.

    A feature that is constant has the scale 1. One of which half the cases or more share a value may have no
    interquartile range; its standard deviation stands in for it, and the step tells how many there were. A chain that
    names no such step ends with it: classifiers need features on a common scale.
    """

    step: Literal["scale"] = "scale"
    method: Literal["zscore", "robust", "minmax"] = Field(
        "zscore",
        description="zscore: mean and standard deviation (1/n); robust: median and interquartile range; "
        "minmax: least value and range",
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values = training.rows.values
        # Through the unit range, so that squares of very small values are numbers.
        largest = np.abs(values).max(axis=0, initial=0.0)
        factor = np.where(largest > 0, largest, 1.0)
        unit = values / factor
        centre, scale = _METHODS[self.method](unit)
        flat = scale <= ROUNDING
        scale[flat] = unit[:, flat].std(axis=0)
        constant = scale <= ROUNDING
        told = {"without_range": int((flat & ~constant).sum())} if self.method == "robust" else {}
        transform = Affine(training.rows.names, factor * centre, np.where(constant, 1.0, factor * scale))
        return FittedStep(transform, told)


def _zscore(unit: Floats) -> tuple[Floats, Floats]:
    return unit.mean(axis=0), unit.std(axis=0)


def _robust(unit: Floats) -> tuple[Floats, Floats]:
    low, middle, high = np.quantile(unit, (0.25, 0.5, 0.75), axis=0)
    return middle, high - low


def _minmax(unit: Floats) -> tuple[Floats, Floats]:
    return unit.min(axis=0), np.ptp(unit, axis=0)


_METHODS = {"zscore": _zscore, "robust": _robust, "minmax": _minmax}
