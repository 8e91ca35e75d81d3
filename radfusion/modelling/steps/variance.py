"""Variance: features that do not vary among training cases go."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling._ranks import varies
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Variance"]


@STEPS.register("variance")
class Variance(Step):
    """Constant features go, and on demand those whose most common value nearly all cases share.

    Features have units of their own, so a variance says nothing of them; the share of cases with equal values does.
    A range below 1e-12 of the largest absolute value is rounding.
    """

    step: Literal["variance"] = "variance"
    max_equal_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="largest share of training cases with the most common value; null: only constant features go",
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values = training.rows.values
        kept = varies(values)
        if self.max_equal_share is not None:
            kept &= ~_shared(values, int(np.floor(self.max_equal_share * len(values) + 1e-9)) + 1)
        return keeping(training, kept)


def _shared(values: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Whether some value of each column stands in at least so many cases."""
    ordered = np.sort(values, axis=0)
    return np.asarray((ordered[count - 1 :] == ordered[: max(len(values) - count + 1, 0)]).any(axis=0))
