"""Kinds of study, and what each takes for granted where its file says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

__all__ = ["StudyKind", "with_defaults"]

StudyKind: TypeAlias = Literal["fusion", "pretraining-benchmark"]

#: By kind: keys of a block of the study file and the values that they have there unless it says another.
_DEFAULTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "pretraining-benchmark": {
        "features": {"radiomics": None},
        "modelling": {"classifiers": ["logistic"], "fusion": []},
        "pretraining": {},
    },
}


def with_defaults(study: Mapping[str, Any]) -> dict[str, Any]:
    """A study file's mapping with the defaults of its kind filled in.

    Examples
    --------
    >>> with_defaults({"kind": "fusion", "title": "T"})
    {'kind': 'fusion', 'title': 'T'}
    >>> with_defaults({"kind": "pretraining-benchmark", "modelling": {"classifiers": ["svm"]}})["modelling"]
    {'classifiers': ['svm'], 'fusion': []}
    """
    kind = study.get("kind")
    filled = dict(study)
    for block, values in (_DEFAULTS.get(kind, {}) if isinstance(kind, str) else {}).items():
        given = study.get(block)
        if given is None or isinstance(given, Mapping):
            filled[block] = {**values, **(given or {})}
    return filled
