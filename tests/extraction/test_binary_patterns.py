"""Local binary patterns beside PyRadiomics on the whole image, which gets back what SciPy took from it."""

import numpy as np
import pytest
import scipy.special
import SimpleITK
from radiomics import imageoperations

from radfusion.extraction.engine import measure, one_quiet_thread
from radfusion.extraction.engine.filters import filters_of, responses
from radfusion.extraction.engine.regions import Plane
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.parameters import Parameters
from radfusion.imaging.geometry import bounding_box
from tests.extraction.scenes import FAMILIES, assert_same, ball, by_hand, film, itk_pair, scan_of, volume

ROI = ball((140, 150), (71, 76), 13)
BALL = ball((30, 44, 46), (15, 20, 25), 6)
AT_BORDER = ball((30, 44, 46), (1, 42, 3), 5)
SPHERES = [{}, {"lbp3DLevels": 4, "lbp3DIcosphereRadius": 1.7}, {"lbp3DIcosphereSubdivision": 2}]


def rough(shape, seed=0):
    """Fractions, no two alike."""
    return np.random.default_rng(seed).normal(40, 12, size=shape)


@pytest.fixture
def older_scipy(monkeypatch):
    """Give PyRadiomics `sph_harm` with its former order of arguments: order, degree, azimuth, polar angle."""

    def sph_harm(m, n, theta, phi):
        return scipy.special.sph_harm_y(n, m, phi, theta)

    monkeypatch.setattr(scipy.special, "sph_harm", sph_harm, raising=False)


def ours(name, scan, settings):
    (run,) = filters_of({name: settings}, {}, axes=scan.image.ndim)
    box = bounding_box(scan.roi)
    plane = Plane(scan.image, scan.spacing or (1.0,) * scan.image.ndim)
    with one_quiet_thread():
        return {title: values[scan.roi[box]] for title, values in responses(run, plane, box, roi=scan.roi)}


def theirs(name, scan, settings, kind=np.float64):
    apply = getattr(imageoperations, f"get{name}Image")
    with one_quiet_thread():
        made = list(apply(*itk_pair(scan, kind), **settings))
    return {title: SimpleITK.GetArrayFromImage(image)[scan.roi] for image, title, _ in made}


@pytest.mark.usefixtures("older_scipy")
@pytest.mark.parametrize("roi", [BALL, AT_BORDER], ids=["inside", "at the border"])
@pytest.mark.parametrize("settings", SPHERES, ids=str)
@pytest.mark.parametrize("whole", [True, False], ids=["whole numbers", "fractions"])
def test_patterns_on_spheres_are_those_of_pyradiomics(whole, settings, roi):
    scan = scan_of(volume() if whole else rough(roi.shape), roi)
    found, known = ours("LBP3D", scan, settings), theirs("LBP3D", scan, settings, np.int16 if whole else np.float64)
    levels = settings.get("lbp3DLevels", 2)
    assert list(found) == list(known) == [*(f"lbp-3D-m{number + 1}" for number in range(levels)), "lbp-3D-k"]
    for title, values in known.items():
        np.testing.assert_allclose(found[title], values, rtol=1e-9, atol=1e-9)
        assert len(np.unique(values)) > 5


@pytest.mark.usefixtures("older_scipy")
@pytest.mark.parametrize("whole", [True, False], ids=["whole numbers", "fractions"])
def test_their_features_are_those_of_pyradiomics(whole):
    asked = Parameters({"LBP3D": {}}, dict.fromkeys(FAMILIES, ()), {"binCount": 16})
    scan = scan_of(volume() if whole else rough(BALL.shape), BALL, (2.0, 1.0, 1.0))
    (found,) = measure(scan.image, [scan.roi], scan.spacing, asked)
    assert not found.faults
    assert_same(found.values, by_hand(scan, asked.as_file(), np.int16 if whole else np.float64), rtol=1e-9)


def test_regions_share_their_patterns():
    image, asked = volume(), Parameters({"LBP3D": {}, "LBP2D": {}}, {"glcm": ()}, {"binWidth": 0.25})
    together = measure(image, [BALL, AT_BORDER], (1.0, 1.0, 1.0), asked)
    alone = [measure(image, [roi], (1.0, 1.0, 1.0), asked)[0] for roi in (BALL, AT_BORDER)]
    assert [found.values for found in together] == [found.values for found in alone]


def test_more_voxels_than_a_batch_have_the_values_of_their_own(monkeypatch):
    scan = scan_of(volume(), BALL)
    at_once = ours("LBP3D", scan, {})
    monkeypatch.setattr("radfusion.extraction.engine.patterns._BATCH", 4200)
    for title, values in ours("LBP3D", scan, {}).items():
        np.testing.assert_array_equal(values, at_once[title])


