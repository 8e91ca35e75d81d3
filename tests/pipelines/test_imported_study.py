"""A study whose features all come from tables: no image is read, and none is spoken of."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.hashing import content_hash, file_hash
from radfusion.core.results import StudyResults
from radfusion.errors import FeatureError, StudyError
from radfusion.execution.executors import executor_named
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.pipelines.checking import check
from radfusion.pipelines.extraction import extractions_of
from radfusion.pipelines.fusion import run
from radfusion.study import Study
from tests.imported_tables import LEAKS, raw, write_pyradiomics

STUDY = """\
title: A study of tables
cohort: {table: cohort.csv, classes: [0, 1]}
features:
  imported:
    - {name: radiomics, file: features.csv}
    - {name: cnn, kind: deep, file: scores.csv, case: file}
modelling: {folds: 3, null_runs: 0, classifiers: [logistic], steps: [missing, variance, scale]}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study file beside a cohort table without images, a PyRadiomics table and a table of two scores."""
    rng, table = np.random.default_rng(4), raw(96)
    labels = rng.permutation(np.arange(96) % 2)
    table["original_glcm_Contrast"] *= 1 + labels
    sets = ["training"] * 60 + ["internal"] * 36
    cohort = pd.DataFrame({"case": table.index, "patient": table.index, "label": labels, "set": sets})
    cohort.to_csv(tmp_path / "cohort.csv", index=False)
    write_pyradiomics(tmp_path / "features.csv", table)
    scores = pd.DataFrame({"unit 1": labels + rng.normal(size=96), "unit 2": rng.normal(size=96)})
    scores.index = pd.Index([f"{case}.png" for case in table.index])
    scores.to_csv(tmp_path / "scores.csv", index_label="file")
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path / "study.yaml"


def finished(study: Path, name: str, *overrides: str) -> StudyResults:
    loaded = Study.from_yaml(study, overrides)
    return run(loaded, study.parent / name, executor=executor_named("serial", 1), cache=study.parent / "cache")


def rewrite(study: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    table = raw(96)
    changed = pd.DataFrame(change(table.to_numpy().copy()), index=table.index, columns=table.columns[: len(table.T)])
    write_pyradiomics(study.parent / "features.csv", changed)


def test_it_runs_without_images_and_again_byte_for_byte(study: Path) -> None:
    results = finished(study, "one")
    assert {model.arm for model in results.models} == {"radiomics", "deep-cnn", "early-cnn", "late-cnn"}
    assert [(each.name, each.kind, each.n_features) for each in results.sources] == [
        ("radiomics", "radiomics", 12),
        ("cnn", "deep", 2),
    ]
    files = [study.parent / name for name in ("features.csv", "scores.csv")]
    assert results.provenance.images_sha256 == content_hash([file_hash(path) for path in files])
    finished(study, "two")
    assert (study.parent / "one" / "results.json").read_bytes() == (study.parent / "two" / "results.json").read_bytes()


def test_the_report_says_what_was_imported_and_claims_no_image(study: Path) -> None:
    results = finished(study, "run")
    methods = (study.parent / "run" / "methods.md").read_text()
    assert "12 radiomic features per case (radiomics) were imported from features.csv" in methods
    assert "extracted with PyRadiomics" not in methods
    page = (study.parent / "run" / "report.html").read_text()
    assert "Images SHA-256" not in page
    assert "No image was read: all features come from tables." in page
    found = [(each.code, each.verdict) for each in results.audit if "imported table" in each.message]
    assert found == [("RF02", "pass"), ("RF02", "pass")]


def test_an_arm_without_features_is_told_with_the_step_that_took_them(study: Path) -> None:
    class Notes(Progress):
        def __init__(self) -> None:
            self.said: list[str] = []

        def say(self, message: str) -> None:
            self.said.append(message)

    notes = Notes()
    strict = Study.from_yaml(study, ["modelling.steps=[{step: univariate, alpha: 1.0e-12}]"])
    run(strict, study.parent / "run", executor="serial", cache=study.parent / "cache", progress=notes)
    told = (
        "no feature is left after the step 'univariate', so its models predict the class shares of the training cases"
    )
    assert sum(told in said for said in notes.said) == 3
    assert any(said.startswith("arm 'radiomics': no feature") and "modelling.steps" in said for said in notes.said)


def test_check_names_cases_without_a_row(study: Path) -> None:
    frame = pd.read_csv(study.parent / "features.csv", dtype=str)
    frame.drop(index=[2, 3]).to_csv(study.parent / "features.csv", index=False)
    found = check(Study.from_yaml(study), study.parent / "checked", Workers())
    assert found.problems == (
        "case 'P002', row 4: imported table: has no row in features.csv",
        "case 'P003', row 5: imported table: has no row in features.csv",
    )
    assert (study.parent / "checked" / "intake.html").is_file()
    results = finished(study, "run")
    assert [each.case for each in results.exclusions] == ["P002", "P003"]


@pytest.mark.parametrize("leak", LEAKS)
def test_tables_that_leak_end_with_a_sentence(leak: str, study: Path) -> None:
    rewrite(study, LEAKS[leak])
    for command in ("check", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "radfusion", command, str(study), "--out", str(study.parent / command)],
            capture_output=True, text=True, check=False, env=os.environ | {"RADFUSION_CACHE": str(study.parent / "c")},
        )  # fmt: skip
        assert "cannot be acknowledged away" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        assert done.returncode == 2
    assert not (study.parent / "run" / "results.json").exists()


def test_what_needs_images_is_refused_in_the_study_file(study: Path) -> None:
    for override, key in (
        ("features.controls=[roi_shuffle]", "controls"),
        ("features.stability.perturbations=[rotate]", "perturbations"),
    ):
        with pytest.raises(StudyError, match=f"{key}: no source of this study reads an image"):
            Study.from_yaml(study, [override])


def test_there_is_nothing_to_extract(study: Path) -> None:
    with pytest.raises(FeatureError, match="all features of the study come from tables"):
        extractions_of(study)


def test_names_of_sources_must_differ(study: Path) -> None:
    with pytest.raises(StudyError, match="imported: 'radiomics' is the name of another source; write radiomics: null"):
        Study.from_yaml(study, ["features.radiomics={}"])
    with pytest.raises(StudyError, match="imported: 'radiomics' is the name of another source"):
        Study.from_yaml(study, ["features.imported.1.name=radiomics"])


@pytest.mark.data
@pytest.mark.slow
def test_two_published_centres_are_a_study(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "tabular" / "deep_prognosis"
    read = {name: pd.read_csv(folder / f"{name}.csv", usecols=["id", "surv2yr"]) for name in ("HarvardRT", "Radboud")}
    parts = [each.assign(centre=name, case=name + "-" + each["id"].astype(str)) for name, each in read.items()]
    together = pd.concat(parts)
    together["set"] = together["centre"].map({"HarvardRT": "training", "Radboud": "external"})
    together.assign(patient=together["case"]).to_csv(tmp_path / "cohort.csv", index=False)
    files = "{" + ", ".join(f"{name}: {folder / name}.csv" for name in read) + "}"
    (tmp_path / "study.yaml").write_text(f"""\
title: Two-year survival
cohort: {{table: cohort.csv, columns: {{label: surv2yr}}, classes: [0, 1]}}
features:
  imported:
    - {{name: radiomics, files: {files}}}
    - {{name: cnn, kind: deep, files: {files}, columns: [logit_0, logit_1]}}
modelling: {{folds: 3, null_runs: 0, classifiers: [logistic]}}
""")
    results = finished(tmp_path / "study.yaml", "run")
    assert [(each.name, each.n_cases) for each in results.sets] == [("training", 293), ("external", 104)]
    assert [(each.name, each.n_features) for each in results.sources] == [("radiomics", 1004), ("cnn", 2)]
    assert {each.arm for each in results.models} >= {"radiomics", "deep-cnn", "early-cnn", "late-cnn"}
