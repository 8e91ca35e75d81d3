"""Sections to one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from radfusion.core.results import StudyResults
from radfusion.report.blocks import Block, Cell, Table
from radfusion.report.figures import Drawn

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["Numbers", "Part", "environment", "page"]


@dataclass(frozen=True)
class Part:
    """A section with its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass
class Numbers:
    """Running numbers of tables and figures."""

    tables: int = 0
    figures: int = 0

    def table(self) -> int:
        """Next table number."""
        self.tables += 1
        return self.tables

    def figure(self) -> int:
        """Next figure number."""
        self.figures += 1
        return self.figures


def page(results: StudyResults, parts: tuple[Part, ...], drawings: Mapping[str, Drawn]) -> str:
    """Render the page.

    Parameters
    ----------
    results : StudyResults
        For title and version.
    parts : tuple of Part
        Sections in order.
    drawings : mapping of str to Drawn
        Figures by name.

    Returns
    -------
    str
        HTML with everything in it; all text is escaped.
    """
    template = environment().get_template("report.html.j2")
    return template.render(results=results, parts=parts, drawings=drawings, numbers=Numbers())


@cache
def environment() -> Environment:
    """Templates of the report, with autoescape on."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("radfusion.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(prose=prose, inline=_inline, grouped=grouped)
    return environment


def _inline(drawn: Drawn) -> Markup:
    """SVG that this package drew; its words were escaped when it was drawn."""
    from markupsafe import Markup

    return Markup(drawn.inline)


def prose(text: str) -> Markup:
    """Escaped text with P values in italics and `code` in a fixed-width font.

    Examples
    --------
    >>> prose("P < .001 for <b> of `random`")
    Markup('<i>P</i> &lt; .001 for &lt;b&gt; of <code>random</code>')
    """
    from markupsafe import Markup, escape

    words = str(escape(text))
    words = re.sub(r"\bP(?= (?:=|&lt;|&gt;|value)|$|:)", "<i>P</i>", words)
    words = re.sub(r"`([^`]+)`", r"<code>\1</code>", words)
    return Markup(words)


def grouped(table: Table) -> list[tuple[str, list[tuple[Cell, ...]]]]:
    """Rows under the heading that they share; one nameless group where the table has no groups."""
    if not table.group:
        return [("", list(table.rows))]
    groups: list[tuple[str, list[tuple[Cell, ...]]]] = []
    for head, *rest in table.rows:
        if not groups or groups[-1][0] != head.text:
            groups.append((head.text, []))
        groups[-1][1].append(tuple(rest))
    return groups
