"""Base of every settings class."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Settings"]


class Settings(BaseModel):
    """Frozen settings; an unknown key is an error.

    A settings class lives beside the code that it configures and holds the only default of each of its fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
