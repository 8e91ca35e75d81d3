"""Our values are those of PyRadiomics called by hand on the whole image: every image type, preset, parameter file."""

import json

import numpy as np
import pytest
from ruamel.yaml import YAML

from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.parameters import IMAGE_TYPES
from radfusion.extraction.presets import PRESETS
from tests.extraction.scenes import FAMILIES, assert_same, ball, by_hand, film, scan_of, volume

FILM = scan_of(film(), ball((140, 150), (71, 76), 13), spacing=(0.5, 0.7))
VOLUME = scan_of(volume(), ball((30, 44, 46), (15, 20, 25), 6), spacing=(2.0, 1.0, 1.0))
SCANS = {"film": FILM, "volume": VOLUME}
SHAPES = {"film": "shape2D", "volume": "shape"}
#: SimpleITK's recursive Gaussian begins at the border of what it is given: 20 standard deviations around the region.
LOG_TOLERANCE = 1e-6


def measured(radiomics, scan):
    (found,) = radiomics.measure([scan])
    return found.values


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("name", [name for name in IMAGE_TYPES if name != "lbp-3d"])  # see test_binary_patterns.py
def test_each_image_type(name, kind):
    own = {"sigma": [1.0, 2.0]} if name == "log" else {}
    theirs = by_hand(
        SCANS[kind],
        {
            "imageType": {IMAGE_TYPES[name]: own},
            "featureClass": {family: [] for family in (SHAPES[kind], *FAMILIES)},
            "setting": {"binCount": 16},
        },
    )
    ours = measured(Radiomics(image_types=(name,), log_sigma=(1.0, 2.0), bin_count=16), SCANS[kind])
    assert_same(ours, theirs, rtol=LOG_TOLERANCE if name == "log" else 1e-12)


def translation(preset, kind):
    """The preset as a parameter file, written by hand from PyRadiomics' manual."""
    values = {name: choice.value for name, choice in PRESETS[preset].items()}
    names = {
        "bin_count": "binCount", "bin_width": "binWidth", "normalise": "normalize", "normalise_scale": "normalizeScale",
        "array_shift": "voxelArrayShift", "resegment_range": "resegmentRange",
    }  # fmt: skip
    setting = {names[name]: value for name, value in values.items() if name in names}
    if "resegmentRange" in setting:
        setting["resegmentRange"] = list(setting["resegmentRange"])
    if values["resampled_spacing"]:
        setting["resampledPixelSpacing"] = [values["resampled_spacing"]] * (2 if kind == "film" else 3)
        setting["padDistance"] = 150  # as wide as the image
    types = {"Original": {}, "LoG": {"sigma": list(values["log_sigma"])}, "Wavelet": {}}
    return {
        "imageType": types,
        "featureClass": {family: [] for family in (SHAPES[kind], *FAMILIES)},
        "setting": setting,
    }


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset(preset, kind):
    scan = SCANS[kind]
    if preset == "pet":
        scan = scan_of(scan.image / 20 - 1, scan.roi, tuple(3 * step for step in scan.spacing))
    whole = np.array_equal(scan.image, np.rint(scan.image))
    theirs = by_hand(scan, translation(preset, kind), np.int16 if whole else np.float64)
    assert_same(measured(Radiomics(preset=preset), scan), theirs, rtol=LOG_TOLERANCE)


