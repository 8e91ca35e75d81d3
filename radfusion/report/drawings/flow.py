"""Flow chart of cases: all, left out by stage, and the sets with their classes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Flow", "draw_flow"]

# Millimetres.
LINE, PAD, MAIN, ASIDE, GAP, FAN, LETTER = 3.5, 2.2, 70.0, 74.0, 4.0, 10.0, 1.55
Point = tuple[float, float]


@dataclass(frozen=True)
class Flow:
    """Lines of the first box, of the box of exclusions (empty: none), of the analysed cases and of each set."""

    all_cases: tuple[str, ...]
    excluded: tuple[str, ...]
    analysed: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Box:
    """Lines of text in a frame: centre, top and width in millimetres; `tall` when higher than its lines."""

    centre: float
    top: float
    wide: float
    lines: tuple[str, ...]
    tall: float = 0.0

    @property
    def height(self) -> float:
        """Height in millimetres."""
        return max(self.tall, 2 * PAD + LINE * len(self.lines))

    @property
    def bottom(self) -> float:
        """Lower edge in millimetres."""
        return self.top + self.height


def draw_flow(flow: Flow, style: Style) -> Canvas:
    """Draw the flow from top to bottom; the first line of each box is bold."""
    width = style.double
    centre = width * 0.3 if flow.excluded else width / 2
    first = Box(centre, 1.0, MAIN, flow.all_cases)
    aside = Box(width * 0.76, first.bottom + 2.0, ASIDE, _wrapped(flow.excluded, ASIDE))
    second = Box(centre, aside.bottom + 2.0 if flow.excluded else first.bottom + 6.0, MAIN, flow.analysed)
    sets = _sets(flow, second.bottom + FAN, width)
    height = max(box.bottom for box in sets) + 1.0
    figure = canvas(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    _arrow(axes, ((centre, first.bottom), (centre, second.top)), style)
    if flow.excluded:
        middle = (aside.top + aside.bottom) / 2
        _arrow(axes, ((centre, middle), (aside.centre - aside.wide / 2, middle)), style)
        _draw(axes, aside, style)
    _fan(axes, second, sets=sets, style=style)
    for box in (first, second, *sets):
        _draw(axes, box, style)
    return figure


def _sets(flow: Flow, top: float, width: float) -> tuple[Box, ...]:
    count = len(flow.sets)
    wide = min((width - 2.0 - GAP * (count - 1)) / count, 56.0)
    left = (width - count * wide - GAP * (count - 1)) / 2
    texts = [_wrapped(lines, wide) for lines in flow.sets]
    tall = max(2 * PAD + LINE * len(lines) for lines in texts)
    return tuple(Box(left + at * (wide + GAP) + wide / 2, top, wide, lines, tall) for at, lines in enumerate(texts))


def _wrapped(lines: tuple[str, ...], wide: float) -> tuple[str, ...]:
    letters = int((wide - 4.0) / LETTER)
    return tuple(part for line in lines for part in textwrap.wrap(line, letters, subsequent_indent="  ") or [""])


def _fan(axes: Axes, start: Box, *, sets: tuple[Box, ...], style: Style) -> None:
    """Lines from one box down to each set."""
    bar = start.bottom + 4.5
    centres = [box.centre for box in sets]
    axes.plot([start.centre, start.centre], [start.bottom, bar], color=style.ink, linewidth=0.7)
    axes.plot([min(*centres, start.centre), max(*centres, start.centre)], [bar, bar], color=style.ink, linewidth=0.7)
    for box in sets:
        _arrow(axes, ((box.centre, bar), (box.centre, box.top)), style)


def _draw(axes: Axes, box: Box, style: Style) -> None:
    from matplotlib.patches import Rectangle

    corner = (box.centre - box.wide / 2, box.top)
    frame = Rectangle(corner, box.wide, box.height, facecolor="white", edgecolor=style.ink, linewidth=0.7, zorder=3)
    axes.add_patch(frame)
    for at, line in enumerate(box.lines):
        axes.text(
            corner[0] + 2.0, box.top + PAD + LINE * (at + 0.5), line, va="center", ha="left", fontsize=style.small,
            fontweight="bold" if at == 0 else "normal", zorder=4,
        )  # fmt: skip


def _arrow(axes: Axes, ends: tuple[Point, Point], style: Style) -> None:
    look = {"arrowstyle": "-|>", "color": style.ink, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}
    axes.annotate("", ends[1], ends[0], arrowprops=look)
