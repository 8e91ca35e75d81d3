"""Univariate tests: features that do not differ between classes go."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from radfusion.errors import UserError
from radfusion.modelling._class_tests import OF_ANY, OF_TWO, TESTS, adjusted
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training, keeping

__all__ = ["Univariate"]


@STEPS.register("univariate")
class Univariate(Step):
    """Features with a P value of the test between classes below alpha stay.

    Tests of two classes: Student's and Welch's t, Mann-Whitney (normal approximation with ties and the correction for
    continuity). Of two or more: analysis of variance, Welch's, Kruskal-Wallis. All are two-sided. A feature that is
    constant has P = 1, and so has, in Welch's tests, one that is constant within a class.

    The adjustment counts the features that are left at this step, on the cases at hand.

    References
    ----------
    1. Kruskal WH, Wallis WA. Use of ranks in one-criterion variance analysis. J Am Stat Assoc 1952;47:583-621.
       doi:10.1080/01621459.1952.10483441
    2. Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically larger than the other.
       Ann Math Stat 1947;18:50-60. doi:10.1214/aoms/1177730491
    3. Welch BL. On the comparison of several mean values: an alternative approach. Biometrika 1951;38:330-336.
       doi:10.1093/biomet/38.3-4.330
    4. Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995;57:289-300.
       doi:10.1111/j.2517-6161.1995.tb02031.x
    5. Benjamini Y, Yekutieli D. The control of the false discovery rate in multiple testing under dependency.
       Ann Stat 2001;29:1165-1188. doi:10.1214/aos/1013699998
    """

    step: Literal["univariate"] = "univariate"
    test: Literal["kruskal", "anova", "welch-anova", "student-t", "welch", "mann-whitney"] = Field(
        "kruskal", description="test between classes, per feature; student-t, welch and mann-whitney compare two"
    )
    alpha: float = Field(0.05, gt=0, le=1, description="features with a P value below this stay")
    adjustment: Literal["none", "bh", "by", "bonferroni", "holm"] = Field(
        "none", description="of the P values for their number: Benjamini-Hochberg, Benjamini-Yekutieli, and others"
    )
    top: int | None = Field(
        None, ge=1, description="of these at most so many stay, the smallest P values; equals go by name; null for all"
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows.

        Raises
        ------
        UserError
            When a test of two classes is asked for and there are more.
        """
        rows, codes = training.rows, np.unique(training.labels.codes, return_inverse=True)[1]
        self.require_classes(int(codes.max()) + 1)
        if not rows.names:
            return keeping(training, np.zeros(0, dtype=bool))
        p = adjusted(TESTS[self.test](rows.values, codes), self.adjustment)
        kept = p < self.alpha
        if self.top is not None:
            best = np.lexsort((np.array(rows.names, dtype=str), p))[: self.top]
            kept &= np.isin(np.arange(len(p)), best)
        return keeping(training, kept)

    def require_classes(self, count: int) -> None:
        """Check that the test compares so many classes.

        Raises
        ------
        UserError
            When it compares two and there are more.
        """
        if self.test in OF_TWO and count > 2:
            raise UserError(
                f"modelling.steps: {self.step}.test: {self.test} compares two classes, here are {count}: "
                f"{', '.join(OF_ANY)}"
            )
