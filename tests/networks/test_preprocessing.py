import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.networks.preprocessing import CropSettings, crops_of, network_input
from radfusion.networks.weights import WEIGHTS

SMALL = CropSettings(size=32)


def scan(shape=(60, 80), rows=slice(20, 30), columns=slice(20, 40), **extra):
    image = np.random.default_rng(5).integers(0, 256, shape).astype(float)
    roi = np.zeros(shape, dtype=bool)
    roi[..., rows, columns] = True
    return Scan("a", image, roi, extra.pop("spacing", None), **extra)


def crop_of(example, **settings):
    """Return the only crop of a scan."""
    (crop,) = crops_of(example, CropSettings(**{"size": 32, **settings}), regions=True)
    return crop


def volume(spacing=(3.0, 1.0, 1.0)):
    """Return a volume of six slices whose region is in slices 1 to 4, largest in slice 3."""
    example = scan(shape=(6, 60, 80), rows=slice(0, 0), spacing=spacing)
    for index, (height, left) in enumerate([(8, 20), (12, 22), (20, 24), (10, 30)], start=1):
        example.roi[index, 20 : 20 + height, left : left + 20] = True
    return example


PLACES = (st.integers(0, 58), st.integers(2, 60), st.integers(0, 78), st.integers(2, 80))
STEPS = st.none() | st.tuples(st.floats(0.1, 4), st.floats(0.1, 4))


@given(*PLACES, st.floats(0, 2), STEPS, st.sampled_from(["square", "box", "image"]))
def test_every_crop_holds_the_roi_and_all_of_the_image_that_it_can(top, height, left, width, margin, spacing, rule):
    example = scan(rows=slice(top, top + height), columns=slice(left, left + width), spacing=spacing)
    crop = crop_of(example, margin=margin, crop=rule)
    first, last, start, end = crop.box
    rows, columns = np.nonzero(example.roi)
    assert first <= rows.min() <= rows.max() < last
    assert start <= columns.min() <= columns.max() < end
    for low, high, length in ((first, last, 60), (start, end, 80)):
        assert (low >= 0 and high <= length) or high - low > length
    assert crop.grey.shape == crop.region.shape == (32, 32)
    assert crop.grey.min() >= 0
    assert crop.grey.max() <= 1
    assert crop.region.max() > 0
    step_rows, step_columns = spacing or (1.0, 1.0)
    if rule == "square":
        assert abs((last - first) * step_rows - (end - start) * step_columns) <= max(step_rows, step_columns) * 1.001


@given(*PLACES, st.sampled_from(["stretch", "pad"]), STEPS)
def test_the_region_keeps_its_share_of_the_crop(top, height, left, width, resize, spacing):
    example = scan(rows=slice(top, top + height), columns=slice(left, left + width), spacing=spacing)
    crop = crop_of(example, resize=resize, crop="box", margin=0, size=64)
    assert crop.region.max() == pytest.approx(1)
    if resize == "stretch":
        np.testing.assert_allclose(crop.region, 1, atol=1e-6)


def test_pixels_are_the_images_own_where_it_reaches():
    example = scan(rows=slice(0, 10), columns=slice(30, 52))
    crop = crop_of(example, margin=5 / 22)
    assert crop.box == (0, 32, 25, 57)
    np.testing.assert_allclose(crop.grey, example.image[:32, 25:57] / 255, atol=1e-6)


def test_edges_are_repeated_where_the_image_ends():
    example = scan(shape=(20, 80), rows=slice(0, 20), columns=slice(10, 42))
    crop = crop_of(example, margin=0)
    assert crop.box == (-6, 26, 10, 42)
    np.testing.assert_allclose(crop.grey[:7], np.tile(example.image[0, 10:42] / 255, (7, 1)), atol=1e-6)


def test_the_square_is_square_in_millimetres():
    crop = crop_of(scan(shape=(200, 200), rows=slice(50, 80), spacing=(0.5, 1.0)), margin=0)
    first, last, start, end = crop.box
    assert (last - first) * 0.5 == (end - start) * 1.0 == 20


