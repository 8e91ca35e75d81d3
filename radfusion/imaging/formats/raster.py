"""PNG, JPEG, BMP and TIFF, by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import FORMATS, Format, Pixels, decoding

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Raster"]

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_GREY = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR = {"LA": "L", "La": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB", "RGBa": "RGB", "RGBX": "RGB"}
_ORIENTATION = 0x0112


class Raster(Format):
    """Plain pictures: no spacing, no modality; an alpha channel is ignored."""

    title = "PNG, JPEG, BMP or TIFF"
    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

    def recognises(self, head: bytes) -> bool:
        """Whether the file begins with one of the four signatures."""
        return head.startswith(_SIGNATURES)

    def shape(self, path: Path) -> tuple[int, ...]:
        """Rows and columns, from the header."""
        with decoding(path, self.title), _opened(path) as picture:
            return picture.height, picture.width

    def read(self, path: Path) -> Pixels:
        """Grey values as stored, or red, green and blue."""
        with decoding(path, self.title), _opened(path) as picture:
            mode = _checked_mode(path, picture)
            facts = _facts(picture)
            target = _COLOUR.get(mode, mode)
            values = np.asarray(picture if mode == target else _without_alpha(picture, target))
        if mode == "1":
            values = values.astype(np.uint8) * np.uint8(255)
        return Pixels(values=values, facts=facts, colour=target == "RGB")

    def read_labels(self, path: Path) -> Pixels:
        """Values of a label map: of a palette file its indices, not its colours."""
        with decoding(path, self.title), _opened(path) as picture:
            if picture.mode == "P":
                return Pixels(values=np.asarray(picture), facts=_facts(picture))
        return self.read(path)


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(path)
    except UnidentifiedImageError:
        raise CaseError(f"{path.name}: is not a readable {Raster.title} (damaged header, or something else)") from None
    except Image.DecompressionBombError as error:
        raise CaseError(f"{path.name}: the header claims more pixels than can be read safely: {error}") from error
    with picture:
        frames = int(getattr(picture, "n_frames", 1))
        if frames > 1:
            raise CaseError(f"{path.name}: holds {frames} images; one image per file is allowed")
        yield picture


def _checked_mode(path: Path, picture: Image) -> str:
    if picture.mode in _GREY or picture.mode in _COLOUR:
        return picture.mode
    raise CaseError(
        f"{path.name}: pixel mode {picture.mode} is not read; allowed: 1, L, LA, P, RGB, RGBA, 16- and 32-bit grey"
    )


def _without_alpha(picture: Image, target: str) -> Image:
    """Drop the alpha channel; nothing is blended."""
    bands = picture.getbands()
    return picture.getchannel(0) if target == "L" and bands[0] == "L" else picture.convert(target)


def _facts(picture: Image) -> dict[str, str]:
    facts = {"format": str(picture.format), "mode": picture.mode}
    if picture.mode in {"LA", "La", "PA", "RGBA", "RGBa"}:
        facts["alpha"] = "ignored"
    stored = _stored_bits(picture)
    if stored == 16 and picture.mode in _COLOUR:
        facts["depth"] = "16 bits per channel, read as 8"
    orientation = picture.getexif().get(_ORIENTATION, 1)
    if orientation != 1:
        facts["exif_orientation"] = f"{orientation}, not applied"
    return facts


def _stored_bits(picture: Image) -> int:
    """Bits per channel that the decoder was told of; Pillow shortens 16-bit colour without a word."""
    return 16 if any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ())) else 8


FORMATS.add("raster", Raster())
