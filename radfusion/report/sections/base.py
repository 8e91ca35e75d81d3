"""What a section is, and the registry that every section module adds itself to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from radfusion.core.registry import Registry
from radfusion.report.blocks import Block
from radfusion.report.index import Index

__all__ = ["SECTIONS", "Section", "sections_in_order"]

Builder: TypeAlias = Callable[[Index], Sequence[Block]]


@dataclass(frozen=True)
class Section:
    """One section of the report.

    A new section is one module in this folder::

        def build(index: Index) -> list[Block]:
            return [Text(f"{len(index.results.models)} models were fitted.")]

        SECTIONS.add("numbers", Section("Numbers", 35, build))

    Attributes
    ----------
    title : str
        Heading.
    order : int
        Place in the report; sections stand in rising order.
    build : callable
        From an index of the results to blocks; no blocks leave the section out.
    """

    title: str
    order: int
    build: Builder


SECTIONS: Registry[Section] = Registry("report section")


def sections_in_order() -> list[tuple[str, Section]]:
    """Names and sections in the order of the report."""
    return sorted(SECTIONS.items().items(), key=lambda item: item[1].order)
