"""NIfTI, NRRD and MetaImage: geometry, and files that SimpleITK would read wrongly without a word."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK

from radfusion.errors import CaseError
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")


@pytest.fixture
def values():
    return np.random.default_rng(1).integers(-500, 900, (9, 12, 14), dtype=np.int16)


@pytest.fixture
def write(tmp_path):
    def write(values, name, *, spacing=(0.5, 0.75, 2.0), origin=(1.0, 2.0, 3.0), compress=False):
        image = SimpleITK.GetImageFromArray(values)
        image.SetSpacing(spacing[: values.ndim])
        image.SetOrigin(origin[: values.ndim])
        SimpleITK.WriteImage(image, str(tmp_path / name), useCompression=compress)
        return tmp_path / name

    return write


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("compress", [False, True])
def test_values_and_geometry_come_in_array_order(write, values, suffix, compress):
    path = write(values, f"scan{suffix}", compress=compress)
    scan = read_scan("a", path, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, values)
    np.testing.assert_allclose(scan.spacing, (2.0, 0.75, 0.5), rtol=1e-6)
    np.testing.assert_allclose(np.abs(scan.origin), (3.0, 2.0, 1.0), rtol=1e-6)
    assert len(scan.direction) == 9


def test_one_slice_becomes_a_film(write, values):
    scan = read_scan("a", write(values[:1], "scan.nii.gz"), None, settings=SETTINGS)
    assert scan.image.shape == (12, 14)
    np.testing.assert_allclose(scan.spacing, (0.75, 0.5), rtol=1e-6)
    assert (len(scan.origin), len(scan.direction)) == (3, 9)
    assert scan.facts["slice_thickness_mm"] == "2"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("missing", [1, 40, 500])
def test_a_volume_cut_short_is_refused(write, values, suffix, compress, missing):
    path = write(values, f"scan{suffix}", compress=compress)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(CaseError, match=r"cut short|corrupt|cannot be read"):
        read_scan("a", path, None, settings=SETTINGS)


def test_flipped_bits_in_a_compressed_volume_are_found(write, values):
    path = write(values, "scan.nii.gz")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(CaseError, match=r"scan\.nii\.gz"):
        read_scan("a", path, None, settings=SETTINGS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nan_is_refused_in_every_format(write, values, suffix):
    numbers = values.astype(np.float32)
    numbers[4, 5, 6] = np.nan
    with pytest.raises(CaseError, match=r"1 (voxels|pixels) are NaN or infinite"):
        read_scan("a", write(numbers, f"scan{suffix}"), None, settings=SETTINGS)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_headers_that_point_at_another_file_are_refused(write, values, suffix):
    with pytest.raises(CaseError, match="keeps its pixels in another file"):
        read_scan("a", write(values, f"scan{suffix}"), None, settings=SETTINGS)


def test_vectors_and_series_are_refused(values, tmp_path):
    image = SimpleITK.GetImageFromArray(np.stack([values, values], axis=-1), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / "vector.nrrd"))
    with pytest.raises(CaseError, match="2 components per voxel"):
        read_scan("a", tmp_path / "vector.nrrd", None, settings=SETTINGS)
    SimpleITK.WriteImage(SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(values)] * 2), str(tmp_path / "time.nrrd"))
    with pytest.raises(CaseError, match="has 4 axes"):
        read_scan("a", tmp_path / "time.nrrd", None, settings=SETTINGS)


def test_a_decompression_bomb_ends_at_the_size_its_header_states(write, values, tmp_path):
    head = gzip.decompress(write(values, "scan.nii.gz").read_bytes())
    bomb = tmp_path / "bomb.nii.gz"
    bomb.write_bytes(gzip.compress(head + bytes(50_000_000)))
    scan = read_scan("a", bomb, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, values)


def test_a_segmentation_elsewhere_in_the_patient_is_refused(write, values):
    image = write(values, "scan.nii.gz")
    drawn = np.zeros(values.shape, dtype=np.uint8)
    drawn[2:7, 3:9, 4:10] = 1
    assert read_scan("a", image, write(drawn, "same.nii.gz"), settings=SETTINGS).n_roi == 180
    moved = write(drawn, "moved.nii.gz", origin=(1.0, 9.0, 3.0), spacing=(0.5, 0.75, 3.0))
    with pytest.raises(CaseError, match=r"lies elsewhere than the image scan\.nii\.gz: spacing .*; origin") as caught:
        read_scan("a", image, moved, settings=SETTINGS)
    assert caught.value.stage == "segmentation"


HEADERS = {
    "nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 14 12 9\nencoding: raw\nendian: little\n",
    "mha": b"ObjectType = Image\nNDims = 3\nDimSize = 14 12 9\nElementType = MET_SHORT\n",
}
ENDS = {"nrrd": b"\n", "mha": b"ElementDataFile = LOCAL\n"}


@pytest.mark.parametrize(
    ("suffix", "line", "reason"),
    [
        ("nrrd", b"", "the header has neither spacings nor space directions"),
        ("nrrd", b"spacings: 1 nan 2\n", "spacings 1, nan, 2: positive numbers"),
        ("mha", b"", "the header has no ElementSpacing"),
    ],
)
def test_the_millimetre_that_simpleitk_makes_up_is_not_taken(tmp_path, values, suffix, line, reason):
    path = tmp_path / f"scan.{suffix}"
    path.write_bytes(HEADERS[suffix] + line + ENDS[suffix] + values.tobytes())
    scan = read_scan("a", path, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, values)
    assert scan.spacing is None
    assert scan.facts["spacing"].startswith(f"none, sizes are in pixels: {reason}")


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf"), 5000.0])
def test_impossible_distances_of_a_nifti_are_not_taken(write, values, wrong):
    path = write(values, "scan.nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 80, wrong)
    path.write_bytes(bytes(content))
    with pytest.raises(CaseError, match=r"no spacing in mm \(pixdim .*: positive numbers up to 100 mm"):
        read_scan("a", path, None, settings=ImagingSettings(missing_spacing="refuse"))


def test_a_nifti_without_orientation_says_so(write, values):
    path = write(values, "scan.nii")
    assert "orientation" not in read_scan("a", path, None, settings=SETTINGS).facts
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)
    path.write_bytes(bytes(content))
    assert "no qform, no sform" in read_scan("a", path, None, settings=SETTINGS).facts["orientation"]


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("scan.nii", struct.pack("<i", 540) + b"n+2\0" + bytes(600), "is NIfTI-2, which is not read; save it as"),
        ("scan.hdr", struct.pack("<i", 348) + bytes(344), "keeps its pixels in another file"),
        ("scan.img", bytes(3024), "keeps its pixels in another file"),
    ],
)
def test_older_and_newer_kinds_are_named(tmp_path, name, head, message):
    (tmp_path / name).write_bytes(head)
    with pytest.raises(CaseError, match=message):
        read_scan("a", tmp_path / name, None, settings=SETTINGS)


def test_complex_numbers_are_refused(values, tmp_path):
    image = SimpleITK.GetImageFromArray(values.astype(np.complex64))
    SimpleITK.WriteImage(image, str(tmp_path / "complex.nii"))
    with pytest.raises(CaseError, match="complex of 32-bit float"):
        read_scan("a", tmp_path / "complex.nii", None, settings=SETTINGS)


def write_nifti(path, sizes, steps, sform=None):
    """NIfTI-1 of 16-bit zeros, its header field by field."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *sizes, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, *steps, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[123], header[344:348] = 2, b"n+1\0"
    if sform:
        struct.pack_into("<2h", header, 252, 0, 1)
        struct.pack_into("<12f", header, 280, sform[0], 0, 0, 1, 0, sform[1], 0, 2, 0, 0, sform[2], 3)
    path.write_bytes(bytes(header) + bytes(2 * np.prod(sizes)))
    return path


