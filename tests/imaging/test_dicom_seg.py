"""DICOM-SEG: segments, fractions, label maps, overlaps, and whether they belong to the image."""

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radfusion.errors import CaseError
from radfusion.imaging.loading import CaseFiles, read_scan, read_scans
from radfusion.imaging.settings import ImagingSettings

TINY = ImagingSettings(min_roi_pixels=1)


@pytest.fixture
def image(write_volume):
    return write_volume(np.zeros((7, 9, 12), dtype=np.float32))


@pytest.fixture
def segments():
    """Two that overlap."""
    liver, lesion = np.zeros((2, 7, 9, 12), dtype=np.uint8)
    liver[1:6, 2:8, 3:10] = 1
    lesion[3:5, 3:5, 4:7] = 1
    return {"Liver": liver, "Lesion": lesion}


@pytest.mark.parametrize("label", [1, 2, "liver", "LESION"])
def test_segments_are_found_by_number_or_label_and_may_overlap(image, write_seg, segments, label):
    chosen = ImagingSettings(segmentation_label=label, min_roi_pixels=1)
    expected = segments["Liver" if label in {1, "liver"} else "Lesion"]
    scan = read_scan("a", image, write_seg(segments), settings=chosen)
    np.testing.assert_array_equal(scan.roi, expected)
    assert scan.facts["geometry"] == "same"


def test_several_segments_want_a_choice(image, write_seg, segments):
    with pytest.raises(CaseError, match=r"holds 2 labels \(Liver \(1\), Lesion \(2\)\); choose one"):
        read_scan("a", image, write_seg(segments), settings=TINY)
    with pytest.raises(CaseError, match=r"did you mean 'Lesion'\? known: Liver, Lesion"):
        read_scan("a", image, write_seg(segments), settings=ImagingSettings(segmentation_label="lesions"))


def test_a_fraction_counts_from_the_threshold_on(image, write_seg):
    share = np.zeros((7, 9, 12), dtype=np.uint8)
    share[2:4, 2:8, 2:8] = np.arange(36).reshape(6, 6) * 5 + 20
    drawn = write_seg({"tumour": share}, kind="FRACTIONAL")
    for threshold in (0.5, 0.8):
        chosen = ImagingSettings(segmentation_threshold=threshold, min_roi_pixels=1)
        scan = read_scan("a", image, drawn, settings=chosen)
        np.testing.assert_array_equal(scan.roi, share >= threshold * 200)
        assert scan.facts["fraction"] == f"probability, inside from {threshold:g} on"


def test_label_map_segmentations(image, write_seg):
    labels = np.zeros((7, 9, 12), dtype=np.uint8)
    labels[1:3, 2:5, 2:5], labels[1:5, 5:8, 2:5] = 1, 2
    drawn = write_seg({"first": labels}, kind="LABELMAP", SegmentSequence=[])
    for value in (1, 2):
        scan = read_scan("a", image, drawn, settings=ImagingSettings(segmentation_label=value, min_roi_pixels=1))
        np.testing.assert_array_equal(scan.roi, labels == value)


def test_frames_beyond_the_image_are_named(write_volume, write_seg, segments):
    short = write_volume(np.zeros((4, 9, 12), dtype=np.float32))
    chosen = ImagingSettings(segmentation_label=1, min_roi_pixels=1)
    scan = read_scan("a", short, write_seg(segments), settings=chosen)
    np.testing.assert_array_equal(scan.roi, segments["Liver"][:4])
    assert scan.facts["roi_outside_field_share"] == "0.4"


def test_planes_elsewhere_are_refused_or_resampled(write_volume, write_seg, segments, volume_grid):
    spacing = np.array(volume_grid[0])
    between = write_volume(np.zeros((13, 9, 12), dtype=np.float32), spacing=(spacing * [1, 1, 0.6]).tolist())
    drawn = write_seg({"Liver": segments["Liver"]})
    with pytest.raises(CaseError, match=r"seg\.dcm: .*spacing 0\.7, 0\.8 mm \(image: 1\.5, 0\.7, 0\.8 mm\); origin"):
        read_scan("a", between, drawn, settings=TINY)
    scan = read_scan("a", between, drawn, settings=ImagingSettings(geometry="resample"))
    nearest = np.clip(np.floor(np.arange(13) * 0.6 + 0.5).astype(int), 0, 6)
    np.testing.assert_array_equal(scan.roi, segments["Liver"][nearest])


