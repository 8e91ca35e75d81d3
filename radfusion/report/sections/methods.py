"""Methods, as a draft in sentences."""

from __future__ import annotations

from radfusion.report.blocks import Block, Heading, Text
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.sentences import methods

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """The sentences of ``methods.md``."""
    blocks: list[Block] = []
    for heading, paragraphs in methods(index):
        blocks += [Heading(heading), *map(Text, paragraphs)]
    return blocks


SECTIONS.add("methods", Section("Methods and results in sentences (draft)", 95, build))
