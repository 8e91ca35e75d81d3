"""`radfusion predict` as a user meets it: an answer, or a sentence and an exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def predict(small_cache: Path) -> Run:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "radfusion", "predict", *map(str, arguments)]
        environment = os.environ | {"RADFUSION_CACHE": str(small_cache)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=240)

    return call


@pytest.fixture(scope="module")
def cases(small_study: Path) -> pd.DataFrame:
    """Return two external cases with absolute file names, without labels and sets."""
    frame = pd.read_csv(small_study.parent / "cohort" / "cohort.csv", index_col="case")
    frame = frame[frame["set"] == "external"].iloc[:2]
    return frame[["image", "segmentation"]].map(lambda name: str(small_study.parent / "cohort" / name))


def test_one_case_is_answered_with_probabilities_decisions_warnings_and_reasons(
    cases: pd.DataFrame, small_run: Path, predict: Run
) -> None:
    first = cases.iloc[0]
    answer = predict(small_run, first["image"], "--segmentation", first["segmentation"])
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    rows = pd.read_csv(small_run / "predictions" / f"{found['model'].replace('/', '_')}.csv", index_col="case")
    expected = {name: rows.at[cases.index[0], f"p_{name}"] for name in "012"}
    assert found["probabilities"] == pytest.approx(expected, abs=1e-9)
    assert [each["class"] for each in found["decisions"]] == ["0", "1", "2"]
    assert found["explanation"]["class"] == found["predicted"]
    assert set(found) == {
        "case", "model", "probabilities", "class_names", "predicted", "decisions", "warnings", "explanation"
    }  # fmt: skip
    assert cases.index[0] not in answer.stdout


def test_a_table_is_answered_and_a_case_without_answer_ends_with_1(
    cases: pd.DataFrame, small_run: Path, predict: Run, tmp_path: Path
) -> None:
    table = cases.copy()
    table.loc["lost"] = [str(tmp_path / "nowhere.png"), table.iloc[0]["segmentation"]]
    table.to_csv(tmp_path / "new.csv")
    out = tmp_path / "answers.csv"
    answer = predict(small_run, "--cohort", tmp_path / "new.csv", "--out", out, "--executor", "serial")
    assert answer.returncode == 1, answer.stderr
    assert "1 cases were excluded:\n  lost: read: nowhere.png: " in answer.stderr
    assert answer.stdout.split() == [str(out), str(out.with_suffix(".jsonl"))]
    assert pd.read_csv(out)["case"].tolist() == list(cases.index)
    assert len(out.with_suffix(".jsonl").read_text().splitlines()) == 2


def test_a_changed_model_is_refused(cases: pd.DataFrame, small_run: Path, predict: Run, tmp_path: Path) -> None:
    shutil.copytree(small_run / "model", tmp_path / "model")
    contract = tmp_path / "model" / "input.json"
    contract.write_text(contract.read_text().replace('"maximum": ', '"maximum": 1', 1))
    answer = predict(tmp_path, cases.iloc[0]["image"], "--segmentation", cases.iloc[0]["segmentation"])
    assert answer.returncode == 2
    assert "input.json: its SHA-256 is not the one that model.json states" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN"], "give an image with --segmentation, or a table of cases with --cohort"),
        (["RUN", "IMAGE", "--segmentation", "MASK", "--features", "x.csv"], "--features is of a table of cases"),
        (["RUN", "IMAGE", "--segmentation", "MASK", "--out", "x.csv"], "--out is of a table of cases"),
        (["RUN", "--cohort", "x.csv", "--centre", "A"], "--centre is of a single image; the table of cases has"),
        (["RUN", "--cohort", "x.csv", "--covariate", "age=3"], "--covariate is of a single image"),
        (["RUN", "--cohort", "nowhere.csv"], "^radfusion: nowhere.csv: there is no such file"),
        (["RUN", "IMAGE"], "--segmentation FILE says where the region is"),
        (["NOWHERE", "IMAGE", "--segmentation", "MASK"], "holds no model; give the folder of a finished run"),
        (["RUN", "IMAGE", "--segmentation", "MASK", "--covariate", "age"], "write NAME=VALUE, for example age=63"),
        (["RUN", "IMAGE", "--segmentation", "MASK", "--covariate", "age=3"], "the model does not ask for 'age'"),
        (["RUN", "IMAGE", "--segmentation", "MASK", "--segmentation-label", "7"], "segmentation: .*7"),
        (["RUN", "MASK", "--segmentation", "IMAGE"], "segmentation: "),
    ],
)
def test_mistakes_are_answered_with_a_sentence_and_2(
    arguments: list[str], message: str, cases: pd.DataFrame, small_run: Path, predict: Run
) -> None:
    first = cases.iloc[0]
    named = {"RUN": small_run, "NOWHERE": "/nowhere", "IMAGE": first["image"], "MASK": first["segmentation"]}
    answer = predict(*[named.get(each, each) for each in arguments])
    assert answer.returncode == 2, answer.stdout
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    assert re.search(message, answer.stderr), answer.stderr
