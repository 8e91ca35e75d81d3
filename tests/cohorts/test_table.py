"""What a study says of its table is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from radfusion.cohorts.checks import check_cohort
from radfusion.core.cohort import Cohort
from radfusion.errors import CohortError, StudyError
from radfusion.study import Study

ROWS = [f"c{k},p{k // 2},i{k}.png,s{k}.png,{k // 2 % 2},{'AB'[k // 2 % 3 == 0]},{50 + k}" for k in range(40)]


def cohort_of(folder: Path, extra: str, *, column: str = "", rows: list[str] = ROWS) -> Cohort:
    head = f"case,patient,image,segmentation,label,centre,age{column and ',' + column}"
    body = [f"{row},{'training' if column == 'set' else 'X'}" if column else row for row in rows]
    (folder / "cohort.csv").write_text("\n".join([head, *body]) + "\n")
    text = f"title: t\nseed: 11\ncohort:\n  table: cohort.csv\n  classes: [0, 1]\n{extra}"
    return Study.from_text(text, folder / "study.yaml").read_cohort()


def test_a_table_without_sets_is_split(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "  split: {internal: 0.25}\n")
    assert cohort.sets == ("training", "internal")
    assert (cohort.frame["set"] == "internal").sum() == 10
    finding = check_cohort(cohort)[0]
    assert "Sets were drawn by patient" in finding.message
    assert finding.evidence["split"]["seed"] == 11


def test_a_split_beside_a_set_column_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"has the set column 'set', and cohort.split would make sets anew"):
        cohort_of(tmp_path, "  split: {internal: 0.25}\n", column="set")
    passed_over = cohort_of(tmp_path, "  split: {internal: 0.25}\n  columns: {set: null}\n", column="set")
    assert passed_over.sets == ("training", "internal")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("  columns: {set: null}\n", "split must say how cases get a set"),
        ("  split: {}\n  sets: {a: training}\n", "keep one of them"),
        ("  split: {internal: 0.9}\n", "less than or equal to 0.5"),
        ("  covariates: {age: {type: numbr}}\n", "'number'"),
    ],
)
def test_a_study_that_contradicts_itself_is_answered(tmp_path: Path, extra: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        cohort_of(tmp_path, extra)


def test_covariates_and_readers_of_the_study_reach_the_cohort(tmp_path: Path) -> None:
    extra = "  split: {external: [B]}\n  covariates: {age: {type: number, unit: years}}\n  reader: X\n"
    cohort = cohort_of(tmp_path, extra, column="reader")
    assert cohort.covariate_types["age"].unit == "years"
    assert cohort.covariate("age").dtype == float
    assert set(cohort.of_set("external").frame["centre"]) == {"B"}
    with pytest.raises(CohortError, match="no reader 'Y'; known: X"):
        cohort_of(tmp_path, extra.replace("reader: X", "reader: Y"), column="reader")
