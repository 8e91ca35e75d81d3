"""Contact sheets: pictures of cases in rows, grouped by set and class, as PNG pages."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["contact_sheets"]

_WIDTH, _HEIGHT = 1800, 2400
_EDGE, _GAP, _HEADING, _CAPTION = 30, 14, 40, 22
_INK, _WARNED = "#1a1a1a", "#b3261e"
_LETTERS = 22


class Pictured(Protocol):
    """A case with its picture."""

    @property
    def case(self) -> str:
        """Identifier."""

    @property
    def picture(self) -> bytes:
        """PNG."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unusual."""


@dataclass
class _Place:
    """Where the next picture goes."""

    left: int = _EDGE
    top: int = _EDGE
    row: int = 0

    def fits_row(self, width: int) -> bool:
        return self.left + width <= _WIDTH - _EDGE

    def fits_page(self, height: int) -> bool:
        return self.top + height <= _HEIGHT - _EDGE

    def next_row(self) -> None:
        self.left, self.top, self.row = _EDGE, self.top + self.row, 0


def contact_sheets(groups: Sequence[tuple[str, Sequence[Pictured]]]) -> dict[str, bytes]:
    """File names to PNG: ``contact_sheet.png``, or ``contact_sheet_01.png`` and following.

    Parameters
    ----------
    groups : sequence of (str, sequence of Pictured)
        Heading and cases; the name of a case with a warning is red.
    """
    pages = [_png(page) for page in _pages(groups)]
    if len(pages) == 1:
        return {"contact_sheet.png": pages[0]}
    return {f"contact_sheet_{number:02d}.png": page for number, page in enumerate(pages, 1)}


def _pages(groups: Sequence[tuple[str, Sequence[Pictured]]]) -> Iterator[Picture]:
    from PIL import Image, ImageDraw, ImageFont

    small, large = ImageFont.load_default(13), ImageFont.load_default(22)
    page, place = Image.new("RGB", (_WIDTH, _HEIGHT), "white"), _Place()
    for heading, cases in groups:
        title, drawn = f"{heading} ({len(cases)})", False
        for case in cases:
            picture = Image.open(io.BytesIO(case.picture)).convert("RGB")
            height = picture.height + _CAPTION + _GAP
            if drawn and not place.fits_row(picture.width):
                place.next_row()
            if not place.fits_page(height + (0 if drawn else _HEADING)):
                yield page
                page, place = Image.new("RGB", (_WIDTH, _HEIGHT), "white"), _Place()
                title, drawn = title if not drawn else f"{heading}, continued", False
            draw: Any = ImageDraw.Draw(page)
            if not drawn:
                draw.text((_EDGE, place.top), title, fill=_INK, font=large)
                place.top, drawn = place.top + _HEADING, True
            page.paste(picture, (place.left, place.top))
            colour = _WARNED if case.warnings else _INK
            draw.text((place.left, place.top + picture.height + 3), _short(case.case), fill=colour, font=small)
            place.left, place.row = place.left + picture.width + _GAP, max(place.row, height)
        place.next_row()
    yield page.crop((0, 0, _WIDTH, min(_HEIGHT, place.top + _EDGE)))


def _short(name: str) -> str:
    """End of a long name: file names differ there."""
    return name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}"


def _png(page: Picture) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    page.quantize(128, dither=Image.Dither.NONE).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
