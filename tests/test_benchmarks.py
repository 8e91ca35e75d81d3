"""The benchmarks on a reduced size; the committed tables of the macro AUC's test say what the guide says."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.macro_auc import CLOSED, SETS, clustered_rejections, rejections


@pytest.mark.parametrize("n", [n for n, _ in SETS])
def test_committed_size_is_nominal(root, n):
    table = pd.read_csv(root / "benchmarks" / "results" / "macro_auc_tests.csv")
    chosen = table[(table["models"] == "equal") & (table["n"] == n) & (table["studies"] == table["studies"].max())]
    share = chosen.set_index("test")["share"]
    assert 0.04 <= share["influence"] <= 0.06
    assert share["unpaired"] < 0.01
    assert share["flattened"] > 0.1


@pytest.mark.slow
def test_reduced_simulation_agrees_with_the_committed_one(root):
    committed = pd.read_csv(root / "benchmarks" / "results" / "macro_auc_tests.csv").drop_duplicates(
        ["models", "n", "test"]
    )
    found = rejections(300, CLOSED, seed=7).merge(committed, on=["models", "n", "test"], suffixes=("", "_committed"))
    assert len(found) == 4 * len(CLOSED)
    expected = found["share_committed"]
    assert (np.abs(found["share"] - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / 300) + 0.01).all()


@pytest.mark.slow
def test_patients_keep_the_size(root):
    found = clustered_rejections(200, seed=8).groupby("test")["share"].mean()
    assert found["cases as independent"] > 0.12
    assert 0.02 < found["clustered by patient"] < 0.09


@pytest.mark.slow
def test_extraction_is_timed_beside_pyradiomics_with_equal_values(root, tmp_path):
    command = [sys.executable, root / "benchmarks" / "extraction.py", "--quick", "--repeats", "1"]
    subprocess.run([*command, "--folder", tmp_path, "--out", tmp_path / "out.csv"], check=True, cwd=root)
    table = pd.read_csv(tmp_path / "out.csv").set_index("workload")
    assert table["cases"].to_dict() == {"films, quick": 4, "volumes, quick": 1}
    assert (table["difference"] < 1e-11).all()
    assert (table["difference_log"] < 1e-6).all()
    assert (table["worker_mib"] < 1536).all()


@pytest.mark.slow
def test_deep_features_are_timed_from_end_to_end(root, tmp_path):
    few = ["--images", "24", "--repeats", "1", "--backends", "torch", "--film", "96", "80"]
    command = [sys.executable, root / "benchmarks" / "deep.py", *few, "--only", "bare", "films"]
    subprocess.run([*command, "--folder", tmp_path, "--out", tmp_path / "out.csv"], check=True, cwd=root)
    table = pd.read_csv(tmp_path / "out.csv").set_index("measure")
    assert list(table.index) == ["bare", "films of 96 x 80"]
    assert (table["images_per_s"] > 0).all()
    assert (table["peak_mib"] < 2048).all()


@pytest.mark.slow
def test_the_modelling_stage_is_timed_beside_plain_scikit_learn(root, tmp_path):
    few = ["--cases", "90", "--features", "70", "--arms", "1", "--trials", "2", "--classifiers", "logistic", "knn"]
    command = [sys.executable, root / "benchmarks" / "modelling.py", *few, "--only", "serial", "plain"]
    subprocess.run([*command, "--folder", tmp_path, "--out", tmp_path / "out.csv"], check=True, cwd=root)
    table = pd.read_csv(tmp_path / "out.csv").set_index("what")
    assert list(table.index) == ["serial", "plain"]
    assert (table[["wall_s", "cpu_s"]] > 0).all(axis=None)
    # The same folds, the same settings, nearly the same steps: scores are of one size.
    assert abs(table["macro_auc"].diff().iloc[-1]) < 0.15


@pytest.mark.slow
def test_the_lasso_is_timed_beside_glmnet(root, tmp_path):
    few = ["--cases", "120", "--features", "60", "--repeats", "1", "--out", tmp_path / "out.csv"]
    subprocess.run([sys.executable, root / "benchmarks" / "lasso.py", *few], check=True, cwd=root)
    table = pd.read_csv(tmp_path / "out.csv")
    for _, rows in table.groupby(["classes", "grid"]):
        assert rows["program"].iloc[0] == "radfusion"
        assert (rows["cpu_s"] > 0).all()
        assert rows["index_min"].max() - rows["index_min"].min() <= 1
        assert np.ptp(rows["deviance_min"]) < 1e-2


@pytest.mark.slow
def test_classifiers_are_judged_on_simulated_cohorts(root, tmp_path):
    few = ["--classifiers", "logistic", "knn", "--trials", "2", "--out", tmp_path / "out.csv"]
    subprocess.run([sys.executable, root / "benchmarks" / "classifiers.py", *few], check=True, cwd=root)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table.groupby("classifier")["cohort"].nunique().to_dict() == {"knn": 3, "logistic": 3}
    assert table["macro_auc"].between(0.6, 0.95).all()
