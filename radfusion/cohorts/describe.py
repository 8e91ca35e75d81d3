"""Counts of a cohort for the report."""

from __future__ import annotations

from radfusion.core.cohort import Cohort
from radfusion.core.results import SetSummary

__all__ = ["summarise_sets"]


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
