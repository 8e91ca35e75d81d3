from __future__ import annotations

from pathlib import Path

import pytest

from radfusion.core.cohort import Cohort, CohortColumns, Covariate
from radfusion.errors import CohortError

HEAD = "case,patient,image,segmentation,label,set,centre\n"
GOOD = """a,p1,a.png,a_seg.png,0,training,A
b,p1,b.png,b_seg.png,1,training,A
c,p2,c.png,c_seg.png,0,internal,B
d,p3,d.png,d_seg.png,1,internal,B
"""


def table(folder: Path, text: str) -> Path:
    path = folder / "cohort.csv"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str, **options: object) -> str:
    with pytest.raises(CohortError) as error:
        Cohort.from_csv(table(folder, text), **options)  # type: ignore[arg-type]
    return str(error.value)


def test_a_good_table_is_read(tmp_path: Path) -> None:
    cohort = Cohort.from_csv(table(tmp_path, HEAD + GOOD))
    assert cohort.classes == ("0", "1")
    assert cohort.sets == ("training", "internal")
    assert cohort.image_path("a") == tmp_path / "a.png"


def test_all_mistakes_are_told_at_once_with_row_numbers(tmp_path: Path) -> None:
    text = HEAD + GOOD + "a,,x.png,x.png,2,trainin,A\n"
    message = mistakes(tmp_path, text, classes=["0", "1"])
    assert "4 mistakes" in message
    for part in (
        "row 6: no patient",
        "rows 2, 6: case 'a' is repeated",
        "row 6: label '2' is unknown",
        "row 6: set 'trainin' is unknown; did you mean 'training'?",
    ):
        assert part in message


def test_a_missing_column_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    message = mistakes(tmp_path, (HEAD + GOOD).replace("segmentation", "segmentatoin"))
    assert "no column 'segmentation' (for segmentation); did you mean 'segmentatoin'?" in message


def test_a_patient_in_two_sets_is_refused(tmp_path: Path) -> None:
    message = mistakes(tmp_path, HEAD + GOOD.replace("c,p2", "c,p1"))
    assert "patient 'p1' is in two sets: training (rows 2, 3), internal (row 4)" in message


def test_a_set_with_one_class_is_refused(tmp_path: Path) -> None:
    message = mistakes(tmp_path, HEAD + GOOD.replace("d_seg.png,1", "d_seg.png,0"))
    assert "set 'internal' has one class only ('0')" in message


def test_a_table_without_training_cases_is_refused(tmp_path: Path) -> None:
    assert "no case is in the set 'training'" in mistakes(tmp_path, HEAD + GOOD.replace("training", "external"))


def test_values_of_the_set_column_are_translated(tmp_path: Path) -> None:
    text = (HEAD + GOOD).replace(",training,", ",train,")
    assert Cohort.from_csv(table(tmp_path, text), sets={"train": "training"}).sets[0] == "training"


def test_columns_are_mapped_and_may_serve_twice(tmp_path: Path) -> None:
    text = (HEAD + GOOD).replace("case,patient", "id,person")
    columns = CohortColumns(case="image", patient="person")
    assert Cohort.from_csv(table(tmp_path, text), columns=columns).frame.index[0] == "a.png"


@pytest.mark.parametrize("text", ["", HEAD, HEAD + GOOD + "e,p9,e.png,e_seg.png,0,internal,B,extra\n"])
def test_a_broken_table_is_a_mistake_not_a_crash(tmp_path: Path, text: str) -> None:
    mistakes(tmp_path, text)


def test_latin_1_is_answered(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_bytes((HEAD + GOOD).replace("B", "Zürich").encode("latin-1"))
    with pytest.raises(CohortError, match="not UTF-8"):
        Cohort.from_csv(tmp_path / "cohort.csv")


def test_an_absent_table_is_answered(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="does not exist"):
        Cohort.from_csv(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ((HEAD + GOOD).replace(",", ";"), "columns are separated by semicolons"),
        ((HEAD + GOOD).replace("centre", "label"), "two columns are named 'label'"),
        (HEAD + GOOD.replace("b,p1,b.png,b_seg.png,1", "b,p1,b.png,b_seg.png,0"), "class '1' has no training case"),
    ],
)
def test_what_a_spreadsheet_does_to_a_table_is_answered(tmp_path: Path, text: str, message: str) -> None:
    assert message in mistakes(tmp_path, text)


def test_empty_rows_at_the_end_are_passed_over(tmp_path: Path) -> None:
    assert len(Cohort.from_csv(table(tmp_path, "\ufeff" + HEAD + GOOD + ",,,,,,\n" * 3)).frame) == 4


def test_an_external_set_from_a_training_centre_is_refused(tmp_path: Path) -> None:
    message = mistakes(tmp_path, HEAD + GOOD.replace("internal,B", "external,A"))
    assert "rows 4, 5: centre 'A' of the external set gave training cases too (rows 2, 3)" in message


def test_a_validation_set_of_one_patient_is_refused(tmp_path: Path) -> None:
    assert "set 'internal' has one patient only ('p2')" in mistakes(tmp_path, HEAD + GOOD.replace("d,p3", "d,p2"))


def test_a_long_list_of_mistakes_is_cut_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"{k // 2},q{k},i,s,0,training,A\n" for k in range(300))
    with pytest.raises(CohortError) as error:
        Cohort.from_csv(table(tmp_path, HEAD + GOOD + rows))
    assert len(error.value.mistakes) == 150
    assert "150 mistakes" in str(error.value)
    assert str(error.value).endswith("and 100 more")


def test_all_kinds_of_mistakes_are_told_together(tmp_path: Path) -> None:
    text = (HEAD + GOOD).replace("centre\n", "centre,age\n").replace(",A\n", ",A,60\n").replace(
        ",B\n", ",B,old\n"
    ) + "a,p1,a.png,a_seg.png,7,external,A,1\n=f(),p9,http://host/x,C:\\x,0,trainig,D,2\n,,,,0,internal,B,3\n"
    with pytest.raises(CohortError) as error:
        Cohort.from_table(table(tmp_path, text), classes=["0", "1"], covariates={"age": Covariate(type="number")})
    assert [mistake.split(";")[0] for mistake in error.value.mistakes] == [
        "row 8: no case",
        "row 8: no patient",
        "row 8: no image",
        "row 8: no segmentation",
        "row 7: case '=f()' would be run as a formula by a spreadsheet",
        "row 7: image is a web address",
        "row 7: segmentation starts with a drive letter of Windows",
        "rows 2, 6: case 'a' is repeated",
        "row 6: label '7' is unknown",
        "row 7: set 'trainig' is unknown",
        "patient 'p1' is in two sets: training (rows 2, 3), external (row 6)",
        "set 'external' has one class only ('7')",
        "row 6: centre 'A' of the external set gave training cases too (rows 2, 3)",
        "rows 4, 5: age 'old' is no number",
    ]
