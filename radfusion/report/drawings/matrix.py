"""A symmetric matrix of shares as a heat map, one half of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from radfusion.report.figures import canvas, shortened
from radfusion.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw_matrix"]

# Millimetres, letters of a label.
LABELS, RIGHT, HEAD, FOOT, LARGEST = 40.0, 26.0, 2.0, 3.0, 14.0
LETTERS = 26
#: Cells smaller than this hold no number, in millimetres.
READABLE = 7.0


def draw_matrix(names: tuple[str, ...], shares: tuple[tuple[float | None, ...], ...], style: Style) -> Canvas:
    """Draw the lower half of a matrix of numbers from 0 to 1; names stand left of the lines and on the diagonal.

    Parameters
    ----------
    names : tuple of str
        Of lines and columns.
    shares : tuple of tuple of float or None
        The whole matrix; None where there is no number.
    style : Style
        Look.
    """
    cell = min((style.double - LABELS - RIGHT) / len(names), LARGEST)
    side = cell * len(names)
    width = max(LABELS + side + RIGHT, style.single)
    height = HEAD + side + FOOT
    figure = canvas(width, height)
    axes = figure.add_axes((LABELS / width, FOOT / height, side / width, side / height))
    lower = [[shares[i][j] if j < i else None for j in range(len(names))] for i in range(len(names))]
    edges = [at - 0.5 for at in range(len(names) + 1)]
    drawn = [[float("nan") if share is None else share for share in line] for line in lower]
    axes.pcolormesh(edges, edges, drawn, cmap=style.heat, vmin=0, vmax=1.15, edgecolors="white", linewidth=0.4)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _numbers(axes, lower, style, printed=cell >= READABLE)
    axes.set_yticks(range(len(names)), [shortened(name, LETTERS) for name in names])
    axes.set_xticks([])
    for at, name in enumerate(names[:-1]):
        axes.text(at - 0.4, at, shortened(name, LETTERS), va="center", ha="left", fontsize=style.small)
    for edge in ("left", "bottom"):
        axes.spines[edge].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _numbers(axes: Axes, shares: Sequence[Sequence[float | None]], style: Style, *, printed: bool) -> None:
    for i, line in enumerate(shares):
        for j, share in enumerate(line[:i]):
            words = "–" if share is None else f"{round(share, 2) + 0.0:.2f}" if printed else ""
            colour = "white" if share is not None and share > 0.6 else style.ink
            axes.text(j, i, words, ha="center", va="center", fontsize=style.small, color=colour)
