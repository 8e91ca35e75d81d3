"""Radiomics: settings, what is refused and how it is said, films and volumes, several regions, traps of PyRadiomics."""

import logging
import math
import time

import numpy as np
import pytest
import SimpleITK
from pydantic import ValidationError

from radfusion.errors import CaseError
from radfusion.extraction.engine import Measured
from radfusion.extraction.extractors.radiomics import Radiomics
from tests.extraction.scenes import FAMILIES, assert_same, ball, by_hand, film, scan_of, volume

SHAPE = (140, 150)
ROI = ball(SHAPE, (71, 76), 12)

#: Offsets and sizes of either parity; near a border, where the periodic wavelet sees the opposite one; odd images.
PLACES = {
    "even offset": ((140, 150), (70, 76), 12),
    "odd offset": ((140, 150), (71, 75), 12.7),
    "odd image": ((141, 151), (70, 75), 11.3),
    "at the border": ((140, 150), (10, 75), 12),
    "odd image, at two borders": ((141, 151), (10, 141), 12),
}


def asked(setting, image_types=("Original", "LoG", "Wavelet")):
    """Parameter set for PyRadiomics by hand, on films."""
    types = {name: {"sigma": [1.0, 2.0, 3.0]} if name == "LoG" else {} for name in image_types}
    return {"imageType": types, "featureClass": {name: [] for name in ("shape2D", *FAMILIES)}, "setting": setting}


@pytest.mark.parametrize("place", PLACES)
def test_values_are_those_of_pyradiomics_wherever_the_region_lies(place):
    shape, centre, radius = PLACES[place]
    scan = scan_of(film(shape), ball(shape, centre, radius))
    (ours,) = Radiomics(bin_width=25.0).extract([scan])
    assert len(ours) == 753
    assert_same(ours, by_hand(scan, asked({"binWidth": 25.0})), rtol=1e-6)


def test_filters_that_scale_by_the_whole_image_see_it():
    types = ("square", "squareroot", "logarithm", "exponential", "gradient")
    image = film()
    image[3, 3] = 400  # the largest value lies far outside the region
    scan = scan_of(image, ROI, spacing=(0.5, 0.8))
    (ours,) = Radiomics(bin_count=16, image_types=types).extract([scan])
    theirs = by_hand(scan, asked({"binCount": 16}, ("Square", "SquareRoot", "Logarithm", "Exponential", "Gradient")))
    assert_same(ours, theirs)


def test_a_volume_of_one_slice_is_a_film():
    image = film()
    (flat,) = Radiomics().extract([scan_of(image, ROI, spacing=(0.5, 0.5))])
    (slab,) = Radiomics().extract([scan_of(image[None], ROI[None], spacing=(3.0, 0.5, 0.5))])
    (forced,) = Radiomics(force_2d=True).extract([scan_of(image[None], ROI[None], spacing=(3.0, 0.5, 0.5))])
    assert flat == slab == forced
    assert any(name.startswith("log-sigma") for name in flat)  # which PyRadiomics leaves out of one slice, silently


def test_regions_of_one_image_have_the_values_that_they_have_alone():
    image = film()
    regions = [ball(SHAPE, centre, 9) for centre in ((30, 40), (36, 46), (100, 110))]
    scans = [scan_of(image, roi, case=str(number)) for number, roi in enumerate(regions)]
    other = scan_of(film(seed=9), ROI, case="another image")
    scans = [scans[0], other, scans[1], scans[2]]
    alone = [row for scan in scans for row in Radiomics().extract([scan])]
    for together, single in zip(Radiomics().extract(scans), alone, strict=True):
        assert_same(together, single, rtol=1e-9)


def test_a_bad_region_costs_itself_only():
    image = film()
    empty = np.zeros(SHAPE, dtype=bool)
    good, bad, last = Radiomics(image_types=("original",)).measure(
        [scan_of(image, ROI), scan_of(image, empty), scan_of(image, ROI)]
    )
    assert isinstance(good, Measured)
    assert isinstance(bad, CaseError)
    assert (bad.reason, bad.stage) == ("the region is empty", "radiomics")
    assert good.values == last.values


