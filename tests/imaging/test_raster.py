"""Plain pictures: what each pixel mode becomes."""

import struct
import zlib

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from radfusion.errors import CaseError
from radfusion.imaging.formats import format_of
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()


@pytest.mark.parametrize("name", ["film.png", "film.bmp", "film.tif"])
def test_grey_values_come_back_as_stored(write_png, film, name):
    scan = read_scan("a", write_png(film, name), None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, film)
    assert (scan.spacing, scan.modality, scan.image.dtype) == (None, "unknown", np.float64)


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA", "P"])
def test_grey_stored_otherwise_keeps_its_values(write_png, film, mode):
    scan = read_scan("a", write_png(film, mode=mode), None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, film)
    assert scan.facts["mode"] == mode
    assert ("alpha" in scan.facts) == (mode in {"LA", "RGBA"})


@pytest.mark.parametrize("name", ["film.png", "film.tif"])
def test_sixteen_bits_are_kept(write_png, film, name):
    deep = film.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_scan("a", write_png(deep, name), None, settings=SETTINGS).image, deep)


def test_transparency_is_ignored_not_blended(write_png, film):
    alpha = np.zeros_like(film)
    path = write_png(np.stack([film, film, film, alpha], axis=-1))
    np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, film)


def test_jpeg_is_read_as_pillow_decodes_it(tmp_path, film):
    path = tmp_path / "film.jpg"
    Image.fromarray(film).save(path)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, np.asarray(picture))


def test_colours_become_the_luminance_that_pillow_computes(write_png):
    colours = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    scan = read_scan("a", write_png(colours), None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, np.asarray(Image.fromarray(colours).convert("L")))
    assert scan.facts["colour"].endswith("luminance")


def test_colours_may_be_refused(write_png, film):
    colours = np.stack([film, film, film], axis=-1)
    settings = ImagingSettings(colour="refuse")
    assert read_scan("a", write_png(colours), None, settings=settings).image[0, 0] == film[0, 0]
    colours[3, 4] = (255, 0, 0)
    with pytest.raises(CaseError, match=r"1 pixels are coloured; imaging\.colour is refuse"):
        read_scan("a", write_png(colours), None, settings=settings)


def test_orientation_tag_is_recorded_and_not_applied(tmp_path, film):
    path, exif = tmp_path / "film.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(film).save(path, exif=exif)
    scan = read_scan("a", path, None, settings=SETTINGS)
    assert scan.image.shape == film.shape
    assert scan.facts["exif_orientation"] == "6, not applied"


def test_several_pages_are_refused(tmp_path, film):
    path = tmp_path / "film.tif"
    Image.fromarray(film).save(path, save_all=True, append_images=[Image.fromarray(film)])
    with pytest.raises(CaseError, match="holds 2 images; one image per file"):
        read_scan("a", path, None, settings=SETTINGS)


def test_unread_modes_are_named(tmp_path, film):
    path = tmp_path / "film.jpg"
    Image.fromarray(np.stack([film] * 4, axis=-1), mode=None).convert("CMYK").save(path)
    with pytest.raises(CaseError, match="pixel mode CMYK is not read; allowed: 1, L"):
        read_scan("a", path, None, settings=SETTINGS)


def test_nan_in_a_float_picture_is_refused(write_png, film):
    values = film.astype(np.float32)
    values[2, 2] = np.nan
    with pytest.raises(CaseError, match="1 pixels are NaN or infinite"):
        read_scan("a", write_png(values, "film.tif"), None, settings=SETTINGS)


def test_a_palette_segmentation_is_read_by_index(tmp_path, region, write_png, film):
    drawn = Image.fromarray(region.astype(np.uint8) * 3)
    drawn.putpalette([7, 7, 7] * 256)
    drawn.save(tmp_path / "mask.png")
    settings = ImagingSettings(segmentation_label=3)
    assert read_scan("a", write_png(film), tmp_path / "mask.png", settings=settings).n_roi == 60


def test_content_decides_over_the_suffix(tmp_path, write_png, film):
    path = write_png(film).rename(tmp_path / "film.dcm")
    assert format_of(path).title.startswith("PNG")


@pytest.fixture
def deep():
    """Colours of 16 bits."""
    return np.random.default_rng(6).integers(0, 65536, (9, 11, 3), dtype=np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_colours_keep_their_bits(tmp_path, deep, suffix):
    path = tmp_path / f"deep.{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(deep, isVector=True), str(path))
    pixels = format_of(path).read(path)
    np.testing.assert_array_equal(pixels.values, deep)
    assert pixels.facts["mode"] == "RGB, 16 bits per channel"
    grey = np.repeat(deep[..., :1], 3, axis=-1)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(grey, isVector=True), str(path))
    np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, deep[..., 0])


def test_sixteen_bit_grey_with_transparency_is_refused_not_shortened(tmp_path, deep):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep[..., :2])
    header = struct.pack(">IIBBBBB", 11, 9, 16, 4, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "grey.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(CaseError, match=r"grey\.png: 16-bit grey with transparency is not read; save it without"):
        read_scan("a", tmp_path / "grey.png", None, settings=SETTINGS)


def test_a_tiff_of_sixteen_bits_whose_white_is_zero_is_turned_round(tmp_path, film):
    path = tmp_path / "film.tif"
    Image.fromarray(film.astype(np.uint16)).save(path, tiffinfo={262: 0})
    scan = read_scan("a", path, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, 65535.0 - film)
    assert scan.facts["inverted"] == "TIFF, white is zero"


@pytest.mark.parametrize("name", ["film.png", "film.tif", "film.jpg"])
def test_dots_per_inch_are_no_spacing(tmp_path, film, name):
    Image.fromarray(film).save(tmp_path / name, dpi=(254, 254))
    scan = read_scan("a", tmp_path / name, None, settings=SETTINGS)
    assert scan.spacing is None
    assert "of print or screen, not of the body" in scan.facts["spacing"]
    stated = read_scan("a", tmp_path / name, None, settings=ImagingSettings(spacing=(0.1, 0.1)))
    assert (stated.spacing, stated.facts["spacing"]) == ((0.1, 0.1), "imaging.spacing")


def test_lossy_compression_is_a_fact(tmp_path, film):
    Image.fromarray(film).save(tmp_path / "film.jpg")
    assert read_scan("a", tmp_path / "film.jpg", None, settings=SETTINGS).facts["lossy_compression"] == "JPEG"
