"""Clinical features: covariates of the cohort as numbers, coded by the training cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.cohort import Cohort, Covariate
from radfusion.errors import FeatureError
from radfusion.extraction.clinical import check_covariates, clinical_table, clinical_values

TYPES = {
    "age": Covariate(type="number", unit="years"),
    "sex": Covariate(type="category"),
    "stage": Covariate(type="ordinal", levels=("I", "II", "III")),
    "smoker": Covariate(type="yes-no"),
    "scanned": Covariate(type="date"),
}
TABLE = """\
case,patient,image,segmentation,label,set,age,sex,stage,smoker,scanned
a,p1,a.png,a.png,0,training,61,male,II,yes,2020-01-01
b,p2,b.png,b.png,1,training,70.5,female,I,no,2020-01-02
c,p3,c.png,c.png,0,training,,female,,unknown,2020-01-03
d,p4,d.png,d.png,1,training,55,,III,0,2020-01-04
e,p5,e.png,e.png,0,internal,58,diverse,III,1,2020-01-05
f,p6,f.png,f.png,1,internal,80,male,I,true,2020-01-06
"""


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    (tmp_path / "cohort.csv").write_text(TABLE)
    return Cohort.from_table(tmp_path / "cohort.csv", covariates=TYPES)


def test_every_type_becomes_numbers_and_unknown_stays_missing(cohort: Cohort) -> None:
    table = clinical_table(cohort, ["age", "sex", "stage", "smoker"])
    assert table.sources == ("clinical",)
    wanted = {
        "clinical:age": [61, 70.5, np.nan, 55, 58, 80],
        "clinical:sex=male": [1, 0, 0, np.nan, np.nan, 1],
        "clinical:stage": [1, 0, np.nan, 2, 2, 0],
        "clinical:smoker": [1, 0, np.nan, 0, 1, 1],
    }
    expected = pd.DataFrame(wanted, index=cohort.frame.index, dtype=float)
    pd.testing.assert_frame_equal(table.frame, expected)


def test_levels_are_those_of_training_cases_and_others_are_told(cohort: Cohort) -> None:
    facts = clinical_table(cohort, ["sex"]).provenance["clinical"]
    assert facts["settings"]["covariates"]["sex"] == {"type": "category", "levels": ["female", "male"]}
    assert facts["unseen"] == {"sex": {"diverse": 1}}


def test_declared_levels_come_first_in_their_order(cohort: Cohort) -> None:
    declared = {**TYPES, "sex": Covariate(type="category", levels=("male", "female", "diverse"))}
    table = clinical_table(Cohort(cohort.frame, cohort.classes, cohort.root, covariate_types=declared), ["sex"])
    assert list(table.frame) == ["clinical:sex=female", "clinical:sex=diverse"]
    assert table.provenance["clinical"]["unseen"] == {}


def test_a_new_case_is_coded_by_what_was_written_of_the_training_cases(cohort: Cohort) -> None:
    table = clinical_table(cohort, ["age", "sex", "stage", "smoker"])
    coding = json.loads(json.dumps(table.provenance["clinical"]["settings"]["covariates"]))
    again = clinical_values(cohort.frame.loc[["e", "f"]], coding)
    pd.testing.assert_frame_equal(again, table.frame.loc[["e", "f"]])


def test_a_covariate_that_is_no_feature_is_refused(cohort: Cohort) -> None:
    with pytest.raises(ValueError, match=r"'bmd' is not declared; write its type under cohort\.covariates.*declared: "):
        clinical_table(cohort, ["bmd"])
    with pytest.raises(ValueError, match="'scanned' is a date, which tells when a case was seen"):
        check_covariates(["scanned"], TYPES)


def test_a_category_of_one_level_alone_is_nothing_to_fit(cohort: Cohort) -> None:
    one = Cohort(cohort.frame.assign(sex="male"), cohort.classes, cohort.root, covariate_types=TYPES)
    with pytest.raises(FeatureError, match=r"features\.clinical: no feature comes of sex"):
        clinical_table(one, ["sex"])
