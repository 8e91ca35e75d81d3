"""Batch tables of PyRadiomics, several readers, and names of files as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from radfusion.core.cohort import Cohort, CohortColumns
from radfusion.errors import CohortError

HEAD = "case,patient,image,segmentation,label,set,reader\n"
READ = """a,p1,a.png,a_A.png,0,training,A
b,p2,b.png,b_B.png,1,training,B
a,p1,a.png,a_B.png,0,training,B
b,p2,b.png,b_A.png,1,training,A
c,p3,c.png,c_B.png,0,training,B
"""


def written(folder: Path, text: str) -> Path:
    (folder / "cohort.csv").write_text(text, encoding="utf-8")
    return folder / "cohort.csv"


def extraction(folder: Path, text: str, **columns: str) -> Cohort:
    return Cohort.for_extraction(written(folder, text), columns=CohortColumns(**columns))


def mistakes(folder: Path, text: str, *, columns: CohortColumns | None = None) -> str:
    with pytest.raises(CohortError) as error:
        Cohort.from_table(written(folder, text), columns=columns)
    return str(error.value)


# Batch tables


def test_a_batch_table_is_taken_unchanged(tmp_path: Path) -> None:
    cohort = extraction(
        tmp_path, "ID,Image,Mask,Label,Scanner\nbrain1,b1.nrrd,m/b1.nrrd,2,X\nbrain2,b2.nrrd,m2.nrrd,,Y\n"
    )
    assert cohort.frame.index.tolist() == ["brain1", "brain2"]
    assert cohort.segmentation_path("brain1") == tmp_path / "m/b1.nrrd"
    assert [cohort.segmentation_label(case) for case in cohort.frame.index] == [2, None]
    assert cohort.covariates == ("Scanner",)
    assert cohort.classes == ()
    assert cohort.sets == ()


def test_cases_without_identifier_go_by_their_row(tmp_path: Path) -> None:
    assert extraction(tmp_path, "Image,Mask\na,b\n\nc,d\n").frame.index.tolist() == ["2", "4"]


def test_regions_of_one_identifier_become_cases_of_one_patient(tmp_path: Path) -> None:
    frame = extraction(tmp_path, "ID,Image,Mask,Label\nx,a,b,1\nx,a,b,2.0\ny,c,d,1\nz,e,f,1\nz,g,h,1\n").frame
    assert frame.index.tolist() == ["x 1", "x 2", "y", "z row 5", "z row 6"]
    assert frame["patient"].tolist() == ["x", "x", "y", "z", "z"]


def test_an_equal_row_twice_is_a_mistake_of_a_batch_table_too(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="rows 2, 3: case 'x' is repeated"):
        extraction(tmp_path, "ID,Image,Mask\nx,a,b\nx,a,b\n")


def test_label_of_a_batch_table_is_no_class(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="'benign' is no whole number, but Label of PyRadiomics"):
        extraction(tmp_path, "Image,Mask,Label\na,b,benign\n")
    assert extraction(tmp_path, "Image,Mask,Label\na,b,benign\n", label="Label").classes == ("benign",)
    assert extraction(tmp_path, "image,mask,label\na,b,benign\n").segmentation_label("2") is None


def test_only_the_first_channel_of_a_mask_is_read(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="row 3: Label_channel '1' names a channel"):
        extraction(tmp_path, "Image,Mask,Label_channel\na,b,0\nc,d,1\n")


def test_a_study_of_a_batch_table_names_the_column_of_the_class(tmp_path: Path) -> None:
    text = "ID,Image,Mask,Label,Patient,Set,diagnosis\n" + "".join(
        f"{case},{case}.nrrd,m.nrrd,1,p{case},{role},{k}\n"
        for case, role, k in [("a", "training", 0), ("b", "training", 1), ("c", "internal", 0), ("d", "internal", 1)]
    )
    assert "Label is the value in the mask: name the column of the class" in mistakes(tmp_path, text)
    cohort = Cohort.from_table(tmp_path / "cohort.csv", columns=CohortColumns(label="diagnosis"))
    assert cohort.classes == ("0", "1")
    assert cohort.segmentation_label("a") == 1


def test_extraction_needs_image_and_segmentation(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="row 3: no segmentation"):
        extraction(tmp_path, "case,image,segmentation\na,b,c\nd,e,\n")
    with pytest.raises(CohortError, match="no column 'segmentation'"):
        extraction(tmp_path, "case,image\na,b\n")


# Readers


def test_a_case_of_several_readers_is_one_case(tmp_path: Path) -> None:
    cohort = Cohort.from_table(written(tmp_path, HEAD + READ))
    assert cohort.frame.index.tolist() == ["a", "b", "c"]
    assert cohort.readers == ("A", "B")
    assert cohort.frame["segmentation"].tolist() == ["a_A.png", "b_A.png", "c_B.png"]
    assert cohort.frame["row"].tolist() == [2, 5, 6]
    assert len(cohort.readings) == 5


def test_the_second_reading_is_a_cohort(tmp_path: Path) -> None:
    cohort = Cohort.from_table(written(tmp_path, HEAD + READ))
    assert cohort.read_by("A").frame.index.tolist() == ["a", "b"]
    assert cohort.read_by("B").frame["segmentation"].tolist() == ["a_B.png", "b_B.png", "c_B.png"]
    assert cohort.with_reference("B").segmentation_path("a").name == "a_B.png"
    assert cohort.without(["a"]).read_by("A").frame.index.tolist() == ["b"]
    with pytest.raises(CohortError, match="no reader 'C'"):
        cohort.read_by("C")


def test_rows_of_a_case_that_differ_in_more_than_the_reader_are_named_at_once(tmp_path: Path) -> None:
    text = READ.replace("a,p1,a.png,a_B.png,0,training,B", "a,p9,x.png,a_A.png,1,internal,B") + READ.splitlines()[1]
    message = mistakes(tmp_path, HEAD + text)
    for part in (
        "rows 2, 4: patient of case 'a' is 'p1', 'p9'",
        "rows 2, 4: label of case 'a' is '0', '1'",
        "rows 2, 4: set of case 'a' is 'training', 'internal'",
        "rows 2, 4: image of case 'a' is 'a.png', 'x.png'",
        "rows 2, 4: readers of case 'a' share one segmentation",
        "rows 3, 7: case 'b' is repeated for the reader 'B'",
    ):
        assert part in message


def test_each_of_several_rows_names_its_reader(tmp_path: Path) -> None:
    assert "row 4: no reader; case 'a' has several rows" in mistakes(
        tmp_path, HEAD + READ.replace("a_B.png,0,training,B", "a_B.png,0,training,")
    )


def test_structures_are_named_by_value_or_name(tmp_path: Path) -> None:
    text = "case,image,segmentation,segmentation_label\na,i,s,2.0\nb,i,s,L3\nc,i,s,\n"
    cohort = extraction(tmp_path, text)
    assert [cohort.segmentation_label(case) for case in "abc"] == [2, "L3", None]


# Names of files


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (r"images\a b.png", "{root}/images/a b.png"),
        ("  ./a.png ", "{root}/a.png"),
        ("/data/a.png", "/data/a.png"),
        ("~/a.png", str(Path("~/a.png").expanduser())),
        ("~a.png", "{root}/~a.png"),
        ("Ärzte/ü.png", "{root}/Ärzte/ü.png"),
    ],
)
def test_files_are_found_however_they_are_written(tmp_path: Path, name: str, path: str) -> None:
    cohort = extraction(tmp_path, f"case,image,segmentation\na,{name},s\n")
    assert str(cohort.image_path("a")) == path.format(root=tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (r"C:\data\a.png", "row 2: image starts with a drive letter of Windows"),
        ("https://u:secret@host/a.png", "row 2: image is a web address"),
        ("#REF!", "row 2: image '#REF!' is the error of a formula"),
    ],
)
def test_files_that_cannot_be_here_are_answered(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CohortError) as error:
        extraction(tmp_path, f"case,image,segmentation\na,{name},s\n")
    assert message in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("=1+1", "would be run as a formula"),
        ("@SUM(A1)", "would be run as a formula"),
        ("+cmd|' /C calc'!A0", "would be run as a formula"),
        ('"a\nb"', "a line break"),
        ("1.23457E+17", "a spreadsheet cut short"),
        ("#N/A", "the error of a formula"),
    ],
)
def test_identifiers_that_harm_or_mislead_are_answered(tmp_path: Path, case: str, message: str) -> None:
    with pytest.raises(CohortError, match=f"row 2: case .*{message}"):
        extraction(tmp_path, f"case,image,segmentation\n{case},i,s\n")


@pytest.mark.parametrize("case", ["-1", "+", "-", "a=b", "1e5", "p-(2)"])
def test_identifiers_that_only_look_odd_are_taken(tmp_path: Path, case: str) -> None:
    assert extraction(tmp_path, f"case,image,segmentation\n{case},i,s\n").frame.index.tolist() == [case]


def test_one_name_in_two_encodings_is_one_name(tmp_path: Path) -> None:
    text = "case,patient,image,segmentation\na,Zu\u0308rich\u200b,i,s\nb,Z\u00fcrich,j,t\n"
    assert extraction(tmp_path, text).frame["patient"].nunique() == 1
