"""Univariate tests: features that do not differ between classes go."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from radfusion.modelling._ranks import anova_p, explained_share, kruskal_p, rank_columns
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Univariate"]


@STEPS.register("univariate")
class Univariate(Step):
    """Features with a P value of the test between classes below alpha stay."""

    step: Literal["univariate"] = "univariate"
    test: Literal["kruskal", "anova"] = Field("kruskal", description="test between classes, per feature")
    alpha: float = Field(0.05, gt=0, le=1, description="features with a P value below this stay")

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values, codes = training.rows.values, np.unique(training.labels.codes, return_inverse=True)[1]
        share = explained_share(values if self.test == "anova" else rank_columns(values), codes)
        p_value = anova_p if self.test == "anova" else kruskal_p
        return keeping(training, p_value(share, len(codes), int(codes.max()) + 1) < self.alpha)