def test_names_have_the_same_order_for_every_scan_and_no_diagnostics():
    scans = [scan_of(film(seed=seed), ball(SHAPE, (60 + seed, 76), 9)) for seed in range(3)]
    tables = Radiomics(image_types=("original",)).extract(scans)
    assert len({tuple(table) for table in tables}) == 1
    assert not [name for name in tables[0] if name.startswith("diagnostics")]
    assert all(type(value) is float for value in tables[0].values())  # no complex numbers with numpy 2.5


def test_families_may_be_chosen():
    scan = scan_of(film(), ROI)
    (only_shape,) = Radiomics(feature_classes=("shape",)).extract([scan])
    assert {name.split("_")[1] for name in only_shape} == {"shape2D"}
    (two,) = Radiomics(feature_classes=("glcm", "firstorder"), image_types=("original",)).extract([scan])
    assert {name.split("_")[1] for name in two} == {"glcm", "firstorder"}


def test_features_may_be_chosen_by_name():
    chosen = {"shape": ("Sphericity", "MeshVolume"), "glcm": ("Contrast",)}
    radiomics = Radiomics(features=chosen, feature_classes=("shape", "glcm"), image_types=("original",))
    (flat,) = radiomics.extract([scan_of(film(), ROI)])
    (solid,) = radiomics.extract([scan_of(volume(), ball((30, 44, 46), (15, 20, 25), 5))])
    assert list(flat) == ["original_shape2D_Sphericity", "original_glcm_Contrast"]
    assert list(solid) == ["original_shape_Sphericity", "original_shape_MeshVolume", "original_glcm_Contrast"]


def test_families_of_another_kind_of_image_are_said_not_dropped():
    scan = scan_of(volume(), ball((30, 44, 46), (15, 20, 25), 5))
    types = ("original",)
    (measured,) = Radiomics(feature_classes=("shape2D", "firstorder"), image_types=types).measure([scan])
    assert "for volumes name shape" in measured.faults["original_shape2D"]
    (alone,) = Radiomics(feature_classes=("shape2D",), image_types=types).measure([scan])
    assert isinstance(alone, CaseError)


@pytest.mark.parametrize("others", [{}, {"Original": {}}])
def test_a_laplacian_without_a_width_is_said_not_dropped(others):
    file = {"imageType": {**others, "LoG": {}}, "featureClass": {"firstorder": ["Mean"]}}
    (measured,) = Radiomics(parameters=file).measure([scan_of(film(), ROI)])
    said = measured.faults["log-sigma"] if others else measured.reason
    assert said == "LoG names no sigma, so there is no such image to measure"


def test_a_flat_region_gives_numbers_or_nan_and_no_warning():
    (found,) = Radiomics(image_types=("original",)).measure(
        [scan_of(np.full((40, 40), 7.0), ball((40, 40), (20, 20), 6))]
    )
    assert found.values["original_firstorder_Mean"] == 7.0
    assert not any(math.isinf(value) for value in found.values.values())
    missing = {name for name, value in found.values.items() if math.isnan(value)}
    assert "original_glcm_Correlation" in missing
    assert missing == set(found.faults)
    assert all(found.faults.values())


def test_grey_levels_are_predicted_and_refused_with_advice():
    scan = scan_of(film() * 257, ball((140, 150), (71, 76), 30))
    started = time.process_time()
    with pytest.raises(
        CaseError, match=r"bin_width 25 gives \d{4} grey levels in the original image .* bin_count"
    ) as caught:
        Radiomics(bin_width=25.0).extract([scan])
    assert caught.value.stage == "radiomics"
    assert time.process_time() - started < 2
    assert Radiomics(bin_width=900.0, image_types=("original",)).extract([scan])


