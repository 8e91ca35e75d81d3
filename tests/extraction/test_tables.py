"""Feature tables: what could not be computed is NaN, and said by feature, from the cache too."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from radfusion.core.cohort import Cohort
from radfusion.execution.cache import Cache
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.tables import extract
from tests.extraction.scenes import ball, film

ROI = ball((60, 64), (30, 31), 9)
PLAIN = Radiomics(image_types=("original",), feature_classes=("firstorder", "glcm"))


@pytest.fixture
def cohort(tmp_path):
    """Two good films, one that is all grey, one with two vertebrae of which one is not drawn."""
    films = {"a": film((60, 64)), "b": film((60, 64), seed=1), "flat": np.full((60, 64), 90.0)}
    for name, pixels in films.items():
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    Image.fromarray(ROI.astype(np.uint8)).save(tmp_path / "roi.png")
    cases = pd.DataFrame({"case": list(films), "patient": list(films), "label": [0, 1, 0], "set": "training"})
    cases["image"], cases["segmentation"] = [f"{name}.png" for name in films], "roi.png"
    cases.to_csv(tmp_path / "cohort.csv", index=False)
    return Cohort.from_csv(tmp_path / "cohort.csv")


def test_what_could_not_be_computed_is_named_with_its_reason(cohort, tmp_path):
    cache = Cache(tmp_path / "cache")
    for table in (extract(cohort, PLAIN, cache=cache), extract(cohort, PLAIN, cache=cache)):  # computed, remembered
        assert table.missing["radiomics:original_glcm_Correlation"] == ("flat",)
        told = table.provenance["radiomics"]["not_computed"]
        assert {f"radiomics:{name}" for name in told} == set(table.missing)
        assert told["original_glcm_Correlation"]["n"] == 1
        assert told["original_glcm_Correlation"]["reason"]
        json.dumps(table.provenance)  # goes into results.json


def test_a_table_without_gaps_has_nothing_to_tell(cohort):
    table = extract(cohort.without(["flat"]), PLAIN)
    assert table.missing == {}
    assert table.provenance["radiomics"]["not_computed"] == {}


def test_a_region_that_cannot_be_measured_is_an_exclusion_of_its_own(cohort):
    table = extract(cohort, Radiomics(image_types=("original",), normalise=True))
    assert list(table.frame.index) == ["a", "b"]
    (exclusion,) = table.exclusions
    assert (exclusion.case, exclusion.stage) == ("flat", "radiomics")
    assert "all pixels are equal" in exclusion.reason
