"""Cases: regions, sizes, settings and everything that can be wrong with a pair of files."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError
from pydicom.data import get_testdata_file

from radfusion.errors import CaseError
from radfusion.imaging.geometry import bounding_box, box_shape, padded
from radfusion.imaging.loading import CaseFiles, read_scan, read_scans
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()


def test_image_and_region_make_a_scan(write_png, film, mask_path, region):
    scan = read_scan("case-7", write_png(film), mask_path, settings=SETTINGS)
    assert scan.case == "case-7"
    np.testing.assert_array_equal(scan.roi, region)


def test_paths_may_be_text(write_png, film, mask_path):
    assert read_scan("a", str(write_png(film)), str(mask_path), settings=SETTINGS).n_roi == 60


def test_without_segmentation_the_whole_image_is_the_region(write_png, film):
    scan = read_scan("a", write_png(film), None, settings=SETTINGS)
    assert scan.roi.all()
    assert scan.facts["segmentation"] == "none: the whole image"


def test_spacing_and_modality_come_from_the_study_where_it_says_so(write_png, film):
    settings = ImagingSettings(spacing=(0.1, 0.2), modality="DX")
    scan = read_scan("a", write_png(film), None, settings=settings)
    assert (scan.spacing, scan.modality, scan.facts["spacing"]) == ((0.1, 0.2), "DX", "imaging.spacing")
    with pytest.raises(CaseError, match=r"imaging\.spacing has 3 numbers, the image has 2 axes"):
        read_scan("a", write_png(film), None, settings=ImagingSettings(spacing=(1, 1, 1)))


@pytest.mark.parametrize("wrong", [{"spacing": (0, 1)}, {"spacing": (1,)}, {"min_roi_pixels": 0}, {"colour": "red"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        ImagingSettings.model_validate(wrong)


def test_a_label_is_chosen_among_several(write_png, film, region):
    labels = region.astype(np.uint8) * 255
    labels[0:6, 0:8] = 127
    drawn = write_png(labels, "mask.png")
    chosen = read_scan("a", write_png(film), drawn, settings=ImagingSettings(segmentation_label=127))
    assert chosen.n_roi == 48
    with pytest.raises(CaseError, match=r"holds 2 labels \(127, 255\); choose one with imaging\.segmentation_label"):
        read_scan("a", write_png(film), drawn, settings=SETTINGS)
    with pytest.raises(CaseError, match=r"no pixel has the label 3 .*present: 127, 255"):
        read_scan("a", write_png(film), drawn, settings=ImagingSettings(segmentation_label=3))


def test_many_labels_are_listed_in_part(write_png, film):
    with pytest.raises(CaseError, match=r"holds 30 labels \(1, 2, 3, 4, 5, 6, 7, 8, \.\.\.\)"):
        read_scan(
            "a",
            write_png(film),
            write_png(np.tile(np.arange(31, dtype=np.uint8)[1:], (24, 1)), "m.png"),
            settings=SETTINGS,
        )


def test_wrong_regions_are_named(write_png, film, region):
    empty, small = np.zeros((24, 30), dtype=np.uint8), region.astype(np.uint8)
    small[9:] = 0
    coloured = np.stack([empty, empty + 1, empty], axis=-1)
    fractions = region.astype(np.float32) * 0.5
    for name, drawn, message in (
        ("e.png", empty, "nothing is segmented, all values are 0"),
        ("s.png", small, "the region has 10 pixels; at least 32"),
        ("c.png", coloured, "is in colour"),
        ("f.tif", fractions, "60 values of the segmentation are not whole numbers"),
    ):
        with pytest.raises(CaseError, match=message) as caught:
            read_scan("a", write_png(film), write_png(drawn, name), settings=SETTINGS)
        assert caught.value.stage == "segmentation"
        assert caught.value.reason.startswith(name)


def test_an_empty_region_with_a_chosen_label(write_png, film):
    drawn = write_png(np.zeros((24, 30), dtype=np.uint8), "mask.png")
    with pytest.raises(CaseError, match=r"nothing is segmented, all values are 0"):
        read_scan("a", write_png(film), drawn, settings=ImagingSettings(segmentation_label=2))


def test_sizes_that_differ_are_printed(write_png, film, region):
    image, drawn = write_png(film), write_png(region[:, :20].astype(np.uint8), "mask.png")
    message = (
        "mask.png: is 24 x 20 (rows x columns), the image image.png is 24 x 30 (rows x columns); they must be equal"
    )
    with pytest.raises(CaseError) as caught:
        read_scan("a", image, drawn, settings=SETTINGS)
    assert (caught.value.reason, caught.value.stage) == (message, "segmentation")


def bad_files(folder, film_path):
    whole = film_path.read_bytes()
    for name, content in (
        ("empty.png", b""),
        ("text.png", b"<html>not found</html>"),
        ("noise.xyz", b"\x01\x02\x03" * 50),
        ("header.png", whole[:20]),
        ("zero.bmp", b"BM" + bytes(52)),
        ("bare.nii", bytes(400)),
        ("bare.nrrd", b"NRRD0004\ntype: uchar\n"),
        ("bare.mha", b"ObjectType = Image\nElementDataFile = LOCAL\n"),
        ("bad.nii.gz", b"\x1f\x8b\x08\x00" + bytes(60)),
        ("bare.dcm", bytes(128) + b"DICM"),
    ):
        (folder / name).write_bytes(content)
        yield folder / name
    yield folder / "missing.png"
    yield folder


def test_bad_files_are_bad_cases_and_never_anything_else(tmp_path, write_png, film, mask_path):
    good = write_png(film)
    for path in bad_files(tmp_path, good):
        for image, drawn, stage in ((path, mask_path, "read"), (good, path, "segmentation")):
            with pytest.raises(CaseError) as caught:
                read_scan("a", image, drawn, settings=SETTINGS)
            assert caught.value.stage == stage
            assert caught.value.reason.startswith(path.name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.png", "no such file in"),
        ("empty.png", r"the file is empty \(0 bytes\)"),
        ("noise.xyz", "neither its content nor its suffix .* allowed: DICOM, PNG, JPEG, BMP or TIFF, NIfTI"),
    ],
)
def test_messages_say_what_is_wrong(tmp_path, write_png, film, name, message):
    list(bad_files(tmp_path, write_png(film)))
    with pytest.raises(CaseError, match=message):
        read_scan("a", tmp_path / name, None, settings=SETTINGS)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_pictures_cut_short_are_bad_cases(write_png, film, suffix, kept):
    path = write_png(film, f"film{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CaseError, match=f"film{suffix}"):
        read_scan("a", path, None, settings=SETTINGS)


def test_size_limit_holds_before_decoding(write_png, film):
    settings = ImagingSettings(max_pixels=500)
    with pytest.raises(CaseError) as caught:
        read_scan("a", write_png(film), None, settings=settings)
    message = "image.png: 24 x 30 (rows x columns) is 720 pixels; at most 500 (imaging.max_pixels)"
    assert caught.value.reason == message


def test_a_header_that_claims_a_huge_picture_is_refused(write_png, film):
    path = write_png(film)
    whole = bytearray(path.read_bytes())
    whole[16:24] = (60000).to_bytes(4, "big") * 2
    crc = zlib.crc32(bytes(whole[12:29]))
    whole[29:33] = crc.to_bytes(4, "big")
    path.write_bytes(bytes(whole))
    with pytest.raises(CaseError, match=r"more pixels than can be read safely"):
        read_scan("a", path, None, settings=SETTINGS)


@given(st.binary(max_size=600), st.sampled_from([".png", ".dcm", ".nii", ".nrrd", ".mha", ".nii.gz", ".tif"]))
def test_no_bytes_raise_anything_but_a_case_error(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(content)
    with pytest.raises(CaseError):
        read_scan("a", path, None, settings=SETTINGS)


@given(st.integers(0, 3000), st.integers(0, 255))
def test_one_changed_byte_of_a_dicom_file_is_read_or_a_case_error(tmp_path_factory, where, value):
    base = Path(get_testdata_file("MR_small.dcm", download=False)).read_bytes()
    path = tmp_path_factory.getbasetemp() / "changed.dcm"
    path.write_bytes(base[:where] + bytes([value]) + base[where + 1 :])
    reason = "changed.dcm"
    try:
        read_scan("a", path, None, settings=SETTINGS)
    except CaseError as error:
        reason = error.reason
    assert reason.startswith("changed.dcm")


@given(arrays.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))), st.integers(0, 3))
def test_boxes_hold_the_region_and_nothing_less(roi, margin):
    if not roi.any():
        with pytest.raises(ValueError, match="empty region"):
            bounding_box(roi)
        return
    box = bounding_box(roi)
    assert roi[box].sum() == roi.sum()
    for axis in range(3):
        sides = roi[box].swapaxes(0, axis)
        assert sides[0].any()
        assert sides[-1].any()
    wide = padded(box, margin, roi.shape)
    assert roi[wide].shape == box_shape(wide)
    assert all(
        a.start - margin <= b.start <= a.start and b.stop <= a.stop + margin for a, b in zip(box, wide, strict=True)
    )


@pytest.mark.data
def test_films_of_two_centres_are_read(shared):
    import pandas as pd

    folder = shared / "data" / "cxr3"
    table = pd.read_csv(folder / "cohort.csv")
    settings = ImagingSettings(segmentation_label=255)
    for _, row in table.groupby("split").sample(4, random_state=1).iterrows():
        scan = read_scan(row["patient_id"], folder / row["image"], folder / row["mask"], settings=settings)
        assert scan.spacing is None
        assert 500 < scan.n_roi < scan.roi.size


def test_cases_of_one_film_share_its_pixels_and_decode_a_segmentation_once(write_png, film, region):
    labels = region.astype(np.uint8)
    labels[14:20, 10:20] = 2
    image, drawn = str(write_png(film)), str(write_png(labels, "mask.png"))
    files = [CaseFiles("a", image, drawn, 1), CaseFiles("b", image, drawn, 2), CaseFiles("c", image, drawn, 9)]
    first, second, third = read_scans(files, settings=SETTINGS)
    assert first.image is second.image
    assert (first.n_roi, second.n_roi) == (60, 60)
    assert isinstance(third, CaseError)


def test_a_region_is_described(write_png, film, region, mask_path):
    scan = read_scan("a", write_png(film), mask_path, settings=ImagingSettings(spacing=(0.5, 0.5)))
    facts = {name: value for name, value in scan.facts.items() if name.startswith("roi_")}
    assert facts == {
        "roi_pixels": "60",
        "roi_area_mm2": "15",
        "roi_components": "1",
        "roi_largest_share": "1",
        "roi_touches_border": "no",
        "roi_outside_field_share": "0",
    }


def test_of_several_parts_the_largest_is_kept_on_request(write_png, film, region):
    parts = region.copy()
    parts[20:22, 0:5] = True
    image, drawn = write_png(film), write_png(parts.astype(np.uint8), "mask.png")
    scan = read_scan("a", image, drawn, settings=SETTINGS)
    assert (scan.facts["roi_components"], scan.facts["roi_largest_share"]) == ("2", "0.8571")
    assert scan.facts["roi_touches_border"] == "first column"
    kept = read_scan("a", image, drawn, settings=ImagingSettings.model_validate({"region": {"keep": "largest"}}))
    np.testing.assert_array_equal(kept.roi, region)
    assert kept.facts["region"] == "largest part kept, 10 pixels dropped"


def test_one_pixel_is_named(write_png, film):
    drawn = np.zeros((24, 30), dtype=np.uint8)
    drawn[3, 4] = 1
    with pytest.raises(CaseError, match=r"mask\.png: the region has 1 pixel; at least 32"):
        read_scan("a", write_png(film), write_png(drawn, "mask.png"), settings=SETTINGS)


def test_a_name_that_no_system_takes_costs_its_case_only(write_png, film, mask_path):
    image = write_png(film)
    files = [CaseFiles("a", str(image), "n" * 300 + ".png"), CaseFiles("b", str(image), str(mask_path))]
    long, good = read_scans(files, settings=SETTINGS)
    assert str(long.reason).endswith("cannot be read: File name too long")
    assert (long.stage, good.n_roi) == ("segmentation", 60)
    (image_too,) = read_scans([CaseFiles("c", "n" * 300, str(mask_path))], settings=SETTINGS)
    assert image_too.stage == "read"
