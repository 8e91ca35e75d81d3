"""Variance: features that do not vary among training cases go."""

from __future__ import annotations

from typing import Literal

import numpy as np

from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Variance"]

#: A range below this share of the largest absolute value is rounding, not variation.
_ROUNDING = 1e-12


@STEPS.register("variance")
class Variance(Step):
    """Constant features go."""

    step: Literal["variance"] = "variance"

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values = training.rows.values
        return keeping(training, np.ptp(values, axis=0) > _ROUNDING * np.abs(values).max(axis=0, initial=0.0))
