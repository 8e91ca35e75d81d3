"""What a report says of repeated splits."""

from __future__ import annotations

from radfusion.core.results import RepeatedSplits
from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.wording import count, fixed, join

__all__ = ["splits_sentence"]


def splits_sentence(index: Index, found: RepeatedSplits) -> str:
    """What the chain of the final model reached on other random splits."""
    what = (
        f"The {join([f'{name} cases' for name in found.sets])} were split at random by patient "
        f"{count(len(found.values) + found.n_failed, 'time')}, every class at the ratio of the study (about "
        f"{found.n_training:,} to {found.n_held:,} cases); each time the whole chain of {found.model}, with its "
        "hyperparameters, was fitted on one part and scored on the other."
    )
    if found.median is None or found.low is None or found.high is None:
        return f"{what} No split could be fitted: {found.reason}."
    name = index.metric_name(MACRO_AUC)
    text = (
        f"{what} The median {name} was {fixed(found.median)} (2.5th to 97.5th percentile {fixed(found.low)} to "
        f"{fixed(found.high)})."
    )
    if found.used is not None and found.percentile is not None:
        text += f" The split that this study uses gives {fixed(found.used)}, at percentile {found.percentile:.0f}."
    return text
