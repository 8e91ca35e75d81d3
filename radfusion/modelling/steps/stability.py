"""Stability: features that readers or perturbed images do not agree on go."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Stability"]


@STEPS.register("stability")
class Stability(Step):
    """Features whose intraclass correlation is too low on the training cases at hand go.

    Readings and the least correlation are those of ``features.stability``. Where nothing was measured, all stay. A
    chain that names no such step has it after the missing values.
    """

    takes_missing: ClassVar[bool] = True

    step: Literal["stability"] = "stability"

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        unstable = training.unstable or frozenset()
        stays = np.array([name not in unstable for name in training.rows.names], dtype=bool)
        return keeping(training, stays, measured=training.unstable is not None)
