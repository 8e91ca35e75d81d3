"""The engine beside PyRadiomics on the whole image; regions that share a film; what is undefined and why."""

import dataclasses
import math

import numpy as np
import pytest
import radiomics
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from radfusion.errors import CaseError
from radfusion.extraction.engine import Measured, measure
from radfusion.extraction.engine.families import intensity_family
from radfusion.extraction.engine.filters import filters_of
from radfusion.extraction.engine.levels import grey_levels
from radfusion.extraction.engine.response import Response
from radfusion.extraction.parameters import Parameters
from tests.extraction.scenes import FAMILIES, assert_same, ball, by_hand, film, scan_of, volume

THREE = {"Original": {}, "LoG": {"sigma": [1.0, 2.5]}, "Wavelet": {}}


def asked(types=THREE, shape="shape2D", **settings):
    return Parameters(types, dict.fromkeys((shape, *FAMILIES), ()), {"binWidth": 25, **settings})


def alone(image, roi, parameters, spacing=None):
    (found,) = measure(image, [roi], spacing or (1.0,) * image.ndim, parameters)
    return found


def checked(image, roi, parameters, spacing=None, rtol=1e-12):
    """Measured values, equal to those of the whole image."""
    found = alone(image, roi, parameters, spacing)
    assert_same(found.values, by_hand(scan_of(image, roi, spacing), parameters.as_file()), rtol)
    return found


@examples(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(40, 75), st.integers(40, 75)),
    place=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
    radius=st.floats(5, 14),
    binning=st.sampled_from([{"binWidth": 7}, {"binCount": 16}]),
)
def test_films_have_the_values_of_the_whole_image(seed, shape, place, radius, binning):
    centre = [part * size for part, size in zip(place, shape, strict=True)]
    checked(film(shape, seed), ball(shape, centre, radius), asked(**binning), spacing=(0.7, 0.9))


@examples(max_examples=4)
@given(seed=st.integers(0, 10_000), radius=st.floats(4, 9), wide=st.floats(1, 3))
def test_volumes_have_the_values_of_the_whole_image(seed, radius, wide):
    roi = ball((14, 40, 43), (6, 18, 25), radius)
    checked(volume((14, 40, 43), seed), roi, asked(shape="shape"), spacing=(wide, 0.8, 0.9))


