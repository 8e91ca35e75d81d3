"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.pipelines.fusion import run
from radfusion.study import Study

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real films and weights: RADFUSION_SHARED, or `shared` beside the repository."""
    named = os.environ.get("RADFUSION_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (RADFUSION_SHARED names another)")
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the small study, made once for all test processes: cohort, study file, cache and run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "run" / "results.json").exists():
            sizes = {"training": 48, "internal": 24, "external": 18, "prospective": 0}
            simulate_cohort(folder / "study" / "cohort", SimulationSettings.model_validate({"seed": 3, "sizes": sizes}))
            (folder / "study" / "study.yaml").write_text(SMALL_STUDY)
            study = Study.from_yaml(folder / "study" / "study.yaml")
            run(study, folder / "run", executor="processes", cache=folder / "cache", offline=True)
    return folder


@pytest.fixture(scope="session")
def small_study(small: Path) -> Path:
    """Return a study file beside a small simulated cohort: every stage of a fusion study, quick settings."""
    return small / "study" / "study.yaml"


@pytest.fixture(scope="session")
def small_cache(small: Path) -> Path:
    """Return the cache folder that the runs of the small study share."""
    return small / "cache"


@pytest.fixture(scope="session")
def small_run(small: Path) -> Path:
    """Return the run directory of the small study."""
    return small / "run"


SMALL_STUDY = """\
kind: fusion
title: A small study
seed: 7
cohort:
  table: cohort/cohort.csv
  classes: [0, 1, 2]
  unit: vertebra
features:
  radiomics:
    image_types: [original]
    feature_classes: [shape, firstorder, glcm]
  deep:
    - {weights: random, layer: layer1, size: 64}
    - {weights: radimagenet}
modelling:
  steps: [missing, variance, univariate, correlation, scale, {step: lasso, folds: 3}]
  folds: 3
  null_runs: 2
  repeated_splits: 2
evaluation:
  primary: {models: [early-random, radiomics], set: internal}
statements:
  modality: radiograph
"""
