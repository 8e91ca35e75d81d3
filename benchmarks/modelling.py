"""The modelling stage of a study beside a plain scikit-learn script that does the same work, on two processor cores.

``python benchmarks/modelling.py`` simulates a study (712 training cases, 3,500 features of three sources, 7 arms) and
fits every arm with every classifier, tuned inside nested folds. `modelling_plain.py` does the same: the same folds, the
same settings tried. Each is a command of its own; times are of the stage, without starting Python. A third command does
our work in one process: the CPU seconds of two processes beside it tell whether anything is computed twice.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.execution.executors import Processes, Serial
from radfusion.execution.work import Workers
from radfusion.modelling.classifiers import DEFAULT_CLASSIFIERS
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.settings import ModellingSettings

RESULTS = Path(__file__).with_name("results") / "modelling.csv"
#: Sources with their share of the features.
SOURCES = {"radiomics": 3, "imagenet": 2, "radimagenet": 2}
CLASSES = ("0", "1", "2")
SEED, FOLDS = 1, 5
#: What its processes are to find has to be in a module that they can import.
PLAIN = "import sys, pathlib; from benchmarks.modelling_plain import main; main(pathlib.Path(sys.argv[1]))"


def main() -> None:
    """Measure, print and write the table."""
    given = arguments()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    if given.measure:
        measure(given.measure, folder, given)
        return
    write_study(folder, given)
    rows = []
    for what in given.only:
        rows.append(command(what, folder, given))
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(given.out, index=False, float_format="%.4g", lineterminator="\n")


def arguments() -> argparse.Namespace:
    """Sizes of the study and what to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=712)
    parser.add_argument("--features", type=int, default=3_500)
    parser.add_argument("--arms", type=int, default=7, help="of the seven: three sources, their pairs, and all joined")
    parser.add_argument("--trials", type=int, default=5, help="settings tried per classifier, by inner folds")
    parser.add_argument("--classifiers", nargs="+", default=list(DEFAULT_CLASSIFIERS))
    parser.add_argument("--only", nargs="+", default=["processes", "serial", "plain"])
    parser.add_argument("--measure", choices=["processes", "serial"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def write_study(folder: Path, given: argparse.Namespace) -> None:
    """Values of every arm, labels, outer folds, and for each outer fold the inner folds of the others."""
    rng = np.random.default_rng(SEED)
    codes = rng.permutation(np.arange(given.cases) % len(CLASSES))
    sizes = {name: given.features * share // sum(SOURCES.values()) for name, share in SOURCES.items()}
    values = {name: _values(rng, codes, size) for name, size in sizes.items()}
    subsets = [each for size in (1, 2, 3) for each in combinations(SOURCES, size)][: given.arms]
    labels = TrainingLabels(codes, np.arange(given.cases), CLASSES)
    folds = labels.folds(FOLDS, seed=SEED)
    inner = np.full((FOLDS, given.cases), -1)
    for fold in range(FOLDS):
        inner[fold, folds != fold] = labels.take(folds != fold).folds(FOLDS, seed=SEED)
    arms = {"+".join(each): np.hstack([values[name] for name in each]) for each in subsets}
    np.savez(folder / "given.npz", labels=codes, folds=folds, inner=inner, **arms)


def _values(rng: np.random.Generator, codes: np.ndarray, size: int) -> np.ndarray:
    """Features in groups of ten that go together; of every tenth group the level differs between classes."""
    groups = rng.normal(size=(len(codes), -(-size // 10)))
    groups[:, ::10] += 0.8 * rng.normal(size=(len(CLASSES), len(groups[0, ::10])))[codes]
    return (np.repeat(groups, 10, axis=1) + 0.7 * rng.normal(size=(len(codes), 10 * groups.shape[1])))[:, :size]


def command(what: str, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One measurement, as a command of its own."""
    here, told = Path(__file__), folder / f"{what}.json"
    if what == "plain":
        shutil.rmtree(folder / "memory", ignore_errors=True)
        line = [sys.executable, "-W", "ignore", "-c", PLAIN, folder]
    else:
        sizes = ["--trials", str(given.trials), "--classifiers", *given.classifiers]
        line = [sys.executable, here, "--measure", what, "--folder", folder, *sizes]
    quiet = {"PYTHONPATH": str(here.parents[1]), "PYTHONWARNINGS": "ignore"}
    subprocess.run(line, check=True, env=os.environ | quiet)
    facts = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "what": what,
        "cases": given.cases,
        "features": given.features,
    }
    facts |= {"arms": given.arms, "classifiers": len(given.classifiers), "trials": given.trials}
    return facts | json.loads(told.read_text())


def measure(what: str, folder: Path, given: argparse.Namespace) -> None:
    """Fit every arm here; keep times, and the settings that were tried."""
    stored = np.load(folder / "given.npz")
    codes = stored["labels"]
    cases = pd.Index([f"case-{number:04d}" for number in range(len(codes))], name="case")
    rows = pd.DataFrame({"patient": cases, "label": np.array(CLASSES)[codes], "set": "training"}, index=cases)
    arms = {}
    for name in set(stored.files) - {"labels", "folds", "inner"}:
        columns = [f"{name}:f{number:04d}" for number in range(stored[name].shape[1])]
        arms[name] = FeatureTable(pd.DataFrame(stored[name], index=cases, columns=columns))
    settings = ModellingSettings(
        classifiers=tuple(given.classifiers),
        tuning={"trials": given.trials, "pruning": False},
        folds=FOLDS,
        inner_folds=FOLDS,
    )
    workers = Workers(Processes(2) if what == "processes" else Serial())
    before, started = _cpu(), time.perf_counter()
    fitted = fit_arms(dict(sorted(arms.items())), Cohort(rows, CLASSES, Path()), settings, seed=SEED, workers=workers)
    facts = {"wall_s": time.perf_counter() - started, "cpu_s": _cpu() - before}
    fits = [(name, each) for name, arm in fitted.items() for each in arm.fits.values()]
    facts["macro_auc"] = float(np.mean([each.cv_macro_auc for _, each in fits]))
    tried: dict[str, dict[str, Any]] = {name: {} for name in fitted}
    for name, each in fits:
        tried[name][each.classifier] = [dict(trial.hyperparameters) for trial in each.trials]
    (folder / "tried.json").write_text(json.dumps(tried))
    (folder / f"{what}.json").write_text(json.dumps(facts))


def _cpu() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