def test_a_sform_of_other_distances_than_pixdim_gives_no_spacing(tmp_path):
    same = write_nifti(tmp_path / "same.nii", (4, 3, 2), (0.5, 0.6, 2), sform=(-0.5, 0.6, 2))
    np.testing.assert_allclose(read_scan("a", same, None, settings=SETTINGS).spacing, (2, 0.6, 0.5), rtol=1e-6)
    other = write_nifti(tmp_path / "other.nii", (4, 3, 2), (1, 1, 1), sform=(0.5, 0.6, 2))
    scan = read_scan("a", other, None, settings=SETTINGS)
    assert scan.spacing is None
    assert scan.facts["spacing_refused"] == "pixdim 1, 1, 1 and the sform, 0.5, 0.6, 2, disagree"


def test_a_single_slice_needs_no_distance_to_the_next(tmp_path):
    scan = read_scan("a", write_nifti(tmp_path / "film.nii", (4, 6, 1), (0.5, 0.6, 0)), None, settings=SETTINGS)
    assert (scan.image.shape, np.round(scan.spacing, 6).tolist()) == ((6, 4), [0.6, 0.5])


@pytest.mark.parametrize(
    ("suffix", "told"), [(".nii.gz", "nii.gz"), (".nrrd", "nrrd"), (".mha", "mha"), (".nii", "nii")]
)
def test_the_format_is_told_without_the_name_of_the_file(tmp_path, suffix, told):
    path = tmp_path / f"Doe.Jane.1960{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones((4, 5, 6), np.int16)), str(path))
    facts = read_scan("a", path, None, settings=ImagingSettings()).facts
    assert facts["format"] == told
