"""The committed reports: rebuilt from the pipelines and compared with what is committed.

Marked ``rebuild``: left out of `make test`, run by `make reports` and by CI.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from radfusion.core.results import StudyResults

ROOT = Path(__file__).resolve().parents[1]
#: Processors round differently, and a rounding may tip a fold's choice of features.
TOLERANCE = 0.03


def summary(results: StudyResults) -> dict[str, object]:
    """What is expected of a run: counts exactly, macro AUCs of every model within the tolerance."""
    aucs = {
        f"{item.model} | {item.set}": round(item.value, 4)
        for item in results.estimates
        if item.metric == "macro_auc" and item.value is not None
    }
    return {
        "cases": {one.name: one.n_cases for one in results.sets},
        "features": {source.name: source.n_features for source in results.sources},
        "exclusions": len(results.exclusions),
        "macro_auc": aucs,
    }


def run_demo(folder: Path, cache: Path) -> StudyResults:
    command = [sys.executable, "-m", "radfusion", "demo", "--out", str(folder), "--offline", "--cache", str(cache)]
    subprocess.run(command, check=True)
    return StudyResults.read(folder / "run")


@pytest.mark.rebuild
@pytest.mark.timeout(1200)
def test_ovf_fusion_gives_the_committed_numbers_and_the_same_bytes_twice(tmp_path: Path) -> None:
    expected = json.loads((ROOT / "pipelines/ovf-fusion/expected.json").read_text())
    found = json.loads(json.dumps(summary(run_demo(tmp_path / "first", tmp_path / "cache"))))
    assert {**found, "macro_auc": {}} == {**expected, "macro_auc": {}}
    assert found["macro_auc"] == pytest.approx(expected["macro_auc"], abs=TOLERANCE)
    run_demo(tmp_path / "second", tmp_path / "cache")
    files = [tmp_path / name / "run" / "results.json" for name in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_committed_report_shows_the_committed_numbers() -> None:
    committed = ROOT / "reports" / "ovf-fusion"
    results = StudyResults.read(committed)
    expected = json.loads((ROOT / "pipelines/ovf-fusion/expected.json").read_text())
    assert json.loads(json.dumps(summary(results)))["macro_auc"] == expected["macro_auc"]
    assert results.final_model in (committed / "report.html").read_text()
