"""Figures to files: the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from radfusion.report.blocks import Picture
from radfusion.report.styles import MM_PER_INCH, Style, inches

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

__all__ = ["Drawn", "canvas", "draw", "key_above", "legend_above", "shortened", "stacked"]

# No time and no version of the drawing library in any file. Line art compresses nearly as well at level 3 as at
# matplotlib's own 6, in half the time.
_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Producer": None, "Creator": None}},
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}},
}


@dataclass(frozen=True)
class Drawn:
    """A figure as files, and as SVG that may stand inside a page beside others."""

    files: dict[str, bytes]
    inline: str


def canvas(width: float, height: float) -> Canvas:
    """Empty figure of a width and height in millimetres."""
    from matplotlib.figure import Figure

    return Figure(figsize=(inches(width), inches(height)))


def draw(picture: Picture, style: Style) -> Drawn:
    """Draw a picture in a style.

    Returns
    -------
    Drawn
        Files by ending (``svg``, ``pdf``, ``png``) and the SVG for a page.
    """
    with _settings(_with_fonts_at_hand(style), picture.name):
        figure = picture.draw(style)
        files = {}
        for ending, options in _FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=ending, **options)
            files[ending] = buffer.getvalue()
    return Drawn(files, inline_svg(files["svg"].decode(), picture.name, picture.alt))


def key_above(figure: Canvas, names: Sequence[str], style: Style, *, columns: int = 4) -> None:
    """Legend of the lines of a style above everything."""
    from matplotlib.lines import Line2D

    lines = [style.line(at) for at in range(len(names))]
    handles = [Line2D([], [], color=line.colour, linestyle=line.dash) for line in lines]
    legend_above(figure, handles, names, columns=columns)


def legend_above(figure: Canvas, handles: Sequence[Line2D], names: Sequence[str], *, columns: int = 4) -> None:
    """Legend above everything, so many names a row."""
    height = MM_PER_INCH * figure.get_figheight()
    figure.legend(
        list(handles), list(names), loc="upper center", ncols=columns, bbox_to_anchor=(0.5, 1 - 1.0 / height),
        borderaxespad=0, borderpad=0, handlelength=3.2, columnspacing=1.6,
    )  # fmt: skip


def shortened(text: str, letters: int) -> str:
    """Text cut to a number of letters.

    Examples
    --------
    >>> shortened("marked fracture", 8)
    'marked …'
    """
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def stacked(text: str, letters: int) -> str:
    r"""Text in at most three lines of so many letters.

    Examples
    --------
    >>> stacked("marked fracture", 10)
    'marked\nfracture'
    """
    lines = textwrap.wrap(text, letters, max_lines=3, placeholder="…")
    return "\n".join(lines)


@contextmanager
def _settings(style: Style, name: str) -> Iterator[None]:
    """Matplotlib's defaults with the style's settings; the user's own settings file has no say."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        settings: dict[Any, Any] = {**style.rc(), "svg.hashsalt": name}
        mpl.rcParams.update(settings)
        yield


def _with_fonts_at_hand(style: Style) -> Style:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return replace(style, fonts=tuple(name for name in style.fonts if name in installed))


def inline_svg(svg: str, name: str, alt: str) -> str:
    """SVG element to stand inside a page: no prologue, identifiers of its own, a text for those who cannot see it.

    Examples
    --------
    >>> inline_svg('<?xml version="1.0"?><svg width="9pt" height="8pt" viewBox="0 0 9 8"><g id="a"/></svg>', "f", "<b>")
    '<svg role="img" aria-label="&lt;b&gt;" style="max-width: 9pt" viewBox="0 0 9 8"><g id="f-a"/></svg>'
    """
    from markupsafe import escape

    body = svg[svg.index("<svg") :].strip()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', body)
    body = re.sub(r'href="#', rf'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    head, rest = body.split(">", 1)
    width = re.search(r' width="([^"]*)"', head)
    style = f' style="max-width: {width.group(1)}"' if width else ""
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return head.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"{style}', 1) + ">" + rest
