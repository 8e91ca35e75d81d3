"""Folds keep patients together and classes apart in the right shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.errors import UserError
from radfusion.modelling.folds import TrainingLabels, patient_folds


@st.composite
def cohorts(draw):
    """Labels and patients: each of 2 to 4 classes has at least 6 patients; patients have 1 to 4 cases."""
    n_classes = draw(st.integers(2, 4))
    owners = draw(st.lists(st.integers(0, n_classes - 1), min_size=0, max_size=40)) + list(range(n_classes)) * 6
    labels, patients = [], []
    for patient, label in enumerate(owners):
        for other in draw(st.lists(st.integers(0, n_classes - 1), min_size=0, max_size=3)):
            labels.append(other)
            patients.append(patient)
        labels.append(label)
        patients.append(patient)
    order = draw(st.permutations(range(len(labels))))
    return np.array(labels)[order], np.array(patients)[order]


@given(cohorts(), st.integers(2, 6), st.integers(0, 99))
def test_no_patient_is_split_and_no_part_lacks_a_class(cohort, n_folds, seed):
    labels, patients = cohort
    folds = patient_folds(labels, patients, n_folds, seed=seed)
    assert all(len(set(folds[patients == patient])) == 1 for patient in set(patients))
    assert set(folds) == set(range(n_folds))
    assert all(set(labels[folds != fold]) == set(labels) for fold in range(n_folds))


def test_single_cases_are_spread_evenly():
    labels = np.repeat(["a", "b", "c"], [103, 51, 13])
    folds = patient_folds(labels, np.arange(167), 5, seed=0)
    for name, count in (("a", 103), ("b", 51), ("c", 13)):
        held = np.bincount(folds[labels == name], minlength=5)
        assert set(held) <= {count // 5, count // 5 + 1}


def test_seeds_make_folds_and_equal_seeds_equal_ones():
    labels, patients = np.arange(60) % 3, np.arange(60) // 2
    one, again, other = (patient_folds(labels, patients, 5, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_a_class_of_one_patient_is_refused_with_counts():
    with pytest.raises(UserError, match=r"at least 2 patients.*patients: a 3, b 1"):
        patient_folds(["a", "a", "a", "b", "b"], [1, 2, 3, 4, 4], 2, seed=0)


@pytest.mark.parametrize("n_folds", [1, 5])
def test_more_folds_than_patients_are_refused(n_folds):
    with pytest.raises(UserError, match=f"{n_folds} folds of 4 patients"):
        patient_folds(["a", "b", "a", "b"], [1, 2, 3, 4], n_folds, seed=0)


def test_classes_that_cannot_be_in_every_part_are_refused():
    labels = ["a"] * 5 + ["b", "c", "b", "c"]
    with pytest.raises(UserError, match="at least 2 patients"):
        patient_folds(labels, [1, 2, 3, 4, 5, 6, 6, 6, 6], 3, seed=0)


def test_a_class_without_training_case_is_named(simulate):
    _, cohort = simulate(2)
    with pytest.raises(UserError, match="no training case of class 'grade 9': grade 0 60, grade 1 60, grade 9 0"):
        TrainingLabels.from_rows(cohort.frame, (*cohort.classes, "grade 9"))
