"""What a study file says about evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from radfusion.core.settings import Settings
from radfusion.evaluation.adjustment import ADJUSTMENTS
from radfusion.evaluation.threshold_rules import ThresholdSettings

__all__ = ["EvaluationSettings", "PrimaryComparison"]


class PrimaryComparison(Settings):
    """The one comparison that was declared beforehand; it alone is not adjusted.

    Attributes
    ----------
    models : tuple of two str
        The arms that are compared; the difference is the first minus the second.
    set : {"internal", "external", "prospective"}
        The set on which they are compared.
    """

    models: tuple[str, str] = Field(description="two arms, for example [early-radimagenet, early-imagenet]")
    set: Literal["internal", "external", "prospective"] = Field(description="the set on which they are compared")

    @field_validator("models")
    @classmethod
    def _two_different(cls, models: tuple[str, str]) -> tuple[str, str]:
        if models[0] == models[1]:
            raise ValueError(f"both models are {models[0]!r}; allowed are two different arms")
        return models


class EvaluationSettings(Settings):
    """How predictions are judged.

    Attributes
    ----------
    level : float
        Confidence level of all intervals.
    primary : PrimaryComparison or None
        The declared primary comparison.
    adjustment : str
        How P values of the secondary family are adjusted: holm, bonferroni, bh, hochberg, hommel, by or none.
    threshold : ThresholdSettings
        Rule that fixes decision thresholds on training out-of-fold predictions.
    """

    level: float = Field(default=0.95, gt=0, lt=1, description="confidence level of all intervals")
    primary: PrimaryComparison | None = Field(None, description="the declared comparison; the others are adjusted")
    adjustment: str = Field(
        default="holm",
        description="how P values of the secondary comparisons are adjusted",
        json_schema_extra={"enum": list(ADJUSTMENTS)},
    )
    threshold: ThresholdSettings = Field(
        default=ThresholdSettings(),
        description="rule that fixes decision thresholds on training out-of-fold predictions",
    )

    @field_validator("adjustment")
    @classmethod
    def _known_adjustment(cls, name: str) -> str:
        if name not in ADJUSTMENTS:
            raise ValueError(ADJUSTMENTS.unknown(name))
        return name
