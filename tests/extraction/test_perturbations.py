"""Perturbations: each does what its name says, to a known extent, and nothing else."""

import numpy as np
import pytest
from scipy import ndimage

from radfusion.core.scan import Scan
from radfusion.errors import CaseError, UnknownNameError
from radfusion.extraction import perturbations as p


def ellipse(shape=(120, 150), centre=(60, 74), radii=(22, 30)):
    grid = np.indices(shape)
    return sum(((axis - at) / r) ** 2 for axis, at, r in zip(grid, centre, radii, strict=True)) < 1


def scan_of(roi=None, seed=0, spacing=(0.5, 0.5)):
    roi = ellipse() if roi is None else roi
    rng = np.random.default_rng(seed)
    image = 100 + 300 * ndimage.gaussian_filter(rng.normal(size=roi.shape), 4) + rng.normal(0, 3, size=roi.shape)
    return Scan("a", image, roi, spacing)


def generator(seed=0):
    return np.random.default_rng(seed)


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


VOLUME = ellipse((16, 40, 44), (8, 20, 22), (4, 9, 11))
SLICE = ellipse()[None]
SCANS = {
    "film": scan_of(),
    "film without spacing": scan_of(spacing=None),
    "volume": scan_of(VOLUME, spacing=(2.0, 0.7, 0.7)),
    "one slice": scan_of(SLICE, spacing=(3.0, 0.5, 0.5)),
    "region at the border": scan_of(ellipse(centre=(15, 20))),
}
CHANGES = [*p.PERTURBATIONS, "noise+translate+dilate+contour"]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("kind", SCANS)
def test_every_perturbation_changes_every_kind_of_scan_a_little(kind, name):
    scan = SCANS[kind]
    image, roi = scan.image.copy(), scan.roi.copy()
    changed = p.perturb(scan, name, generator(1))
    assert changed.image.shape == changed.roi.shape == scan.image.shape
    assert np.isfinite(changed.image).all()
    assert (changed.case, changed.spacing) == (scan.case, scan.spacing)
    assert 0.75 < dice(roi, changed.roi) <= 1
    assert not np.array_equal(changed.image, image) or not np.array_equal(changed.roi, roi)
    np.testing.assert_array_equal(scan.image, image)  # the scan itself is left alone
    np.testing.assert_array_equal(scan.roi, roi)


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(name):
    one, again, other = (p.perturb(scan_of(), name, generator(seed)) for seed in (4, 4, 5))
    assert one.image.tobytes() + one.roi.tobytes() == again.image.tobytes() + again.roi.tobytes()
    assert one.image.tobytes() + one.roi.tobytes() != other.image.tobytes() + other.roi.tobytes()


@pytest.mark.parametrize("name", ["dilate", "erode", "contour", "supervoxel"])
def test_what_concerns_the_region_keeps_the_image_object(name):
    scan = scan_of()
    assert p.perturb(scan, name, generator()).image is scan.image


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25])
@pytest.mark.parametrize("change", [p.dilate, p.erode])
def test_regions_grow_and_shrink_by_the_asked_share(change, share):
    scan = scan_of()
    changed = change(scan, generator(), least=share, most=share)
    wanted = scan.n_roi * (1 + share if change is p.dilate else 1 - share)
    assert changed.n_roi == round(wanted)
    inner, outer = (scan.roi, changed.roi) if change is p.dilate else (changed.roi, scan.roi)
    assert not (inner & ~outer).any()


def test_growth_is_even_in_millimetres_where_pixels_are_not_square():
    scan = scan_of(ellipse((120, 240), (60, 120), (20, 40)), spacing=(1.0, 0.5))  # round in mm
    rows, columns = np.nonzero(p.dilate(scan, generator(), least=0.2, most=0.2).roi)
    assert np.ptp(rows) * 1.0 == pytest.approx(np.ptp(columns) * 0.5, abs=1.01)


def test_turning_forth_and_back_by_a_right_angle_of_pixels_is_exact():
    scan = scan_of(ellipse((101, 101), (50, 50), (12, 20)), spacing=(0.4, 0.4))
    turned = p.rotate(scan, Fixed(90), degrees=90)
    np.testing.assert_allclose(turned.image[20:81, 20:81], np.rot90(scan.image, -1)[20:81, 20:81], atol=1e-8)
    np.testing.assert_array_equal(turned.roi, np.rot90(scan.roi, -1))


