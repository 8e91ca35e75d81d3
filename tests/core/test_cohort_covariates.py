"""Covariates have a type and a unit, and every value is one or is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from radfusion.core.cohort import Cohort, Covariate
from radfusion.errors import CohortError

HEAD = "case,patient,image,segmentation,label,set,age,sex,grade,seen,smoker,note\n"
ROWS = """a,p1,a.png,as.png,0,training,61.5,F,low,2020-01-31,yes,x
b,p1,b.png,bs.png,1,training,.5e2,M,high,2020-01-31T10:00,No,
c,p2,c.png,cs.png,1,training,n/a,unknown,,,,y
"""
TYPES = {
    "age": Covariate(type="number", unit="years"),
    "sex": Covariate(type="category", levels=("F", "M")),
    "grade": Covariate(type="ordinal", levels=("low", "high")),
    "seen": Covariate(type="date"),
    "smoker": Covariate(type="yes-no"),
}


def read(folder: Path, text: str, types: dict[str, Covariate]) -> Cohort:
    (folder / "cohort.csv").write_text(text)
    return Cohort.from_table(folder / "cohort.csv", covariates=types)


def test_covariates_come_in_their_type(tmp_path: Path) -> None:
    cohort = read(tmp_path, HEAD + ROWS, TYPES)
    assert cohort.covariate("age").tolist()[:2] == [61.5, 50.0]
    assert cohort.covariate("sex").tolist()[:2] == ["F", "M"]
    assert cohort.covariate("grade").max() == "high"
    assert cohort.covariate("seen").tolist()[:2] == [pd.Timestamp("2020-01-31")] * 2
    assert cohort.covariate("smoker").tolist()[:2] == [True, False]
    assert all(cohort.covariate(name).isna().tolist() == [False, False, True] for name in TYPES)
    assert cohort.undeclared == ("note",)
    assert cohort.covariate("note").tolist() == ["x", None, "y"]
    assert cohort.of_set("training").covariate_types == TYPES


def test_all_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    text = HEAD + ROWS.replace("61.5,F,low,2020-01-31,yes", '"61,5",f,lo,31.01.2020,maybe').replace("n/a", "nan years")
    with pytest.raises(CohortError) as error:
        read(tmp_path, text, {**TYPES, "weight": Covariate(type="number")})
    for part in (
        "7 mistakes",
        "row 2: age '61,5' is no number; write a decimal point",
        "row 4: age 'nan years' is no number",
        "row 2: sex 'f' is unknown; known: F, M",
        "row 2: grade 'lo' is unknown; did you mean 'low'?",
        "row 2: seen '31.01.2020' is no date; write YYYY-MM-DD",
        "row 2: smoker 'maybe' is neither yes nor no",
        "no column 'weight' (covariate)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("value", ["2020-02-30", "20200101", "2020-1-1", "01/02/2020"])
def test_dates_are_written_in_one_way(tmp_path: Path, value: str) -> None:
    with pytest.raises(CohortError, match="write YYYY-MM-DD"):
        read(tmp_path, HEAD + ROWS.replace("2020-01-31,", f"{value},"), TYPES)


@pytest.mark.parametrize("value", ["inf", "nan1", "1_000", "0x1f", "1e", "٣"])
def test_numbers_are_decimal(tmp_path: Path, value: str) -> None:
    with pytest.raises(CohortError, match="is no number"):
        read(tmp_path, HEAD + ROWS.replace("61.5", value), TYPES)


def test_a_covariate_of_the_patient_is_the_same_in_all_cases(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="rows 2, 3: sex of patient 'p1' is 'F', 'M'; a patient has one"):
        read(tmp_path, HEAD + ROWS, {"sex": Covariate(type="category", per="patient")})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"type": "category", "unit": "years"}, "a category has no unit"),
        ({"type": "number", "levels": ("1",)}, "a number has no levels"),
        ({"type": "ordinal"}, "an ordinal needs its levels"),
        ({"type": "category", "levels": ("a", "a")}, "each is named once"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(declared: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Covariate.model_validate(declared)


def test_a_level_may_be_a_word_for_unknown(tmp_path: Path) -> None:
    sex = Covariate(type="category", levels=("F", "M", "unknown"))
    assert read(tmp_path, HEAD + ROWS, {"sex": sex}).covariate("sex").tolist() == ["F", "M", "unknown"]