def test_the_tight_box_has_a_margin_of_its_longer_side_all_round():
    assert crop_of(scan(), crop="box", margin=0).box == (20, 30, 20, 40)
    assert crop_of(scan(), crop="box", margin=0.25).box == (15, 35, 15, 45)
    assert crop_of(scan(spacing=(0.5, 1.0)), crop="box", margin=0.25).box == (10, 40, 15, 45)


def test_the_whole_image_needs_no_margin():
    example = scan(shape=(32, 32), rows=slice(3, 4), columns=slice(3, 4))
    crop = crop_of(example, crop="image", margin=2)
    assert crop.box == (0, 32, 0, 32)
    np.testing.assert_allclose(crop.grey, example.image / 255, atol=1e-6)


def test_a_region_of_one_pixel_is_shown_with_its_neighbours_or_not_at_all():
    one = scan(rows=slice(59, 60), columns=slice(0, 1))
    assert crop_of(one).box == (58, 60, 0, 2)
    with pytest.raises(CaseError, match="no contrast: every pixel that would be shown is"):
        crop_of(one, margin=0)
    with pytest.raises(CaseError, match="no contrast: every pixel that would be shown is"):
        crop_of(one, outside="zero")


def test_of_a_volume_the_slice_with_the_largest_roi_is_seen():
    crop = crop_of(volume())
    assert (crop.axis, crop.plane) == (0, 3)
    single = Scan("a", volume().image[3], volume().roi[3], (1.0, 1.0))
    assert np.array_equal(crop.grey, crop_of(single).grey)


def test_several_slices_are_the_nearest_that_hold_the_roi_and_share_one_box():
    crops = crops_of(volume(), CropSettings(size=32, slices=3, margin=0))
    assert [crop.plane for crop in crops] == [2, 3, 4]
    assert {crop.box for crop in crops} == {(16, 44, 22, 50)}
    assert [crop.plane for crop in crops_of(volume(), CropSettings(size=32, slices=9))] == [1, 2, 3, 4]
    assert np.array_equal(crops_of(volume(), CropSettings(size=32, slices=1))[0].grey, crop_of(volume()).grey)


def test_three_planes_are_square_in_millimetres():
    crops = crops_of(volume(), CropSettings(size=32, slices="planes", margin=0))
    assert [(crop.axis, crop.plane) for crop in crops] == [(0, 3), (1, 20), (2, 30)]
    for crop, (rows, columns) in zip(crops, [(1, 1), (3, 1), (3, 1)], strict=True):
        first, last, start, end = crop.box
        assert abs((last - first) * rows - (end - start) * columns) <= rows
    coronal = volume().image[:, 20, :]
    assert crops[1].box[0] <= 0
    assert crops[1].grey.mean() == pytest.approx(coronal.mean() / 255, abs=0.1)


@pytest.mark.parametrize("slices", ["planes", 3])
def test_films_and_single_slices_are_one_picture(slices):
    film = crop_of(scan(), slices=slices)
    assert (film.axis, film.plane) == (None, None)
    single = crop_of(scan(shape=(1, 60, 80), spacing=None), slices=slices)
    assert (single.axis, single.plane) == (0, 0)
    assert np.array_equal(film.grey, single.grey)


@pytest.mark.parametrize(
    ("facts", "scale", "rule"),
    [
        ({}, 1.0, "8-bit"),
        ({}, 10.0, "crop-percentile"),
        ({}, 1 / 255, "crop-percentile"),
        ({"mode": "RGB", "colour": "luminance"}, 0.7, "8-bit"),
        ({"mode": "I;16"}, 1.0, "crop-percentile"),
        ({"bits_stored": "8"}, 1.0, "8-bit"),
        ({"bits_stored": "8", "rescaled": "slope 2, intercept 0"}, 1.0, "crop-percentile"),
        ({"bits_stored": "12"}, 1.0, "crop-percentile"),
        ({"numbers": "uint8"}, 0.7, "8-bit"),
        ({"numbers": "int16"}, 1.0, "crop-percentile"),
    ],
)
def test_8_bit_images_keep_their_range(facts, scale, rule):
    example = scan(facts=facts)
    crop = crop_of(Scan("a", example.image * scale, example.roi, None, facts=facts))
    assert crop.facts["rule"] == crop.window.rule == rule
    if rule == "8-bit":
        assert crop.facts["window"] == [0.0, 255.0]


