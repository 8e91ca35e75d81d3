"""Repeated splits: one point per split, with their median and spread, and the split of the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

__all__ = ["Splits", "draw_splits", "heaped"]

# Millimetres.
SIDE, HEAD, TALL, FOOT = 4.0, 6.0, 20.0, 10.0
#: Points that share a column; a fiftieth of the axis.
COLUMNS = 50


@dataclass(frozen=True)
class Splits:
    """What is drawn.

    Attributes
    ----------
    values : tuple of float
        One per split.
    low, median, high : float
        Percentiles of them.
    used : float or None
        Of the study's own split.
    axis : str
        Name of the axis.
    """

    values: tuple[float, ...]
    low: float
    median: float
    high: float
    used: float | None
    axis: str


def heaped(values: tuple[float, ...]) -> list[tuple[float, int]]:
    """Points of a heap: each value in the column it falls in, above those that are there.

    Examples
    --------
    >>> heaped((0.0, 1.0, 0.001))
    [(0.01, 0), (0.99, 0), (0.01, 1)]
    """
    first, last = min(values), max(values)
    wide = (last - first) / COLUMNS or 1.0
    heights: dict[int, int] = {}
    points = []
    for value in values:
        column = min(int((value - first) / wide), COLUMNS - 1)
        heights[column] = heights.get(column, -1) + 1
        points.append((round(first + (column + 0.5) * wide, 10), heights[column]))
    return points


def draw_splits(splits: Splits, style: Style) -> Canvas:
    """Draw the splits as a heap of points.

    Parameters
    ----------
    splits : Splits
        What is drawn.
    style : Style
        Look.
    """
    width, height = style.single, HEAD + TALL + FOOT
    figure = canvas(width, height)
    axes = figure.add_axes((SIDE / width, FOOT / height, 1 - 2 * SIDE / width, TALL / height))
    points = heaped(splits.values)
    tallest = max(level for _, level in points)
    axes.axvspan(splits.low, splits.high, color=style.faint, alpha=0.2, linewidth=0)
    axes.axvline(splits.median, color=style.ink, linewidth=0.8)
    axes.plot(*zip(*points, strict=True), color=style.negative, marker="o", markersize=3.2, linestyle="none")
    axes.set_ylim(-0.7, max(4.0, 1.15 * tallest + 1))
    words = f"median {splits.median:.3f}"
    if splits.used is not None:
        axes.axvline(splits.used, color=style.positive, linewidth=1.2, linestyle="dashed")
        words += f"; dashed: split of this study {splits.used:.3f}"
    axes.set_title(words, fontsize=style.small, loc="left", pad=3)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(splits.axis, labelpad=1)
    axes.locator_params(axis="x", nbins=6)
    return figure
