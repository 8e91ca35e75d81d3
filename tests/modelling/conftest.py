"""Simulated arms: a table of features and the cohort that it belongs to."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.rows import Rows
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.steps.base import Training

#: The default steps with a short path and few folds.
LASSO = {"step": "lasso", "n_lambdas": 12, "folds": 3}
STEPS = ["missing", "stability", "variance", "univariate", "correlation", "scale", LASSO]


def simulated(classes=3, *, n=120, p=40, effect=1.0, informative=6, seed=0, source="radiomics", per_patient=2):
    """Table and cohort: the first `informative` features shift with the class; a quarter of the cases is internal."""
    who = np.random.default_rng(0)
    codes = who.permutation(np.arange(n) % classes)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, p))
    values[:, :informative] += effect * rng.normal(size=(classes, informative))[codes]
    cases = [f"case-{i:04d}" for i in range(n)]
    frame = pd.DataFrame(values, index=cases, columns=[f"{source}:f{i:03d}" for i in range(p)])
    rows = pd.DataFrame(
        {
            "patient": [f"patient-{i // per_patient}" for i in range(n)],
            "label": [f"grade {code}" for code in codes],
            "set": np.where(np.arange(n) < n * 3 // 4, "training", "internal"),
        },
        index=pd.Index(cases, name="case"),
    )
    cohort = Cohort(rows, tuple(f"grade {k}" for k in range(classes)), Path())
    return FeatureTable(frame, {source: {"version": "1", "weights": None}}), cohort


@pytest.fixture(scope="session")
def simulate():
    """Return the simulation."""
    return simulated


@pytest.fixture(scope="session")
def quick():
    """Return settings with short paths and few folds; keyword arguments replace others."""

    def settings(**changes):
        return ModellingSettings(**{"steps": STEPS, "folds": 3, "null_runs": 2} | changes)

    return settings


@pytest.fixture(scope="session")
def fitted(simulate, quick):
    """Return a function from the number of classes to an arm of every classifier, its table and its cohort."""

    @functools.cache
    def fit(classes):
        table, cohort = simulate(classes, n=80, p=20, effect=2.0)
        return fit_arms({"arm": table}, cohort, quick(folds=2), seed=1)["arm"], table, cohort

    return fit


def simulated_training(
    *, values=None, names=None, codes=None, n=90, p=20, classes=2, informative=3, factors=0, copies=False, unstable=None
):
    """What a step is fitted on: random features of source a, or given values; with `copies`, one feature four times."""
    rng = np.random.default_rng(7)
    codes = rng.permutation(np.arange(n) % classes) if codes is None else codes
    if values is None:
        values = rng.normal(size=(n, p))
        values[:, :informative] += 1.5 * rng.normal(size=(classes, informative))[codes]
        if factors:
            values = rng.normal(size=(n, factors)) @ rng.normal(size=(factors, p)) + 0.3 * values
    if copies:
        values = np.repeat(codes[:, None] + rng.normal(size=(n, 1)), 4, axis=1)
    names = names or tuple(f"a:f{at:03d}" for at in range(values.shape[1]))
    frame = pd.DataFrame(values, columns=names)
    labels = TrainingLabels(codes, np.arange(len(codes)), tuple("klm")[: codes.max() + 1])
    return Training(Rows.from_frame(frame), labels, unstable, 1)


@pytest.fixture(scope="session")
def training():
    """Return the simulation of what a step is fitted on."""
    return simulated_training
