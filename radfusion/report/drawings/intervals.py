"""Estimates with intervals: one line per source, one panel per set or change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas, key_above, shortened
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Chart", "Mark", "Panel", "draw_intervals"]

# Millimetres; letters of a label and of a heading.
LABELS, RIGHT, HEAD, LINE, FOOT, GAP, KEY = 38.0, 3.0, 10.0, 4.6, 11.0, 5.0, 5.0
LETTERS, HEADING = 26, 32


@dataclass(frozen=True)
class Mark:
    """One estimate; None where it is not estimable. `series` is the place of its colour."""

    value: float | None
    low: float | None
    high: float | None
    series: int = 0


@dataclass(frozen=True)
class Panel:
    """Estimates of all lines under one heading."""

    title: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """Panels with one axis.

    Attributes
    ----------
    panels : tuple of Panel
        With one mark per label.
    labels : tuple of str
        Lines, from top to bottom.
    axis : str
        Name of the axis.
    zero : float
        Where a thin line stands: no difference, or chance.
    columns : int
        Panels a row.
    key : tuple of str
        Names of the series; without them there is no legend.
    """

    panels: tuple[Panel, ...]
    labels: tuple[str, ...]
    axis: str
    zero: float
    columns: int = 3
    key: tuple[str, ...] = ()


def draw_intervals(chart: Chart, style: Style) -> Canvas:
    """Draw estimates as points with intervals.

    Parameters
    ----------
    chart : Chart
        What is drawn.
    style : Style
        Look.
    """
    columns = min(chart.columns, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    wide = (style.double - LABELS - RIGHT - GAP * (columns - 1)) / columns
    tall = LINE * (len(chart.labels) + 0.4)
    head = KEY * (1 + (len(chart.key) - 1) // 4) if chart.key else 0.0
    height = head + rows * (HEAD + tall + FOOT)
    figure = canvas(style.double, height)
    limits = _limits(chart)
    names = [shortened(label, LETTERS) for label in chart.labels]
    for at, panel in enumerate(chart.panels):
        row, column = divmod(at, columns)
        left = LABELS + column * (wide + GAP)
        bottom = height - head - row * (HEAD + tall + FOOT) - HEAD - tall
        axes = figure.add_axes((left / style.double, bottom / height, wide / style.double, tall / height))
        _panel(axes, panel, style=style, zero=chart.zero)
        axes.set_xlim(*limits)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), names if column == 0 else [""] * len(names))
        axes.set_xlabel(chart.axis, labelpad=2)
    if chart.key:
        key_above(figure, chart.key, style)
    return figure


def _limits(chart: Chart) -> tuple[float, float]:
    marks = [mark for panel in chart.panels for mark in panel.marks]
    ends = [end for mark in marks for end in (mark.value, mark.low, mark.high) if end is not None]
    low, high = min([*ends, chart.zero]), max([*ends, chart.zero])
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _panel(axes: Axes, panel: Panel, *, style: Style, zero: float) -> None:
    axes.axvline(zero, color=style.faint, linewidth=0.6)
    for line, mark in enumerate(panel.marks):
        if mark.value is None:
            axes.annotate("not estimable", (zero, line), fontsize=style.small, va="center", color=style.faint)
            continue
        look = style.line(mark.series)
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.low, mark.high], [line, line], color=look.colour, linewidth=1.2, solid_capstyle="butt")
        axes.plot([mark.value], [line], color=look.colour, marker=look.marker, markersize=3.8, linestyle="none")
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="y", length=0)
    title = "\n".join(shortened(line, HEADING) for line in panel.title.splitlines())
    axes.set_title(title, fontsize=style.size, loc="left", pad=3)
