"""Distribution of intraclass correlations: one histogram per source and assessment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas, shortened
from radfusion.report.styles import Style, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Distribution", "bins", "draw_distributions"]

# Millimetres.
LEFT, RIGHT, HEAD, TALL, FOOT, GAP, WIDEST = 13.0, 2.0, 10.0, 32.0, 12.0, 13.0, 72.0
STEP = 0.05


@dataclass(frozen=True)
class Distribution:
    """Values of one panel; those below 0 are drawn in the first bar."""

    title: str
    counts: str
    axis: str
    values: tuple[float, ...]
    minimum: float


def bins() -> tuple[float, ...]:
    """Edges of the bars: from 0 to 1, the first bar taking in what lies below 0.

    Examples
    --------
    >>> len(bins()), bins()[:3]
    (21, (0.0, 0.05, 0.1))
    """
    return tuple(round(STEP * at, 10) for at in range(round(1 / STEP) + 1))


def draw_distributions(panels: tuple[Distribution, ...], words: str, style: Style) -> Canvas:
    """Draw two panels a row; what lies below the minimum is grey, the rest coloured.

    Parameters
    ----------
    panels : tuple of Distribution
        Panels in order.
    words : str
        What the minimum is held against.
    style : Style
        Look.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    wide = min((style.double - LEFT - RIGHT - GAP * (columns - 1)) / columns, WIDEST)
    width = max(LEFT + RIGHT + columns * wide + GAP * (columns - 1), style.single)
    block = HEAD + TALL + FOOT
    height = rows * block
    figure = canvas(width, height)
    for at, panel in enumerate(panels):
        row, column = divmod(at, columns)
        x, y = LEFT + column * (wide + GAP), height - row * block - HEAD - TALL
        axes = figure.add_axes((x / width, y / height, wide / width, TALL / height))
        _panel(axes, panel, words=words, style=style)
    return figure


def _panel(axes: Axes, panel: Distribution, *, words: str, style: Style) -> None:
    below = _heights(value for value in panel.values if value < panel.minimum)
    above = _heights(value for value in panel.values if value >= panel.minimum)
    middles = [(low + high) / 2 for low, high in pairwise(bins())]
    axes.bar(middles, below, width=STEP * 0.9, color=style.faint, linewidth=0)
    axes.bar(middles, above, width=STEP * 0.9, bottom=below, color=style.negative, linewidth=0)
    axes.axvline(panel.minimum, color=style.positive, linestyle="dashed", linewidth=1.0)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(0, 1.05 * max(1, *map(sum, zip(below, above, strict=True))))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["≤ 0", "0.25", "0.5", "0.75", "1"])
    axes.set_xlabel(f"{panel.axis}{words}", labelpad=1)
    axes.set_ylabel("Features", labelpad=2)
    axes.locator_params(axis="y", integer=True, nbins=5)
    for text, rise, size in ((shortened(panel.title, 44), 4.4, style.size), (panel.counts, 1.3, style.small)):
        axes.annotate(
            text, (0, 1), (0, points(rise)), "axes fraction", textcoords="offset points", fontsize=size
        )  # fmt: skip


def _heights(values: Iterable[float]) -> list[int]:
    heights = [0] * (len(bins()) - 1)
    for value in values:
        heights[_bar(value)] += 1
    return heights


def _bar(value: float) -> int:
    """Number of the bar of a value; a value on an edge belongs to the right of it, 1 to the last bar."""
    inner = bins()[1:-1]
    return sum(value >= edge - 1e-12 for edge in inner)