def test_a_series_and_its_segmentation_belong_together(write_series, write_seg, segments):
    series = write_series(np.arange(7 * 9 * 12).reshape(7, 9, 12))
    liver = {"Liver": segments["Liver"]}
    np.testing.assert_array_equal(read_scan("a", series, write_seg(liver), settings=TINY).roi, segments["Liver"])
    foreign = write_seg(liver, "foreign.dcm", series="1.2.3", frame="1.2.4", StudyInstanceUID="1.2.5")
    with pytest.raises(CaseError, match=r"foreign\.dcm: belongs to another exam than the image series") as caught:
        read_scan("a", series, foreign, settings=TINY)
    assert caught.value.stage == "segmentation"
    assert "1.2." not in caught.value.reason


def test_a_segmentation_may_lie_in_the_folder_of_its_series(write_series, write_seg, segments):
    series = write_series(np.arange(7 * 9 * 12).reshape(7, 9, 12))
    drawn = write_seg({"Liver": segments["Liver"]}, name="series/000-first.dcm")
    scan = read_scan("a", series, drawn, settings=TINY)
    np.testing.assert_array_equal(scan.roi, segments["Liver"])
    assert "reference" not in scan.facts


def test_a_film_and_its_one_frame_are_matched_by_size(write_dicom, write_seg, film, region):
    drawn = write_seg({"Vertebra": region[None]}, SharedFunctionalGroupsSequence=[], FrameOfReferenceUID=None)
    image = write_dicom(film.astype(np.uint16), SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2.4")
    with pytest.raises(CaseError, match="belongs to another exam"):
        read_scan("a", image, drawn, settings=TINY)
    own = write_seg(
        {"Vertebra": region[None]}, series="1.2.3", SharedFunctionalGroupsSequence=[], FrameOfReferenceUID=None
    )
    np.testing.assert_array_equal(read_scan("a", image, own, settings=TINY).roi, region)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"DimensionOrganizationType": "TILED_SPARSE"}, "tiles of a whole-slide image"),
        ({"PixelData": b"\0\0"}, "cannot be read as DICOM segmentation"),
        ({"NumberOfFrames": 10**9}, "cannot be read"),
        ({"PerFrameFunctionalGroupsSequence": []}, "cannot be read"),
    ],
)
def test_damaged_segmentations_are_named(image, write_seg, segments, elements, message):
    drawn = write_seg({"Liver": segments["Liver"]}, **elements)
    with pytest.raises(CaseError, match=rf"seg\.dcm: .*({message})"):
        read_scan("a", image, drawn, settings=TINY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(132, 3000), st.integers(0, 255))
def test_a_changed_byte_is_read_or_a_case_error(image, write_seg, segments, where, value):
    path = write_seg({"Liver": segments["Liver"]})
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    path.write_bytes(content)
    try:
        reason = "" if read_scan("a", image, path, settings=TINY).n_roi else "empty"
    except CaseError as error:
        reason = error.reason
    assert not reason or reason.startswith("seg.dcm")


@pytest.mark.data
def test_segmentation_objects_equal_the_label_maps_they_were_made_from(shared):
    folder = shared / "data" / "dicom" / "dcmqi"
    pairs = [("liver.dcm", 1, "liver_seg.nrrd", 1)]
    pairs += [
        ("partial_overlaps.dcm", n, f"partial_overlaps-{m}.nrrd", n)
        for n, m in zip((1, 2, 3, 4, 5), (1, 2, 3, 1, 1), strict=True)
    ]
    for drawn, number, reference, value in pairs:
        expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / reference))) == value
        files = [CaseFiles("a", str(folder / "ct-3slice"), str(folder / drawn), number)]
        (scan,) = read_scans(files, settings=ImagingSettings())
        np.testing.assert_array_equal(scan.roi, expected, err_msg=f"{drawn} {number}")


@pytest.mark.data
@pytest.mark.parametrize("name", ["pydicom-data/liver_nonbyte_aligned.dcm", "pydicom-data/liver_deflate.dcm"])
def test_odd_encodings_hold_the_same_liver(shared, name):
    folder = shared / "data" / "dicom"
    expected = read_scan("a", folder / "dcmqi" / "ct-3slice", folder / "dcmqi" / "liver.dcm", settings=TINY)
    scan = read_scan("a", folder / "dcmqi" / "ct-3slice", folder / name, settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected.roi)


@pytest.mark.parametrize("label", [1, 2])
def test_frames_of_single_bits_may_begin_within_a_byte(write_volume, write_seg, segments, label):
    odd = {name: values[:, :, :11].copy() for name, values in segments.items()}
    image = write_volume(np.zeros((7, 9, 11), dtype=np.float32))
    scan = read_scan("a", image, write_seg(odd), settings=ImagingSettings(segmentation_label=label, min_roi_pixels=1))
    np.testing.assert_array_equal(scan.roi, odd["Liver" if label == 1 else "Lesion"])
