"""Tuning: the hyperparameters of one classifier, by inner folds of the training cases that it is fitted on."""

from __future__ import annotations

from pydantic import Field

from radfusion.core.settings import Settings

__all__ = ["TuningSettings"]


class TuningSettings(Settings):
    """Search for hyperparameters; by default none: the defaults are good without."""

    trials: int = Field(0, ge=0, description="settings to try per classifier, the defaults first; 0: defaults only")
