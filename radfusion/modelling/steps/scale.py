"""Scaling: features on a common scale, by training cases."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training
from radfusion.modelling.transforms import Affine

__all__ = ["Scale"]

Floats = NDArray[np.float64]


@STEPS.register("scale")
class Scale(Step):
    """Each feature less its mean, divided by its standard deviation.

    A chain that names no such step ends with it: classifiers need features on a common scale.
    """

    step: Literal["scale"] = "scale"
    method: Literal["zscore"] = Field("zscore", description="zscore: mean and standard deviation (1/n)")

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        means, scales = _mean_and_scale(training.rows.values)
        return FittedStep(Affine(training.rows.names, means, np.where(scales > 0, scales, 1.0)))


def _mean_and_scale(values: Floats) -> tuple[Floats, Floats]:
    # Through the unit range, so that squares of very large values do not overflow.
    largest = np.abs(values).max(axis=0, initial=0.0)
    unit = values / np.where(largest > 0, largest, 1.0)
    return largest * unit.mean(axis=0), largest * unit.std(axis=0)
