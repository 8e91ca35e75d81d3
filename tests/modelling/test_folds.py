"""Folds keep patients together and classes in their shares, and depend on no name and no order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radfusion.errors import UserError
from radfusion.modelling.folds import FoldPlan, TrainingLabels, check_folds, patient_folds
from radfusion.modelling.settings import ModellingSettings


@st.composite
def cohorts(draw):
    """Classes and patients: each of 2 to 4 classes has at least 6 patients; patients have 1 to 4 cases."""
    n_classes = draw(st.integers(2, 4))
    owners = draw(st.lists(st.integers(0, n_classes - 1), min_size=0, max_size=40)) + list(range(n_classes)) * 6
    codes, patients = [], []
    for patient, code in enumerate(owners):
        for other in draw(st.lists(st.integers(0, n_classes - 1), min_size=0, max_size=3)):
            codes.append(other)
            patients.append(patient)
        codes.append(code)
        patients.append(patient)
    order = draw(st.permutations(range(len(codes))))
    return np.array(codes)[order], np.array(patients)[order]


def labelled(codes, patients=None):
    """Training labels of classes a, b, ..., by default one case per patient."""
    codes = np.asarray(codes, dtype=np.intp)
    patients = np.arange(len(codes)) if patients is None else np.asarray(patients, dtype=np.intp)
    return TrainingLabels(codes, patients, tuple("abcd"[: codes.max() + 1]))


@given(cohorts(), st.integers(2, 6), st.integers(0, 99))
def test_no_patient_is_split_and_no_part_lacks_a_class(cohort, n_folds, seed):
    codes, patients = cohort
    folds = patient_folds(codes, patients, n_folds, seed=seed)
    assert all(len(set(folds[patients == patient])) == 1 for patient in set(patients))
    assert set(folds) == set(range(n_folds))
    assert all(set(codes[folds != fold]) == set(codes) for fold in range(n_folds))


@given(cohorts(), st.permutations(range(4)), st.integers(0, 99))
def test_which_class_comes_first_and_the_order_of_cases_change_nothing(cohort, turned, seed):
    codes, patients = cohort
    folds = patient_folds(codes, patients, 4, seed=seed)
    np.testing.assert_array_equal(patient_folds(np.array(turned)[codes], patients, 4, seed=seed), folds)
    np.testing.assert_array_equal(patient_folds(codes[::-1], patients[::-1], 4, seed=seed), folds[::-1])


@pytest.mark.parametrize("names", [("mild", "severe"), ("severe", "mild"), ("2", "10")])
def test_what_classes_and_patients_are_called_changes_nothing(names):
    codes = np.arange(60) % 2
    cases = pd.DataFrame({"label": np.array(names, dtype=object)[codes], "patient": [f"p{i // 3}" for i in range(60)]})
    renamed = cases.assign(patient=[f"p{99 - i // 3}" for i in range(60)])
    expected = labelled(codes, np.arange(60) // 3).folds(5, seed=1)
    for rows in (cases, renamed):
        np.testing.assert_array_equal(TrainingLabels.from_rows(rows, names).folds(5, seed=1), expected)


def test_single_cases_are_spread_evenly():
    codes = np.repeat([0, 1, 2], [103, 51, 13])
    folds = patient_folds(codes, np.arange(167), 5, seed=0)
    for code, count in enumerate((103, 51, 13)):
        held = np.bincount(folds[codes == code], minlength=5)
        assert set(held) <= {count // 5, count // 5 + 1}


def test_seeds_make_folds_and_equal_seeds_equal_ones():
    codes, patients = np.arange(60) % 3, np.arange(60) // 2
    one, again, other = (patient_folds(codes, patients, 5, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    one[:] = 0
    assert (patient_folds(codes, patients, 5, seed=1) == again).all()


def test_a_class_of_one_patient_is_refused_with_counts():
    with pytest.raises(UserError, match=r"class 'b' has 1 patient.*at least 2 patients, here: a 3, b 1; merge"):
        labelled([0, 0, 0, 1, 1], [1, 2, 3, 4, 4]).folds(2, seed=0)


@pytest.mark.parametrize("key", ["modelling.folds", "modelling.inner_folds"])
def test_more_folds_than_patients_of_a_class_are_refused_with_what_to_set(key):
    with pytest.raises(UserError, match=rf"{key}: 5 folds, but class 'b' has 3 patients .*a 8, b 3.* set {key} to 3"):
        labelled([0] * 8 + [1] * 3).folds(5, seed=0, key=key)


@pytest.mark.parametrize("n_folds", [1, 5])
def test_more_folds_than_patients_are_refused(n_folds):
    with pytest.raises(UserError, match=f"{n_folds} folds of 4 patients"):
        patient_folds([0, 1, 0, 1], [1, 2, 3, 4], n_folds, seed=0)


def test_classes_that_share_their_patients_and_cannot_be_in_every_part_are_refused():
    with pytest.raises(UserError, match="needs cases of at least 2 patients outside every fold"):
        patient_folds([0] * 5 + [1, 2, 1, 2], [1, 2, 3, 4, 5, 6, 6, 6, 6], 3, seed=0)


def test_a_class_without_training_case_is_named(simulate):
    _, cohort = simulate(2)
    with pytest.raises(UserError, match="no training case of class 'grade 9': grade 0 60, grade 1 60, grade 9 0"):
        TrainingLabels.from_rows(cohort.frame, (*cohort.classes, "grade 9"))


def test_a_training_case_of_no_class_is_named(simulate):
    _, cohort = simulate(2)
    with pytest.raises(UserError, match=r"training case 'case-\d+' has the label 'grade 1', which is none of"):
        TrainingLabels.from_rows(cohort.frame, ("grade 0",))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (FoldPlan(9), "modelling.folds: 9 folds, but class 'b' has 8 patients among the 48 training cases"),
        (FoldPlan(4, 7), r"modelling.inner_folds: 7 folds, but class 'b' has 6 patients.*inner_folds to 6 or less"),
        (FoldPlan(4, None, {"lasso": 7}), r"lasso: 7 folds, but class 'b' has 6 patients .* set lasso to 6 or less"),
        (FoldPlan(4, 3, {"lasso": 5}), r"lasso: 5 folds, but class 'b' has 4 patients"),
    ],
)
def test_all_folds_of_a_study_are_checked_beforehand(plan, message):
    labels = labelled([0] * 40 + [1] * 8)
    with pytest.raises(UserError, match=message):
        check_folds(labels, plan, seed=0)
    check_folds(labels, FoldPlan(4, 3, {"lasso": 4}), seed=0)


def test_the_plan_of_a_study_names_the_folds_of_steps():
    settings = ModellingSettings(steps=["missing", {"step": "lasso", "folds": 4}], folds=3, tuning={"trials": 2})
    assert settings.fold_plan == FoldPlan(3, 5, {"modelling.steps: lasso.folds": 4})
    assert ModellingSettings().fold_plan.inner is None