ROW = np.zeros(SHAPE, dtype=bool)
ROW[5] = True
REFUSED = {
    "the region is empty": (Radiomics(), film(), np.zeros((140, 150), dtype=bool), None),
    r"the region is 1 x 150 .*; at least 2 along 2 axes .* .minimum_roi_dimensions": (Radiomics(), film(), ROW, None),
    "more than 500 are needed .minimum_roi_size": (Radiomics(minimum_roi_size=500), film(), ROI, None),
    "resampled_spacing needs": (Radiomics(resampled_spacing=(1, 1)), film(), ROI, None),
    "resampled_spacing has 2 numbers, the image 3": (
        Radiomics(resampled_spacing=(1, 1)), volume(), ball((30, 44, 46), (15, 20, 25), 5), (1.0, 1.0, 1.0),
    ),
    "nothing is left of the region": (
        Radiomics(resampled_spacing=(100, 100)), film(), ball(SHAPE, (70, 70), 4), (1.0, 1.0),
    ),
    "resegment_range leaves 0 of": (Radiomics(resegment_range=(999,)), film(), ROI, None),
    "all pixels are equal": (Radiomics(normalise=True), np.ones(SHAPE), ROI, None),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_measured_is_a_bad_case(message):
    extractor, image, roi, spacing = REFUSED[message]
    with pytest.raises(CaseError, match=message) as caught:
        extractor.extract([scan_of(image, roi, spacing)])
    assert caught.value.stage == "radiomics"


def test_a_filter_that_does_not_fit_is_said_by_feature():
    small = scan_of(film((14, 15)), ball((14, 15), (7, 7), 3), (0.1, 0.1))
    (found,) = Radiomics(log_sigma=(3.0,), image_types=("original", "log")).measure([small])
    name = "log-sigma-3-0-mm-3D_firstorder_Mean"
    assert math.isnan(found.values[name])
    assert "a Laplacian of Gaussian of 3 mm needs" in found.faults[name]
    black = scan_of(np.zeros(SHAPE), ROI)
    (found,) = Radiomics(image_types=("exponential",)).measure([black])
    assert "not finite" in found.faults["exponential_firstorder_Mean"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bin_width": 25, "bin_count": 32}, "exactly one"),
        ({"bin_count": None}, "exactly one"),
        ({"bin_width": 0}, "greater than 0"),
        ({"image_types": ["lbp"]}, "'original', 'log'"),
        ({"wavelet": "coif"}, "did you mean 'coif"),
        ({"features": {"glcm": ["Contrst"]}}, "did you mean 'Contrast'"),
        ({"features": {"glcm": ["Contrast"]}, "feature_classes": ["ngtdm"]}, "which feature_classes leaves out"),
        ({"settings": {"binWidth": 25}}, "settings holds binWidth, which a study calls bin_width"),
        ({"settings": {"level": 2}}, "which a study calls wavelet_level"),
        ({"settings": {"label": 255}}, "which a study calls imaging"),
        ({"settings": {"gldm_b": 1}}, "Extra inputs"),
        ({"resampled_spacing": [1]}, "at least 2"),
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
    assert one["parameter_file"] is None


def test_extraction_leaves_threads_and_log_level_as_they_were():
    process = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads(), logging.getLogger("radiomics").level
    Radiomics(image_types=("original",)).extract([scan_of(film(), ROI)])
    assert (process.GetGlobalDefaultNumberOfThreads(), logging.getLogger("radiomics").level) == before


def test_further_settings_go_by_the_names_of_pyradiomics():
    assert Radiomics(settings={"gldm_a": 1, "symmetricalGLCM": False}).asked(2).settings["gldm_a"] == 1


def test_a_region_of_one_slice_in_a_volume_is_quick():
    """PyRadiomics takes the square of the number of voxels for the shape of a flat region."""
    image = np.zeros((5, 300, 300)) + np.arange(300)
    roi = np.zeros(image.shape, dtype=bool)
    roi[2, 20:280, 20:280] = True
    started = time.process_time()
    (table,) = Radiomics(feature_classes=("shape",)).extract([scan_of(image, roi, (1.0, 1.0, 1.0))])
    assert time.process_time() - started < 5
    assert table["original_shape_VoxelVolume"] == 260**2


def test_a_parameter_file_leaves_the_tolerance_of_the_process_alone():
    """PyRadiomics sets SimpleITK's own, for good, so that a wrong grid of a later case would pass."""
    process = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultCoordinateTolerance()
    radiomics = Radiomics(parameters={"setting": {"geometryTolerance": 0.5}, "featureClass": {"firstorder": ["Mean"]}})
    radiomics.extract([scan_of(film(), ROI)])
    assert process.GetGlobalDefaultCoordinateTolerance() == before


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
        assert_same(ours, by_hand(scan, asked({"binWidth": 25.0})), rtol=1e-6)