FILES = {
    "defaults": {},
    "one class": {"featureClass": {"glcm": ["Contrast", "MCC"], "firstorder": None}},
    "deprecated by name": {"featureClass": {"firstorder": ["StandardDeviation", "Mean"]}},
    "own bins of a filter": {
        "imageType": {"Original": {}, "Wavelet": {"binWidth": 7}, "LoG": {"sigma": [2], "binCount": 9}},
        "setting": {"binWidth": 11.5},
    },
    "wavelet": {"imageType": {"Wavelet": {"wavelet": "haar", "level": 2, "start_level": 1}}},
    "longer wavelet": {"imageType": {"Wavelet": {"wavelet": "db4"}}},
    "gradient per pixel": {"imageType": {"Gradient": {"gradientUseSpacing": False}}, "setting": {"binWidth": 3}},
    "normalised": {"setting": {"normalize": True, "normalizeScale": 100, "removeOutliers": 2, "binWidth": 5}},
    "resegmented": {"setting": {"resegmentRange": [-1.5, 1.5], "resegmentMode": "sigma"}},
    "resegmented, shape too": {
        "setting": {"resegmentRange": [0.4], "resegmentMode": "relative", "resegmentShape": True}
    },
    "neighbours": {
        "setting": {
            "distances": [1, 2], "weightingNorm": "euclidean", "gldm_a": 1, "symmetricalGLCM": False,
            "voxelArrayShift": 300, "binWidth": 20,
        }
    },
    "no weighting": {"setting": {"weightingNorm": "no_weighting"}},
    "pre-cropped": {
        "imageType": {"LoG": {"sigma": [1.0]}, "Wavelet": {}, "Square": {}},
        "setting": {"preCrop": True, "padDistance": 4, "normalize": True, "normalizeScale": 100},
    },
    "of no effect": {
        "setting": {"label": 1, "additionalInfo": True, "geometryTolerance": 1e-4, "correctMask": True},
        "voxelSetting": {"kernelRadius": 2, "maskedKernel": True, "initValue": 0, "voxelBatch": 100},
    },
}  # fmt: skip


def written(folder, content, name="params.yaml"):
    path = folder / name
    with path.open("w") as file:
        json.dump(content, file) if name.endswith("json") else YAML().dump(content, file)
    return path


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("file", FILES)
def test_each_parameter_file(file, kind, tmp_path):
    path = written(tmp_path, FILES[file])
    theirs = by_hand(SCANS[kind], str(path))
    filtered = "LoG" in FILES[file].get("imageType", {})
    assert_same(measured(Radiomics(parameters=path), SCANS[kind]), theirs, rtol=LOG_TOLERANCE if filtered else 1e-12)


@pytest.mark.parametrize("interpolator", ["sitkBSpline", "sitkLinear", 1])
@pytest.mark.parametrize(
    ("kind", "spacing"), [("film", [0.9, 1.1]), ("volume", [1.5, 1.5, 0]), ("volume", [0.8, 1, 1.2])]
)
def test_resampling_keeps_whole_numbers_whole(kind, spacing, interpolator, tmp_path):
    content = {
        "imageType": {"Original": {}, "LoG": {"sigma": [1.0]}},
        "setting": {"resampledPixelSpacing": spacing, "interpolator": interpolator, "binWidth": 10},
    }
    path = written(tmp_path, content, "params.json")
    theirs = by_hand(SCANS[kind], str(path), np.uint8 if kind == "film" else np.int16)
    assert_same(measured(Radiomics(parameters=path), SCANS[kind]), theirs, rtol=LOG_TOLERANCE)


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_slices_of_a_volume(dimension):
    content = {
        "imageType": {"Original": {}, "Wavelet": {}},
        "featureClass": {family: [] for family in FAMILIES},
        "setting": {"force2D": True, "force2Ddimension": dimension},
    }
    ours = Radiomics(
        image_types=("original", "wavelet"), feature_classes=FAMILIES, bin_width=25, force_2d=True,
        force_2d_dimension=dimension,
    )  # fmt: skip
    theirs = by_hand(VOLUME, content)
    assert any("wavelet-HL_" in name for name in theirs)
    assert_same(measured(ours, VOLUME), theirs)


def test_whole_numbers_and_fractions_have_the_values_of_their_files():
    """A file of 32-bit fractions is filtered in 32 bits by PyRadiomics, in 64 here: equal to 1e-5, said in the docs."""
    content = {"imageType": {"Wavelet": {}}, "featureClass": {"firstorder": ["Mean", "Energy"]}}
    two = {"firstorder": ("Mean", "Energy")}
    ours = measured(Radiomics(image_types=("wavelet",), feature_classes=("firstorder",), features=two), FILM)
    theirs = by_hand(FILM, content, np.float32)
    assert {name: pytest.approx(value, rel=1e-4, abs=1e-4) for name, value in theirs.items()} == {
        name: ours[name] for name in theirs
    }
