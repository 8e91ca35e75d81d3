"""The results that others are made of: an estimate, a comparison, an exclusion."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Comparison", "Estimate", "Exclusion", "Noun"]


class Noun(BaseModel):
    """Base of every result: frozen, no unknown key, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class Estimate(Noun):
    """One estimated number with its interval.

    ``class_`` (``"class"`` in JSON) is the class against the rest, or None where the metric concerns all classes.
    ``at`` is where on an axis the number holds: a threshold probability, a horizon, the sensitivity that was asked for.
    ``reason`` says why a value or an interval is not estimable.
    """

    metric: str
    at: float | None = None
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = "none"
    se: float | None = None
    n: int = 0
    n_pos: int | None = None
    n_patients: int | None = None
    model: str = ""
    set: str = ""
    class_: str | None = Field(default=None, alias="class")
    reason: str | None = None


class Comparison(Noun):
    """One test between two models (or of one model against a reference value).

    ``models`` are (a, b) and ``difference`` is a minus b. ``role`` is primary, secondary or exploratory; adjusted P
    values are within ``family``. ``df_denominator`` is the second number of degrees of freedom of an F test.
    """

    test: str
    metric: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    statistic: float | None = None
    df: float | None = None
    df_denominator: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    adjustment: str = "none"
    family: str = ""
    role: Literal["primary", "secondary", "exploratory"] = "exploratory"
    paired: bool = True
    models: tuple[str, str] = ("", "")
    values: tuple[float | None, float | None] = (None, None)
    set: str = ""
    class_: str | None = Field(default=None, alias="class")
    n: int = 0
    n_patients: int | None = None
    reason: str | None = None


class Exclusion(Noun):
    """A case that was left out, by whom and why."""

    case: str
    stage: str
    reason: str
