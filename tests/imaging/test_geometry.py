"""Grids: what is within tolerance, stored in another order, elsewhere, resampled; and what is said of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.errors import CaseError
from radfusion.imaging.geometry import Grid, numbering
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
RESAMPLE = ImagingSettings(geometry="resample")


@pytest.fixture
def scan_path(write_volume):
    return write_volume(np.random.default_rng(1).normal(size=(9, 11, 13)))


@pytest.fixture
def solid():
    """A lopsided region, so that no turn or swap leaves it as it is."""
    roi = np.zeros((9, 11, 13), dtype=np.uint8)
    roi[2:7, 3:9, 4:10] = 1
    roi[2, 3, 4:7] = 0
    roi[7, 8, 9:12] = 1
    return roi


def test_the_same_grid_is_said_to_be_the_same(scan_path, solid, write_volume):
    scan = read_scan("a", scan_path, write_volume(solid, "mask.nrrd"), settings=SETTINGS)
    np.testing.assert_array_equal(scan.roi, solid)
    assert scan.facts["geometry"] == "same"


@given(st.floats(-0.09, 0.09))
def test_a_shift_within_tolerance_is_said_with_its_size(shift):
    image = Grid((4, 5, 6), (2.5, 0.7, 0.8), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    drawn = Grid(image.shape, image.spacing, (0.0, 0.7 * shift, 0.0), image.direction)
    assert numbering(drawn, image).apart == pytest.approx(abs(shift), abs=1e-12)


def test_within_tolerance_is_accepted_and_said(scan_path, solid, write_volume, volume_grid):
    spacing, origin, direction = volume_grid
    moved = write_volume(solid, "mask.nrrd", origin=origin + 0.05 * spacing[0] * direction[:, 0])
    scan = read_scan("a", scan_path, moved, settings=SETTINGS)
    np.testing.assert_array_equal(scan.roi, solid)
    assert scan.facts["geometry"] == "up to 0.05 pixels apart, within tolerance"
    with pytest.raises(CaseError, match=r"corners 0\.05 pixels apart, at most 0\.01"):
        read_scan("a", scan_path, moved, settings=ImagingSettings(geometry_tolerance=0.01))


def test_elsewhere_is_refused_with_both_geometries(scan_path, solid, write_volume, volume_grid):
    spacing, origin, direction = volume_grid
    moved = write_volume(solid, "mask.nrrd", origin=origin + 2 * spacing[1] * direction[:, 1])
    with pytest.raises(CaseError) as caught:
        read_scan("a", scan_path, moved, settings=SETTINGS)
    reason = caught.value.reason
    assert caught.value.stage == "segmentation"
    assert reason.startswith("mask.nrrd: lies elsewhere than the image scan.nii.gz: spacing 2.5, 0.7, 0.8 mm (image: ")
    for what in ("origin", "direction", "size 9 x 11 x 13"):
        assert what in reason
    assert "corners 2 pixels apart, at most 0.1 (imaging.geometry_tolerance); imaging.geometry: resample" in reason


def test_what_is_elsewhere_is_resampled_on_request_and_the_lost_share_named(
    scan_path, solid, write_volume, volume_grid
):
    spacing, origin, direction = volume_grid
    moved = write_volume(solid, "mask.nrrd", origin=origin - 5 * spacing[1] * direction[:, 1])
    scan = read_scan("a", scan_path, moved, settings=RESAMPLE)
    np.testing.assert_array_equal(scan.roi[:, :6], solid[:, 5:])
    assert float(scan.facts["roi_outside_field_share"]) == pytest.approx(solid[:, :5].sum() / solid.sum(), abs=1e-4)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("turned", [(), (0,), (1, 2), (0, 1, 2)])
def test_the_same_voxels_in_another_order_are_put_in_order(scan_path, solid, write_volume, volume_grid, order, turned):
    spacing, origin, direction = (np.array(each) for each in volume_grid)
    stored = np.flip(solid, axis=turned).transpose(order)
    # Array axes (slices, rows, columns) are (z, y, x) in the header.
    steps, sizes = (direction * spacing)[:, ::-1], np.array(solid.shape) - 1
    for axis in turned:
        origin = origin + steps[:, axis] * sizes[axis]
        steps[:, axis] *= -1
    steps = steps[:, list(order)][:, ::-1]
    lengths = np.linalg.norm(steps, axis=0)
    path = write_volume(stored, "mask.nrrd", spacing=lengths.tolist(), origin=origin, direction=steps / lengths)
    scan = read_scan("a", scan_path, path, settings=SETTINGS)
    np.testing.assert_array_equal(scan.roi, solid)
    assert ("another order" in scan.facts["geometry"]) == (order != (0, 1, 2) or bool(turned))


def test_a_flipped_direction_alone_lies_elsewhere(scan_path, solid, write_volume, volume_grid):
    path = write_volume(solid, "mask.nrrd", direction=volume_grid[2] @ np.diag([-1, 1, 1]))
    with pytest.raises(CaseError, match="lies elsewhere"):
        read_scan("a", scan_path, path, settings=SETTINGS)


def test_another_size_is_refused_and_resampled_on_request(scan_path, solid, write_volume, volume_grid):
    spacing, origin, direction = (np.array(each) for each in volume_grid)
    fine = np.repeat(np.repeat(np.repeat(solid, 2, 0), 2, 1), 2, 2)
    first = origin - direction @ spacing / 4
    path = write_volume(fine, "fine.nii.gz", spacing=(spacing / 2).tolist(), origin=first)
    message = (
        r"fine\.nii\.gz: is 18 x 22 x 26 .* the image scan\.nii\.gz is 9 x 11 x 13 .*; they must be equal: spacing"
    )
    with pytest.raises(CaseError, match=message):
        read_scan("a", scan_path, path, settings=SETTINGS)
    scan = read_scan("a", scan_path, path, settings=RESAMPLE)
    np.testing.assert_array_equal(scan.roi, solid)
    assert scan.facts["geometry"] == "resampled to the grid of the image, nearest neighbour"


def test_a_coarse_mask_is_resampled_by_nearest_neighbour(scan_path, write_volume, volume_grid):
    spacing, origin, direction = (np.array(each) for each in volume_grid)
    coarse = np.zeros((9, 6, 13), dtype=np.uint8)
    coarse[3:6, 2:4, 5:9] = 1
    step = spacing * [1, 2, 1]
    first = origin + direction @ (spacing * [0, 0.5, 0])
    path = write_volume(coarse, "coarse.nrrd", spacing=step.tolist(), origin=first)
    expected = np.zeros((9, 11, 13), dtype=bool)
    expected[3:6, 4:8, 5:9] = True
    np.testing.assert_array_equal(read_scan("a", scan_path, path, settings=RESAMPLE).roi, expected)


def test_a_plane_takes_a_volume_of_one_slice(write_volume, film, region, tmp_path):
    image = write_volume(film[None].astype(np.float32), "film.nii.gz")
    drawn = write_volume(region[None].astype(np.uint8), "mask.nii.gz")
    scan = read_scan("a", image, drawn, settings=SETTINGS)
    assert scan.image.shape == (24, 30)
    np.testing.assert_array_equal(scan.roi, region)


def test_a_raster_mask_on_a_placed_image_is_accepted_by_size_and_said(write_volume, write_png, film, region):
    image = write_volume(film[None].astype(np.float32), "film.nii.gz")
    scan = read_scan("a", image, write_png(region.astype(np.uint8), "mask.png"), settings=SETTINGS)
    np.testing.assert_array_equal(scan.roi, region)
    assert scan.facts["geometry"] == "equal size; the segmentation does not say where its pixels lie"


def test_a_placed_mask_on_a_raster_is_accepted_by_size_and_said(write_volume, write_png, film, region):
    scan = read_scan("a", write_png(film), write_volume(region[None].astype(np.uint8), "m.nrrd"), settings=SETTINGS)
    np.testing.assert_array_equal(scan.roi, region)
    assert scan.facts["geometry"] == "equal size; the image does not say where its pixels lie"


def test_a_series_takes_a_mask_of_its_volume(write_series, write_volume, solid):
    scan = read_scan("a", write_series(np.arange(9 * 11 * 13).reshape(9, 11, 13)), write_volume(solid, "m.nii.gz"),
                     settings=SETTINGS)  # fmt: skip
    np.testing.assert_array_equal(scan.roi, solid)


@given(st.integers(0, 2**32 - 1))
def test_moving_both_grids_together_changes_nothing(seed):
    generator = np.random.default_rng(seed)
    shape, spacing = (4, 5, 6), (2.0, 0.5, 0.75)
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    image = Grid(shape, spacing, tuple(generator.uniform(-300, 300, 3)), tuple(turn.ravel()))
    offset = generator.integers(-4, 5, 3)
    matrix, origin = image.affine()
    drawn = Grid(shape, spacing, tuple(matrix @ offset + origin), image.direction)
    found = numbering(drawn, image)
    assert found.apart < 1e-9
    assert found.whole()[1].tolist() == offset.tolist()


def test_grids_without_a_common_space_are_not_compared():
    with pytest.raises(ValueError, match="common space"):
        numbering(Grid((2, 2)), Grid((2, 2), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0)))
