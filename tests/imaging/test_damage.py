"""Files cut short or with changed bytes, of every format: the right pixels or one line that says what is wrong."""

import warnings

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from radfusion.errors import CaseError
from radfusion.imaging.loading import CaseFiles, read_scans
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings(max_pixels=2**22)
DICOM = {
    "plain": "pydicom/MR_small.dcm",
    "implicit": "pydicom/MR_small_implicit.dcm",
    "big-endian": "pydicom/MR_small_bigendian.dcm",
    "rle": "pydicom/MR_small_RLE.dcm",
    "jpeg-ls": "pydicom/MR_small_jpeg_ls_lossless.dcm",
    "jpeg-2000": "pydicom/MR_small_jp2klossless.dcm",
    "jpeg-baseline": "pydicom/SC_rgb_jpeg_dcmtk.dcm",
    "jpeg-lossless": "pydicom/SC_rgb_jpeg_gdcm.dcm",
    "jpeg-extended": "pydicom/JPGExtended.dcm",
    "deflated": "pydicom/image_dfl.dcm",
    "dose": "pydicom/rtdose_rle.dcm",
    "float": "pydicom-data/parametric_map_float.dcm",
}
PICTURES = ("png", "jpg", "bmp", "tif", "lzw.tif", "16.png", "rgb.png", "48.png", "48.tif")
VOLUMES = ("nii", "nii.gz", "nrrd", "raw.nrrd", "mha", "raw.mha")


@pytest.fixture
def file_of(tmp_path, request, film):
    """Function that gives a small whole file of a format."""

    def find(name):
        if name in DICOM:
            return request.getfixturevalue("shared") / "data" / "dicom" / DICOM[name]
        path = tmp_path / f"whole.{name}"
        if name in VOLUMES:
            volume = np.random.default_rng(1).integers(-500, 900, (4, 6, 7), dtype=np.int16)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(path), useCompression="raw" not in name)
        elif name.startswith("48"):
            deep = np.random.default_rng(1).integers(0, 65535, (9, 8, 3), dtype=np.uint16)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(deep, isVector=True), str(path))
        else:
            values = film.astype(np.uint16) * 200 if name.startswith("16") else film
            picture = Image.fromarray(values).convert("RGB") if "rgb" in name else Image.fromarray(values)
            picture.save(path, **({"compression": "tiff_lzw"} if "lzw" in name else {}))
        return path

    return find


def attempt(path):
    """Pixels, or None when the file is refused with one line that names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = read_scans([CaseFiles("a", str(path))], settings=SETTINGS)
    if not isinstance(found, CaseError):
        return found.image
    assert path.name in found.reason
    assert len(found.reason.splitlines()) == 1
    assert str(path.parent) not in found.reason
    return None


@pytest.mark.data
@pytest.mark.parametrize("name", [*DICOM, *PICTURES, *VOLUMES])
def test_a_file_cut_short_gives_the_right_pixels_or_none(file_of, tmp_path, name):
    whole = file_of(name)
    content, pixels = whole.read_bytes(), attempt(whole)
    assert pixels is not None
    random = np.random.default_rng(11)
    kept = {len(content) - 1, len(content) - 2, len(content) - 9, *random.integers(0, len(content), 25).tolist()}
    for length in sorted(kept):
        cut = tmp_path / f"cut{whole.suffix}"
        cut.write_bytes(content[:length])
        found = attempt(cut)
        assert found is None or np.array_equal(found, pixels), f"{length} of {len(content)} bytes"


@pytest.mark.data
@pytest.mark.parametrize("name", [*DICOM, *PICTURES, *VOLUMES])
def test_changed_bytes_end_in_pixels_or_a_reason(file_of, tmp_path, name):
    whole = file_of(name)
    content = whole.read_bytes()
    random = np.random.default_rng(12)
    for head in (400, 2000, len(content)) * 12:
        damaged = bytearray(content)
        for place in random.integers(0, min(head, len(content)), 4):
            damaged[place] = random.integers(0, 256)
        path = tmp_path / f"damaged{whole.suffix}"
        path.write_bytes(bytes(damaged))
        found = attempt(path)
        assert found is None or np.isfinite(found).all()
