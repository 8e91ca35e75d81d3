"""Every example runs as printed, with warnings as errors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radfusion.study import Study

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_scripts_run(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/study.yaml")), ids=lambda path: path.parent.name)
def test_study_files_are_valid(file: Path) -> None:
    assert Study.from_yaml(file).cohort.classes


def test_the_imported_tables_are_simulated_and_ready(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "imported-tables", tmp_path / "study")
    for command in (["simulate.py"], ["-m", "radfusion", "check", "study.yaml", "--cache", str(tmp_path / "cache")]):
        done = subprocess.run(
            [sys.executable, "-W", "error", *command],
            capture_output=True, text=True, check=False, cwd=tmp_path / "study",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "external: 60 cases of 60 patients" in done.stdout


def test_every_example_is_listed() -> None:
    text = (EXAMPLES / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.name != "README.md"]
    assert [name for name in names if name not in text] == []
