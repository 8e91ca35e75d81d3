"""The committed reports: rebuilt from the pipelines and compared with what is committed.

Marked ``rebuild``: left out of `make test`, run by `make reports` and by CI.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from radfusion.core.results import StudyResults

ROOT = Path(__file__).resolve().parents[1]
#: Processors round differently, and a rounding may tip a fold's choice of features.
TOLERANCE = 0.03
#: The benchmark's own study, small enough for every build: untrained networks only, as no weights travel with it.
SMALL_BENCHMARK = (
    "features.grid.weights=[radimagenet, imagenet, random]",
    "features.grid.networks=[resnet18, resnet50]",
    "features.grid.shared.size=64",
    "evaluation.primary.models=[deep-radimagenet-resnet50-layer4, deep-imagenet-resnet50-layer4]",
    "pretraining.pairs=all",
    "pretraining.robustness=[noise, roi_shuffle]",
    "modelling.null_runs=5",
    "modelling.repeated_splits=5",
    "statements.data_note=This cohort is simulated and no pretrained weights were at hand; its numbers say nothing "
    "about patients or weights",
)
SMALL_COHORT = {"training": 60, "internal": 40, "external": 30, "prospective": 0, "rows": 192, "columns": 112}


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
        **benchmark(results),
    }


def benchmark(results: StudyResults) -> dict[str, object]:
    """What is expected of a pretraining benchmark beside: costs exactly, similarities within the tolerance."""
    found = results.pretraining
    if found is None:
        return {}
    return {
        "multiply_adds": {each.source: each.multiply_adds for each in found.sources},
        "similarity": {" | ".join(each.sources): each.value and round(each.value, 4) for each in found.similarities},
    }


def radfusion(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "radfusion", *map(str, arguments)], check=True)


def run_demo(folder: Path, cache: Path) -> StudyResults:
    radfusion("demo", "--out", folder, "--offline", "--cache", cache)
    return StudyResults.read(folder / "run")


def run_benchmark(folder: Path, cache: Path) -> StudyResults:
    radfusion("new", "pretraining-benchmark", "--out", folder)
    sizes = [part for name, number in SMALL_COHORT.items() for part in (f"--{name}", str(number))]
    radfusion("simulate", folder / "cohort", *sizes)
    overrides = [part for each in SMALL_BENCHMARK for part in ("--set", each)]
    radfusion("run", folder / "study.yaml", "--offline", "--out", folder / "run", "--cache", cache, *overrides)
    return StudyResults.read(folder / "run")


RUNS = {"ovf-fusion": run_demo, "pretraining-benchmark": run_benchmark}


@pytest.mark.rebuild
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("name", "run"), RUNS.items(), ids=list(RUNS))
def test_a_pipeline_gives_the_committed_numbers_and_the_same_bytes_twice(
    name: str, run: Callable[[Path, Path], StudyResults], tmp_path: Path
) -> None:
    expected = json.loads((ROOT / "pipelines" / name / "expected.json").read_text())
    found = json.loads(json.dumps(summary(run(tmp_path / "first", tmp_path / "cache"))))
    near = {key for key in expected if key in {"macro_auc", "similarity"}}
    assert {key: found[key] for key in found if key not in near} == {
        key: expected[key] for key in expected if key not in near
    }
    for key in near:
        assert found[key] == pytest.approx(expected[key], abs=TOLERANCE)
    run(tmp_path / "second", tmp_path / "cache")
    files = [tmp_path / folder / "run" / "results.json" for folder in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("name", list(RUNS))
def test_the_committed_report_shows_the_committed_numbers(name: str) -> None:
    committed = ROOT / "reports" / name
    results = StudyResults.read(committed)
    expected = json.loads((ROOT / "pipelines" / name / "expected.json").read_text())
    assert json.loads(json.dumps(summary(results)))["macro_auc"] == expected["macro_auc"]
    assert results.final_model in (committed / "report.html").read_text()
