"""Tables of other programs become features, matched by case; those that have seen validation cases are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError
from radfusion.extraction.imported import Imported, imported_table
from radfusion.extraction.imported.leaks import TableRows, found_leaks
from radfusion.extraction.imported.repeated_rows import between_rows, equal_rows
from tests.imported_tables import LEAKS, WRITERS, Values, cohort_of, components, raw, write_pyradiomics, z_scores


def imported(path: Path, table: pd.DataFrame, **settings: object) -> FeatureTable:
    entry = Imported.model_validate({"file": path.name, **settings})
    return imported_table(entry, path.parent, cohort_of(list(table.index)))


def refused(path: Path, table: pd.DataFrame, **settings: object) -> str:
    with pytest.raises(FeatureError) as error:
        imported(path, table, **settings)
    return str(error.value)


def written(folder: Path, table: pd.DataFrame, decimals: int | None = None) -> Path:
    """A plain table, printed with so many decimals."""
    path = folder / "table.csv"
    table.to_csv(path, index_label="case", float_format=None if decimals is None else f"%.{decimals}f")
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_recognised_and_gives_the_numbers_back(name: str, tmp_path: Path) -> None:
    table = raw()
    WRITERS[name](tmp_path / "features.csv", table)
    found = imported(tmp_path / "features.csv", table)
    assert found.provenance["radiomics"]["format"] == name
    assert list(found.frame.index) == list(table.index)
    np.testing.assert_array_equal(found.values, table.to_numpy())
    assert all(each.startswith("radiomics:") for each in found.frame.columns)


def test_pyradiomics_names_stay_and_what_it_tells_goes(tmp_path: Path) -> None:
    write_pyradiomics(tmp_path / "features.csv", raw())
    found = imported(tmp_path / "features.csv", raw())
    assert list(found.frame.columns) == [f"radiomics:{name}" for name in raw().columns]
    assert "radiomics:original_glcm_Id" in found.frame.columns  # a feature, however it is called
    dropped = found.provenance["radiomics"]["dropped_columns"]["tells of the extraction"]
    assert dropped["names"] == [
        "Image", "Mask", "Label", "diagnostics_Versions_PyRadiomics", "diagnostics_Image-original_Mean",
    ]  # fmt: skip


def test_excel_parquet_and_gzip_are_read(tmp_path: Path) -> None:
    table = raw().rename_axis("case")
    table.reset_index().to_excel(tmp_path / "a.xlsx", index=False)
    table.reset_index().to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.to_csv().encode()))
    for path in tmp_path.iterdir():
        np.testing.assert_allclose(imported(path, table).values, table, rtol=1e-14)


def test_a_cut_gzip_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(raw().to_csv().encode())[:-40])
    assert "a.csv.gz: cannot be read: damaged" in refused(path, raw())


def test_outcomes_predictions_identifiers_and_words_are_left_out_and_named(tmp_path: Path) -> None:
    table = raw()
    more = table.assign(
        surv2yr=1, logit_0=0.25, Target=0, patient_id=7, counter=range(60), reader="A", empty="", centre_name="x"
    )
    facts = imported(written(tmp_path, more), table).provenance["radiomics"]
    names = {reason: each["names"] for reason, each in facts["dropped_columns"].items()}
    assert names == {
        "named like an outcome": ["surv2yr", "Target"],
        "named like a prediction": ["logit_0"],
        "named like an identifier, or counts the rows": ["patient_id", "counter"],
        "no numbers": ["reader", "centre_name"],
        "no value in any case": ["empty"],
    }


def test_predictions_named_in_full_are_deep_scores(tmp_path: Path) -> None:
    table = raw()
    rng = np.random.default_rng(2)
    path = written(tmp_path, table.assign(logit_0=rng.normal(size=60), logit_1=rng.normal(size=60)))
    found = imported(path, table, name="cnn", kind="deep", columns=["logit_0", "logit_1"])
    assert list(found.frame.columns) == ["cnn:logit_0", "cnn:logit_1"]


def test_a_column_that_is_the_class_is_refused(tmp_path: Path) -> None:
    table = raw()
    same = cohort_of(list(table.index)).frame["label"].map({"0": 3.5, "1": -1.0})
    assert "the class follows from the value of hidden in every case" in refused(
        written(tmp_path, table.assign(hidden=same.to_numpy())), table
    )


def test_the_label_of_the_cohort_cannot_be_asked_for(tmp_path: Path) -> None:
    table, entry = raw(), Imported(file=Path("table.csv"), columns=["outcome7"])  # type: ignore[arg-type]
    written(tmp_path, table.assign(outcome7=1))
    with pytest.raises(FeatureError, match="'outcome7' is a column of the cohort table"):
        imported_table(entry, tmp_path, cohort_of(list(table.index)), own={"outcome7"})


def test_missing_values_stay_missing(tmp_path: Path) -> None:
    text = raw().astype(object)
    text.iloc[:5, 0] = ["NaN", "", "Inf", "-inf", "n/a"]
    found = imported(written(tmp_path, text), text)
    assert np.isnan(found.values[:5, 0]).all()
    assert found.provenance["radiomics"]["missing_values"] == 5


def test_a_number_near_the_end_of_the_range_is_no_warning(tmp_path: Path) -> None:
    text = raw().astype(object)
    text.iloc[2, 0] = "1e308"
    assert imported(written(tmp_path, text), text).values[2, 0] == 1e308


def test_a_word_among_numbers_is_a_mistake_with_its_row(tmp_path: Path) -> None:
    text = raw().astype(object)
    text.iloc[3, 1] = "12,5"
    assert "column 'original_glcm_Contrast': row 5: no number where 59 other rows have one" in refused(
        written(tmp_path, text), text
    )


def test_cases_without_a_row_are_exclusions_and_foreign_rows_are_counted(tmp_path: Path) -> None:
    table = raw()
    cases = [*table.index[:50], "X1", "X2"]
    written(tmp_path, table)
    found = imported_table(Imported(file=Path("table.csv")), tmp_path, cohort_of(cases))
    assert [(each.case, each.stage) for each in found.exclusions] == [
        ("X1", "imported table"),
        ("X2", "imported table"),
    ]
    facts = found.provenance["radiomics"]
    assert (facts["rows_used"], facts["rows_unused"]) == (50, 10)


def test_a_case_twice_is_an_error_with_rows(tmp_path: Path) -> None:
    table = raw()
    path = written(tmp_path, pd.concat([table, table.iloc[[4]] + 1]))
    assert "case 'P004' has several rows: table.csv rows 6, 62" in refused(path, table)


def test_no_common_case_is_an_error(tmp_path: Path) -> None:
    other = raw().rename(index=lambda case: f"other {case}")
    assert "none of the 60 cases of the cohort is in the column 'case'" in refused(written(tmp_path, other), raw())


def test_names_of_tables_make_cases_unique(tmp_path: Path) -> None:
    for name, seed in (("north", 1), ("south", 2)):
        raw(30, seed=seed).set_axis(range(1, 31)).to_csv(tmp_path / f"{name}.csv", index_label="id")
    entry = Imported.model_validate({"files": {"n": "north.csv", "s": "south.csv"}})
    cohort = cohort_of([f"{name}-{number}" for name in "ns" for number in range(1, 31)])
    found = imported_table(entry, tmp_path, cohort)
    np.testing.assert_array_equal(found.frame.loc["s-3"], raw(30, seed=2).iloc[2])
    twice = Imported.model_validate({"files": ["north.csv", "south.csv"]})
    with pytest.raises(FeatureError, match=r"has several rows: north\.csv row 2, south\.csv row 2"):
        imported_table(twice, tmp_path, cohort)


def test_an_unknown_format_or_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'pyradiomics'"):
        Imported.model_validate({"file": "a.csv", "format": "pyradiomic"})
    path = written(tmp_path, raw())
    assert "did you mean 'original_glcm_Id'" in refused(path, raw(), columns=["original_glcm_id"])
    assert "no column 'cases' (case); did you mean 'case'" in refused(path, raw(), case="cases")


@pytest.mark.parametrize("decimals", [None, 6, 4])
@pytest.mark.parametrize("name", LEAKS)
def test_what_was_fitted_on_all_rows_is_refused_as_printed(name: str, decimals: int | None, tmp_path: Path) -> None:
    table = raw()
    leaky = pd.DataFrame(LEAKS[name](table.to_numpy()), index=table.index).add_prefix("f")
    said = refused(written(tmp_path, leaky, decimals), table)
    words = {"principal components": "are principal components of", "z-score": "are z-scores of", "range": "run from 0"}
    assert f"12 of 12 features {words[name]}" in said
    assert "cannot be acknowledged away" in said


def test_rows_that_no_case_uses_count_too(tmp_path: Path) -> None:
    table = raw()
    scaled = pd.DataFrame(z_scores(table.to_numpy()), index=table.index).add_prefix("f")
    cohort = cohort_of(list(table.index[:40]), sets=["training"] * 40)
    written(tmp_path, scaled)
    with pytest.raises(FeatureError, match=r"z-scores of all rows of the table \(60 rows\)"):
        imported_table(Imported(file=Path("table.csv")), tmp_path, cohort)


def test_a_set_scaled_by_itself_is_refused(tmp_path: Path) -> None:
    table = raw()
    inside = (cohort_of(list(table.index)).frame["set"] == "internal").to_numpy()
    values = table.to_numpy().copy()
    values[inside], values[~inside] = z_scores(values[inside]), z_scores(values[~inside])
    leaky = pd.DataFrame(values, index=table.index).add_prefix("f")
    assert "are z-scores of the internal set alone (20 rows)" in refused(written(tmp_path, leaky), table)


def test_components_of_some_columns_are_found_beside_raw_ones(tmp_path: Path) -> None:
    table = raw()
    deep = pd.DataFrame(components(table.to_numpy()[:, :4]), index=table.index).add_prefix("DL_")
    assert "4 of 16 features are principal components" in refused(written(tmp_path, table.join(deep)), table)


def test_what_was_fitted_on_training_cases_passes_and_is_said(tmp_path: Path) -> None:
    table = raw()
    training = (cohort_of(list(table.index)).frame["set"] == "training").to_numpy()
    values = table.to_numpy()
    scaled = (values - values[training].mean(axis=0)) / values[training].std(axis=0)
    found = imported(written(tmp_path, pd.DataFrame(scaled, index=table.index).add_prefix("f")), table)
    assert found.provenance["radiomics"]["leak_tests"]["already_scaled_in_training"] == 12


def test_copies_of_rows_are_refused(tmp_path: Path) -> None:
    table = raw()
    table.iloc[2] = table.iloc[0]
    assert "same values in all 12 features: P000 (training) = P002 (internal)" in refused(
        written(tmp_path, table), table
    )


@pytest.mark.parametrize("decimals", [None, 6])
def test_rows_between_two_others_are_refused(decimals: int | None, tmp_path: Path) -> None:
    table = raw()
    table.iloc[9] = table.iloc[3] + 0.37 * (table.iloc[4] - table.iloc[3])
    said = refused(written(tmp_path, table, decimals), table)
    assert "P009 between P003 and P004" in said
    assert "SMOTE" in said


def honest(rng: np.random.Generator, training: Values) -> Values:
    """One of many kinds of features that nobody fitted on more than training cases."""
    n, p = len(training), int(rng.choice([1, 2, 5, 20, 60]))
    mixed = rng.standard_normal((n, 5)) @ rng.standard_normal((5, p)) + rng.standard_normal((n, p))
    kinds = [
        mixed,
        np.exp(mixed / 3),
        rng.random((n, p)),
        rng.standard_normal((n, p)),
        1 / (1 + np.exp(-3 * mixed)),
        np.maximum(mixed - 3, 0),
        rng.poisson(20, (n, p)).astype(float),
        (mixed - mixed[training].mean(axis=0)) / mixed[training].std(axis=0),
        (mixed - mixed[training].min(axis=0)) / np.ptp(mixed[training], axis=0),
    ]
    return kinds[int(rng.integers(len(kinds)))]


@pytest.mark.slow
def test_a_thousand_honest_tables_pass() -> None:
    rng, refusals = np.random.default_rng(7), []
    for _ in range(1_000):
        sets = rng.choice(
            ["training", "internal", "external", ""], int(rng.integers(40, 160)), p=[0.6, 0.2, 0.15, 0.05]
        )
        decimals = int(rng.choice([2, 3, 4, 6, 15]))
        values = np.round(honest(rng, sets == "training"), decimals)
        names, steps = np.array([f"c{place}" for place in range(len(sets))]), np.full(values.shape[1], 10.0**-decimals)
        rows = TableRows(values, steps, tuple("f" * values.shape[1]), names, names, sets, np.full(len(sets), "t.csv"))
        used = rows.taken(rows.used)
        refusals += [*found_leaks(rows), *equal_rows(used), *between_rows(used)]
    assert refusals == []


@pytest.mark.data
@pytest.mark.parametrize("name", ["Arita2018", "Song2020", "Huang2023", "Ramella2018", "Wang2024"])
def test_published_tables_that_are_z_scored_over_all_patients_are_refused(
    name: str, shared: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(shared / "data" / "tabular" / "radmlbench" / f"{name}.csv.gz").drop(columns=["ID", "Target"])
    table.index = pd.Index([f"case {place}" for place in range(len(table))])
    assert f"are z-scores of all rows of the table ({len(table)} rows)" in refused(written(tmp_path, table), table)


@pytest.mark.data
def test_two_published_centres_pass(shared: Path) -> None:
    folder = shared / "data" / "tabular" / "deep_prognosis"
    read = {name: pd.read_csv(folder / f"{name}.csv") for name in ("HarvardRT", "Radboud")}
    rows = [(f"{name}-{row.id}", str(row.surv2yr), name) for name, each in read.items() for row in each.itertuples()]
    cases, labels, centres = (list(each) for each in zip(*rows, strict=True))
    sets = ["training" if centre == "HarvardRT" else "external" for centre in centres]
    entry = Imported.model_validate({"files": {name: f"{name}.csv" for name in read}})
    found = imported_table(entry, folder, cohort_of(cases, sets=sets, labels=labels))
    assert found.frame.shape == (397, 1004)
    assert found.provenance["radiomics"]["dropped_columns"]["named like a prediction"]["names"] == [
        "logit_0",
        "logit_1",
    ]
