"""Every registered name, and the schemas that follow from the settings classes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from radfusion.core.registry import Registry, nearest
from radfusion.core.results import StudyResults
from radfusion.errors import UnknownNameError
from radfusion.evaluation.audit import AUDIT_RULES
from radfusion.evaluation.comparisons import COMPARISONS
from radfusion.evaluation.metrics import METRICS
from radfusion.execution.executors import EXECUTORS
from radfusion.extraction.controls import CONTROLS
from radfusion.extraction.imported import LEAK_TESTS, TABLE_FORMATS
from radfusion.extraction.perturbations import PERTURBATIONS
from radfusion.imaging.formats import FORMATS
from radfusion.imaging.segmentations import KINDS
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.fusion import LATE_RULES
from radfusion.modelling.steps import STEPS
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backends import BACKENDS
from radfusion.networks.weights import WEIGHTS
from radfusion.pipelines.templates import template_names
from radfusion.report.sections import SECTIONS
from radfusion.study import Study

__all__ = ["REGISTRIES", "json_schema", "registered_names"]

REGISTRIES: dict[str, Registry[Any]] = {
    "executor": EXECUTORS,
    "format": FORMATS,
    "segmentation": KINDS,
    "weights": WEIGHTS,
    "network": NETWORKS,
    "backend": BACKENDS,
    "perturbation": PERTURBATIONS,
    "control": CONTROLS,
    "table-format": TABLE_FORMATS,
    "leak-test": LEAK_TESTS,
    "step": STEPS,
    "classifier": CLASSIFIERS,
    "late-rule": LATE_RULES,
    "metric": METRICS,
    "comparison": COMPARISONS,
    "audit-rule": AUDIT_RULES,
    "section": SECTIONS,
}


def registered_names(kind: str | None = None) -> dict[str, list[str]]:
    """Names by kind; those of one kind when it is given.

    Raises
    ------
    UnknownNameError
        When there is no such kind.

    Examples
    --------
    >>> registered_names("executor")
    {'executor': ['processes', 'serial']}
    """
    everything = {heading: list(registry) for heading, registry in REGISTRIES.items()}
    everything["template"] = template_names()
    if kind is None:
        return everything
    if kind not in everything:
        raise UnknownNameError(f"no kind of part is named {kind!r}; {nearest(kind, list(everything))}")
    return {kind: everything[kind]}


def json_schema(what: str) -> dict[str, Any]:
    """JSON Schema of ``study`` (study.yaml) or ``results`` (results.json).

    Raises
    ------
    UnknownNameError
        For any other name.
    """
    models: dict[str, type[BaseModel]] = {"study": Study, "results": StudyResults}
    if what not in models:
        raise UnknownNameError(f"no schema is named {what!r}; {nearest(what, list(models))}")
    schema = models[what].model_json_schema(by_alias=True, mode="validation" if what == "study" else "serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
