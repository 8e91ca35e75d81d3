"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
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
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study file beside a small simulated cohort: every stage of a fusion study, quick settings."""
    folder = tmp_path_factory.mktemp("small")
    sizes = {"training": 48, "internal": 24, "external": 18, "prospective": 0}
    simulate_cohort(folder / "cohort", SimulationSettings.model_validate({"seed": 3, "sizes": sizes}))
    (folder / "study.yaml").write_text(SMALL_STUDY)
    return folder / "study.yaml"


@pytest.fixture(scope="session")
def small_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache folder that the runs of the small study share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def small_run(small_study: Path, small_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run directory of the small study."""
    out = tmp_path_factory.mktemp("run")
    run(Study.from_yaml(small_study), out, executor="processes", cache=small_cache, offline=True)
    return out


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
  selection: {folds: 3}
  folds: 3
  null_runs: 2
evaluation:
  primary: {models: [early-random, radiomics], set: internal}
statements:
  modality: radiograph
"""
