"""The shuffled-label run finds nothing, even where there is something to find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.core.cohort import Cohort
from radfusion.execution.cache import Cache
from radfusion.execution.work import Workers
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.null import shuffled_label_run, shuffled_labels


def test_strong_features_are_worth_nothing_once_labels_are_shuffled(simulate, quick):
    table, cohort = simulate(2, n=160, p=60, effect=3.0)
    aucs = shuffled_label_run(table, cohort, quick(null_runs=12), seed=1)
    assert len(aucs) == 12
    assert abs(np.mean(aucs) - 0.5) < 0.08


def test_runs_are_cached_and_repeatable(simulate, quick, tmp_path):
    table, cohort = simulate(n=80, p=20)
    workers = Workers(cache=Cache(tmp_path))
    first, second = (shuffled_label_run(table, cohort, quick(), seed=1, workers=workers) for _ in range(2))
    assert first == second == shuffled_label_run(table, cohort, quick(), seed=1)
    assert len(set(first)) == 2


def test_no_runs_when_none_are_asked_for(simulate, quick):
    table, cohort = simulate()
    assert shuffled_label_run(table, cohort, quick(null_runs=0), seed=1) == ()


def test_unstable_features_are_measured_without_each_fold_and_leave(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    asked = []

    def unstable(cases):
        asked.append(frozenset(cases))
        return frozenset(table.frame.columns)

    assert shuffled_label_run(table, cohort, quick(), seed=1, unstable=unstable) == (0.5, 0.5)
    training = set(cohort.of_set("training").frame.index)
    assert len(asked) == 2 * 3
    assert all(each < training for each in asked)


def test_the_run_follows_the_steps_and_the_balance_of_the_study(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    usual = shuffled_label_run(table, cohort, quick(), seed=1)
    assert shuffled_label_run(table, cohort, quick(steps=["scale"]), seed=1) != usual
    resampled = quick(steps=["scale"], balance={"resampling": "random-over"})
    assert shuffled_label_run(table, cohort, resampled, seed=1) != shuffled_label_run(
        table, cohort, quick(steps=["scale"]), seed=1
    )


def test_validation_cases_take_no_part(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    spoilt = table.frame.copy()
    spoilt.loc[cohort.of_set("internal").frame.index] = 1e9
    usual, changed = (
        shuffled_label_run(type(table)(frame, table.provenance), cohort, quick(), seed=1)
        for frame in (table.frame, spoilt)
    )
    assert usual == changed


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=60), st.integers(0, 9))
def test_class_counts_stay(cases, seed):
    patients, codes = (np.array(column) for column in zip(*cases, strict=True))
    labels = TrainingLabels(codes, patients, ("a", "b", "c"))
    shuffled = shuffled_labels(labels, seed=seed)
    assert shuffled.counts() == labels.counts()
    assert shuffled.patients is labels.patients


def test_labels_of_a_patient_stay_together_when_patients_have_equal_numbers():
    labels = TrainingLabels(np.repeat([0, 1, 1, 0, 1], 3), np.repeat([4, 2, 9, 0, 1], 3), ("a", "b"))
    for seed in range(5):
        dealt = shuffled_labels(labels, seed=seed).codes.reshape(5, 3)
        assert (dealt == dealt[:, :1]).all()


@pytest.mark.parametrize(("batch", "fewest", "most"), [("centre", 20, 20), ("scanner", 1, 19)])
def test_a_small_centre_does_not_stop_the_run(simulate, quick, batch, fewest, most):
    """Four cases of a centre fall to one fold now and then; where it is the reference, that repeat is left out."""
    table, cohort = simulate(2, n=80, p=10, per_patient=1)
    rows = cohort.frame.assign(centre="A", scanner=np.where(np.arange(80) % 4 < 2, "S", "U"))
    rows.loc[rows.index[[0, 21, 42, 51]], ["centre", "scanner"]] = ["B", "T"]
    small = Cohort(rows, cohort.classes, cohort.root)
    combat = {"step": "combat", "batch": batch, "unseen": "unchanged"}
    combat |= {"reference": "T"} if batch == "scanner" else {}
    settings = quick(folds=2, null_runs=20, steps=["missing", combat, "variance"])
    aucs = shuffled_label_run(table, small, settings, seed=1)
    assert fewest <= len(aucs) <= most
    assert abs(np.mean(aucs) - 0.5) < 0.15