def test_windows_are_those_that_are_asked_for():
    example = scan()
    wide = Scan("a", example.image * 16 - 1000, example.roi, None)
    box = crop_of(wide).box
    inside = wide.image[box[0] : box[1], box[2] : box[3]]
    whole = wide.image
    expected = {
        "auto": np.percentile(inside, (5, 90)),
        "crop-percentile": np.percentile(inside, (5, 90)),
        "image-percentile": np.percentile(whole, (5, 90)),
        "full": (whole.min(), whole.max()),
        (-500, 2000): (-500, 2000),
    }
    for rule, window in expected.items():
        crop = crop_of(wide, window=rule, percentiles=(5, 90))
        assert crop.facts["window"] == pytest.approx(list(window))
        assert crop.grey.max() <= 1


def test_one_window_serves_all_slices():
    example = volume()
    example.image[:] *= np.arange(1, 7)[:, None, None] * 10.0
    crops = crops_of(example, CropSettings(size=32, slices=4))
    assert len({(crop.window.low, crop.window.high) for crop in crops}) == 1
    assert crops[0].grey.mean() < crops[3].grey.mean()


def test_the_files_window_is_the_one_that_was_applied_or_is_stated():
    example = scan()
    applied = Scan("a", example.image, example.roi, None, facts={"window": "of the file, LINEAR, centre 40, width 400"})
    assert crop_of(applied, window="file").facts["window"] == [0.0, 255.0]
    stated = Scan("a", example.image, example.roi, None, facts={"stated_window": "-10.5 to 99"})
    assert crop_of(stated, window="file").facts["window"] == [-10.5, 99.0]
    with pytest.raises(CaseError, match="the window is file, but of this image its file states none"):
        crop_of(example, window="file")
    another = Scan("a", example.image, example.roi, None, facts={"window": "imaging.window, centre 1, width 2"})
    with pytest.raises(CaseError, match="was read through another one"):
        crop_of(another, window="file")


def test_pixels_outside_the_roi_can_be_blanked():
    example = scan(rows=slice(20, 52), columns=slice(20, 36))
    seen = {rule: crop_of(example, margin=0, outside=rule) for rule in ("zero", "mean")}
    box = seen["zero"].box
    inside = example.roi[box[0] : box[1], box[2] : box[3]]
    assert not seen["zero"].grey[~inside].any()
    np.testing.assert_allclose(seen["mean"].grey[~inside], seen["mean"].grey[inside].mean(), atol=1e-6)
    for crop in seen.values():
        np.testing.assert_allclose(crop.grey[inside], example.image[example.roi] / 255, atol=1e-6)
        assert np.array_equal(crop.region, inside)


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({"roi": np.zeros((60, 80), dtype=bool)}, {}, "the ROI is empty"),
        ({"image": np.full((60, 80), np.nan)}, {}, "not finite"),
        ({"image": np.full((60, 80), 1000.0)}, {}, "no contrast: every pixel that would be shown is 1000"),
        ({"image": np.full((60, 80), 9.0)}, {}, "no contrast: every pixel that would be shown is 9"),
        ({}, {"window": (300, 400)}, r"the window 300 to 400 \(fixed\) shows nothing: every pixel .* is black"),
        ({}, {"window": (-9, -1), "outside": "zero"}, "every pixel around the ROI is white"),
        ({"roi": np.eye(60, 80, dtype=bool)}, {"crop": "image", "outside": "zero", "window": (900, 901)}, "is black"),
    ],
)
def test_a_case_that_shows_nothing_is_refused(change, settings, words):
    example = scan()
    with pytest.raises(CaseError, match=words) as caught:
        crop_of(Scan("a", **{"image": example.image, "roi": example.roi, "spacing": None} | change), **settings)
    assert caught.value.stage == "deep"


def test_numbers_far_from_the_crop_matter_only_where_the_whole_image_is_asked_for():
    example = scan()
    example.image[0, 79] = np.inf
    assert crop_of(example).window.rule == "crop-percentile"
    with pytest.raises(CaseError, match="the window full needs all of it"):
        crop_of(example, window="full")


