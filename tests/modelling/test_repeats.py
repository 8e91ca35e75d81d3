"""Repeated splits: by patient, at the study's ratio, the whole chain anew."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from radfusion.core.cohort import Cohort
from radfusion.execution.cache import Cache
from radfusion.execution.work import Workers
from radfusion.modelling.chains import Chain
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.repeats import RepeatedModel, patient_split, repeated_splits


def model_of(table, settings, *, parts=1, rule=None, weights=None, seed=1):
    chain = Chain.of(settings, "logistic", seed=seed)
    return RepeatedModel("arm/logistic", (table,) * parts, (chain,) * parts, rule, weights or {})


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=4, max_size=80),
    st.floats(0.1, 0.5),
    st.integers(0, 99),
)
def test_the_cases_of_a_patient_go_together_and_the_share_is_kept(cases, share, seed):
    patients, codes = (np.array(column) for column in zip(*cases, strict=True))
    drawn = patient_split(TrainingLabels(codes, patients, ("a", "b", "c")), share, seed=seed)
    assert not set(patients[drawn]) & set(patients[~drawn])
    assert abs(drawn.sum() - share * len(cases)) <= np.bincount(patients).max() / 2 + 1e-9


def test_every_class_gives_its_share():
    labels = TrainingLabels(np.repeat([0, 1, 2], [100, 50, 20]), np.arange(170), ("a", "b", "c"))
    splits = [patient_split(labels, 0.3, seed=seed) for seed in range(20)]
    counts = np.array([[labels.codes[drawn].tolist().count(code) for code in range(3)] for drawn in splits])
    np.testing.assert_allclose(counts, np.tile([30, 15, 6], (20, 1)), atol=1)
    assert len({drawn.tobytes() for drawn in splits}) == 20


def test_signal_is_found_in_every_split_and_none_in_noise(simulate, quick):
    strong = simulate(2, n=120, p=20, effect=2.0)
    noise = simulate(2, n=120, p=20, effect=0.0)
    found, nothing = (
        repeated_splits(model_of(table, quick()), cohort, 12, seed=1) for table, cohort in (strong, noise)
    )
    assert min(found.values) > 0.8
    assert abs(np.mean(nothing.values) - 0.5) < 0.1
    assert found.low <= found.median <= found.high
    assert (found.n_training, found.n_held, found.sets) == (90, 30, ("training", "internal"))


def test_external_cases_take_no_part(simulate, quick):
    table, cohort = simulate(2, n=120, p=10)
    outside = cohort.frame.assign(set=np.where(np.arange(120) < 100, cohort.frame["set"], "external"))
    moved = Cohort(outside, cohort.classes, cohort.root)
    spoilt = table.frame.copy()
    spoilt.iloc[100:] = 1e9
    found = [
        repeated_splits(model_of(type(table)(frame, table.provenance), quick()), moved, 3, seed=1)
        for frame in (table.frame, spoilt)
    ]
    assert found[0] == found[1]
    assert found[0].n_training + found[0].n_held == 100


def test_without_an_internal_set_a_fifth_of_the_training_cases_is_held_out(simulate, quick):
    table, cohort = simulate(2, n=100, p=10)
    training = Cohort(cohort.of_set("training").frame, cohort.classes, cohort.root)
    found = repeated_splits(model_of(table, quick()), training, 2, seed=1)
    assert (found.sets, found.n_training, found.n_held) == (("training",), 60, 15)


def test_late_fusion_of_a_model_with_itself_is_the_model(simulate, quick):
    table, cohort = simulate(3, n=90, p=10)
    alone = repeated_splits(model_of(table, quick()), cohort, 3, seed=1)
    fused = repeated_splits(model_of(table, quick(), parts=2, rule="mean"), cohort, 3, seed=1)
    np.testing.assert_allclose(fused.values, alone.values, atol=1e-12)


def test_splits_are_remembered_and_repeatable(simulate, quick, tmp_path):
    table, cohort = simulate(2, n=80, p=10)
    workers = Workers(cache=Cache(tmp_path))
    first, second = (repeated_splits(model_of(table, quick()), cohort, 3, seed=1, workers=workers) for _ in range(2))
    assert first == second == repeated_splits(model_of(table, quick()), cohort, 3, seed=1)


def test_the_order_of_cases_changes_nothing(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    mixed = Cohort(cohort.frame.sample(frac=1, random_state=1), cohort.classes, cohort.root)
    one, other = (repeated_splits(model_of(table, quick()), each, 2, seed=1) for each in (cohort, mixed))
    assert one == other


def test_splits_that_cannot_be_fitted_are_counted_with_their_reason(simulate, quick):
    table, cohort = simulate(2, n=60, p=10)
    rare = cohort.frame.assign(label="grade 0")
    rare.loc[rare.index[:4], "label"] = "grade 1"
    found = repeated_splits(model_of(table, quick()), Cohort(rare, cohort.classes, cohort.root), 6, seed=1)
    assert found.n_failed + len(found.values) == 6
    assert found.n_failed > 0
    assert found.reason


def test_unstable_features_are_asked_for_on_the_training_cases_of_each_split(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    asked = []

    def unstable(cases):
        asked.append(set(cases))
        return frozenset(table.frame.columns[1:])

    found = repeated_splits(model_of(table, quick()), cohort, 3, seed=1, unstable=unstable)
    training = set(cohort.of_set("training").frame.index)
    assert len(asked) == 3
    assert all(each < training for each in asked)
    plain = repeated_splits(model_of(table, quick()), cohort, 3, seed=1)
    assert found.values != plain.values


def test_none_are_made_when_none_are_asked_for(simulate, quick):
    table, cohort = simulate()
    assert repeated_splits(model_of(table, quick()), cohort, 0, seed=1) is None


def test_the_pool_is_what_all_parts_have(simulate, quick):
    table, cohort = simulate(2, n=80, p=10)
    fewer = table.restrict(list(table.frame.index[4:]))
    chain = Chain.of(quick(), "logistic", seed=1)
    final = RepeatedModel("late/logistic", (table, fewer), (chain, chain), "mean")
    found = repeated_splits(final, cohort, 1, seed=1)
    assert found.n_training + found.n_held == 76
    assert isinstance(found.values[0], float)
    assert pd.notna(found.median)
