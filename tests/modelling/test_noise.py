"""Random labels: every arm finds nothing, where the usual order of steps finds much."""

import pandas as pd
import pytest

from benchmarks.noise import USUAL, Repeat, noise, repeated
from radfusion.execution.executors import Processes

CLASSIFIERS = ("logistic", "knn")


@pytest.mark.slow
def test_every_arm_finds_nothing_in_noise():
    """Twenty studies of 1,200 features; the mean macro AUC lies within two standard errors of 0.5."""
    repeats = [Repeat(200, 0, CLASSIFIERS, number, quick=True) for number in range(20)]
    found = repeated(repeats, Processes(2)).set_index(["arm", "set"])
    usual = found.loc[(USUAL, "validation")]
    assert 0.7 < usual["mean"] < 0.99
    honest = found[found.index.get_level_values("arm") != USUAL]
    assert set(honest.index) == {
        (arm, where)
        for arm in ("single", "early", "late mean", "late stacking")
        for where in ("out of fold", "validation")
    }
    assert honest["holds"].all(), honest[["mean", "sem"]]
    assert (honest["sem"] < 0.02).all()


def test_labels_of_the_study_are_drawn_without_looking():
    tables, cohort = noise(50, seed=[1])
    again, same = noise(50, seed=[1])
    pd.testing.assert_frame_equal(tables["deep"].frame, again["deep"].frame, check_exact=True)
    assert (cohort.frame["label"] == same.frame["label"]).all()
    assert sum(table.frame.shape[1] for table in tables.values()) == 1200
    assert (noise(50, seed=[2])[1].frame["label"] != cohort.frame["label"]).any()


def test_committed_noise_study_holds(root):
    """What the guide says of the full study is in its table."""
    table = pd.read_csv(root / "benchmarks" / "results" / "noise.csv")
    honest, usual = table[table["arm"] != USUAL], table[table["arm"] == USUAL]
    assert (table["repeats"] >= 20).all()
    assert (usual["mean"] > 0.6).all()
    # Of twenty means, one lies outside of two standard errors by chance.
    assert (~honest["holds"]).sum() <= max(1, round(0.1 * len(honest)))
    assert ((honest["mean"] - 0.5).abs() <= 3.5 * honest["sem"]).all()
