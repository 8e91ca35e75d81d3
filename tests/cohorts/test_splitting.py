"""Sets drawn for a table that has none: by patient, balanced, the same at every call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radfusion.cohorts.splitting import SplitSettings, split_cohort
from radfusion.core.cohort import Cohort
from radfusion.errors import CohortError

CLASSES = ("0", "1", "2")


def cohort_of(patients: list[tuple[str, list[int]]]) -> Cohort:
    """Patients as (centre, classes of their cases)."""
    rows = [
        {"case": f"p{k}-{n}", "patient": f"p{k}", "label": CLASSES[grade], "centre": centre or None}
        for k, (centre, grades) in enumerate(patients)
        for n, grade in enumerate(grades)
    ]
    frame = pd.DataFrame(rows).assign(set=None, row=range(2, len(rows) + 2)).set_index("case")
    return Cohort(frame, CLASSES, Path())


#: Twenty plain patients make every set usable, whatever is added to them.
PLAIN = [("A", [0]), ("A", [1]), ("B", [2]), ("B", [0, 1])] * 5
PATIENTS = st.lists(
    st.tuples(st.sampled_from(["A", "B", ""]), st.lists(st.integers(0, 2), min_size=1, max_size=6)), max_size=40
)


@settings(max_examples=40)
@given(PATIENTS, st.sampled_from([0.2, 0.3, 0.5]), st.integers(0, 2**31 - 1))
def test_a_split_keeps_its_promises(patients: list[tuple[str, list[int]]], share: float, seed: int) -> None:
    cohort = cohort_of(PLAIN + patients)
    frame = split_cohort(cohort, SplitSettings(internal=share), seed=seed).frame
    assert frame.groupby("patient")["set"].nunique().max() == 1
    sizes = frame.groupby("patient").size()
    assert abs((frame["set"] == "internal").sum() - share * len(frame)) <= sizes.max() / 2 + 1e-6
    worst = frame["label"].astype(int).groupby(frame["patient"]).transform("max")
    centre = frame["centre"].fillna("")
    for groups in ([worst], [worst, centre.groupby(frame["patient"]).transform("first")]):
        for _, rows in frame.groupby(groups):
            assert abs((rows["set"] == "internal").sum() - share * len(rows)) <= sizes.max() + 1e-6


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(0, 100))
def test_the_order_of_rows_plays_no_part(random: np.random.Generator, seed: int) -> None:
    cohort = cohort_of(PLAIN)
    order = list(range(len(cohort.frame)))
    random.shuffle(order)
    turned = Cohort(cohort.frame.iloc[order], CLASSES, Path())
    split = SplitSettings(internal=0.3)
    expected = split_cohort(cohort, split, seed=seed).frame["set"]
    assert split_cohort(turned, split, seed=seed).frame["set"].loc[cohort.frame.index].equals(expected)


def test_a_large_patient_of_a_common_class_does_not_empty_a_rare_one() -> None:
    cohort = cohort_of([*PLAIN, ("B", [0, 0, 0, 0, 0, 1])])
    frame = split_cohort(cohort, SplitSettings(internal=0.5), seed=0).frame
    assert set(frame.loc[frame["set"] == "training", "label"]) == set(CLASSES)


def test_another_seed_gives_another_split_and_the_settings_seed_goes_first() -> None:
    cohort = cohort_of(PLAIN)
    sets = [tuple(split_cohort(cohort, SplitSettings(), seed=seed).frame["set"]) for seed in (1, 1, 2)]
    assert sets[0] == sets[1] != sets[2]
    assert tuple(split_cohort(cohort, SplitSettings(seed=1), seed=2).frame["set"]) == sets[0]


def test_every_patient_has_the_same_chance() -> None:
    cohort = cohort_of([("A", [k % 3]) for k in range(15)])
    drawn = [
        split_cohort(cohort, SplitSettings(internal=0.3), seed=seed).frame["set"] == "internal" for seed in range(120)
    ]
    chance = np.mean(drawn, axis=0)
    assert np.abs(chance - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 120)


def test_centres_become_the_external_set_and_the_rule_is_kept() -> None:
    cohort = split_cohort(cohort_of([*PLAIN, ("C", [0]), ("C", [2, 2])]), SplitSettings(external=("C",)), seed=5)
    assert set(cohort.frame.loc[cohort.frame["set"] == "external", "centre"]) == {"C"}
    assert cohort.split is not None
    assert cohort.split["seed"] == 5
    assert cohort.split["external"] == ["C"]
    assert cohort.split["cases"] == {"external": 3, "internal": 5, "training": 20}
    assert cohort.split["patients"]["external"] == 2
    assert cohort.without([]).split == cohort.split


@pytest.mark.parametrize(
    ("patients", "settings", "message"),
    [
        (PLAIN, {"external": ["Z"]}, "split.external: no centre 'Z'; known: A, B"),
        (PLAIN, {"external": ["A", "B"]}, "names every centre"),
        ([("A", [0]), ("B", [1])], {}, "another seed or share may do"),
        ([("A", [0]), ("B", [1])], {}, "class '2' has no training case"),
    ],
)
def test_a_split_that_cannot_be_used_is_answered(patients: list, settings: dict, message: str) -> None:
    with pytest.raises(CohortError, match=message):
        split_cohort(cohort_of(patients), SplitSettings.model_validate(settings), seed=1)


def test_a_patient_of_two_centres_cannot_be_external_in_part() -> None:
    cohort = cohort_of([*PLAIN, ("C", [0, 1])])
    frame = cohort.frame.copy()
    frame.loc["p20-1", "centre"] = "A"
    with pytest.raises(CohortError, match="rows 27, 28: patient 'p20' has cases in an external centre and in another"):
        split_cohort(Cohort(frame, CLASSES, Path()), SplitSettings(external=("C",)), seed=1)


def test_sets_are_not_drawn_anew() -> None:
    cohort = split_cohort(cohort_of(PLAIN), SplitSettings(), seed=1)
    with pytest.raises(CohortError, match="cannot be split as well"):
        split_cohort(cohort, SplitSettings(), seed=1)


def test_a_split_makes_a_validation_set() -> None:
    with pytest.raises(ValueError, match="no validation set"):
        SplitSettings(internal=0)


def test_two_spellings_of_a_patient_stay_together() -> None:
    plain = cohort_of(PLAIN)
    odd = plain.frame["patient"].map(lambda name: f"P-00{name[1:]}")
    twice = pd.concat([plain.frame, plain.frame.assign(patient=odd).rename(index=lambda case: f"{case} again")])
    frame = split_cohort(Cohort(twice, CLASSES, Path()), SplitSettings(internal=0.3), seed=1).frame
    assert (frame.groupby(frame["patient"].str.extract(r"([1-9]\d*|0)$")[0])["set"].nunique() == 1).all()
