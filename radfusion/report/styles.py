"""Styles as data: colours, lines, sizes and fonts of the figures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

__all__ = ["PAPER", "Line", "Style"]

MM_PER_INCH = 25.4
Dash = tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Line:
    """Colour, dash pattern (offset, on-off lengths in line widths) and marker of one series."""

    colour: str
    dash: Dash
    marker: str


# Okabe and Ito's colours with a dash pattern each, so that curves can be told apart in grey too. Yellow is left out:
# it is too pale on white.
LINES = (
    Line("#0072B2", (0.0, ()), "o"),  # blue
    Line("#D55E00", (0.0, (5.0, 1.5)), "s"),  # vermilion
    Line("#009E73", (0.0, (1.2, 1.2)), "^"),  # bluish green
    Line("#CC79A7", (0.0, (6.0, 1.5, 1.2, 1.5)), "D"),  # reddish purple
    Line("#E69F00", (0.0, (3.0, 1.2)), "v"),  # orange
    Line("#56B4E9", (0.0, (8.0, 1.5)), "P"),  # sky blue
    Line("#000000", (0.0, (3.0, 1.2, 1.2, 1.2, 1.2, 1.2)), "X"),  # black
)


@dataclass(frozen=True)
class Style:
    """Look of the figures.

    Lengths are in millimetres, font sizes in points. ``fonts`` are tried in order; the last ships with matplotlib.
    """

    fonts: tuple[str, ...] = ("Arial", "DejaVu Sans")
    size: float = 8.0
    small: float = 7.0
    large: float = 9.0
    single: float = 84.0
    double: float = 174.0
    tallest: float = 232.0
    dpi: int = 600
    lines: tuple[Line, ...] = LINES
    ink: str = "#1a1a1a"
    faint: str = "#8a8a8a"
    positive: str = "#D55E00"
    negative: str = "#0072B2"
    heat: str = "Blues"

    def line(self, position: int) -> Line:
        """Line of the series at `position`, counted from 0; patterns shift when the colours begin again.

        Examples
        --------
        >>> PAPER.line(0).colour, PAPER.line(7).colour, PAPER.line(0).dash == PAPER.line(7).dash
        ('#0072B2', '#0072B2', False)
        """
        around, place = divmod(position, len(self.lines))
        dash = next(islice(cycle(self.lines), position + around, None)).dash
        return Line(self.lines[place].colour, dash, self.lines[place].marker)

    def rc(self) -> dict[str, Any]:
        """Matplotlib settings. SVG text becomes outlines, so that it looks the same everywhere; PDF text stays text."""
        return {
            "font.family": "sans-serif",
            "font.sans-serif": list(self.fonts),
            "font.size": self.size,
            "axes.titlesize": self.large,
            "axes.labelsize": self.size,
            "xtick.labelsize": self.small,
            "ytick.labelsize": self.small,
            "legend.fontsize": self.small,
            "legend.frameon": False,
            "text.color": self.ink,
            "text.parse_math": False,
            "axes.edgecolor": self.ink,
            "axes.labelcolor": self.ink,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.unicode_minus": True,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
            "lines.linewidth": 1.1,
            "figure.dpi": 100,
            "savefig.dpi": self.dpi,
            "savefig.bbox": "standard",
            "pdf.fonttype": 42,
            "svg.fonttype": "path",
            "path.simplify": True,
        }


PAPER = Style()


def inches(millimetres: float) -> float:
    """Length in inches.

    Examples
    --------
    >>> inches(25.4)
    1.0
    """
    return millimetres / MM_PER_INCH


def points(millimetres: float) -> float:
    """Length in points, the unit of font sizes.

    Examples
    --------
    >>> points(25.4)
    72.0
    """
    return 72 * inches(millimetres)