def test_mostly_equal_pixels_have_no_percentiles_to_tell_apart():
    example = Scan("a", np.zeros((60, 80)), scan().roi, None, facts={"bits_stored": "12"})
    example.image[25, 30] = 4000.0
    with pytest.raises(CaseError, match="no contrast: every pixel of the crop around the ROI is near 0"):
        crop_of(example)
    assert crop_of(example, window="full").grey.max() > 0


def test_padding_keeps_the_aspect_in_millimetres():
    example = scan(rows=slice(20, 30), columns=slice(20, 40), spacing=(1.0, 1.0))
    crop = crop_of(example, crop="box", margin=0, resize="pad")
    assert not crop.grey[:8].any()
    assert not crop.grey[24:].any()
    np.testing.assert_allclose(crop.region[8:24], 1)
    square = crop_of(scan(spacing=(2.0, 1.0)), crop="box", margin=0, resize="pad")
    np.testing.assert_allclose(square.region, 1)
    mean = crop_of(example, crop="box", margin=0, resize="pad", outside="mean")
    np.testing.assert_allclose(mean.grey[:8], example.image[example.roi].mean() / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 400), (517, 180), (230, 230), (1000, 700)])
@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "IMAGENET1K_V2"])
def test_torchvisions_own_transforms_give_the_same(shape, name):
    """Within 1e-4 of white on floating-point tensors, within one of 255 grey levels on 8-bit images."""
    torch = pytest.importorskip("torch")
    from PIL import Image
    from torchvision.models import ResNet50_Weights

    theirs = ResNet50_Weights[name].transforms()
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    example = Scan("a", pixels.astype(float), np.ones(shape, dtype=bool), None)
    short_side = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232}[name]
    crop = crop_of(example, crop="image", resize="torchvision", short_side=short_side, size=224)
    ours = network_input(crop.grey, WEIGHTS["imagenet"].input)
    exact = theirs(torch.from_numpy(pixels.astype(np.float32) / 255)[None].repeat(3, 1, 1)).numpy()
    rounded = theirs(Image.fromarray(pixels).convert("RGB")).numpy()
    np.testing.assert_allclose(ours, exact, atol=1e-4 / 0.224)
    np.testing.assert_allclose(ours, rounded, atol=1.01 / 255 / 0.224)


def test_what_torchvision_would_cut_off_is_said():
    strip = scan(shape=(10, 700), rows=slice(0, 10), columns=slice(0, 700))
    with pytest.raises(CaseError, match="the crop has 700 × 10 pixels"):
        crop_of(strip, crop="box", margin=0, resize="torchvision", short_side=32)
    corner = scan(shape=(60, 200), rows=slice(0, 4), columns=slice(0, 4))
    with pytest.raises(CaseError, match="nothing of the ROI is left in the centre"):
        crop_of(corner, crop="image", resize="torchvision", short_side=32)
    assert len(crops_of(corner, CropSettings(size=32, crop="image", resize="torchvision", short_side=32))) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": "atuo"}, "'atuo' is no window; allowed: auto, full"),
        ({"window": (5, 5)}, "with low below high"),
        ({"slices": 0}, "0 says no slices; allowed: largest, planes, or a number from 1 to 64"),
        ({"percentiles": (99, 1)}, "the lower first"),
        ({"short_side": 256}, "short_side belongs to resize torchvision; resize is stretch"),
        ({"resize": "torchvision", "short_side": 200, "size": 224}, "short_side 200 is below the size 224"),
    ],
)
def test_mistakes_in_settings_are_named(settings, words):
    with pytest.raises(ValidationError, match=words):
        CropSettings(**settings)


def test_networks_get_the_numbers_they_expect():
    grey = np.array([[0.0, 1.0]], dtype=np.float32)
    seen = {name: network_input(grey, source.input) for name, source in WEIGHTS.items().items()}
    assert all(pixels.shape == (3, 1, 2) and pixels.dtype == np.float32 for pixels in seen.values())
    np.testing.assert_allclose(seen["imagenet"][:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    np.testing.assert_allclose(seen["radimagenet"][:, 0], [[-1, 1]] * 3)
    np.testing.assert_allclose(seen["imagenet-caffe"][:, 0, 1], [255 - 103.06, 255 - 115.90, 255 - 123.15], rtol=1e-6)
