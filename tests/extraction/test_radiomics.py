"""Radiomics: values of a plain PyRadiomics run, faster; what is refused and how it is said."""

import logging
import math
import time

import numpy as np
import pytest
import SimpleITK
from pydantic import ValidationError
from radiomics.featureextractor import RadiomicsFeatureExtractor

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.extraction._pyradiomics import FILTERS, one_quiet_thread
from radfusion.extraction.extractors.radiomics import Radiomics

FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


def film(shape=(140, 150), seed=0):
    """Smooth noise in the range of 8 bits, whole numbers."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = SimpleITK.GetArrayFromImage(SimpleITK.SmoothingRecursiveGaussian(SimpleITK.GetImageFromArray(noise), 1.5))
    return np.rint(np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)))


def disc(shape, centre, radius):
    """Round region, not symmetric in its last row."""
    grid = np.indices(shape)
    roi = sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True)) < radius**2
    roi[tuple(int(middle) for middle in centre)] = False
    return roi


def scan_of(image, roi, spacing=None):
    return Scan(case="a", image=np.asarray(image, dtype=np.float64), roi=roi, spacing=spacing)


def plain(scan, image_types, **settings):
    """PyRadiomics on the whole image, as its manual says."""
    images = [SimpleITK.GetImageFromArray(values) for values in (scan.image, scan.roi.astype(np.uint8))]
    for image in images:
        image.SetSpacing(tuple(reversed(scan.spacing or (1.0,) * scan.image.ndim)))
    with one_quiet_thread():
        extractor = RadiomicsFeatureExtractor(additionalInfo=False, **settings)
        extractor.enabledImagetypes = {FILTERS[name]: {} for name in image_types}
        if "log" in image_types:
            extractor.enabledImagetypes["LoG"] = {"sigma": [1.0, 2.0, 3.0]}
        shape = "shape2D" if scan.image.ndim == 2 else "shape"
        extractor.enabledFeatures = {name: [] for name in (shape, *FAMILIES)}
        return {name: float(np.real(value)) for name, value in extractor.execute(*images).items()}


def assert_same(ours, theirs, rtol=1e-6):
    assert list(ours) == list(theirs)
    np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=rtol, atol=0)


# Offsets and sizes of either parity; near a border, where the periodic wavelet sees the opposite one; odd images.
PLACES = {
    "even offset": ((140, 150), (70, 76), 12),
    "odd offset": ((140, 150), (71, 75), 12.7),
    "odd image": ((141, 151), (70, 75), 11.3),
    "at the border": ((140, 150), (10, 75), 12),
    "odd image, at two borders": ((141, 151), (10, 141), 12),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("binning", [{"bin_width": 25.0}, {"bin_count": 32}])
def test_values_are_those_of_pyradiomics_on_the_whole_image(place, binning):
    shape, centre, radius = PLACES[place]
    scan = scan_of(film(shape), disc(shape, centre, radius))
    (ours,) = Radiomics(**binning).extract([scan])
    theirs = plain(
        scan,
        ("original", "log", "wavelet"),
        **{{"bin_width": "binWidth", "bin_count": "binCount"}[k]: v for k, v in binning.items()},
    )
    assert len(ours) == 753
    assert_same(ours, theirs)


def test_unfiltered_and_wavelet_values_are_equal_to_the_last_bits():
    scan = scan_of(film(), disc((140, 150), (71, 76), 15))
    (ours,) = Radiomics(bin_width=10.0, image_types=("original", "wavelet")).extract([scan])
    assert_same(ours, plain(scan, ("original", "wavelet"), binWidth=10.0), rtol=1e-12)


def test_filters_that_scale_by_the_whole_image_see_it():
    types = ("square", "squareroot", "logarithm", "exponential", "gradient")
    image = film()
    image[3, 3] = 400  # the largest value lies far outside the region
    scan = scan_of(image, disc((140, 150), (71, 76), 12), spacing=(0.5, 0.8))
    (ours,) = Radiomics(bin_width=25.0, image_types=types).extract([scan])
    assert_same(ours, plain(scan, types, binWidth=25.0))


def test_normalisation_uses_the_whole_image_before_the_crop():
    scan = scan_of(film(), disc((140, 150), (71, 76), 12))
    (ours,) = Radiomics(bin_width=25.0, normalise=True).extract([scan])
    theirs = plain(scan, ("original", "log", "wavelet"), binWidth=25.0, normalize=True, normalizeScale=100)
    assert_same(ours, theirs)


def test_spacing_scales_the_laplacian_and_the_shape():
    scan = scan_of(film(), disc((140, 150), (71, 76), 12), spacing=(0.5, 0.7))
    (ours,) = Radiomics(bin_width=25.0).extract([scan])
    assert_same(ours, plain(scan, ("original", "log", "wavelet"), binWidth=25.0))


def test_resampling_is_that_of_pyradiomics():
    scan = scan_of(film(), disc((140, 150), (71, 76), 14), spacing=(0.5, 0.7))
    (ours,) = Radiomics(bin_width=25.0, resampled_spacing=(0.9, 1.1)).extract([scan])
    theirs = plain(
        scan, ("original", "log", "wavelet"), binWidth=25.0, resampledPixelSpacing=(1.1, 0.9), padDistance=40
    )
    assert_same(ours, theirs)


def test_a_volume_is_measured_in_three_dimensions():
    shape = (30, 44, 46)
    image = np.stack([film(shape[1:], seed=number) for number in range(30)])
    scan = scan_of(image, disc(shape, (15, 20, 25), 7), spacing=(2.0, 1.0, 1.0))
    (ours,) = Radiomics(bin_width=25.0, image_types=("original", "wavelet")).extract([scan])
    assert {"original_shape_MeshVolume", "wavelet-HHL_glcm_Contrast"} < set(ours)
    assert_same(ours, plain(scan, ("original", "wavelet"), binWidth=25.0))


def test_a_volume_of_one_slice_is_a_film():
    image, roi = film(), disc((140, 150), (71, 76), 12)
    (flat,) = Radiomics().extract([scan_of(image, roi, spacing=(0.5, 0.5))])
    (slab,) = Radiomics().extract([scan_of(image[None], roi[None], spacing=(3.0, 0.5, 0.5))])
    assert flat == slab


def test_names_have_the_same_order_for_every_scan_and_no_diagnostics():
    scans = [scan_of(film(seed=seed), disc((140, 150), (60 + seed, 76), 9)) for seed in range(3)]
    tables = Radiomics(image_types=("original",)).extract(scans)
    assert len({tuple(table) for table in tables}) == 1
    assert not [name for name in tables[0] if name.startswith("diagnostics")]
    assert all(type(value) is float for value in tables[0].values())


def test_families_may_be_chosen():
    scan = scan_of(film(), disc((140, 150), (71, 76), 12))
    (only_shape,) = Radiomics(feature_classes=("shape",)).extract([scan])
    assert {name.split("_")[1] for name in only_shape} == {"shape2D"}
    (two,) = Radiomics(feature_classes=("glcm", "firstorder"), image_types=("original",)).extract([scan])
    assert {name.split("_")[1] for name in two} == {"glcm", "firstorder"}


def test_a_flat_region_gives_numbers_or_nan_and_no_warning():
    (table,) = Radiomics(image_types=("original",)).extract(
        [scan_of(np.full((40, 40), 7.0), disc((40, 40), (20, 20), 6))]
    )
    assert table["original_firstorder_Mean"] == 7.0
    assert not any(math.isinf(value) for value in table.values())


def test_grey_levels_are_predicted_and_refused_with_advice():
    scan = scan_of(film() * 257, disc((140, 150), (71, 76), 30))
    started = time.process_time()
    with pytest.raises(
        CaseError, match=r"bin_width 25 gives \d{4} grey levels in the original image .* bin_count"
    ) as caught:
        Radiomics(bin_width=25.0).extract([scan])
    assert caught.value.stage == "radiomics"
    assert time.process_time() - started < 2
    assert Radiomics(bin_width=900.0, image_types=("original",)).extract([scan])


ROW = np.zeros((140, 150), dtype=bool)
ROW[5] = True
REFUSED = {
    "the region is empty": (Radiomics(), film(), np.zeros((140, 150), dtype=bool), None),
    r"the region is 1 x 150 \(rows x columns\); at least 2": (Radiomics(), film(), ROW, None),
    "resampled_spacing needs": (Radiomics(resampled_spacing=(1, 1)), film(), disc((140, 150), (70, 70), 9), None),
    "resampled_spacing has 3 numbers, the image 2": (
        Radiomics(resampled_spacing=(1, 1, 1)), film(), disc((140, 150), (70, 70), 9), (1.0, 1.0),
    ),
    "nothing is left of the region": (
        Radiomics(resampled_spacing=(100, 100)), film(), disc((140, 150), (70, 70), 4), (1.0, 1.0),
    ),
    "all pixels are equal": (Radiomics(normalise=True), np.ones((140, 150)), disc((140, 150), (70, 70), 9), None),
    "the Laplacian of Gaussian of width 3 needs": (Radiomics(), film((14, 15)), disc((14, 15), (7, 7), 3), (0.1, 0.1)),
    "the exponential image has values that are not finite": (
        Radiomics(image_types=("exponential",)), np.zeros((140, 150)), disc((140, 150), (70, 70), 9), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_measured_is_a_bad_case(message):
    extractor, image, roi, spacing = REFUSED[message]
    with pytest.raises(CaseError, match=message) as caught:
        extractor.extract([scan_of(image, roi, spacing)])
    assert caught.value.stage == "radiomics"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bin_width": 25, "bin_count": 32}, "exactly one"),
        ({"bin_count": None}, "exactly one"),
        ({"bin_width": 0}, "greater than 0"),
        ({"image_types": ["lbp"]}, "'original', 'log'"),
        ({"log_sigma": [1, 1]}, "log_sigma names something twice"),
        ({"feature_classes": []}, "at least 1"),
        ({"bins": 3}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Radiomics.model_validate(wrong)


def test_identity_names_settings_and_versions():
    one, other = Radiomics().identity(), Radiomics(bin_width=25.0).identity()
    assert one["settings"] != other["settings"]
    assert {"SimpleITK", "numpy", "PyWavelets"} < set(one["versions"])
    assert any("radiomics" in name for name in one["versions"])


def test_extraction_leaves_threads_and_log_level_as_they_were():
    process = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads(), logging.getLogger("radiomics").level
    Radiomics(image_types=("original",)).extract([scan_of(film(), disc((140, 150), (71, 76), 12))])
    assert (process.GetGlobalDefaultNumberOfThreads(), logging.getLogger("radiomics").level) == before


def test_an_installed_pyradiomics_is_available():
    assert Radiomics().unavailable() is None
    assert Radiomics().source == "radiomics"


@pytest.mark.data
def test_real_films_have_the_values_of_pyradiomics(shared):
    import pandas as pd

    from radfusion.imaging.loading import read_scan
    from radfusion.imaging.settings import ImagingSettings

    folder = shared / "data" / "cxr3"
    table = pd.read_csv(folder / "cohort.csv").sample(4, random_state=0)
    for _, row in table.iterrows():
        paths = folder / row["image"], folder / row["mask"]
        scan = read_scan(row["patient_id"], *paths, settings=ImagingSettings(segmentation_label=255))
        (ours,) = Radiomics(bin_width=25.0).extract([scan])
        assert_same(ours, plain(scan, ("original", "log", "wavelet"), binWidth=25.0))