def test_a_darkest_voxel_has_ones_all_around():
    """Their mean level is 42/4pi at each of 42 points."""
    image, roi = rough((9, 9, 9)), np.zeros((9, 9, 9), dtype=bool)
    roi[4, 4, 4] = True
    image[4, 4, 4] = -1000
    (value,) = ours("LBP3D", scan_of(image, roi), {})["lbp-3D-m1"]
    assert value == pytest.approx(42 / (4 * np.pi) * np.sqrt(42), rel=1e-12)


def test_a_resampled_volume_reaches_as_far_as_the_spheres_need():
    image, asked = volume(), Parameters({"LBP3D": {}}, {"firstorder": ()}, {"binWidth": 0.25})
    resampled = {"resampledPixelSpacing": [1.3, 1.3, 1.3], "interpolator": "sitkLinear", "binWidth": 0.25}
    found = [
        measure(image / 7, [BALL], (1.0, 1.0, 1.0), Parameters(asked.image_types, asked.feature_classes, each))[0]
        for each in (resampled, {**resampled, "padDistance": 100})
    ]
    assert found[0].values == pytest.approx(found[1].values, rel=1e-12)


def test_equal_voxels_have_no_kurtosis_and_say_so():
    image = volume()
    image[10:20, 10:30, 15:35] = 7
    asked = Parameters({"LBP3D": {}}, {"firstorder": ("Mean",)}, {"binWidth": 0.25})
    (found,) = measure(image, [BALL], (1.0, 1.0, 1.0), asked)
    assert found.faults == {"lbp-3D-k_firstorder_Mean": "the lbp-3D-k image has values that are not finite"}
    assert found.values["lbp-3D-m1_firstorder_Mean"] > 0


CIRCLES = [
    {},
    {"lbp2DRadius": 2.6, "lbp2DSamples": 12},
    {"lbp2DMethod": "ror"},
    {"lbp2DMethod": "default"},
    {"lbp2DMethod": "var"},
]


@pytest.mark.parametrize("roi", [ROI, ball((140, 150), (138, 2), 9)], ids=["inside", "at the border"])
@pytest.mark.parametrize("settings", CIRCLES, ids=str)
def test_patterns_on_circles_are_those_of_the_whole_film(settings, roi):
    scan = scan_of(film(), roi)
    found, known = ours("LBP2D", scan, settings), theirs("LBP2D", scan, settings, np.uint8)
    np.testing.assert_array_equal(found["lbp-2D"], known["lbp-2D"])


def test_samples_are_rounded_as_on_the_whole_film():
    """A sample between pixels may equal the middle one but for a bit, which its place on the film decides."""
    steps = np.add.outer(np.arange(1100) // 7, np.arange(900) // 7)
    scan = scan_of(steps * 2.0, ball(steps.shape, (1030, 800), 60))
    found, known = ours("LBP2D", scan, {}), theirs("LBP2D", scan, {})
    np.testing.assert_array_equal(found["lbp-2D"], known["lbp-2D"])


@pytest.mark.parametrize("dimension", [0, 1, 2])
@pytest.mark.parametrize("settings", [{}, {"lbp2DMethod": "default", "lbp2DRadius": 2}], ids=str)
def test_patterns_on_circles_go_slice_by_slice_through_a_volume(settings, dimension):
    scan, settings = scan_of(volume(), BALL), {**settings, "force2D": True, "force2Ddimension": dimension}
    found, known = ours("LBP2D", scan, settings), theirs("LBP2D", scan, settings, np.int16)
    np.testing.assert_array_equal(found["lbp-2D"], known["lbp-2D"])


def test_a_study_measures_both_kinds():
    radiomics = Radiomics(
        image_types=("lbp-2d", "lbp-3d"), feature_classes=("firstorder",), features={"firstorder": ("Mean",)},
        settings={"lbp3DLevels": 3, "lbp2DSamples": 12},
    )  # fmt: skip
    (found,) = radiomics.measure([scan_of(volume(), BALL, (2.0, 1.0, 1.0))])
    titles = ["lbp-2D", "lbp-3D-m1", "lbp-3D-m2", "lbp-3D-m3", "lbp-3D-k"]
    assert list(found.values) == [f"{title}_firstorder_Mean" for title in titles]
    assert not found.faults
    assert radiomics.unavailable() is None


def test_a_film_has_no_spheres_and_says_so():
    radiomics = Radiomics(image_types=("lbp-3d",), feature_classes=("firstorder",))
    (found,) = radiomics.measure([scan_of(film(), ROI)])
    assert set(found.faults.values()) == {"LBP3D needs a volume"}
    assert np.isnan(list(found.values.values())).all()
