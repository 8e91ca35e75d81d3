"""Arms that a study names, with clinical features: from the study file to the saved model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import radfusion as rf
from radfusion.core.results import StudyResults
from radfusion.pipelines.fusion import run
from radfusion.study import Study

NAMED = [
    "cohort.covariates={age: {type: number, unit: years}, sex: {type: category}, bmd: {type: number}}",
    "features.clinical=[age, sex, bmd]",
    "modelling.classifiers=[logistic]",
    "modelling.arms={both: [clinical, radiomics], stacked: {late: [both, deep-random, clinical], rule: stacking}, "
    "absent: [clinical, radimagenet]}",
    "modelling.default_arms=false",
    "modelling.inner_folds=3",
    "modelling.choice={rule: named, model: stacked/logistic}",
    "modelling.null_runs=0",
    "modelling.repeated_splits=0",
    "evaluation.primary={models: [stacked, both], set: internal}",
    "features.controls=[roi_shuffle]",
]


@pytest.fixture(scope="module")
def folder(small_study: Path, small_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("arms") / "run"
    run(Study.from_yaml(small_study, NAMED), out, executor="serial", cache=small_cache, offline=True)
    return out


@pytest.fixture(scope="module")
def results(folder: Path) -> StudyResults:
    return StudyResults.read(folder)


def test_only_the_named_arms_and_what_they_fuse_are_fitted(results: StudyResults, folder: Path) -> None:
    assert [model.arm for model in results.models] == ["deep-random", "clinical", "both", "stacked"]
    assert "arm 'absent' is left out: 'radimagenet' is not here" in (folder / "log.txt").read_text()


def test_the_clinical_source_is_told_as_others_are(results: StudyResults) -> None:
    source = next(source for source in results.sources if source.name == "clinical")
    assert (source.kind, source.n_features) == ("clinical", 3)
    assert source.settings["settings"]["covariates"]["age"] == {"type": "number", "unit": "years"}


def test_stacking_has_a_weight_for_each_part(results: StudyResults) -> None:
    final = next(model for model in results.models if model.final)
    assert (final.model, final.fusion, final.rule) == ("stacked/logistic", "late", "stacking")
    assert final.parts == ("both/logistic", "deep-random/logistic", "clinical/logistic")
    assert sum(final.weights["parts"]) == pytest.approx(1)
    assert min(final.weights["parts"]) >= 0
    assert len(final.weights["classes"]) == 3


def test_the_gain_of_each_step_is_tested(results: StudyResults) -> None:
    tested = {
        tuple(model.split("/")[0] for model in item.models)
        for item in results.comparisons
        if item.role in ("primary", "secondary")
    }
    assert {("both", "clinical"), ("stacked", "both"), ("stacked", "deep-random"), ("stacked", "clinical")} == tested


def test_the_saved_model_of_three_parts_gives_the_same_probabilities(folder: Path) -> None:
    names = ("radiomics", "random", "clinical")
    tables = [rf.FeatureTable.from_parquet(folder / "features" / f"{name}.parquet") for name in names]
    predicted = rf.load_model(folder / "model").predict(tables[0].join(tables[1]).join(tables[2]))
    frame = pd.read_csv(folder / "predictions" / "stacked_logistic.csv", index_col="case")
    others = frame.index[frame["set"] != "training"]
    columns = ["p_0", "p_1", "p_2"]
    np.testing.assert_allclose(predicted.frame.loc[others, columns], frame.loc[others, columns], atol=1e-12)


def test_controls_leave_clinical_features_as_they_are(results: StudyResults) -> None:
    one = results.controls[0]
    images = sum(source.n_features for source in results.sources if source.name in ("radiomics", "random"))
    assert (one.model, one.n_features) == ("stacked/logistic", images)
