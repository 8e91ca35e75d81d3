"""Every classifier with its defaults on small cohorts: good without tuning, and at what cost.

``python benchmarks/classifiers.py --tables FOLDER`` writes ``benchmarks/results/classifiers.csv``. FOLDER holds tables
of features and an ``index.csv`` that names them (``file``, ``outcome``); without it, only simulated cohorts are used.
Per cohort, 5-fold cross-validation: in each fold the 20 features that differ most between classes, no two with a
correlation above 0.9, go to all classifiers. ``--trials`` asks for a search by inner folds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.fits import FitTask, InnerFold, fit_part
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import PreparationTask, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc
from radfusion.modelling.settings import ModellingSettings
from radfusion.modelling.tuning import TuningSettings

RESULTS = Path(__file__).parent / "results" / "classifiers.csv"
STEPS = ModellingSettings(
    steps=[
        "missing",
        "variance",
        "correlation",
        {"step": "univariate", "test": "anova", "alpha": 1, "top": 20},
        "scale",
    ]
).steps
FOLDS, SEED = 5, 1
SIMULATED = {
    "simulated 80": (80, 2, 200, 0.5),
    "simulated 150": (150, 3, 300, 0.45),
    "simulated 400": (400, 3, 500, 0.35),
}


def main() -> None:
    """Fit every classifier on every cohort, print the means and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="folder of feature tables with an index.csv")
    parser.add_argument("--classifiers", nargs="+", default=list(CLASSIFIERS))
    parser.add_argument("--trials", type=int, default=0, help="settings tried per classifier")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    cohorts = {**(dict(read_tables(asked.tables)) if asked.tables else {}), **dict(simulated())}
    rows = [row for name, (x, y) in cohorts.items() for row in judged(name, x, y, asked=asked)]
    table = pd.DataFrame(rows)
    table.to_csv(asked.out, index=False, float_format="%.4f")
    table["kind"] = np.where(table["cohort"].str.startswith("simulated"), "simulated", "tables")
    means = table.pivot_table(["macro_auc", "log_loss", "fit_ms"], "classifier", "kind", sort=False)
    print(means.round(3).to_string())


def read_tables(folder: Path) -> Iterator[tuple[str, tuple[pd.DataFrame, np.ndarray]]]:
    """Numbers and classes of every table of the index."""
    for _, entry in pd.read_csv(folder / "index.csv").iterrows():
        frame = pd.read_csv(folder / entry["file"])
        codes = frame[entry["outcome"]].astype("category").cat.codes.to_numpy(dtype=np.intp)
        yield (
            Path(entry["file"]).name.split(".")[0],
            (frame.drop(columns=entry["outcome"]).select_dtypes("number"), codes),
        )


def simulated() -> Iterator[tuple[str, tuple[pd.DataFrame, np.ndarray]]]:
    """Cohorts of normal features: ten shift with the class, ten others follow them."""
    for number, (name, (n, classes, p, effect)) in enumerate(SIMULATED.items()):
        rng = np.random.default_rng(number)
        codes = rng.permutation(np.arange(n) % classes)
        values = rng.normal(size=(n, p))
        values[:, 10:20] += 0.7 * values[:, :10]
        values[:, :10] += effect * rng.normal(size=(classes, 10))[codes]
        yield name, (pd.DataFrame(values).add_prefix("f"), codes)


def judged(name: str, frame: pd.DataFrame, codes: np.ndarray, *, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Macro AUC, log loss and time of one fit, per classifier."""
    labels = TrainingLabels(codes, np.arange(len(codes)), tuple(map(str, np.unique(codes))))
    rows, folds = Rows.from_frame(frame.add_prefix("table:")), labels.folds(FOLDS, seed=SEED)
    withins = [folds != fold for fold in range(FOLDS)]
    values = [prepare(PreparationTask(rows, labels, within, STEPS, None, SEED)).of_rows(rows) for within in withins]
    for classifier in asked.classifiers:
        began, predicted = time.process_time(), np.empty((len(codes), len(labels.classes)))
        for within, prepared in zip(withins, values, strict=True):
            task = fit_task(classifier, labels.take(within), prepared, within=within, trials=asked.trials)
            predicted[~within] = fit_part(task).probabilities
        yield {
            "cohort": name,
            "cases": len(codes),
            "classifier": classifier,
            "trials": asked.trials,
            "macro_auc": macro_auc(codes, predicted),
            "log_loss": -np.log(np.clip(predicted[np.arange(len(codes)), codes], 1e-6, 1)).mean(),
            "fit_ms": 1e3 * (time.process_time() - began) / FOLDS,
        }


def fit_task(classifier: str, part: TrainingLabels, values: np.ndarray, *, within: np.ndarray, trials: int) -> FitTask:
    """A fit on the cases within a part, with inner folds where a search is asked for."""
    fitted = values[within]
    inner = part.folds(FOLDS, seed=SEED) if trials else np.empty(0)
    return FitTask(
        classifier=classifier,
        hyperparameters={},
        labels=part,
        values=fitted,
        inner=tuple(InnerFold(fitted, inner == fold) for fold in np.unique(inner)),
        wanted=values[~within],
        tuning=TuningSettings(trials=trials),
        balance=BalanceSettings(),
        seed=SEED,
    )


if __name__ == "__main__":
    main()
