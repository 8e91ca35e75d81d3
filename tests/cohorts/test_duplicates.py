"""Films that occur twice are found, and films that cases share are none."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from radfusion.cohorts.duplicates import duplicate_findings, repeated_in_later_sets
from radfusion.core.cohort import Cohort

SETS = {"a": "training", "b": "training", "c": "internal", "d": "internal"}


def cohort_of(*rows: tuple[str, str, str, str]) -> Cohort:
    """Cases as (case, patient, image, set)."""
    frame = pd.DataFrame(rows, columns=["case", "patient", "image", "set"]).set_index("case")
    return Cohort(frame, ("0", "1"), Path())


FOUR = cohort_of(*((case, f"p{case}", f"{case}.png", name) for case, name in SETS.items()))
APART = {case: 0xFFFF << 16 * k for k, case in enumerate(SETS)}


def verdicts(pixels: str, perceptual: dict[str, int] | None = None, cohort: Cohort = FOUR) -> list[str]:
    found = duplicate_findings(cohort, dict(zip("abcd", pixels, strict=True)), perceptual or APART)
    assert [finding.code for finding in found] == ["RF03", "RF03"]
    return [finding.verdict for finding in found]


def test_equal_pixels_in_two_sets_fail() -> None:
    assert verdicts("1234") == ["pass", "pass"]
    assert verdicts("1224") == ["fail", "pass"]
    found = duplicate_findings(FOUR, dict(zip("abcd", "1224", strict=True)), APART)[0]
    assert "b = c" in found.message
    assert found.evidence["across_sets"] == [["b", "c"]]


def test_the_case_of_the_earliest_set_stays() -> None:
    assert repeated_in_later_sets(FOUR, dict(zip("abcd", "1221", strict=True))) == {
        "c": "has the pixels of case 'b' of the training set",
        "d": "has the pixels of case 'a' of the training set",
    }
    assert repeated_in_later_sets(FOUR, dict(zip("abcd", "1122", strict=True))) == {}


def test_equal_pixels_of_two_patients_in_one_set_warn() -> None:
    assert verdicts("1134") == ["warn", "pass"]


def test_equal_pixels_within_a_patient_are_noted() -> None:
    cohort = cohort_of(
        ("a", "p", "1.png", "training"), ("b", "p", "2.png", "training"), ("c", "q", "3.png", "internal")
    )
    (found, _) = duplicate_findings(cohort, {"a": "x", "b": "x", "c": "y"}, {})
    assert (found.verdict, found.evidence["within_a_set"]) == ("pass", [["a", "b"]])
    assert "within a patient: a = b" in found.message


def test_a_film_that_cases_of_a_patient_share_is_no_duplicate() -> None:
    cohort = cohort_of(
        ("a", "p", "1.png", "training"), ("b", "p", "1.png", "training"), ("c", "q", "3.png", "internal")
    )
    found = duplicate_findings(cohort, dict.fromkeys("ab", "x"), dict.fromkeys("ab", 5))
    assert [finding.verdict for finding in found] == ["pass", "pass"]
    assert found[0].evidence == {"films": 1, "across_sets": [], "within_a_set": []}


def test_films_that_look_alike_in_two_sets_warn() -> None:
    near = {**APART, "c": APART["a"] ^ 0b11}
    assert verdicts("1234", near) == ["pass", "warn"]
    assert verdicts("1234", {**APART, "c": APART["a"] ^ 0b111}) == ["pass", "pass"]
    assert verdicts("1214", near) == ["fail", "pass"]
    digits = {case: f"{value:016x}" for case, value in near.items()}
    assert duplicate_findings(FOUR, {}, digits)[1] == duplicate_findings(FOUR, {}, near)[1]


def test_films_that_look_alike_within_a_set_are_noted() -> None:
    found = duplicate_findings(FOUR, {}, {**APART, "b": APART["a"]})[1]
    assert (found.verdict, found.evidence["pairs_within_a_set"]) == ("pass", 1)
    assert "Within a set 1 pair does." in found.message


def test_a_film_without_structure_resembles_nothing() -> None:
    assert verdicts("1234", dict.fromkeys("abcd", 0)) == ["pass", "pass"]


def test_pairs_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    names = [f"c{k}" for k in range(1200)]
    base = rng.integers(1, 2**63, 150, dtype=np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (1200, 2), dtype=np.uint64)
    hashes = {
        name: int(value) for name, value in zip(names, rng.choice(base, 1200) ^ flips[:, 0] ^ flips[:, 1], strict=True)
    }
    sets = dict(zip(names, rng.choice(["training", "internal"], 1200), strict=True))
    cohort = cohort_of(*((name, name, name, str(sets[name])) for name in names))
    near = [(a, b) for a, b in combinations(names, 2) if (hashes[a] ^ hashes[b]).bit_count() <= 2]
    across = [[a, b] for a, b in near if sets[a] != sets[b]]
    found = duplicate_findings(cohort, {}, hashes)[1]
    assert found.evidence["pairs_across_sets"] == len(across) > 100
    assert found.evidence["pairs_within_a_set"] == len(near) - len(across)
    assert sorted(found.evidence["across_sets"]) == sorted(sorted(pair) for pair in across[:100])
    assert f"and {len(across) - 5:,} more" in found.message
