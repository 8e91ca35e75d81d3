"""mRMR: features that differ between classes and say little of each other."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling._class_tests import f_statistic
from radfusion.modelling._ranks import DIGITS, explained_share, rank_columns, unit_columns
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["MinimumRedundancy"]

Floats = NDArray[np.float64]
#: Correlation below which a quotient would reward chance.
_LEAST = 1e-3


@STEPS.register("mrmr")
class MinimumRedundancy(Step):
    """Minimum redundancy, maximum relevance: features are taken one by one, each the best beside those taken.

    Relevance is the F statistic between classes, redundancy the mean absolute correlation with the features that were
    taken before. The score is their quotient (FCQ; a redundancy below 0.001 counts as 0.001) or difference (FCD). The
    first feature is that of largest relevance; equal scores go by name.

    References
    ----------
    1. Ding C, Peng H. Minimum redundancy feature selection from microarray gene expression data. J Bioinform Comput
       Biol 2005;3(2):185-205. doi:10.1142/S0219720005001004
    2. Zhao Z, Anand R, Wang M. Maximum relevance and minimum redundancy feature selection methods for a marketing
       machine learning platform. IEEE DSAA 2019:442-452. doi:10.1109/DSAA.2019.00059
    """

    step: Literal["mrmr"] = "mrmr"
    n_features: int = Field(30, ge=1, description="number of features to take; all where there are fewer")
    form: Literal["quotient", "difference"] = Field("quotient", description="of relevance and redundancy")
    method: Literal["pearson", "spearman"] = Field(
        "pearson", description="F and correlation of the values, or of their ranks"
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        values, codes = training.rows.values, np.unique(training.labels.codes, return_inverse=True)[1]
        unit = unit_columns(rank_columns(values) if self.method == "spearman" else values)
        share = explained_share(unit, codes).round(DIGITS)
        taken = self._taken(unit, f_statistic(share, len(codes), int(codes.max()) + 1))
        return keeping(training, np.isin(np.arange(unit.shape[1]), taken))

    def _taken(self, unit: Floats, relevance: Floats) -> list[int]:
        """Columns in the order in which they are taken; columns stand by name, and the first of equals is taken."""
        redundancy, left = np.zeros(unit.shape[1]), np.ones(unit.shape[1], dtype=bool)
        score, taken = relevance, list[int]()
        while left.any() and len(taken) < self.n_features:
            best = int(np.where(left, score, -np.inf).argmax()) if taken else int(relevance.argmax())
            taken.append(best)
            left[best] = False
            redundancy += np.abs(unit[:, best] @ unit).round(DIGITS)
            mean = redundancy / len(taken)
            score = relevance / np.maximum(mean, _LEAST) if self.form == "quotient" else relevance - mean
        return taken
