"""What the whole chain finds where there is nothing to find: random labels, 1,200 features, AUCs that have to be 0.5.

``python benchmarks/noise.py`` writes ``benchmarks/results/noise.csv``: per number of training cases, settings tried,
arm and set the mean macro AUC over repeats (each the mean over classifiers), its standard error and whether 0.5 is
within two of them. Beside it the usual order on the same numbers: everything fitted on all cases, then the split.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.execution.executors import Executor, Processes
from radfusion.modelling.classifiers import CLASSIFIERS, DEFAULT_CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.preparation import PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc
from radfusion.modelling.settings import ModellingSettings

CLASSES = ("0", "1", "2")
SHARES = (0.3, 0.4, 0.3)
FEATURES = 1_200
VALIDATION = 100
SEED = 1
USUAL = "usual order"
QUICK = {
    "folds": 3,
    "inner_folds": 3,
    "steps": [
        "missing",
        "variance",
        "univariate",
        "correlation",
        "scale",
        {"step": "lasso", "folds": 5, "n_lambdas": 30},
    ],
}


@dataclass(frozen=True)
class Repeat:
    """One study of pure noise: how many training cases, which classifiers, how many settings of each are tried."""

    n: int
    trials: int
    classifiers: tuple[str, ...]
    number: int
    quick: bool = False


def main() -> None:
    """Repeat the studies and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cases", type=int, nargs="+", default=[200, 712], help="training cases")
    parser.add_argument("--trials", type=int, nargs="+", default=[0, 5], help="settings tried per classifier; 0: none")
    parser.add_argument("--classifiers", nargs="+", default=list(DEFAULT_CLASSIFIERS))
    parser.add_argument("--quick", action="store_true", help="3 folds inside 3 folds, LASSO with 5 folds of 30 lambdas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "noise.csv")
    given = parser.parse_args()
    found = []
    for n in given.cases:
        for trials in given.trials:
            kind, numbers = (n, trials, tuple(given.classifiers)), range(given.repeats)
            repeats = [Repeat(*kind, number, given.quick) for number in numbers]
            found.append(repeated(repeats, Processes(given.workers)))
            print(found[-1].to_string(index=False), flush=True)
            table = pd.concat(found)
            table.to_csv(given.out, index=False, float_format="%.4f", lineterminator="\n")


def repeated(repeats: Sequence[Repeat], executor: Executor) -> pd.DataFrame:
    """Mean macro AUC per arm and set over studies of one kind, with its standard error."""
    scores = pd.concat([outcome.value for outcome in executor.map(scores_of, repeats)])
    per_repeat = scores.groupby(["arm", "set", "repeat"], sort=False)["macro_auc"].mean()
    found = per_repeat.groupby(level=["arm", "set"], sort=False).agg(["mean", "sem"]).reset_index()
    kind = {name: getattr(repeats[0], name) for name in ("n", "trials", "quick")}
    found = found.assign(**kind, classifiers=" ".join(repeats[0].classifiers), repeats=len(repeats))
    return found.assign(holds=(found["mean"] - 0.5).abs() <= 2 * found["sem"])


def scores_of(repeat: Repeat) -> pd.DataFrame:
    """Macro AUC of every arm, classifier and set of one study."""
    tables, cohort = noise(repeat.n, seed=[repeat.n, repeat.number])
    settings = ModellingSettings(
        classifiers=repeat.classifiers,
        tuning={"trials": repeat.trials},
        late_rule="stacking",
        **(QUICK if repeat.quick else {}),
    )
    joined = tables["radiomics"].join(tables["deep"])
    rows = [
        *honest(tables, joined, cohort, settings=settings),
        (USUAL, "validation", usual_order(joined, cohort, settings)),
    ]
    return pd.DataFrame(rows, columns=["arm", "set", "macro_auc"]).assign(repeat=repeat.number)


def noise(n: int, *, seed: Sequence[int]) -> tuple[dict[str, FeatureTable], Cohort]:
    """Two sources of half the features each, and a cohort whose labels are drawn without looking."""
    rng = np.random.default_rng(seed)
    cases = pd.Index([f"case-{number:04d}" for number in range(n + VALIDATION)], name="case")
    rows = pd.DataFrame({"patient": cases, "label": rng.choice(CLASSES, len(cases), p=SHARES)}, index=cases)
    rows["set"] = np.where(np.arange(len(cases)) < n, "training", "internal")
    tables = {}
    for source in ("radiomics", "deep"):
        names = [f"{source}:f{number:03d}" for number in range(FEATURES // 2)]
        # Features come in groups that go together, as real ones do.
        groups = np.repeat(rng.normal(size=(len(cases), len(names) // 5)), 5, axis=1)
        values = groups + rng.normal(size=groups.shape)
        tables[source] = FeatureTable(pd.DataFrame(values, index=cases, columns=names), {source: {}})
    return tables, Cohort(rows, CLASSES, Path())


def honest(
    tables: Mapping[str, FeatureTable], joined: FeatureTable, cohort: Cohort, *, settings: ModellingSettings
) -> Iterator[tuple[str, str, float]]:
    """Arm, set and macro AUC of every model of this package."""
    arms = fit_arms({**tables, "early": joined}, cohort, settings, seed=SEED)
    parts = [arms["radiomics"], arms["deep"]]
    late = {f"late {rule}": late_fusion(f"late-{rule}", parts, rule=rule) for rule in ("mean", "stacking")}
    for name, arm in {"single": arms["radiomics"], "early": arms["early"], **late}.items():
        for fit in arm.fits.values():
            yield name, "out of fold", _auc(fit.out_of_fold)
            yield name, "validation", _auc(fit.predictions.of_set("internal"))


def _auc(predictions: Predictions) -> float:
    codes = pd.Index(predictions.classes).get_indexer(pd.Index(predictions.labels))
    return macro_auc(codes, predictions.probabilities)


def usual_order(table: FeatureTable, cohort: Cohort, settings: ModellingSettings) -> float:
    """Macro AUC on the validation cases when filter, z-score and LASSO saw all cases before the split."""
    classifier = "logistic"
    rows, labels = Rows.from_frame(table.frame), TrainingLabels.from_rows(cohort.frame, cohort.classes)
    everyone = np.ones(len(rows), dtype=bool)
    values = prepare(PreparationTask(rows, labels, everyone, completed(settings.steps), None, SEED)).of_rows(rows)
    training = np.asarray(cohort.frame["set"] == "training")
    chosen = CLASSIFIERS[classifier].defaults
    fitted = fit_classifier(classifier, values[training], labels.take(training), hyperparameters=chosen, seed=SEED)
    return macro_auc(labels.codes[~training], probabilities(fitted, values[~training]))


if __name__ == "__main__":
    main()
