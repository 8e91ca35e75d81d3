"""RTSTRUCT: contours in patient coordinates on the grid of the image."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radfusion.errors import CaseError
from radfusion.imaging.loading import read_scan
from radfusion.imaging.segmentations._contours import filled
from radfusion.imaging.settings import ImagingSettings

TINY = ImagingSettings(min_roi_pixels=1)
SQUARE = np.array([(2, 2), (8, 2), (8, 6), (2, 6)]) + 0.5
HOLE = np.array([(4, 3), (6, 3), (6, 5), (4, 5)]) + 0.5


@pytest.fixture
def image(write_volume):
    return write_volume(np.zeros((7, 9, 12), dtype=np.float32))


@pytest.fixture
def at(to_patient):
    """Function that puts a contour of (column, row) on a slice of the image, in mm."""
    return lambda contour, number: to_patient([(x, y, number) for x, y in contour])


def expected(shape, slices, *, hole=True):
    roi = np.zeros(shape, dtype=bool)
    roi[slices, 3:7, 3:9] = True
    if hole:
        roi[slices, 4:6, 5:7] = False
    return roi


def test_a_contour_within_another_is_a_hole(image, write_rtstruct, at):
    drawn = write_rtstruct({"ring": [at(each, 3) for each in (SQUARE, HOLE)]})
    scan = read_scan("a", image, drawn, settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [3]))
    assert (scan.facts["contours"], scan.facts["structure"]) == ("2 on 1 slices", "ring (1)")
    assert scan.facts["reference"] == "not checked: the image is not DICOM"


def test_the_seam_of_a_keyhole_vanishes(image, write_rtstruct, at):
    keyhole = np.concatenate([SQUARE, SQUARE[:1], HOLE, HOLE[:1]])
    scan = read_scan("a", image, write_rtstruct({"ring": [at(keyhole, 3)]}), settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [3]))


def test_slices_without_a_contour_stay_empty_and_are_named(image, write_rtstruct, at):
    drawn = write_rtstruct({"roi": [at(SQUARE, number) for number in (1, 2, 5)]})
    scan = read_scan("a", image, drawn, settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [1, 2, 5], hole=False))
    assert scan.facts["contours_missing"] == "none on 2 slices between others (from 0: 3, 4); left empty"


def test_contours_outside_the_image_are_named(image, write_rtstruct, at):
    drawn = write_rtstruct({"roi": [at(SQUARE, number) for number in (5, 6, 7, 8)]})
    scan = read_scan("a", image, drawn, settings=TINY)
    assert scan.facts["contours_outside"] == "2 on slices outside the image"
    assert scan.facts["roi_outside_field_share"] == "0.5"
    beside = write_rtstruct({"roi": [at(SQUARE - [6, 0], 2)]}, "beside.dcm")
    assert read_scan("a", image, beside, settings=TINY).facts["roi_outside_field_share"] == "0.5"
    with pytest.raises(CaseError, match=r"all 1 contours lie outside the image; they span .* mm .*; image: spacing"):
        read_scan("a", image, write_rtstruct({"roi": [at(SQUARE, 40)]}, "far.dcm"), settings=TINY)


def test_contours_between_slices_are_refused_or_moved_on_request(image, write_rtstruct, at):
    drawn = write_rtstruct({"roi": [at(SQUARE, number) for number in (1.0, 1.3, 2.3)]})
    with pytest.raises(CaseError, match=r"2 of 3 planes lie between slices of the image, up to 0\.3 of the distance"):
        read_scan("a", image, drawn, settings=TINY)
    scan = read_scan("a", image, drawn, settings=ImagingSettings(min_roi_pixels=1, geometry="resample"))
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [1, 2], hole=False))
    assert scan.facts["geometry"] == "contours of 2 planes moved to the nearest of the slices"


def test_rounded_positions_are_within_tolerance(image, write_rtstruct, at):
    scan = read_scan("a", image, write_rtstruct({"roi": [at(SQUARE, 3.04)]}), settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [3], hole=False))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_contours_may_be_drawn_on_reformatted_planes(image, write_rtstruct, to_patient, axis):
    roi = np.zeros((7, 9, 12), dtype=bool)
    place = [slice(2, 5), slice(3, 7), slice(3, 9)]
    place[axis] = slice(4, 5)
    roi[tuple(place)] = True
    low, high = ([each.start - 0.5 for each in place], [each.stop - 0.5 for each in place])
    low[axis] = high[axis] = 4
    first, second = (each for each in range(3) if each != axis)
    corners = []
    for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
        corner = list(low)
        corner[first], corner[second] = (low, high)[a][first], (low, high)[b][second]
        corners.append(corner[::-1])
    scan = read_scan("a", image, write_rtstruct({"roi": [to_patient(corners)]}), settings=TINY)
    np.testing.assert_array_equal(scan.roi, roi)


def test_contours_across_the_slices_are_refused(image, write_rtstruct, to_patient):
    slanted = to_patient([(2, 2, 1), (9, 2, 3), (9, 6, 4), (2, 6, 2)])
    with pytest.raises(CaseError, match="contours lie across the"):
        read_scan("a", image, write_rtstruct({"roi": [slanted]}), settings=TINY)


def test_points_have_no_inside(image, write_rtstruct, at):
    with pytest.raises(CaseError, match=r"rt\.dcm: no structure has a closed contour; structures: iso"):
        read_scan("a", image, write_rtstruct({"iso": [at(SQUARE, 2)]}, kind="POINT"), settings=TINY)


def test_a_raster_has_no_place_for_contours(write_png, film, write_rtstruct, at):
    with pytest.raises(CaseError, match=r"contours are in mm of the patient, but the image image\.png does not say"):
        read_scan("a", write_png(film), write_rtstruct({"roi": [at(SQUARE, 2)]}), settings=TINY)


def test_a_series_and_its_structures_belong_together(write_series, write_rtstruct, at):
    series = write_series(np.arange(7 * 9 * 12).reshape(7, 9, 12))
    contours = {"roi": [at(SQUARE, 3)]}
    own = read_scan("a", series, write_rtstruct(contours), settings=TINY)
    np.testing.assert_array_equal(own.roi, expected((7, 9, 12), [3], hole=False))
    assert "reference" not in own.facts
    other = read_scan("a", series, write_rtstruct(contours, series="1.2.3"), settings=TINY)
    assert other.facts["reference"] == "another series of the image's frame of reference"
    foreign = write_rtstruct(contours, "foreign.dcm", series="1.2.3", frame="1.2.4")
    with pytest.raises(CaseError, match=r"foreign\.dcm: belongs to another series than the image series") as caught:
        read_scan("a", series, foreign, settings=TINY)
    assert "1.2." not in caught.value.reason


def crosses(start, end, row, column):
    """Whether an edge crosses the ray from a pixel centre to the left."""
    (r0, c0), (r1, c1) = start, end
    return (r0 > row) != (r1 > row) and c0 + (row - r0) * (c1 - c0) / (r1 - r0) < column


def slow(contours, shape):
    """Even-odd by a ray from every pixel centre; centres on an edge do not occur."""
    roi = np.zeros(shape, dtype=bool)
    edges = [edge for each in contours for edge in zip(each, np.roll(each, -1, axis=0), strict=True)]
    for row, column in np.ndindex(shape):
        roi[row, column] = sum(crosses(*edge, row, column) for edge in edges) % 2
    return roi


@given(st.integers(0, 2**32 - 1))
def test_scanlines_equal_the_ray_of_every_pixel(seed):
    generator = np.random.default_rng(seed)
    contours = [generator.uniform(-3, 14, (generator.integers(3, 9), 2)) for _ in range(generator.integers(1, 4))]
    patch, start = filled(contours, (11, 12))
    wide = np.zeros((33, 36), dtype=bool)
    wide[tuple(slice(a + m, a + m + s) for a, m, s in zip(start, (11, 12), patch.shape, strict=True))] = patch
    np.testing.assert_array_equal(wide[11:22, 12:24], slow(contours, (11, 12)))


def test_contours_through_pixel_centres_keep_all_four_sides():
    patch, start = filled([np.array([(2, 3), (2, 7), (5, 7), (5, 3)]) + 1e-9], (9, 9))
    assert (patch.shape, patch.all(), start.tolist()) == ((4, 5), True, [2, 3])
    line, _ = filled([np.array([(2.0, 3.0), (2.0, 7.0)])], (9, 9))
    assert line.tolist() == [[True] * 5]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(132, 1500), st.integers(0, 255))
def test_a_changed_byte_is_read_or_a_case_error(image, write_rtstruct, at, where, value):
    path = write_rtstruct({"roi": [at(SQUARE, 3)]})
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    path.write_bytes(content)
    try:
        reason = "" if read_scan("a", image, path, settings=TINY).n_roi else "empty"
    except CaseError as error:
        reason = error.reason
    assert not reason or reason.startswith("rt.dcm")


@pytest.mark.data
@pytest.mark.parametrize("name", ["invalid_reference_rt.dcm", "non_existent_reference_rt.dcm", "rt.dcm"])
def test_structures_of_real_slices(shared, tmp_path, name):
    folder = shared / "data" / "dicom" / "rt-utils" / "mock_data"
    for each in ("ct_1.dcm", "ct_2.dcm"):
        (tmp_path / each).write_bytes((folder / each).read_bytes())
    scan = read_scan("a", tmp_path, folder / name, settings=ImagingSettings(segmentation_label="roi-1"))
    assert scan.roi.shape == (2, 512, 512)
    assert scan.n_roi == {"rt.dcm": 1443}.get(name, 4976)


def test_a_contour_written_twice_is_no_hole(image, write_rtstruct, at):
    drawn = write_rtstruct({"roi": [at(SQUARE, 2), at(SQUARE, 3), at(SQUARE, 3)]})
    scan = read_scan("a", image, drawn, settings=TINY)
    np.testing.assert_array_equal(scan.roi, expected((7, 9, 12), [2, 3], hole=False))
    assert scan.facts["contours_repeated"] == "1, each counted once"


def test_contours_around_no_pixel_are_not_outside_the_image(image, write_rtstruct, at):
    tiny = np.array([(4.2, 3.2), (4.6, 3.2), (4.6, 3.6)])
    with pytest.raises(CaseError, match="the 1 contours enclose no pixel centre"):
        read_scan("a", image, write_rtstruct({"roi": [at(tiny, 2)]}), settings=TINY)
