"""Forest plot of differences, with the numbers printed beside each line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radfusion.report.figures import canvas, shortened
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Effect", "draw_forest", "fitting"]

# Millimetres, and shares of the width at which columns begin.
LINE, HEAD, FOOT = 4.2, 7.0, 10.0
LABEL, WORDS, P, ADJUSTED = 0.014, 0.635, 0.845, 0.905
PLOT = (0.375, 0.245)
# Lines that fit on a page, headings among them, and letters of a label.
LINES, LETTERS = 50, 45


@dataclass(frozen=True)
class Effect:
    """One difference; `group` is a heading where it changes, `strong` marks the primary comparison.

    ``value``, ``low`` and ``high`` are None where not estimable.
    """

    group: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    words: str
    p: str
    adjusted: str
    strong: bool = False


def fitting(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """Effects that fit on one page with the headings of their groups, from the first."""
    return tuple(effect for line, effect, _ in _places(effects) if line < LINES)


def draw_forest(effects: tuple[Effect, ...], axis: str, style: Style, *, words: str) -> Canvas:
    """Draw differences as points with intervals around a line at zero.

    Parameters
    ----------
    effects : tuple of Effect
        From top to bottom.
    axis : str
        Name of the axis.
    style : Style
        Look.
    words : str
        Heading of the column of differences.
    """
    places = _places(effects)
    lines = places[-1][0] + 1
    height = HEAD + FOOT + lines * LINE
    figure = canvas(style.double, height)
    axes = figure.add_axes((PLOT[0], FOOT / height, PLOT[1], lines * LINE / height))
    axes.set_ylim(lines - 0.5, -0.5)
    _extent(axes, effects)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.set_yticks([])
    axes.set_xlabel(axis)
    title: dict[str, Any] = {"fontweight": "bold", "fontsize": style.small}
    for x, text, shape in (
        (LABEL, "Comparison", "normal"), (WORDS, words, "normal"), (P, "P", "italic"),
        (ADJUSTED, "Adjusted P", "italic"),
    ):  # fmt: skip
        _write(axes, (x, -1.0), text, **title, fontstyle=shape)
    for place, effect, heading in places:
        if heading:
            _write(axes, (0.005, place - 1), effect.group, **title)
        look: dict[str, Any] = {"fontweight": "bold" if effect.strong else "normal", "fontsize": style.small}
        values = (shortened(effect.label, LETTERS), effect.words, effect.p, effect.adjusted)
        for x, text in zip((LABEL, WORDS, P, ADJUSTED), values, strict=True):
            _write(axes, (x, place), text, **look)
        axes.plot([0, 0], [place - 0.5, place + 0.5], color=style.ink, linewidth=0.6)
        _mark(axes, place, effect=effect, style=style)
    return figure


def _places(effects: tuple[Effect, ...]) -> list[tuple[int, Effect, bool]]:
    """Line of each effect, and whether its group's heading stands above it."""
    placed: list[tuple[int, Effect, bool]] = []
    line, group = -1, None
    for effect in effects:
        heading = effect.group != group
        line, group = line + 1 + heading, effect.group
        placed.append((line, effect, heading))
    return placed


def _extent(axes: Axes, effects: tuple[Effect, ...]) -> None:
    ends = [abs(end) for each in effects for end in (each.value, each.low, each.high) if end is not None]
    reach = 1.08 * max(ends, default=0.0) or 0.1
    axes.set_xlim(-reach, reach)


def _mark(axes: Axes, place: int, *, effect: Effect, style: Style) -> None:
    if effect.value is None:
        return
    colour = style.lines[1].colour if effect.strong else style.lines[0].colour
    if effect.low is not None and effect.high is not None:
        axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=1.2, solid_capstyle="butt")
    marker = "D" if effect.strong else "s"
    axes.plot([effect.value], [place], marker=marker, color=colour, markersize=3.8, linestyle="none")


def _write(axes: Axes, place: tuple[float, float], text: str, **look: Any) -> None:
    """Write at a share of the figure's width, on a line of the axes."""
    from matplotlib.transforms import blended_transform_factory

    where = blended_transform_factory(axes.figure.transFigure, axes.transData)
    axes.text(*place, text, transform=where, va="center", ha="left", clip_on=False, **look)
