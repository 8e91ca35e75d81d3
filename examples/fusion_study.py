"""A whole fusion study from Python: simulate a cohort, run the study, read its results, predict.

Run: python examples/fusion_study.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

import radfusion as rf
from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort

STUDY = """
title: A first fusion study
cohort: {table: cohort/cohort.csv, classes: [0, 1, 2], unit: vertebra}
features:
  radiomics: {image_types: [original], feature_classes: [shape, firstorder]}
  deep: [{weights: random, layer: layer1, size: 64}]
modelling:
  classifiers: [logistic, knn]
  steps: [missing, variance, univariate, correlation, scale, {step: lasso, folds: 3}]
  folds: 3
  null_runs: 2
evaluation: {primary: {models: [early-random, radiomics], set: external}}
statements: {modality: radiograph}
"""


def main(folder: Path) -> None:
    """Make the study in a folder and go through what it found."""
    sizes = {"training": 60, "internal": 24, "external": 24, "prospective": 0}
    simulate_cohort(folder / "cohort", SimulationSettings.model_validate({"sizes": sizes}))
    (folder / "study.yaml").write_text(STUDY)

    study = rf.Study.from_yaml(folder / "study.yaml")
    results = rf.run(study, folder / "run", executor="serial", cache=folder / "cache", offline=True)

    print("final model, chosen on training folds:", results.final_model)
    for estimate in results.estimates:
        if (estimate.metric, estimate.model) == ("macro_auc", results.final_model):
            print(f"  {estimate.set}: macro AUC {estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})")
    primary = next(item for item in results.comparisons if item.role == "primary")
    interval = f"{primary.low:+.3f} to {primary.high:+.3f}"
    print(f"primary comparison: {primary.difference:+.3f} ({interval}), P = {primary.p:.3f}")
    for finding in results.audit:
        if finding.verdict in {"warn", "fail"}:
            print(f"audit {finding.code} {finding.verdict}: {finding.message}")

    model = rf.load_model(folder / "run" / "model")
    first, *others = [
        rf.FeatureTable(pd.read_parquet(folder / "run" / "features" / f"{source}.parquet"))
        for source in model.provenance
    ]
    table = first.join(others[0]) if others else first
    print(model.predict(table).frame.filter(like="p_").head(3).round(3).to_string())
    print("report:", folder / "run" / "report.html")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
