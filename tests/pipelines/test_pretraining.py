"""The pretraining benchmark on the small simulated cohort: every part of its results, and the report of it."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import StudyResults
from radfusion.errors import StudyError
from radfusion.modelling.stored import load_model
from radfusion.networks.similarity import debiased_cka
from radfusion.pipelines.application import predict_case
from radfusion.pipelines.centres import tell_centres_apart
from radfusion.pipelines.checking import check_study
from radfusion.pipelines.fusion import run
from radfusion.pipelines.names import json_schema
from radfusion.pipelines.pretraining import _tried, planned_pairs
from radfusion.study import Study

STUDY = """\
kind: pretraining-benchmark
title: Which weights
seed: 7
cohort: {table: cohort/cohort.csv, classes: [0, 1, 2]}
features:
  grid:
    weights: [radimagenet, random]
    networks: [resnet18, resnet50]
    layers: [layer1]
    shared: {size: 64}
modelling:
  steps: [missing, variance, univariate, correlation, scale, {step: lasso, folds: 3}]
  folds: 3
  null_runs: 0
pretraining: {pairs: all, robustness: [noise, roi_shuffle]}
evaluation:
  primary: {models: [deep-radimagenet-resnet50, deep-random-resnet50], set: internal}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small cohort, the study and two runs of it."""
    folder = tmp_path_factory.mktemp("benchmark")
    sizes = {"training": 36, "internal": 18, "external": 0, "prospective": 0}
    asked = {"seed": 3, "sizes": sizes, "rows": 192, "columns": 112}
    simulate_cohort(folder / "cohort", SimulationSettings.model_validate(asked))
    (folder / "study.yaml").write_text(STUDY)
    for name in ("first", "second"):
        run(Study.from_yaml(folder / "study.yaml"), folder / name, executor="serial", cache=folder / "c", offline=True)
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> StudyResults:
    return StudyResults.read(folder / "first")


def test_two_runs_give_the_same_bytes(folder: Path) -> None:
    first, second = ((folder / name / "results.json").read_bytes() for name in ("first", "second"))
    assert first == second


def test_results_fit_the_published_schema(results: StudyResults) -> None:
    jsonschema.validate(results.model_dump(mode="json", by_alias=True), json_schema("results"))


def test_arms_are_sources_and_what_is_absent_is_named(results: StudyResults) -> None:
    assert {model.arm for model in results.models} == {"deep-random-resnet18", "deep-random-resnet50"}
    absent = {source.name: source.reason for source in results.sources if not source.available}
    assert "have no file for 'resnet18'" in str(absent["radimagenet-resnet18"])
    assert "weights import radimagenet" in str(absent["radimagenet-resnet50"])


def test_check_names_what_would_be_left_out(folder: Path) -> None:
    found = check_study(Study.from_yaml(folder / "study.yaml"))
    assert set(found.missing_sources) == {"radimagenet-resnet18", "radimagenet-resnet50"}


def test_cost_is_counted(results: StudyResults) -> None:
    assert results.pretraining is not None
    by_name = {each.source: each for each in results.pretraining.sources}
    small, large = by_name["random-resnet18"], by_name["random-resnet50"]
    assert (small.n_features, large.n_features) == (64, 256)
    # The stem (7x7 on 3 to 64) and two blocks of two 3x3 convolutions, each with the two numbers of its batch norm.
    assert small.parameters == 9408 + 128 + 4 * (36864 + 128)
    assert small.multiply_adds == 9408 * 32 * 32 + 4 * 36864 * 16 * 16
    assert large.bytes is None


def test_similarity_is_that_of_the_feature_tables(folder: Path, results: StudyResults) -> None:
    assert results.pretraining is not None
    (found,) = results.pretraining.similarities
    tables = [pd.read_parquet(folder / "first" / "features" / f"{name}.parquet") for name in found.sources]
    training = pd.read_csv(folder / "cohort" / "cohort.csv", dtype=str).query("set == 'training'")["case"]
    expected = debiased_cka(*(table.loc[training].to_numpy() for table in tables))
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_robustness_is_a_paired_test_on_changed_images(results: StudyResults) -> None:
    assert results.pretraining is not None
    found = results.pretraining.robustness
    assert [(each.change, each.source) for each in found] == [
        (change, source) for source in ("random-resnet18", "random-resnet50") for change in ("noise", "roi_shuffle")
    ]
    noise, shuffled = found[:2]
    assert noise.shift is not None
    assert shuffled.shift is not None
    assert 0 < noise.shift < shuffled.shift
    for each in found:
        first, second = each.comparison.values
        assert (each.set, each.comparison.n, each.comparison.paired) == ("internal", 18, True)
        assert each.comparison.difference == pytest.approx(first - second)
        assert second == next(
            item.value for item in results.estimates if (item.metric, item.set, item.model) == ("macro_auc", "internal",
                                                                                               each.comparison.models[1])
        )  # fmt: skip


def test_where_the_reference_is_absent_the_control_takes_its_place() -> None:
    asked = "pretraining: {reference: imagenet, robustness: []}"
    text = STUDY.replace("radimagenet, random", "vicreg, imagenet").replace(
        "pretraining: {pairs: all, robustness: [noise, roi_shuffle]}", asked
    )
    study = Study.from_text(text.partition("evaluation:")[0])
    arms = ["deep-vicreg-resnet50", "deep-random-resnet50", "deep-imagenet-resnet18", "deep-random-resnet18"]
    found = planned_pairs(study, arms)
    assert found is not None
    assert set(found) == {
        ("deep-vicreg-resnet50", "deep-random-resnet50"),
        ("deep-random-resnet18", "deep-imagenet-resnet18"),
    }


def test_a_change_that_spoils_every_image_of_a_set_is_named_and_costs_no_run(folder: Path) -> None:
    study = Study.from_yaml(folder / "study.yaml")
    cohort, model = study.read_cohort().of_set("internal"), load_model(folder / "first" / "model")
    source = model.name.split("/")[0].removeprefix("deep-")
    table = FeatureTable(pd.read_parquet(folder / "first" / "features" / f"{source}.parquet"), {source: {}})
    nothing = FeatureTable(pd.DataFrame(), {source: {}})
    spread = np.ones(table.frame.shape[1])
    test, *features = _tried(model, cohort, "erode", tables=(nothing, table), spread=spread, level=0.95)
    assert (test.p, test.reason, test.set) == (None, "no changed image could be used", "internal")
    assert features == [None, None]
    same, correlation, shift = _tried(model, cohort, "none", tables=(table, table), spread=spread, level=0.95)
    assert (same.difference, same.n, correlation, shift) == (0.0, 18, pytest.approx(1.0), 0.0)


def test_a_source_that_takes_the_name_of_its_control_is_a_mistake() -> None:
    text = STUDY.partition("features:")[0] + "features: {deep: [{weights: imagenet, name: RANDOM}]}\n"
    with pytest.raises(StudyError, match="two entries of deep are named 'RANDOM'"):
        Study.from_text(text)


def test_pairs_of_the_plan_are_tested_and_adjusted(results: StudyResults) -> None:
    found = [each for each in results.comparisons if each.family == "secondary"]
    assert [each.models for each in found] == [("deep-random-resnet18/logistic", "deep-random-resnet50/logistic")]
    assert found[0].adjustment == "holm"


def test_the_final_model_predicts_a_new_film_as_it_did_in_the_run(folder: Path, results: StudyResults) -> None:
    cases = pd.read_csv(folder / "cohort" / "cohort.csv", dtype=str).query("set == 'internal'")
    case = cases.iloc[0]
    files = (folder / "cohort" / case[name] for name in ("image", "segmentation"))
    found = predict_case(folder / "first", *files)
    assert found.model == results.final_model
    (kept,) = (folder / "first" / "predictions").glob(f"{results.final_model.replace('/', '*')}.csv")
    row = pd.read_csv(kept, index_col="case").loc[case["case"]]
    assert [found.probabilities[label] for label in "012"] == pytest.approx([row[f"p_{label}"] for label in "012"])


def test_the_report_says_that_nothing_pretrained_was_there_and_plots_what_it_holds(folder: Path) -> None:
    page = (folder / "first" / "report.html").read_text()
    assert "does not answer the question of the study" in page
    drawn = pd.read_csv(folder / "first" / "figures" / "pretraining_areas.csv")
    assert set(drawn["source"]) == {"random-resnet18", "random-resnet50"}
    for name in ("pretraining_similarity", "pretraining_robustness"):
        assert (folder / "first" / "figures" / f"{name}.svg").stat().st_size > 1000


def cohort_of_centres(centres: list[str]) -> Cohort:
    count = len(centres)
    frame = pd.DataFrame({
        "patient": [f"p{at}" for at in range(count)], "label": ["0", "1"] * (count // 2), "set": "training",
        "centre": centres,
    }, index=pd.Index([f"c{at}" for at in range(count)], name="case"))  # fmt: skip
    return Cohort(frame, ("0", "1"), Path())


def test_centres_are_told_apart_where_features_show_them() -> None:
    centres = ["A", "A", "B"] * 20
    cohort = cohort_of_centres(centres)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(60, 30))
    shown = noise + 3 * (np.array(centres) == "B")[:, None]
    tables = {
        name: FeatureTable(pd.DataFrame(values, cohort.frame.index, [f"{name}:f{at}" for at in range(30)]), {name: {}})
        for name, values in (("shown", shown), ("noise", noise))
    }
    found, reason = tell_centres_apart(cohort, tables, folds=5, seed=1)
    value = {each.source: each.estimate.value for each in found}
    assert reason is None
    assert value["shown"] == 1.0
    assert 0.2 < value["noise"] < 0.8


def test_one_centre_is_answered_with_a_reason() -> None:
    found, reason = tell_centres_apart(cohort_of_centres(["A"] * 28 + ["B"] * 2), {}, folds=5, seed=1)
    assert (found, reason) == ((), "2 centres are named; two with 5 or more patients each are needed")
