"""Negative controls: what is shuffled, what is left, and what becomes of features."""

import numpy as np
import pytest
from scipy import ndimage

from radfusion.core.scan import Scan
from radfusion.extraction.controls import CONTROLS
from radfusion.extraction.extractors.radiomics import Radiomics


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    roi = np.hypot(*(axis - 40 for axis in np.indices((80, 90)))) < 18
    image = 100 + 200 * ndimage.gaussian_filter(rng.normal(size=roi.shape), 3)
    image[~roi] += 500
    return Scan("a", image, roi, (0.5, 0.5))


def controlled(scan, name, seed=0):
    return CONTROLS[name](scan, np.random.default_rng(seed))


#: Which pixels keep their values and which only trade places: inside the region, outside.
PLACES = {
    "roi_shuffle": ("traded", "kept"),
    "background_shuffle": ("kept", "traded"),
    "full_shuffle": ("mixed", "mixed"),
    "roi_noise": ("new", "kept"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_change_what_they_name_and_nothing_else(scan, name):
    other = controlled(scan, name)
    assert other.roi is scan.roi
    for where, what in zip((scan.roi, ~scan.roi), PLACES[name], strict=True):
        before, after = scan.image[where], other.image[where]
        assert np.array_equal(before, after) == (what == "kept")
        assert np.array_equal(np.sort(before), np.sort(after)) == (what in {"kept", "traded"})
    same = np.array_equal(np.sort(scan.image, axis=None), np.sort(other.image, axis=None))
    assert same == (name != "roi_noise")


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_repeatable(scan, name):
    assert controlled(scan, name).image.tobytes() == controlled(scan, name).image.tobytes()
    assert controlled(scan, name).image.tobytes() != controlled(scan, name, seed=1).image.tobytes()


def test_noise_has_the_mean_and_spread_of_the_region(scan):
    inside, noise = scan.image[scan.roi], controlled(scan, "roi_noise").image[scan.roi]
    assert noise.mean() == pytest.approx(inside.mean(), abs=3 * inside.std() / np.sqrt(inside.size))
    assert noise.std() == pytest.approx(inside.std(), rel=0.1)


def test_shuffling_leaves_shape_and_histogram_and_takes_texture(scan):
    extractor = Radiomics(image_types=("original",), feature_classes=("shape", "firstorder", "glcm"))
    before, after = extractor.extract([scan, controlled(scan, "roi_shuffle")])
    for name in before:
        if "glcm" not in name:
            assert after[name] == pytest.approx(before[name], rel=1e-9), name
    assert before["original_glcm_Correlation"] > 0.8
    assert abs(after["original_glcm_Correlation"]) < 0.1