class Fixed:
    """Draws the largest value it may."""

    def __init__(self, value):
        self.value = value

    def uniform(self, *_limits, size=None):
        return np.full(size, self.value) if size is not None else self.value


def test_turning_keeps_lengths_where_pixels_are_not_square():
    scan = scan_of(ellipse((160, 320), (80, 160), (30, 20)), spacing=(1.0, 0.5))  # 60 mm high, 20 mm wide
    turned = p.rotate(scan, Fixed(90))
    rows, columns = np.nonzero(turned.roi)
    assert np.ptp(columns) * 0.5 == pytest.approx(60, abs=2)
    assert np.ptp(rows) * 1.0 == pytest.approx(20, abs=2)


def test_moving_by_half_a_pixel_reads_between_pixels():
    rows, columns = np.indices((40, 50), dtype=float)
    scan = Scan("a", 3 * rows - 2 * columns, ellipse((40, 50), (20, 25), (8, 9)), None)
    moved = p.translate(scan, Fixed(0.5))
    np.testing.assert_allclose(moved.image[12:28, 15:35], (scan.image + 0.5)[12:28, 15:35], atol=1e-3)


@pytest.mark.parametrize("sigma", [0.5, 4.0, 20.0])
def test_the_noise_level_is_found_on_top_of_structure(sigma):
    roi = ellipse((200, 220), (100, 110), (60, 70))
    structure = 2000 * ndimage.gaussian_filter(generator(1).normal(size=roi.shape), 6)
    scan = Scan("a", structure + generator(2).normal(0, sigma, size=roi.shape), roi, None)
    assert p.noise_level(scan) == pytest.approx(sigma, rel=0.06)


def test_black_borders_of_a_film_do_not_hide_its_noise():
    image = np.zeros((400, 400))
    image[150:250, 150:250] = 100 + generator().normal(0, 5, size=(100, 100))
    roi = np.zeros(image.shape, dtype=bool)
    roi[170:230, 170:230] = True
    assert p.noise_level(Scan("a", image, roi, None)) == pytest.approx(5, rel=0.1)


def test_noise_of_the_images_own_strength_is_added():
    scan = scan_of()
    added = p.noise(scan, generator()).image - scan.image
    assert added.std() == pytest.approx(p.noise_level(scan), rel=0.02)
    assert abs(added.mean()) < 0.1


def test_a_randomised_contour_agrees_as_readers_do():
    scan = scan_of()
    found = [dice(scan.roi, p.perturb(scan, "contour", generator(seed)).roi) for seed in range(20)]
    assert 0.92 < np.mean(found) < 0.97


def test_supervoxels_follow_edges_of_the_image():
    """A region whose border is an edge of the image stays; one in the midst of noise is redrawn."""
    organ, grain = ellipse(), generator().normal(0, 2, size=(120, 150))
    found = {}
    for kind, image in (("edge", np.where(organ, 200.0, 50.0) + grain), ("none", grain)):
        found[kind] = dice(organ, p.perturb(Scan("a", image, organ, None), "supervoxel", generator(3)).roi)
    assert found["edge"] > 0.98
    assert found["none"] < 0.95


REFUSED = {
    "the region is empty": ("noise", np.zeros((30, 30), dtype=bool)),
    "the region is the whole image": ("dilate", np.ones((30, 30), dtype=bool)),
    "fewer than 3 rows or columns": ("noise", np.ones((2, 30), dtype=bool)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_perturbed_is_a_bad_case(reason):
    name, roi = REFUSED[reason]
    with pytest.raises(CaseError, match=reason) as caught:
        p.perturb(Scan("a", np.ones(roi.shape), roi, None), name, generator())
    assert caught.value.stage == "perturbation"


def test_a_region_that_is_moved_away_is_a_bad_case():
    roi = np.zeros((30, 30), dtype=bool)
    roi[0, ::2] = True
    with pytest.raises(CaseError, match="translate: nothing is left of the region"):
        p.perturb(Scan("a", np.ones(roi.shape), roi, None), "translate", Fixed(0.5))


def test_an_unknown_perturbation_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'dilate'"):
        p.perturb(scan_of(), "noise+dilat", generator())
