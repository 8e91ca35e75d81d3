"""Correlation: of two features that say the same, one goes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from radfusion.modelling._ranks import explained_share, rank_columns, uncorrelated
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Correlation"]


@STEPS.register("correlation")
class Correlation(Step):
    """Of two features with a larger absolute Spearman correlation one goes, by a stated rule."""

    step: Literal["correlation"] = "correlation"
    maximum: float = Field(0.9, gt=0, le=1, description="largest absolute Spearman correlation of two kept features")
    stays: Literal["stronger"] = Field(
        "stronger", description="which of a pair: the one whose ranks differ more between classes; equals go by name"
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        ranks = rank_columns(training.rows.values)
        codes = np.unique(training.labels.codes, return_inverse=True)[1]
        order = np.lexsort((np.array(training.rows.names, dtype=str), -explained_share(ranks, codes)))
        kept = uncorrelated(ranks, order, self.maximum)
        return keeping(training, np.isin(np.arange(ranks.shape[1]), kept))
