"""What a study file may say of modelling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from radfusion.core.settings import Settings
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.cleaning import CleaningSettings
from radfusion.modelling.fusion import LATE_RULES
from radfusion.modelling.selection import SelectionSettings

__all__ = ["ModellingSettings"]

Fusion = Literal["early", "late"]


class ModellingSettings(Settings):
    """From features to models, on the training set."""

    cleaning: CleaningSettings = Field(default_factory=CleaningSettings, description="what is dropped first")
    selection: SelectionSettings = Field(default_factory=SelectionSettings, description="how the signature is chosen")
    classifiers: tuple[str, ...] = Field(
        tuple(CLASSIFIERS), min_length=1, description="classifiers to fit on every arm"
    )
    fusion: tuple[Fusion, ...] = Field(
        ("early", "late"), description="early joins feature tables, late combines probabilities"
    )
    late_rule: str = Field("mean", description="how late fusion combines probabilities")
    folds: int = Field(5, ge=2, description="training folds, by patient, of the out-of-fold predictions")
    null_runs: int = Field(20, ge=0, description="repeats of the chain with shuffled labels; 0 for none")

    @field_validator("classifiers")
    @classmethod
    def _known_classifiers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CLASSIFIERS:
                raise ValueError(CLASSIFIERS.unknown(name))
            if names.count(name) > 1:
                raise ValueError(f"the classifier {name!r} is listed twice")
        return names

    @field_validator("late_rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        if name not in LATE_RULES:
            raise ValueError(LATE_RULES.unknown(name))
        return name
