import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.networks.preprocessing import CropSettings, crop_roi, network_input
from radfusion.networks.weights import WEIGHTS

SMALL = CropSettings(size=32)


def scan(shape=(60, 80), rows=slice(20, 30), columns=slice(20, 40), **extra):
    image = np.random.default_rng(5).integers(0, 256, shape).astype(float)
    roi = np.zeros(shape, dtype=bool)
    roi[..., rows, columns] = True
    return Scan("a", image, roi, extra.pop("spacing", None), **extra)


@given(st.integers(0, 58), st.integers(1, 60), st.integers(0, 78), st.integers(1, 80), st.floats(0, 1))
def test_the_box_is_a_square_that_holds_the_roi(top, height, left, width, margin):
    example = scan(rows=slice(top, top + height), columns=slice(left, left + width))
    crop = crop_roi(example, CropSettings(size=32, margin=margin))
    first, last, start, end = crop.box
    rows, columns = np.nonzero(example.roi)
    assert last - first == end - start
    assert first <= rows.min() <= rows.max() < last
    assert start <= columns.min() <= columns.max() < end
    assert crop.grey.shape == (32, 32)
    assert crop.grey.min() >= 0
    assert crop.grey.max() <= 1
    for low, high, length in ((first, last, 60), (start, end, 80)):
        assert (low >= 0 and high <= length) or high - low > length


def test_pixels_are_the_images_own_where_it_reaches():
    example = scan(rows=slice(0, 10), columns=slice(30, 52))
    crop = crop_roi(example, CropSettings(size=32, margin=5 / 22))
    assert crop.box == (0, 32, 25, 57)
    np.testing.assert_allclose(crop.grey, example.image[:32, 25:57] / 255, atol=1e-6)


def test_edges_are_repeated_where_the_image_ends():
    example = scan(shape=(20, 80), rows=slice(0, 20), columns=slice(10, 42))
    crop = crop_roi(example, CropSettings(size=32, margin=0))
    assert crop.box == (-6, 26, 10, 42)
    np.testing.assert_allclose(crop.grey[:7], np.tile(example.image[0, 10:42] / 255, (7, 1)), atol=1e-6)


def test_the_square_is_square_in_millimetres():
    crop = crop_roi(scan(shape=(200, 200), rows=slice(50, 80), spacing=(0.5, 1.0)), CropSettings(size=32, margin=0))
    first, last, start, end = crop.box
    assert (last - first) * 0.5 == (end - start) * 1.0 == 20


def test_of_a_volume_the_slice_with_the_largest_roi_is_seen():
    volume = scan(shape=(4, 60, 80), spacing=(3.0, 1.0, 1.0))
    volume.roi[2, 20:35, 20:40] = True
    crop = crop_roi(volume, SMALL)
    assert crop.plane == 2
    single = Scan("a", volume.image[2], volume.roi[2], (1.0, 1.0))
    assert np.array_equal(crop.grey, crop_roi(single, SMALL).grey)


@pytest.mark.parametrize(
    ("facts", "scale", "rule"),
    [
        ({}, 1.0, "8-bit"),
        ({}, 10.0, "percentile"),
        ({}, 1 / 255, "percentile"),
        ({"mode": "RGB", "colour": "luminance"}, 0.7, "8-bit"),
        ({"mode": "I;16"}, 1.0, "percentile"),
        ({"bits_stored": "8"}, 1.0, "8-bit"),
        ({"bits_stored": "8", "rescaled": "slope 2, intercept 0"}, 1.0, "percentile"),
        ({"bits_stored": "12"}, 1.0, "percentile"),
    ],
)
def test_8_bit_images_keep_their_range(facts, scale, rule):
    example = scan(facts=facts)
    crop = crop_roi(Scan("a", example.image * scale, example.roi, None, facts=facts), SMALL)
    assert crop.rule == rule
    assert crop.facts["window"] == list(crop.window)
    if rule == "8-bit":
        assert crop.window == (0.0, 255.0)


def test_other_images_are_windowed_by_percentiles_of_the_crop():
    example = scan()
    wide = Scan("a", example.image * 16 - 1000, example.roi, None)
    crop = crop_roi(wide, CropSettings(size=32, margin=0))
    inside = wide.image[crop.box[0] : crop.box[1], crop.box[2] : crop.box[3]]
    assert crop.window == tuple(np.percentile(inside, (1, 99)))


def test_pixels_outside_the_roi_can_be_made_black():
    example = scan(rows=slice(20, 52), columns=slice(20, 36))
    crop = crop_roi(example, CropSettings(size=32, margin=0, outside="zero"))
    inside = example.roi[crop.box[0] : crop.box[1], crop.box[2] : crop.box[3]]
    assert not crop.grey[~inside].any()
    np.testing.assert_allclose(crop.grey[inside], example.image[example.roi] / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"roi": np.zeros((60, 80), dtype=bool)}, "the ROI is empty"),
        ({"image": np.full((60, 80), np.nan)}, "not finite"),
        ({"image": np.full((60, 80), 1000.0)}, "no contrast: every pixel is near 1000"),
    ],
)
def test_a_case_that_shows_nothing_is_refused(change, words):
    example = scan()
    with pytest.raises(CaseError, match=words) as caught:
        crop_roi(Scan("a", **{"image": example.image, "roi": example.roi, "spacing": None} | change), SMALL)
    assert caught.value.stage == "deep"


def test_networks_get_the_numbers_they_expect():
    grey = np.array([[0.0, 1.0]], dtype=np.float32)
    seen = {name: network_input(grey, source.input) for name, source in WEIGHTS.items().items()}
    assert all(pixels.shape == (3, 1, 2) and pixels.dtype == np.float32 for pixels in seen.values())
    np.testing.assert_allclose(seen["imagenet"][:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    np.testing.assert_allclose(seen["radimagenet"][:, 0], [[-1, 1]] * 3)
    np.testing.assert_allclose(seen["imagenet-caffe"][:, 0, 1], [255 - 103.06, 255 - 115.90, 255 - 123.15], rtol=1e-6)
