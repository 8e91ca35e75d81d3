"""The command line as a user meets it: real processes, exit codes, sentences instead of tracebacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

QUICK = ["--set", "modelling.null_runs=0", "--set", "modelling.classifiers=[logistic]"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def radfusion(small_cache: Path) -> Run:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "radfusion", *map(str, arguments)]
        environment = os.environ | {"RADFUSION_CACHE": str(small_cache)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=240)

    return call


@pytest.fixture
def study(small_study: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_study.parent, tmp_path / "study", ignore=shutil.ignore_patterns("as-*"))
    return tmp_path / "study" / "study.yaml"


def table_of(study: Path) -> Path:
    return study.parent / "cohort" / "cohort.csv"


def edit_table(study: Path, change: Callable[[pd.DataFrame], object]) -> None:
    frame = pd.read_csv(table_of(study), dtype=str, keep_default_na=False)
    changed = change(frame)
    (changed if isinstance(changed, pd.DataFrame) else frame).to_csv(table_of(study), index=False)


def typo(study: Path) -> None:
    study.write_text(study.read_text().replace("null_runs", "nul_runs"))


def missing_column(study: Path) -> None:
    edit_table(study, lambda frame: frame.rename(columns={"segmentation": "outline"}))


def missing_image(study: Path) -> None:
    (study.parent / "cohort" / pd.read_csv(table_of(study))["image"][0]).unlink()


def unreadable_image(study: Path) -> None:
    path = study.parent / "cohort" / pd.read_csv(table_of(study))["image"][0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def mask_of_another_size(study: Path) -> None:
    path = study.parent / "cohort" / pd.read_csv(table_of(study))["segmentation"][0]
    Image.open(path).resize((50, 40), Image.Resampling.NEAREST).save(path)


def patient_in_two_sets(study: Path) -> None:
    edit_table(study, lambda frame: frame.loc.__setitem__((len(frame) - 1, "patient"), frame["patient"][0]))


def set_with_one_class(study: Path) -> None:
    edit_table(study, lambda frame: frame.loc.__setitem__((frame["set"] == "external", "label"), "1"))


BAD = {
    typo: r"study\.yaml:\d+: modelling\.nul_runs: unknown key; did you mean 'null_runs'\? known: ",
    missing_column: r"cohort\.csv: 1 mistake\n  - no column 'segmentation' \(for segmentation\); .*known: case, ",
    missing_image: r"row 2: read: SIM0001\.png: .*",
    unreadable_image: r"row 2: read: SIM0001\.png: .*",
    mask_of_another_size: r"row 2: segmentation: .*40 .* 50.*must be equal",
    patient_in_two_sets: r"patient 'SIM0001' is in two sets: training \(rows? .*\), external \(row \d+\); all cases",
    set_with_one_class: r"set 'external' has one class only \('1'\); a set needs at least two",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_input_is_answered_with_what_where_and_what_is_allowed(
    spoil: Callable[[Path], None], study: Path, radfusion: Run
) -> None:
    spoil(study)
    answer = radfusion("check", study, "--out", study.parent / "check")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stdout + answer.stderr
    assert re.search(BAD[spoil], answer.stderr), answer.stderr


def test_a_good_study_is_ready(study: Path, radfusion: Run) -> None:
    answer = radfusion("check", study, "--out", study.parent / "check")
    assert answer.returncode == 0, answer.stderr
    assert (study.parent / "check" / "intake.html").exists()
    assert "training: 48 cases of" in answer.stdout
    assert "weights source 'radimagenet' would be left out" in answer.stdout


def test_a_run_with_a_bad_case_ends_with_1_and_names_it(study: Path, radfusion: Run, tmp_path: Path) -> None:
    missing_image(study)
    answer = radfusion("run", study, "--out", tmp_path / "run", "--offline", *QUICK)
    assert answer.returncode == 1, answer.stderr
    assert "SIM0001" in answer.stderr.split("cases were excluded:")[1]
    assert (tmp_path / "run" / "results.json").exists()
    assert "NO PRETRAINED NETWORK" in answer.stdout


def test_a_killed_run_goes_on_where_it_was(study: Path, tmp_path: Path) -> None:
    """An interrupted run leaves no results.json; the next one finds the finished cases and gives the same bytes."""
    command = [sys.executable, "-m", "radfusion", "run", str(study), "--offline", "--executor", "serial", *QUICK]
    environment = os.environ | {"RADFUSION_CACHE": str(tmp_path / "cache")}
    with (tmp_path / "first.txt").open("w") as log:
        first = subprocess.Popen([*command, "--out", str(tmp_path / "a")], stderr=log, stdout=log, env=environment)
        while first.poll() is None and "clean and select: [" not in (tmp_path / "first.txt").read_text():
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not (tmp_path / "a" / "results.json").exists()
    again = subprocess.run(
        [*command, "--out", str(tmp_path / "a")], capture_output=True, text=True, check=False, env=environment
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("90 from cache") == 2
    fresh = environment | {"RADFUSION_CACHE": str(tmp_path / "other")}
    subprocess.run([*command, "--out", str(tmp_path / "b")], capture_output=True, env=fresh, check=True)
    assert (tmp_path / "a" / "results.json").read_bytes() == (tmp_path / "b" / "results.json").read_bytes()


def test_the_report_is_rendered_again_from_results_alone(small_run: Path, tmp_path: Path, radfusion: Run) -> None:
    shutil.copy(small_run / "results.json", tmp_path)
    assert radfusion("report", tmp_path).returncode == 0
    assert (tmp_path / "report.html").read_bytes() == (small_run / "report.html").read_bytes()


def test_predict_gives_the_probabilities_of_the_run(small_study: Path, small_run: Path, radfusion: Run) -> None:
    frame = pd.read_csv(small_study.parent / "cohort" / "cohort.csv")
    case = frame[frame["set"] == "external"].iloc[0]
    files = [small_study.parent / "cohort" / case[name] for name in ("image", "segmentation")]
    answer = radfusion("predict", small_run, files[0], "--segmentation", files[1])
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    rows = pd.read_csv(small_run / "predictions" / f"{found['model'].replace('/', '_')}.csv", index_col="case")
    assert found["probabilities"]["0"] == pytest.approx(rows.at[case["case"], "p_0"], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["names", "classifer"], "did you mean 'classifier'?"),
        (["schema", "result"], "did you mean 'results'?"),
        (["new", "ovf-fuson"], "did you mean 'ovf-fusion'?"),
        (["report", "/nowhere"], "no such file"),
        (["run", "/nowhere/study.yaml"], "cannot be read"),
        (["weights", "fetch", "imagenett"], "did you mean 'imagenet'?"),
        (["weights", "import", "random", "x.pt"], "random"),
        (["simulate", "--format", "jpeg"], "allowed are png and dicom"),
        (["simulate", "--training", "3"], "--training 3: allowed is greater than or equal to 12"),
        (["simulate", "--rows", "400", "--columns", "100"], "allowed are 208 to 400"),
        (["extract", "cohort.docx"], "neither a study file nor a table"),
    ],
)
def test_wrong_arguments_are_answered(arguments: list[str], message: str, radfusion: Run) -> None:
    answer = radfusion(*arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_extract_writes_one_table_per_source(study: Path, tmp_path: Path, radfusion: Run) -> None:
    assert radfusion("extract", study, "--out", tmp_path / "tables", "--offline").returncode == 0
    kinds = ("csv", "parquet", "provenance.json")
    tables = [f"{source}.{kind}" for source in ("radiomics", "random") for kind in kinds]
    written = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert written == sorted(["dictionary.csv", "exclusions.csv", *tables])


def test_help_lists_every_command_and_documents_every_option(radfusion: Run) -> None:
    text = radfusion("--help").stdout
    for command in ("demo", "new", "check", "run", "extract", "report", "predict", "simulate", "names", "schema"):
        assert command in text
        assert radfusion(command, "--help").returncode == 0
