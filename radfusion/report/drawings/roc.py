"""ROC curves: one row of panels per set, one column per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas, key_above, shortened
from radfusion.report.styles import Style, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.legend import Legend

__all__ = ["Panel", "Row", "Trace", "draw_roc"]

# Millimetres.
LEFT, RIGHT, GAP, WIDEST, NARROWEST = 13.0, 2.0, 5.0, 48.0, 24.0
HEADING, TITLE, TICKS, AXIS, LINE = 5.0, 8.0, 4.5, 3.5, 2.75


@dataclass(frozen=True)
class Trace:
    """One curve: arm, points (1 - specificity, sensitivity) and the words of its area."""

    arm: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    area: str


@dataclass(frozen=True)
class Panel:
    """One panel: its title, the line under it, and its curves."""

    title: str
    counts: str
    traces: tuple[Trace, ...]


@dataclass(frozen=True)
class Row:
    """Panels of one set under one heading."""

    heading: str
    panels: tuple[Panel, ...]


def draw_roc(rows: tuple[Row, ...], arms: tuple[str, ...], style: Style) -> Canvas:
    """Draw ROC panels.

    Parameters
    ----------
    rows : tuple of Row
        One per set, with one panel per class.
    arms : tuple of str
        Arms in the order of their lines, the same in every panel.
    style : Style
        Look.
    """
    columns = max(len(row.panels) for row in rows)
    names_a_row = 4 if columns > 2 else 2
    head = 4.0 * -(-len(arms) // names_a_row) + 3.0
    below = HEADING + TITLE + TICKS + LINE * len(arms) + 3.0
    side = min((style.double - LEFT - RIGHT - GAP * (columns - 1)) / columns, WIDEST)
    side = min(side, max(NARROWEST, (style.tallest - head - AXIS) / len(rows) - below))
    width = max(LEFT + RIGHT + columns * side + GAP * (columns - 1), style.single)
    height = head + len(rows) * (below + side) + AXIS
    figure = canvas(width, height)
    key_above(figure, arms, style, columns=names_a_row)
    for line, row in enumerate(rows):
        last = line == len(rows) - 1
        top = head + line * (below + side)
        figure.text(
            1.0 / width, 1 - (top + 2.0) / height, row.heading, fontsize=style.large, fontweight="bold", va="center"
        )
        for place, panel in enumerate(row.panels):
            left = LEFT + place * (side + GAP)
            bottom = height - top - HEADING - TITLE - side
            axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
            legend = _panel(axes, panel, arms=arms, style=style)
            legend.set_bbox_to_anchor((-0.03, -(TICKS + AXIS * last + 0.3) / side))
            _frame(axes, left=place == 0, bottom=last)
    return figure


def _frame(axes: Axes, *, left: bool, bottom: bool) -> None:
    """Ticks; names of the axes at the left and at the bottom of the figure only."""
    ticks, words = [0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"]
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(ticks, words)
    axes.set_yticks(ticks, words if left else [""] * len(ticks))
    axes.set_ylabel("Sensitivity" if left else "", labelpad=2)
    axes.set_xlabel("1 \N{MINUS SIGN} specificity" if bottom else "", labelpad=1)


def _panel(axes: Axes, panel: Panel, *, arms: tuple[str, ...], style: Style) -> Legend:
    from matplotlib.lines import Line2D

    axes.plot([0, 1], [0, 1], color=style.faint, linewidth=0.6, zorder=1)
    handles, words = [], []
    for trace in panel.traces:
        line = style.line(arms.index(trace.arm))
        axes.plot(trace.x, trace.y, color=line.colour, linestyle=line.dash, clip_on=False, zorder=2)
        handles.append(Line2D([], [], color=line.colour, linestyle=line.dash))
        words.append(trace.area)
    for text, rise, size in ((shortened(panel.title, 24), 4.4, style.size), (panel.counts, 1.3, style.small)):
        axes.annotate(
            text, (0, 1), (0, points(rise)), "axes fraction", textcoords="offset points", fontsize=size
        )  # fmt: skip
    return axes.legend(
        handles, words, loc="upper left", handlelength=2.6, borderpad=0, borderaxespad=0, labelspacing=0.2,
        handletextpad=0.5, fontsize=style.small - 0.5,
    )  # fmt: skip
