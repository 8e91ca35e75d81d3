"""PNG, JPEG, BMP and TIFF, by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats.base import FORMATS, Format, Pixels, decoding
from radfusion.imaging.settings import STANDARD, ImagingSettings

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Raster"]

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_GREY = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR = {"LA": "L", "La": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB", "RGBa": "RGB", "RGBX": "RGB"}
_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339


class Raster(Format):
    """Plain pictures: no spacing, no modality; an alpha channel is ignored."""

    title = "PNG, JPEG, BMP or TIFF"
    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

    def recognises(self, head: bytes) -> bool:
        """Whether the file begins with one of the four signatures."""
        return head.startswith(_SIGNATURES)

    def shape(self, path: Path, settings: ImagingSettings = STANDARD) -> tuple[int, ...]:  # noqa: ARG002
        """Rows and columns, from the header."""
        with decoding(path, self.title), _opened(path) as picture:
            return picture.height, picture.width

    def read(self, path: Path, settings: ImagingSettings = STANDARD) -> Pixels:  # noqa: ARG002
        """Grey values as stored, or red, green and blue."""
        with decoding(path, self.title), _opened(path) as picture:
            mode = _checked_mode(path, picture)
            target = _COLOUR.get(mode, mode)
            # Asked first: Pillow forgets it once it has decoded, as it does to find the facts of a PNG.
            shortened = mode in _COLOUR and _stored_bits(picture) == 16
            facts = _facts(picture)
            values = np.asarray(picture if mode == target else _without_alpha(picture, target))
            if shortened:
                values = _sixteen_bits(path, values)
                facts["mode"] = f"{mode}, 16 bits per channel"
            values = _as_photographed(picture, values, facts)
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
    if picture.format in {"JPEG", "MPO"} or picture.info.get("compression") in {"jpeg", "tiff_jpeg"}:
        facts["lossy_compression"] = "JPEG"
    if "dpi" in picture.info or "resolution" in picture.info:
        facts["spacing"] = "the resolution that the file states (dots per inch) is of print or screen, not of the body"
    orientation = picture.getexif().get(_ORIENTATION, 1)
    if orientation != 1:
        facts["exif_orientation"] = f"{orientation}, not applied"
    return facts


def _stored_bits(picture: Image) -> int:
    """Bits per channel that the decoder was told of; Pillow shortens 16-bit colour without a word."""
    return 16 if any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ())) else 8


def _sixteen_bits(path: Path, shortened: NDArray[Any]) -> NDArray[Any]:
    """All bits of a picture that Pillow has shortened to 8, by SimpleITK.

    Pillow has decoded the file to its end before: SimpleITK fills what is missing without a word.
    """
    import SimpleITK

    try:
        whole: NDArray[Any] = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError as error:
        raise CaseError(f"{path.name}: 16-bit grey with transparency is not read; save it without") from error
    whole = whole[0] if whole.shape[0] == 1 and whole.ndim == shortened.ndim + 1 else whole
    channels = whole[..., :3]
    if channels.shape != shortened.shape or not np.array_equal(channels >> 8, shortened):
        raise CaseError(f"{path.name}: two decoders disagree about its 16-bit colours; save it as 16-bit grey")
    return channels


def _as_photographed(picture: Image, values: NDArray[Any], facts: dict[str, str]) -> NDArray[Any]:
    """16-bit TIFF whose white is zero turned round (Pillow does so for 8 bits), large 32-bit numbers unsigned."""
    tags = getattr(picture, "tag_v2", {})
    if tags.get(_PHOTOMETRIC, 1) == 0 and picture.mode in {"1", "L"}:
        facts["inverted"] = "TIFF, white is zero"
    if picture.mode.startswith("I;16") and tags.get(_PHOTOMETRIC, 1) == 0:
        facts["inverted"] = "TIFF, white is zero"
        return np.iinfo(np.uint16).max - values
    unsigned = tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,)
    return values.view(np.uint32) if picture.mode == "I" and unsigned else values


FORMATS.add("raster", Raster())
