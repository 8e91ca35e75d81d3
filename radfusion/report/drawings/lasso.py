"""Figures of selection: cross-validated deviance, coefficient paths, and coefficients of a signature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from radfusion.report.figures import canvas, legend_above, shortened
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

__all__ = ["Bars", "Deviance", "Path", "draw_coefficients", "draw_deviance", "draw_paths"]

Marks = tuple[tuple[str, float], ...]
GREY = "#b8b8b8"
# Millimetres of a panel of coefficients.
NARROWEST = 18.0


@dataclass(frozen=True)
class Deviance:
    """Cross-validated deviance of one arm: per lambda the mean, its standard error and the number of features kept.

    ``marks`` are the lambdas that have a name: ``min``, ``1se``.
    """

    arm: str
    lambdas: tuple[float, ...]
    means: tuple[float, ...]
    errors: tuple[float | None, ...]
    nonzero: tuple[int | None, ...]
    marks: Marks


@dataclass(frozen=True)
class Path:
    """Coefficient of one feature for one class along the path."""

    feature: str
    class_: str
    selected: bool
    lambdas: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Bars:
    """Signature of one arm: per feature one coefficient per class."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


def draw_deviance(arms: tuple[Deviance, ...], axis: str, style: Style) -> Canvas:
    """Draw one panel per arm: deviance with standard-error bars against log lambda."""
    columns = min(3, len(arms))
    rows = -(-len(arms) // columns)
    cell, tall, left, gap, head, block = 46.0, 34.0, 13.0, 9.5, 6.0 if columns > 1 else 10.0, 54.0
    width = max(left + columns * cell + (columns - 1) * gap + 4.0, style.single)
    height = head + rows * block
    figure = canvas(width, height)
    for at, arm in enumerate(arms):
        row, column = divmod(at, columns)
        x, y = left + column * (cell + gap), height - head - 9.0 - row * block - tall
        axes = figure.add_axes((x / width, y / height, cell / width, tall / height))
        _deviance(axes, arm, style)
        axes.set_ylabel(axis if column == 0 else "")
    handles = [_line(style.positive, "none", "o"), _line(GREY, "solid")]
    words = ["mean over folds", "± 1 standard error", "λ min", "λ 1se"]
    legend_above(figure, [*handles, *_mark_lines(style)], words, columns=4 if columns > 1 else 2)
    return figure


def _line(colour: str, dash: Literal["solid", "dashed", "dotted", "none"], marker: str = "") -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=dash, marker=marker, markersize=3)


def _mark_lines(style: Style) -> list[Line2D]:
    return [_line(style.ink, "dashed"), _line(style.ink, "dotted")]


def _marks(axes: Axes, marks: Marks, style: Style) -> None:
    for name, value in marks:
        dash = "dashed" if name == "min" else "dotted"
        axes.axvline(math.log(value), color=style.ink, linestyle=dash, linewidth=0.9, zorder=1)


def _deviance(axes: Axes, arm: Deviance, style: Style) -> None:
    x = [math.log(value) for value in arm.lambdas]
    errors = [error or 0.0 for error in arm.errors]
    axes.errorbar(
        x, arm.means, yerr=errors, fmt="o", color=style.positive, markersize=1.7, ecolor=GREY, elinewidth=0.6,
        capsize=0, zorder=2,
    )  # fmt: skip
    _marks(axes, arm.marks, style)
    axes.set_xlabel("log λ", labelpad=1)
    axes.set_title(arm.arm, fontsize=style.size, fontweight="bold", loc="left", pad=13)
    if all(number is not None for number in arm.nonzero):
        step = max(1, len(x) // 6)
        top = axes.secondary_xaxis("top")
        top.set_xticks(x[::step], [str(number) for number in arm.nonzero[::step]], fontsize=style.small - 1)
        top.tick_params(length=1.5, pad=1)


def draw_paths(paths: tuple[Path, ...], marks: Marks, style: Style) -> Canvas:
    """Draw one panel per class: coefficients against log lambda, those of the signature in colour."""
    classes = tuple(dict.fromkeys(path.class_ for path in paths))
    left, gap, tall, head, foot = 15.0, 4.0, 42.0, 13.0, 10.0
    wide = min((style.double - left - 2.0 - gap * (len(classes) - 1)) / len(classes), 70.0)
    width = max(left + 2.0 + len(classes) * (wide + gap) - gap, style.single)
    height = head + tall + foot
    figure = canvas(width, height)
    reach = 1.08 * max(abs(value) for path in paths for value in path.values) or 1.0
    for at, name in enumerate(classes):
        x = left + at * (wide + gap)
        axes = figure.add_axes((x / width, foot / height, wide / width, tall / height))
        for path in (path for path in paths if path.class_ == name):
            colour = style.negative if path.selected else GREY
            x_values = [math.log(value) for value in path.lambdas]
            axes.plot(x_values, path.values, linewidth=0.8, color=colour, zorder=3 if path.selected else 2)
        _marks(axes, marks, style)
        axes.axhline(0, color=style.ink, linewidth=0.5)
        axes.set_ylim(-reach, reach)
        axes.set_title(shortened(name, 30), fontsize=style.size, fontweight="bold", loc="left", pad=4)
        axes.set_xlabel("log λ", labelpad=1)
        axes.set_ylabel("Coefficient" if at == 0 else "")
        axes.tick_params(labelleft=at == 0)
    handles = [_line(style.negative, "solid"), _line(GREY, "solid"), *_mark_lines(style)]
    columns = 4 if width > 120 else 2
    legend_above(figure, handles, ["in the signature", "other", "λ min", "λ 1se"], columns=columns)
    return figure


def draw_coefficients(bars: Bars, axis: str, style: Style) -> Canvas:
    """Draw signed coefficients: one row per feature, one panel per class, the same scale in all."""
    line, head, foot, gap, letter = 3.9, 7.0, 10.0, 4.0, 1.36
    count = len(bars.classes)
    room = max(style.double - count * (NARROWEST + gap) - 2.0, 60.0)
    label = min(letter * max(map(len, bars.features)) + 3.0, room)
    height = head + foot + line * max(len(bars.features), 3)
    figure = canvas(style.double, height)
    panel = min((style.double - label - 2.0 - gap * (count - 1)) / count, 60.0)
    reach = 1.08 * max(abs(value) for row in bars.values for value in row) or 1.0
    names = [shortened(name, round((label - 3.0) / letter)) for name in bars.features]
    for at, name in enumerate(bars.classes):
        left = (label + at * (panel + gap)) / style.double
        axes = figure.add_axes((left, foot / height, panel / style.double, (height - head - foot) / height))
        values = [row[at] for row in bars.values]
        colours = [style.positive if value > 0 else style.negative for value in values]
        axes.barh(range(len(values)), values, color=colours, height=0.66)
        axes.axvline(0, color=style.ink, linewidth=0.6)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.set_title(shortened(name, 22), fontsize=style.size, fontweight="bold", pad=4)
        axes.locator_params(axis="x", nbins=3)
        axes.set_xlabel(axis)
        axes.spines["left"].set_visible(False)
        axes.set_yticks(range(len(values)), names if at == 0 else [""] * len(names), fontsize=style.small - 0.5)
        axes.tick_params(axis="y", length=0)
    return figure
