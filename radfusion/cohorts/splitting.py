"""Sets for a table that has none: by patient, balanced in class and centre, the same at every call."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator

from radfusion.cohorts._spelling import plain_spelling
from radfusion.core.cohort import Cohort
from radfusion.core.cohort_mistakes import set_mistakes
from radfusion.core.cohort_rows import of_rows
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import CohortError

__all__ = ["SplitSettings", "split_cohort"]


class SplitSettings(Settings):
    """How a table without a set column is shared out to sets."""

    internal: float = Field(0.2, ge=0, le=0.5, description="share of the cases that become the internal set")
    external: tuple[str, ...] = Field((), description="centres that become the external set")
    seed: int | None = Field(None, ge=0, lt=2**31, description="seed of the split; that of the study when not given")

    @model_validator(mode="after")
    def _makes_a_set(self) -> Self:
        if not self.internal and not self.external:
            raise ValueError("internal is 0 and external names no centre: there would be no validation set")
        return self


def split_cohort(cohort: Cohort, settings: SplitSettings, *, seed: int) -> Cohort:
    """Give every case a set; all cases of a patient share one.

    Patients of the named centres become the external set. The others are ordered by their worst class (that of the
    fewest patients first), centre, all their classes, and a hash of seed and identifier. In this order a patient goes
    to the internal set whenever that brings the number of its cases nearer to its share. So the number of internal
    cases departs from the share by at most half the cases of the largest patient in all, and by at most all of them
    within a worst class, or a centre of it. The order of rows plays no part. Patients whose identifiers differ in
    capitals, separators or leading zeros only stay together, as they may be one person.

    Parameters
    ----------
    cohort : Cohort
        Without sets.
    settings : SplitSettings
        Shares and centres.
    seed : int
        Used when the settings name none.

    Returns
    -------
    Cohort
        With sets, and the rule in its ``split``.

    Raises
    ------
    CohortError
        When the cohort has sets, a centre is unknown or shares a patient with others, or the sets that come out
        cannot be used: a class without training case, a set with one class or one patient.
    """
    if cohort.sets:
        raise CohortError(["the table says which set each case belongs to, so it cannot be split as well"])
    mistakes = _centre_mistakes(cohort.frame, settings.external)
    if mistakes:
        raise CohortError(mistakes)
    seed = seed if settings.seed is None else settings.seed
    persons = cohort.frame["patient"].map(plain_spelling)
    external = set(persons[cohort.frame["centre"].isin(settings.external)])
    rest = cohort.frame.assign(patient=persons)[~persons.isin(external)]
    internal = _drawn(_patients(rest, cohort.classes, seed), settings.internal)
    sets = dict.fromkeys(internal, "internal") | dict.fromkeys(external, "external")
    frame = cohort.frame.assign(set=[sets.get(person, "training") for person in persons])
    mistakes = set_mistakes(frame, cohort.classes)
    if mistakes:
        raise CohortError([*mistakes, f"the sets were drawn with the seed {seed}; another seed or share may do"])
    return replace(cohort, frame=frame, split=_record(frame, settings, seed))


def _centre_mistakes(frame: pd.DataFrame, external: Sequence[str]) -> list[str]:
    known = sorted(frame["centre"].dropna().unique())
    mistakes = [f"split.external: no centre {name!r}; {nearest(name, known)}" for name in external if name not in known]
    if known and set(known) <= set(external):
        mistakes.append("split.external names every centre; none is left for training")
    inside = frame["centre"].isin(external)
    both = inside.groupby(frame["patient"]).transform("nunique") > 1
    for patient, rows in frame[both].groupby("patient", sort=False):
        mistakes.append(f"{of_rows(rows['row'])}: patient {patient!r} has cases in an external centre and in another")
    return mistakes


def _patients(frame: pd.DataFrame, classes: Sequence[str], seed: int) -> list[tuple[str, int]]:
    """Patients with their number of cases: rare classes first, neighbours alike in class and centre."""
    cases: dict[str, list[tuple[int, str]]] = {}
    for patient, label, centre in zip(frame["patient"], frame["label"], frame["centre"], strict=True):
        cases.setdefault(str(patient), []).append((classes.index(label), str(centre)))
    grades = {patient: sorted({grade for grade, _ in own}, reverse=True) for patient, own in cases.items()}
    patients_of = Counter(own[0] for own in grades.values())
    ordered = sorted(
        cases,
        key=lambda patient: (
            patients_of[grades[patient][0]],
            grades[patient][0],
            sorted({centre for _, centre in cases[patient]}),
            grades[patient],
            hashlib.sha256(f"{seed} {patient}".encode()).hexdigest(),
        ),
    )
    return [(patient, len(cases[patient])) for patient in ordered]


def _drawn(patients: Sequence[tuple[str, int]], share: float) -> list[str]:
    """Patients whose cases keep, at every place of the list, to a share of the cases so far."""
    drawn, owed = [], 0.0
    for patient, count in patients:
        owed += share * count
        if owed > count / 2:
            drawn.append(patient)
            owed -= count
    return drawn


def _record(frame: pd.DataFrame, settings: SplitSettings, seed: int) -> dict[str, Any]:
    patients = frame.groupby("set")["patient"].nunique()
    return {
        "rule": "by patient, stratified by the patient's worst class, centre and further classes",
        "seed": seed,
        "internal": settings.internal,
        "external": list(settings.external),
        "cases": {str(name): int(count) for name, count in frame["set"].value_counts().sort_index().items()},
        "patients": {str(name): int(count) for name, count in patients.items()},
    }
