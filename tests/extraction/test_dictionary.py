"""The feature dictionary: complete, true to PyRadiomics and to the IBSI's codes."""

import math

import numpy as np
import pandas as pd
import pytest

from radfusion.errors import UnknownNameError
from radfusion.extraction.dictionary import describe, dictionary

radiomics = pytest.importorskip("radiomics")
CLASSES = radiomics.getFeatureClasses()
UNITS = {
    "none", "mm", "mm2", "mm3", "1/mm", "intensity unit", "intensity unit squared", "intensity unit squared mm3",
}  # fmt: skip


def test_no_feature_of_any_class_is_without_an_entry():
    listed = {f"original_{family}_{name}" for family, each in CLASSES.items() for name in each.getFeatureNames()}
    assert set(dictionary()["feature"]) == listed


def test_every_entry_says_what_it_is():
    table = dictionary()
    for column in ("definition", "formula", "unit", "aggregation", "image"):
        assert (table[column] != "").all()
    assert set(table["unit"]) <= UNITS
    assert table["definition"].is_unique or set(table["definition"][table["definition"].duplicated()]) < set(
        table.loc[table["family"].isin(["shape", "shape2D"]), "definition"]
    )


def test_deprecated_features_are_those_that_pyradiomics_refuses():
    table = dictionary().set_index("feature")
    said = set(table.index[table["deviation"].str.startswith("Deprecated")])
    refused = set()
    for family in ("glcm", "gldm"):
        for name, deprecated in CLASSES[family].getFeatureNames().items():
            refused |= {f"original_{family}_{name}"} if deprecated else set()
    assert said == refused


@pytest.mark.parametrize(
    ("name", "image_type", "unit"),
    [
        ("original_firstorder_Mean", "original", "intensity unit"),
        ("radiomics:wavelet-LHH_firstorder_Mean", "wavelet-LHH", "filter response"),
        ("log-sigma-1-0-mm-3D_firstorder_Variance", "log-sigma-1-0-mm-3D", "filter response squared"),
        ("lbp-3D-m1_glcm_Contrast", "lbp-3D-m1", "none"),
        ("original_shape2D_Perimeter", "original", "mm"),
        ("imagenet:resnet50.layer3_global_0007", "resnet50.layer3", "none"),
        ("vit_b_16.encoder.layers.encoder_layer_2_roi_0007", "vit_b_16.encoder.layers.encoder_layer_2", "none"),
    ],
)
def test_names_of_tables_are_understood(name, image_type, unit):
    entry = describe(name)
    assert (entry.image_type, entry.unit, entry.feature) == (image_type, unit, name.rsplit(":", 1)[-1])


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("original_glcm_Contrst", "did you mean 'original_glcm_Contrast'"),
        ("originl_glcm_Contrast", "did you mean 'original'"),
        ("Contrast", "no image type"),
    ],
)
def test_other_names_are_answered_with_the_nearest(name, match):
    with pytest.raises(UnknownNameError, match=match):
        describe(name)


@pytest.mark.data
def test_codes_and_names_are_those_of_the_ibsi(shared):
    published = pd.read_csv(shared / "data" / "ibsi" / "ibsi1_reference_values.csv").drop_duplicates("code")
    names = published.set_index("code")["feature"].str.replace(r"\ :sup:`th`", "th", regex=False)
    known = dictionary()
    known = known[known["ibsi_code"] != ""]
    assert known["ibsi_name"].tolist() == names.loc[known["ibsi_code"]].tolist()


def test_formulas_of_the_first_order_family_are_those_that_are_computed():
    """A few formulas, worked by hand on the intensities of a region."""
    import SimpleITK

    values = np.random.default_rng(2).normal(40.0, 9.0, size=(8, 9))
    image, mask = SimpleITK.GetImageFromArray(values), SimpleITK.GetImageFromArray(np.ones((8, 9), np.uint8))
    found = CLASSES["firstorder"](image, mask, binWidth=5.0)
    found.enableAllFeatures()
    computed = found.execute()
    off = values - values.mean()
    by_hand = {
        "Energy": (values**2).sum(),
        "Kurtosis": (off**4).mean() / (off**2).mean() ** 2,
        "Skewness": (off**3).mean() / (off**2).mean() ** 1.5,
        "RootMeanSquared": math.sqrt((values**2).mean()),
        "MeanAbsoluteDeviation": np.abs(off).mean(),
        "Variance": (off**2).mean(),
    }
    for name, value in by_hand.items():
        assert float(computed[name]) == pytest.approx(float(value), rel=1e-9)


def test_deep_features_say_network_layer_and_pooling():
    entry = describe("imagenet:efficientnet_b0.features.8_roi_0012")
    assert entry.family == "roi"
    assert "the places inside the ROI of channel 12 of features.8 of efficientnet_b0;" in entry.definition
