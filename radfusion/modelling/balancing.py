"""Balancing: what is done about classes of unequal size, inside training parts only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from radfusion.core.settings import Settings

__all__ = ["BalanceSettings"]


class BalanceSettings(Settings):
    """What is done about classes of unequal size; by default nothing."""

    weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: the cases of a class weigh in inverse proportion to its size"
    )
