"""The main job on a small simulated cohort: real files, real fits, the whole run directory."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import radfusion as rf
from radfusion.core.results import StudyResults
from radfusion.errors import CohortError, FeatureError, RunError
from radfusion.evaluation.plan import planned_comparisons
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.pipelines.fusion import looked_at, run
from radfusion.pipelines.names import json_schema
from radfusion.study import Study


class Notes(Progress):
    """Keeps what the stages said when they ended."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def finish(self, note: str = "") -> None:
        self.ends.append(note)


@pytest.fixture(scope="module")
def results(small_run: Path) -> StudyResults:
    return StudyResults.read(small_run)


def copy_of(study: Path, folder: Path) -> Path:
    shutil.copytree(study.parent, folder, ignore=shutil.ignore_patterns("as-*"))
    return folder / "study.yaml"


def test_results_fit_the_published_schema(results: StudyResults) -> None:
    jsonschema.validate(results.model_dump(mode="json", by_alias=True), json_schema("results"))


def test_every_arm_has_every_classifier_and_both_fusions_are_there(results: StudyResults) -> None:
    assert {model.arm for model in results.models} == {"radiomics", "deep-random", "early-random", "late-random"}
    assert {model.fusion for model in results.models} == {"none", "early", "late"}
    assert len(results.models) == 4 * 8


def test_the_model_was_chosen_on_training_folds(results: StudyResults) -> None:
    final = next(model for model in results.models if model.final)
    assert final.model == results.final_model
    assert final.cv_macro_auc == max(model.cv_macro_auc for model in results.models)


def test_an_absent_source_is_left_out_by_name(results: StudyResults, small_run: Path) -> None:
    absent = next(source for source in results.sources if not source.available)
    assert absent.name == "radimagenet"
    assert "not here" in (absent.reason or "")
    assert any("radimagenet" in finding.message for finding in results.audit)
    assert "radimagenet" in (small_run / "report.html").read_text()
    assert "weights source 'radimagenet' is left out" in (small_run / "log.txt").read_text()


def test_one_primary_comparison_and_the_rest_adjusted(results: StudyResults) -> None:
    primary = [item for item in results.comparisons if item.role == "primary"]
    assert [(item.set, item.metric) for item in primary] == [("internal", "macro_auc")]
    assert tuple(model.split("/")[0] for model in primary[0].models) == ("early-random", "radiomics")
    secondary = [item for item in results.comparisons if item.role == "secondary" and item.p is not None]
    assert all((item.p_adjusted or 0) >= (item.p or 0) and item.adjustment == "holm" for item in secondary)


def test_estimates_can_be_made_again_from_the_prediction_files(results: StudyResults, small_run: Path) -> None:
    estimate = next(
        item
        for item in results.estimates
        if (item.metric, item.model, item.set) == ("macro_auc", results.final_model, "internal")
    )
    name = results.final_model.replace("/", "_")
    frame = pd.read_csv(small_run / "predictions" / f"{name}.csv", dtype={"label": str})
    frame = frame[frame["set"] == "internal"]
    probabilities = frame[["p_0", "p_1", "p_2"]].to_numpy()
    again = rf.evaluation.one_vs_rest_auc(frame["label"], probabilities, ("0", "1", "2"), patients=frame["patient"])[-1]
    assert again.value == pytest.approx(estimate.value, abs=1e-12)
    assert again.low == pytest.approx(estimate.low, abs=1e-12)


def test_the_saved_model_gives_the_same_probabilities(results: StudyResults, small_run: Path) -> None:
    model = rf.load_model(small_run / "model")
    tables = [rf.FeatureTable(pd.read_parquet(small_run / "features" / f"{name}.parquet")) for name in model.provenance]
    table = tables[0] if len(tables) == 1 else tables[0].join(tables[1])
    predicted = model.predict(table)
    frame = pd.read_csv(small_run / "predictions" / f"{results.final_model.replace('/', '_')}.csv", index_col="case")
    others = frame.index[frame["set"] != "training"]
    np.testing.assert_allclose(predicted.frame.loc[others, "p_1"], frame.loc[others, "p_1"], atol=1e-12)


def test_every_listed_file_is_there_with_its_hash(results: StudyResults, small_run: Path) -> None:
    assert {"report.html", "methods.md"} <= {item.path for item in results.files}
    for item in results.files:
        assert hashlib.sha256((small_run / item.path).read_bytes()).hexdigest() == item.sha256, item.path


def test_a_second_run_comes_from_the_cache_byte_for_byte(
    small_study: Path, small_run: Path, small_cache: Path, tmp_path: Path
) -> None:
    notes = Notes()
    run(Study.from_yaml(small_study), tmp_path, executor="serial", cache=small_cache, progress=notes, offline=True)
    assert (tmp_path / "results.json").read_bytes() == (small_run / "results.json").read_bytes()
    assert (
        sum("0 computed" in note for note in notes.ends) == 5
    )  # self-test, selection, classifiers, shuffled labels, splits
    assert sum("90 from cache" in note for note in notes.ends) == 2


