"""What a study file may say of arms."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from radfusion.core.settings import Settings
from radfusion.modelling.fusion import LATE_RULES

__all__ = ["NamedArm", "NamedArms"]


class NamedArm(Settings):
    """An arm of the study: sources whose features are joined, or arms whose probabilities are combined."""

    join: tuple[str, ...] = Field((), description="early fusion: feature sources whose tables are joined")
    late: tuple[str, ...] = Field((), description="late fusion: arms, two or more, whose probabilities are combined")
    rule: str | None = Field(
        None,
        description="how late fusion combines them; late_rule of the study if not given",
        json_schema_extra={"enum": [*LATE_RULES, None]},
    )

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str | None) -> str | None:
        if name is not None and name not in LATE_RULES:
            raise ValueError(LATE_RULES.unknown(name))
        return name

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.join) == bool(self.late):
            raise ValueError("an arm joins sources or fuses arms: write join (or a list of sources), or late")
        if len(self.late) == 1:
            raise ValueError(f"late: {self.late[0]!r} alone is nothing to fuse; name two arms or more")
        if self.join and self.rule:
            raise ValueError("rule: says how late fusion combines probabilities; joined features need none")
        named = self.join or self.late
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is named twice")
        return self


def _entry(value: Any) -> Any:
    """An entry of the study file: a list stands for joined sources."""
    return {"join": value} if isinstance(value, list | tuple) else value


AnyArm = Annotated[NamedArm, BeforeValidator(_entry, json_schema_input_type=NamedArm | list[str])]
NamedArms = dict[str, AnyArm]
