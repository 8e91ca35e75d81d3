"""Extraction alone: tables that round-trip, tell where they come from, and are the same bytes twice."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from PIL import Image

import radfusion as rf
from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError, UserError
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.imaging.settings import ImagingSettings
from radfusion.pipelines.extraction import Extractions, extractions_of, write_tables

FIRST_ORDER = Radiomics(image_types=("original",), feature_classes=("shape", "firstorder"))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A batch table of PyRadiomics: three films, one of them without a region."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(4)
    region = np.zeros((40, 30), np.uint8)
    region[8:30, 6:22] = 255
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 255, (40, 30), dtype=np.uint8)).save(folder / f"{name}.png")
        Image.fromarray(region if name != "c" else 0 * region).save(folder / f"{name}-mask.png")
    rows = "".join(f"{name},{name}.png,{name}-mask.png\n" for name in "abc")
    (folder / "batch.csv").write_text("ID,Image,Mask\n" + rows)
    (folder / "params.yaml").write_text("imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean, Maximum]}\n")
    return folder


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def written(films, tmp_path_factory):
    out = tmp_path_factory.mktemp("features")
    table = films / "batch.csv"
    work = Extractions(Cohort.for_extraction(table), table, [FIRST_ORDER], ImagingSettings())
    exclusions = write_tables(work, out, cache=tmp_path_factory.mktemp("cache"))
    return work, out, exclusions


def test_a_case_that_cannot_be_used_is_named(written):
    _, out, exclusions = written
    assert [each.stage for each in exclusions] == ["segmentation"]
    listed = pd.read_csv(out / "exclusions.csv")
    assert listed["source"].tolist() == ["radiomics"]
    assert listed["case"].tolist() == [exclusions[0].case]
    assert listed["reason"].tolist() == [exclusions[0].reason]


def test_tables_are_read_back_to_the_last_bit(written):
    work, out, exclusions = written
    table = rf.extract(work.cohort, FIRST_ORDER)
    for back in (FeatureTable.from_parquet(out / "radiomics.parquet"), FeatureTable.from_csv(out / "radiomics.csv")):
        pd.testing.assert_frame_equal(back.frame, table.frame, check_exact=True)
        assert back.hash() == table.hash()
        assert back.exclusions == exclusions
        assert back.provenance["radiomics"]["settings"]["bin_count"] == 32
        assert back.sources == ("radiomics",)


def test_provenance_says_what_went_in_and_what_came_out(written):
    work, out, exclusions = written
    told = json.loads((out / "radiomics.provenance.json").read_text())
    inside = json.loads(pyarrow.parquet.read_schema(out / "radiomics.parquet").metadata[b"radfusion"])
    assert told == inside
    assert told["counts"] == {"cases": 3, "extracted": 2, "excluded": 1, "features": len(work_columns(out))}
    assert told["inputs"]["files"] == 6
    assert told["exclusions"] == [each.model_dump() for each in exclusions]
    assert "SimpleITK" in told["made_by"]["packages"]
    assert str(work.table.parent) not in json.dumps(told)


def work_columns(out):
    return FeatureTable.from_csv(out / "radiomics.csv").frame.columns


def test_the_dictionary_has_a_line_per_feature(written):
    _, out, _ = written
    listed = pd.read_csv(out / "dictionary.csv", keep_default_na=False)
    assert (listed["source"] + ":" + listed["feature"]).tolist() == list(work_columns(out))
    assert (listed["definition"] != "").all()


def test_a_second_run_gives_the_same_bytes(written, tmp_path):
    work, out, _ = written
    write_tables(work, tmp_path / "again", cache=tmp_path / "cache")
    write_tables(work, tmp_path / "cached", cache=tmp_path / "cache")
    assert bytes_of(tmp_path / "again") == bytes_of(out) == bytes_of(tmp_path / "cached")


def test_a_batch_table_with_a_parameter_file_is_extracted(films, tmp_path):
    work = extractions_of(films / "batch.csv", parameters=films / "params.yaml")
    write_tables(work, tmp_path / "out", formats="csv", cache=tmp_path / "cache")
    assert "radiomics.parquet" not in bytes_of(tmp_path / "out")
    frame = FeatureTable.from_csv(tmp_path / "out" / "radiomics.csv").frame
    assert set(frame.columns) == {"radiomics:original_firstorder_Mean", "radiomics:original_firstorder_Maximum"}
    film, region = (np.asarray(Image.open(films / name)) for name in ("a.png", "a-mask.png"))
    assert frame["radiomics:original_firstorder_Mean"].iloc[0] == pytest.approx(film[region > 0].mean(), rel=1e-12)


def test_wrong_requests_are_answered(films, tmp_path):
    with pytest.raises(UserError, match=r"\.yaml, \.yml, \.csv, \.xlsx, \.parquet"):
        extractions_of(films / "a.png")
    with pytest.raises(UserError, match="--set changes study files"):
        extractions_of(films / "batch.csv", ["seed=3"])
    work = extractions_of(films / "batch.csv")
    with pytest.raises(UserError, match="did you mean 'parquet'"):
        write_tables(work, tmp_path / "out", formats="parket")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("absent.csv", None, "cannot be read"),
        ("no_case.csv", "id,x\na,1\n", "no column is named 'case'"),
        ("word.csv", "case,x\na,high\n", "no number.*high"),
        ("text.parquet", "case,x\n", "cannot be read as Parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused(name, text, match, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    read = FeatureTable.from_csv if name.endswith("csv") else FeatureTable.from_parquet
    with pytest.raises(FeatureError, match=match):
        read(tmp_path / name)
