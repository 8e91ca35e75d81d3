"""Counts of a cohort for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radfusion.core.cohort import Cohort
from radfusion.core.results import SetSummary

__all__ = ["describe_split", "summarise_sets"]


def describe_split(split: Mapping[str, Any]) -> str:
    """How cases were shared out to sets, for the Methods.

    Parameters
    ----------
    split : mapping of str to object
        ``Cohort.split``.

    Examples
    --------
    >>> describe_split({"rule": "by patient", "seed": 7, "internal": 0.2, "external": ["C"]})
    'Sets were drawn by patient (20% of the cases internal, seed 7); the centre C is the external set.'
    """
    drawn = f"Sets were drawn {split['rule']} ({split['internal']:.0%} of the cases internal, seed {split['seed']})"
    centres = split["external"]
    if not centres:
        return f"{drawn}."
    verb = "centre {} is" if len(centres) == 1 else "centres {} are"
    return f"{drawn}; the {verb.format(', '.join(centres))} the external set."


def summarise_sets(cohort: Cohort) -> tuple[SetSummary, ...]:
    """Cases, patients, classes and centres of each set, in the order of the roles."""
    summaries = []
    for name in cohort.sets:
        frame = cohort.of_set(name).frame
        counts = frame["label"].value_counts()
        summaries.append(
            SetSummary(
                name=name,
                role=name,
                n_cases=len(frame),
                n_patients=int(frame["patient"].nunique()),
                n_by_class={label: int(counts.get(label, 0)) for label in cohort.classes},
                centres=tuple(sorted(map(str, frame["centre"].dropna().unique()))),
            )
        )
    return tuple(summaries)
