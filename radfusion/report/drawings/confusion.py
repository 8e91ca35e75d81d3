"""Confusion matrices: rows of panels per model, one column per set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas, stacked
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Matrix", "Row", "draw_confusions"]

# Millimetres.
HEADING, TITLE, LINE, LEFT, GAP, WIDEST = 6.0, 6.0, 3.2, 24.0, 6.0, 46.0


@dataclass(frozen=True)
class Matrix:
    """Counts by reference class (rows) and predicted class (columns)."""

    title: str
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Row:
    """Matrices of one model."""

    heading: str
    matrices: tuple[Matrix, ...]


def draw_confusions(rows: tuple[Row, ...], classes: tuple[str, ...], style: Style) -> Canvas:
    """Draw matrices shaded by the share of the reference class, with counts and percentages.

    Parameters
    ----------
    rows : tuple of Row
        One per model, with one matrix per set.
    classes : tuple of str
        Printed classes, in the order of the counts.
    style : Style
        Look.
    """
    columns = max(len(row.matrices) for row in rows)
    side = min((style.double - LEFT - 2.0 - GAP * (columns - 1)) / columns, WIDEST)
    names = tuple(stacked(name, 10) for name in classes)
    foot = LINE * max(name.count("\n") + 1 for name in names) + 8.0
    width = max(LEFT + 2.0 + columns * side + GAP * (columns - 1), style.single)
    block = HEADING + TITLE + side + foot
    height = len(rows) * block
    figure = canvas(width, height)
    for line, row in enumerate(rows):
        top = line * block
        place_of_heading = (1.0 / width, 1 - (top + 3.0) / height)
        figure.text(*place_of_heading, row.heading, fontweight="bold", fontsize=style.large, va="center")
        for place, matrix in enumerate(row.matrices):
            left, bottom = LEFT + place * (side + GAP), height - top - HEADING - TITLE - side
            axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
            _matrix(axes, matrix, style)
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names if place == 0 else [""] * len(names))
            axes.set_ylabel("Reference class" if place == 0 else "", labelpad=2)
    return figure


def _matrix(axes: Axes, matrix: Matrix, style: Style) -> None:
    shares = [[number / (sum(row) or 1) for number in row] for row in matrix.counts]
    # Cells rather than an image, so that the figure stays a drawing at every size.
    edges = [place - 0.5 for place in range(len(shares) + 1)]
    axes.pcolormesh(edges, edges, shares, cmap=style.heat, vmin=0, vmax=1.15, edgecolors="white", linewidth=0.4)
    axes.invert_yaxis()
    for i, row in enumerate(matrix.counts):
        for j, number in enumerate(row):
            words = f"{number}\n{100 * shares[i][j]:.0f}%" if sum(row) else f"{number}\n–"
            colour = "white" if shares[i][j] > 0.6 else style.ink
            axes.text(j, i, words, ha="center", va="center", fontsize=style.small, color=colour, linespacing=1.3)
    axes.set_xlabel("Predicted class", labelpad=2)
    axes.set_title(matrix.title, fontsize=style.size, loc="left", pad=3)
    axes.tick_params(length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
