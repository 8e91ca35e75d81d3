"""Rules on cohorts: what is warned of, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from radfusion.cohorts.checks import check_cohort, require_files
from radfusion.core.cohort import Cohort
from radfusion.core.results import AuditFinding
from radfusion.errors import CohortError

HEAD = "case,patient,image,segmentation,label,set,centre,reader\n"
ROWS = """a,p-1,a.png,as.png,0,training,A,X
b,p-2,b.png,bs.png,1,training,A,Y
c,p-3,c.png,cs.png,0,external,B,X
d,p-4,d.png,ds.png,1,external,B,X
"""


def findings(folder: Path, text: str, *, code: str) -> list[AuditFinding]:
    (folder / "cohort.csv").write_text(HEAD + text)
    for name in "abcd":
        (folder / f"{name}.png").write_text(name)
    return [finding for finding in check_cohort(Cohort.from_csv(folder / "cohort.csv")) if finding.code == code]


def test_a_sound_cohort_gets_no_warning_but_of_its_size(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(HEAD + ROWS)
    for name in "abcd":
        (tmp_path / f"{name}.png").write_text(name)
    found = check_cohort(Cohort.from_csv(tmp_path / "cohort.csv"))
    assert {finding.code for finding in found if finding.verdict in {"warn", "fail"}} == {"RF22"}


@pytest.mark.parametrize(
    ("reader", "message"),
    [("Y", "the external set was drawn by 2 readers"), ("consensus of X and Y", "was drawn in consensus")],
)
def test_several_readers_and_consensus_in_a_validation_set_warn(tmp_path: Path, reader: str, message: str) -> None:
    (found,) = findings(tmp_path, ROWS.replace("external,B,X", f"external,B,{reader}", 1), code="RF25")
    assert found.verdict == "warn"
    assert message in found.message


def test_no_reader_is_no_finding(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, ROWS.replace(",X\n", ",\n").replace(",Y\n", ",\n"), code="RF25")
    assert found.verdict == "not_applicable"


def test_an_unknown_centre_warns(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, ROWS.replace("external,B", "external,unknown"), code="RF18")
    assert found.verdict == "warn"
    assert "2 external cases" in found.message


def test_one_film_of_two_patients_warns(tmp_path: Path) -> None:
    found = findings(tmp_path, ROWS.replace("b.png", "a.png"), code="RF03")
    assert [finding.message for finding in found if finding.verdict == "warn"] == [
        "Image files that cases of several patients share: a.png (2 patients)."
    ]


def test_one_region_under_two_cases_warns(tmp_path: Path) -> None:
    text = ROWS + "e,p-1,a.png,as.png,1,training,A,X\n"
    found = [finding for finding in findings(tmp_path, text, code="RF15") if finding.verdict == "warn"]
    assert [finding.evidence for finding in found] == [{"groups": [["a", "e"]]}]


@pytest.mark.parametrize("patient", ["P-1", "p1", "p-001", "p_1 ", "p-1.0"])
def test_a_patient_under_two_spellings_warns_without_a_name(tmp_path: Path, patient: str) -> None:
    found = findings(tmp_path, ROWS.replace("p-3", patient), code="RF03")
    (warning,) = [finding for finding in found if finding.verdict == "warn"]
    assert warning.evidence == {"cases": [["a", "c"]]}
    assert patient.strip() not in warning.message


@pytest.mark.parametrize("patient", ["p-11", "p-1-2", "q-1", "p-10"])
def test_other_patients_are_others(tmp_path: Path, patient: str) -> None:
    found = findings(tmp_path, ROWS.replace("p-3", patient), code="RF03")
    assert {finding.verdict for finding in found} == {"pass"}


def test_a_wrong_folder_is_one_mistake_and_a_missing_file_none(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(HEAD + ROWS)
    cohort = Cohort.from_csv(tmp_path / "cohort.csv")
    with pytest.raises(CohortError) as error:
        require_files(cohort)
    assert f"none of the 4 image files is there; names start from the folder of the table, {tmp_path}" in str(
        error.value
    )
    (tmp_path / "d.png").write_text("d")
    require_files(cohort)
