"""Correlation: of two features that say the same, one goes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling._ranks import (
    DIGITS,
    explained_share,
    mean_correlations,
    rank_columns,
    uncorrelated,
    unit_columns,
)
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Correlation"]

Floats = NDArray[np.float64]


@STEPS.register("correlation")
class Correlation(Step):
    """Of two features with a larger absolute correlation one goes, by a stated rule.

    Features are taken in the order of the rule, best first; each is kept unless it correlates too much with one that
    was kept before. A feature that is dropped drops no other. Duplicates go in this way, unless the maximum is 1.
    """

    step: Literal["correlation"] = "correlation"
    maximum: float = Field(0.9, gt=0, le=1, description="largest absolute correlation of two kept features")
    method: Literal["spearman", "pearson"] = Field("spearman", description="of ranks, or of the values as they are")
    stays: Literal["stronger", "less-correlated", "first"] = Field(
        "stronger",
        description=(
            "which of a pair: stronger, the one with the larger share of its variance (spearman: of its ranks) between "
            "classes; less-correlated, the one with the smaller mean absolute correlation with all others; first, by "
            "name; equals go by name"
        ),
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values = training.rows.values
        unit = unit_columns(rank_columns(values) if self.method == "spearman" else values)
        order = np.lexsort((np.array(training.rows.names, dtype=str), self._demerit(unit, training).round(DIGITS)))
        kept = uncorrelated(unit, order, self.maximum)
        return keeping(training, np.isin(np.arange(unit.shape[1]), kept))

    def _demerit(self, unit: Floats, training: Training) -> Floats:
        """(p,) array: small for features that are to stay."""
        if self.stays == "stronger":
            return -explained_share(unit, np.unique(training.labels.codes, return_inverse=True)[1])
        return mean_correlations(unit) if self.stays == "less-correlated" else np.zeros(unit.shape[1])