@pytest.mark.slow
def test_a_run_without_cache_gives_the_same_bytes(small_study: Path, small_run: Path, tmp_path: Path) -> None:
    run(Study.from_yaml(small_study), tmp_path / "run", executor="serial", cache=tmp_path / "cache", offline=True)
    assert (tmp_path / "run" / "results.json").read_bytes() == (small_run / "results.json").read_bytes()


def test_bad_cases_become_exclusions(small_study: Path, small_cache: Path, tmp_path: Path) -> None:
    study = Study.from_yaml(copy_of(small_study, tmp_path / "study"), ["modelling.classifiers=[logistic]"])
    cohort = study.read_cohort()
    missing, broken = (cohort.of_set("training").frame.index[position] for position in (0, 5))
    cohort.segmentation_path(missing).unlink()
    cohort.segmentation_path(broken).write_bytes(cohort.segmentation_path(broken).read_bytes()[:60])
    results = run(study, tmp_path / "run", cache=small_cache, offline=True)
    assert {item.case for item in results.exclusions} == {missing, broken}
    assert sum(one.n_cases for one in results.sets) == 88
    page = (tmp_path / "run" / "report.html").read_text()
    assert missing in page
    assert broken in page


def test_a_set_lost_to_exclusions_stops_the_run(small_study: Path, small_cache: Path, tmp_path: Path) -> None:
    study = Study.from_yaml(copy_of(small_study, tmp_path / "study"))
    cohort = study.read_cohort()
    for case in cohort.of_set("external").frame.index:
        cohort.segmentation_path(case).unlink()
    with pytest.raises(CohortError, match="set 'external' has fewer than two classes left after 18 exclusions"):
        run(study, tmp_path / "run", cache=small_cache, offline=True)
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_study_without_any_source_is_refused(small_study: Path, tmp_path: Path) -> None:
    study = Study.from_yaml(
        small_study, ["features.radiomics=null", "features.deep=[{weights: radimagenet}]", "evaluation.primary=null"]
    )
    with pytest.raises(FeatureError, match="no feature source is left"):
        run(study, tmp_path, offline=True)


def test_a_folder_with_other_files_is_not_touched(small_study: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(RunError, match=r"holds 'thesis\.docx', which no run wrote"):
        run(Study.from_yaml(small_study), tmp_path, offline=True)


USUAL = {
    "radiomics": ["radiomics"],
    "deep-a": ["a"],
    "deep-b": ["b"],
    "early-a": ["radiomics", "a"],
    "early-b": ["radiomics", "b"],
    "late-a": ["radiomics", "a"],
    "late-b": ["radiomics", "b"],
}
LATE = {"late-a": ["radiomics", "deep-a"], "late-b": ["radiomics", "deep-b"]}


def test_planned_comparisons_hold_sources_against_each_other_first() -> None:
    planned = planned_comparisons(USUAL, late=LATE, weights=["a", "b"])
    assert planned[:3] == [("early-a", "early-b"), ("late-a", "late-b"), ("deep-a", "deep-b")]
    assert len(planned) == len({frozenset(pair) for pair in planned}) == 3 + 2 * 6


def test_planned_comparisons_tell_the_gain_of_each_step() -> None:
    arms = {"clinical": ["clinical"], **USUAL, "both": ["clinical", "radiomics"], "all": ["clinical", "radiomics", "a"]}
    planned = planned_comparisons(arms, late=LATE, weights=["a", "b"])
    assert {b for a, b in planned if a == "all"} == {"both", "early-a", "late-a"}
    assert {b for a, b in planned if a == "both"} == {"clinical", "radiomics"}
    assert ("clinical", "radiomics") in planned
    assert len(planned) == len({frozenset(pair) for pair in planned})


def test_equal_pixels_in_two_sets_stop_a_study_or_leave_it_by_name(small_study: Path, tmp_path: Path) -> None:
    study = copy_of(small_study, tmp_path / "study")
    frame = pd.read_csv(study.parent / "cohort" / "cohort.csv")
    films = frame.groupby("set", sort=False)["image"].first()
    shutil.copy(study.parent / "cohort" / films["training"], study.parent / "cohort" / films["internal"])
    loaded = Study.from_yaml(study)
    with pytest.raises(CohortError, match=r"equal pixels in two sets.*cohort\.duplicates: exclude"):
        looked_at(loaded, loaded.read_cohort(), Workers())
    allowed = Study.from_yaml(study, ["cohort.duplicates=exclude"])
    found = looked_at(allowed, allowed.read_cohort(), Workers())
    repeated = set(frame.loc[frame["image"] == films["internal"], "case"])
    assert {item.case for item in found.exclusions if item.stage == "duplicate"} == repeated


def test_a_study_none_of_whose_films_is_there_says_where_it_looked(small_study: Path, tmp_path: Path) -> None:
    study = copy_of(small_study, tmp_path / "study")
    shutil.rmtree(study.parent / "cohort" / "images")
    loaded = Study.from_yaml(study)
    with pytest.raises(CohortError, match=r"none of the .* image files is there"):
        looked_at(loaded, loaded.read_cohort(), Workers())
