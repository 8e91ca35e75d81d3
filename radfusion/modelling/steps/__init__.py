"""Steps of cleaning and selection: one module each, in any order a study names them.

A new step is a new module of this folder that adds its class to ``STEPS``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from radfusion.modelling.steps.base import STEPS, Step

__all__ = ["STEPS", "AnyStep", "Step"]

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


def _entry(value: Any) -> Any:
    """An entry of the study file: a bare name stands for the step with its defaults."""
    entry = {"step": value} if isinstance(value, str) else value
    if isinstance(entry, dict):
        name = entry.get("step")
        if name is None:
            raise ValueError(f"each entry names its step: {{step: {next(iter(STEPS))}}}; known: {', '.join(STEPS)}")
        if name not in STEPS:
            raise ValueError(STEPS.unknown(str(name)))
    return entry


class _OrName:
    """In the JSON Schema, an entry may also be a bare name."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"enum": list(STEPS)}]}


if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[
        Union[tuple(STEPS.items().values())],  # noqa: UP007 - built from the registry
        Field(discriminator="step"),
        BeforeValidator(_entry),
        _OrName(),
    ]