@pytest.mark.parametrize(
    "settings",
    [
        {"weightingNorm": "euclidean"},
        {"weightingNorm": "no_weighting"},
        {"symmetricalGLCM": False, "distances": [1, 3], "gldm_a": 2, "voxelArrayShift": 300},
        {"force2D": True, "force2Ddimension": 1},
        {"normalize": True, "normalizeScale": 100, "removeOutliers": 2},
        {"resegmentRange": [-1, 1.5], "resegmentMode": "sigma"},
        {"resampledPixelSpacing": [1.1, 1.3, 2.0], "interpolator": "sitkBSpline", "padDistance": 6},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_have_their_meaning(settings):
    image, roi = volume((16, 44, 46)), ball((16, 44, 46), (8, 20, 25), 7)
    checked(image, roi, asked(shape="shape", **settings), spacing=(2.0, 1.0, 0.8), rtol=1e-11)


def test_settings_of_an_image_type_come_before_those_of_all():
    types = {"Original": {"binWidth": 5}, "Wavelet": {"wavelet": "db2", "level": 2, "start_level": 1, "binCount": 9}}
    checked(film(), ball((140, 150), (71, 76), 12), asked(types, force2D=False))


def test_filters_that_scale_by_the_whole_image_see_it():
    image = film() - 100
    image[3, 3] = -900  # the largest value lies far outside the region
    types = {name: {} for name in ("Square", "SquareRoot", "Logarithm", "Exponential", "Gradient")}
    checked(image, ball((140, 150), (71, 76), 12), asked(types, binCount=20), spacing=(0.5, 0.8))


def five(shape=(260, 200)):
    """Regions side by side, two that overlap, one at the border, a tiny one."""
    places = [((60, 60), 14), ((95, 63), 14), ((104, 70), 12), ((250, 190), 16), ((180, 100), 3)]
    return film(shape), [ball(shape, *place) for place in places]


def test_regions_measured_together_have_the_values_that_each_has_alone():
    image, rois = five()
    together = measure(image, rois, (1.0, 1.0), asked())
    assert [found.values for found in together] == [alone(image, roi, asked()).values for roi in rois]


def test_a_bad_region_costs_itself_only():
    image, rois = five()
    empty = np.zeros_like(rois[0])
    found = measure(image, [rois[0], empty, rois[3]], (1.0, 1.0), asked({"Original": {}}))
    assert [type(each) for each in found] == [Measured, CaseError, Measured]
    assert found[2].values == alone(image, rois[3], asked({"Original": {}})).values


def test_a_volume_of_one_slice_is_a_film():
    image, roi = film(), ball((140, 150), (71, 76), 12)
    (slab,) = measure(image[None], [roi[None]], (3.0, 0.5, 0.5), asked())
    assert slab.values == alone(image, roi, asked(), spacing=(0.5, 0.5)).values


def test_a_flat_region_has_reasons_and_no_constants():
    found = alone(np.full((60, 60), 7.0), ball((60, 60), (30, 30), 9), asked({"Original": {}}))
    undefined = {name.removeprefix("original_"): why for name, why in found.faults.items()}
    assert {name for name, value in found.values.items() if math.isnan(value)} == set(found.faults)
    assert undefined["firstorder_Skewness"] == "all pixels of the region are equal"
    flat = ("glcm_Correlation", "glcm_MCC", "glcm_Imc1", "ngtdm_Coarseness", "ngtdm_Contrast", "ngtdm_Busyness")
    assert {undefined[name] for name in flat} == {"the region has one grey level"}
    assert found.values["original_glcm_JointEnergy"] == 1.0


def test_pixels_without_neighbours_have_no_pairs():
    roi = np.zeros((60, 60), dtype=bool)
    roi[20:40:4, 20:40:4] = True
    found = alone(film((60, 60)), roi, asked({"Original": {}}))
    assert found.faults["original_glcm_Contrast"] == "no two pixels of the region are neighbours"
    assert found.faults["original_ngtdm_Coarseness"] == "no pixel differs from the mean of its neighbours"
    assert math.isfinite(found.values["original_glszm_ZoneEntropy"])


def test_a_filter_that_does_not_fit_leaves_names_with_a_reason():
    found = alone(film((30, 31)), ball((30, 31), (15, 15), 6), asked(THREE), spacing=(0.05, 0.05))
    lost = [name for name in found.values if name.startswith("log-sigma-2-5-mm-3D")]
    assert len(lost) == 93
    assert {found.faults[name] for name in lost} == {
        "the image is 30 x 31 (rows x columns); a Laplacian of Gaussian of 2.5 mm needs 51 x 51 (rows x columns)"
    }
    assert math.isfinite(found.values["wavelet-LL_glcm_Contrast"])


def test_a_response_that_is_not_finite_is_named():
    found = alone(np.zeros((50, 50)), ball((50, 50), (25, 25), 8), asked({"Exponential": {}}))
    reasons = {why for name, why in found.faults.items() if name.startswith("exponential")}
    assert reasons == {"the exponential image has values that are not finite"}


@pytest.mark.parametrize(("types", "reason"), [({"LBP3D": {}}, "LBP3D needs a volume"), ({"LoG": {"sigma": [0]}}, "0")])
def test_what_pyradiomics_drops_in_silence_is_named(types, reason):
    found = alone(film(), ball((140, 150), (71, 76), 12), asked(types))
    lost = [name for name in found.values if "shape2D" not in name]
    assert lost
    assert all(reason in found.faults[name] for name in lost)


def test_the_shape_of_several_slices_in_two_dimensions_is_a_fault_not_a_lost_case():
    image, roi = volume((16, 44, 46)), ball((16, 44, 46), (8, 20, 25), 6)
    found = alone(image, roi, asked({"Original": {}}, force2D=True))
    assert found.faults["original_shape2D_Sphericity"] == "shape2D needs a region of one slice; this one has 11"
    assert math.isfinite(found.values["original_firstorder_Mean"])


def test_one_slice_of_a_volume_has_both_shapes():
    image, roi = volume((16, 44, 46)), np.zeros((16, 44, 46), dtype=bool)
    roi[8, 10:30, 12:40] = True
    both = Parameters({"Original": {}}, {"shape": (), "shape2D": (), "firstorder": ()}, {"force2D": True})
    checked(image, roi, both, spacing=(2.0, 0.8, 0.8))


def test_too_many_grey_levels_are_refused_with_advice():
    error = alone(film() * 257, ball((140, 150), (71, 76), 30), asked())
    assert isinstance(error, CaseError)
    assert "binWidth 25 gives" in error.reason
    assert "at most 512 are allowed: set binWidth near" in error.reason


def test_features_may_be_chosen_deprecated_ones_too():
    image, roi = film(), ball((140, 150), (71, 76), 12)
    chosen = {"firstorder": ("StandardDeviation", "Mean"), "glcm": ("MCC", "Dissimilarity")}
    found = alone(image, roi, Parameters({"Original": {}}, chosen, {}))
    assert [name.split("_")[-1] for name in found.values] == ["StandardDeviation", "Mean", "MCC", "Dissimilarity"]
    assert found.values["original_firstorder_StandardDeviation"] == np.std(image[roi])
    assert list(found.faults) == ["original_glcm_Dissimilarity"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_all_features_that_pyradiomics_has_on(family):
    image, roi = film((30, 30)), ball((30, 30), (15, 15), 8)
    response = Response(image, roi, grey_levels(image, roi, {}, title="original"), (1.0, 1.0), {})
    values, faults = intensity_family(family, response)
    names = radiomics.getFeatureClasses()[family].getFeatureNames()
    assert list(values) == [name for name, deprecated in names.items() if not deprecated]
    assert not faults


def test_whole_numbers_stay_whole_when_resampled():
    image, roi = film().astype(np.int16), ball((140, 150), (71, 76), 14)
    parameters = asked({"Original": {}}, resampledPixelSpacing=[1.3, 1.7], padDistance=5)
    scan = dataclasses.replace(scan_of(image, roi), image=image)
    found = alone(image, roi, parameters)
    assert_same(found.values, by_hand(scan, parameters.as_file(), np.int16))
    assert found.values["original_firstorder_Minimum"] == round(found.values["original_firstorder_Minimum"])


def test_sums_of_eight_bits_do_not_wrap():
    """With an integer bin width PyRadiomics' bin edges wrap at 255: all pixels fall into one level, or into none."""
    image, roi = np.random.default_rng(5).integers(10, 256, (60, 60)).astype(np.uint8), ball((60, 60), (30, 30), 14)
    by_width = [alone(image, roi, asked({"Original": {}}, binWidth=width)).values for width in (25, 25.0)]
    assert by_width[0] == by_width[1]
    assert by_width[0]["original_firstorder_Entropy"] > 3


def test_titles_are_known_before_a_filter_runs():
    image, roi = volume((16, 44, 46)), ball((16, 44, 46), (8, 20, 25), 6)
    types = {"Wavelet": {"level": 2}, "LoG": {"sigma": [1]}, "Gradient": {}}
    titles = [title for run in filters_of(types, {}, axes=3) for title in run.titles]
    found = alone(image, roi, Parameters(types, {"firstorder": ("Mean",)}, {}))
    assert list(found.values) == [f"{title}_firstorder_Mean" for title in titles]
