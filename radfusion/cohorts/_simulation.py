"""What a simulated cohort is asked to be."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from radfusion.core.settings import Settings

__all__ = ["MarkerSettings", "SetSizes", "SimulationSettings"]


class SetSizes(Settings):
    """Number of cases (vertebrae) per set; the seed study has 712, 178, 111 and 75."""

    training: int = Field(150, ge=12, description="cases of the training set, centres A and B")
    internal: int = Field(60, ge=0, description="cases of the internal validation set, centres A and B")
    external: int = Field(50, ge=0, description="cases of the external validation set, centre C")
    prospective: int = Field(40, ge=0, description="cases of the prospective validation set, centre A in later years")


class MarkerSettings(Settings):
    """Burnt-in laterality markers."""

    frequency: float = Field(0.85, ge=0, le=1, description="share of films with a marker")
    centre_effect: float = Field(1.0, ge=0, description="how far centres differ in frequency and side; 0: not at all")
    class_effect: float = Field(0.6, ge=0, description="log odds of R instead of L per grade of the worst vertebra")


class SimulationSettings(Settings):
    """What `simulate_cohort` draws."""

    seed: int = Field(1, ge=0, description="the same seed gives the same bytes")
    sizes: SetSizes = Field(SetSizes(), description="cases per set")
    class_shares: tuple[float, float, float] = Field((0.42, 0.33, 0.25), description="prevalence of classes 0, 1 and 2")
    effect: float = Field(1.0, ge=0, le=5, description="separation of the classes; 0: the vertebrae say nothing")
    within_patient: float = Field(0.3, ge=0, le=1, description="correlation within a patient, given the class")
    rows: int = Field(384, ge=160, le=4096, description="rows of a film")
    columns: int = Field(208, ge=84, le=4096, description="columns of a film")
    format: Literal["png", "dicom"] = Field("png", description="8-bit PNG or 12-bit DICOM of modality CR")
    markers: MarkerSettings = Field(MarkerSettings(), description="laterality markers")
    readers: int = Field(1, ge=1, le=9, description="persons who outline every vertebra; the first draws the truth")

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if min(self.class_shares) <= 0 or abs(sum(self.class_shares) - 1) > 1e-6:
            raise ValueError(f"class_shares {self.class_shares}: every share must be above 0 and their sum 1")
        if not 0.52 <= self.columns / self.rows <= 1.0:
            allowed = f"{int(np.ceil(0.52 * self.rows))} to {self.rows}"
            raise ValueError(f"columns {self.columns} with rows {self.rows}: allowed are {allowed}")
        return self
