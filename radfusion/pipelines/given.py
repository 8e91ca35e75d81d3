"""Sources of features that are not extracted from images: covariates of the cohort, tables of other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from radfusion.core.cohort import Cohort, CohortColumns
from radfusion.core.features import FeatureTable
from radfusion.core.results import AuditFinding, FeatureSource
from radfusion.execution.progress import Progress
from radfusion.extraction.clinical import SOURCE, clinical_table
from radfusion.extraction.imported import imported_table
from radfusion.networks.health import feature_health
from radfusion.study import Study

__all__ = ["given_sources", "given_tables", "imported_findings", "imported_tables"]

#: Columns from which the spread of a deep source over its principal components says something.
_MANY = 10


def given_tables(study: Study, cohort: Cohort, progress: Progress) -> dict[str, FeatureTable]:
    """Feature tables by source, with a row for every case of the cohort that has one."""
    found = {}
    if study.features.clinical:
        found[SOURCE] = clinical_table(cohort, study.features.clinical)
        for name, levels in found[SOURCE].provenance[SOURCE]["unseen"].items():
            told = ", ".join(f"{level!r} ({n} cases)" for level, n in levels.items())
            progress.say(f"covariate {name!r}: no training case is {told}; the value counts as missing there")
    for name, table in imported_tables(study, cohort).items():
        found[name] = table
        progress.say(_summary(name, table))
    return found


def imported_tables(study: Study, cohort: Cohort) -> dict[str, FeatureTable]:
    """Imported feature tables by source.

    Raises
    ------
    FeatureError
        When a table is not what the study says, or leaks.
    """
    columns = study.cohort.columns.model_dump()
    own = {str(columns[noun]) for noun in CohortColumns.model_fields if columns[noun] is not None}
    own |= set(study.cohort.covariates)
    folder = study.file.parent
    return {each.source: imported_table(each, folder, cohort, own=own) for each in study.features.imported}


def imported_findings(sources: Iterable[FeatureSource]) -> list[AuditFinding]:
    """RF02: each imported table was looked at for scaling, projection and balancing over more than training rows."""
    found = []
    for source in sources:
        if not source.imported:
            continue
        tested = source.settings["leak_tests"]
        scaled = tested["already_scaled_in_training"]
        message = (
            f"The imported table {source.name} ({tested['rows']} rows, {tested['features']} features) shows no sign of "
            "scaling, principal components or repeated rows over more than its training cases; what its program fitted "
            "beyond that cannot be seen."
        )
        if scaled:
            message += (
                f" {scaled} features are z-scores of the training cases alone, so that folds have shared one scaler."
            )
        if not tested["interpolated_rows_looked_for"]:
            message += " It has too many rows to look for interpolated ones."
        verdict: Literal["pass", "warn"] = "warn" if scaled else "pass"
        found.append(AuditFinding(code="RF02", verdict=verdict, message=message, evidence=dict(tested)))
    return found


def _summary(name: str, table: FeatureTable) -> str:
    facts = table.provenance[name]
    dropped = "; ".join(f"{each['count']} {reason}" for reason, each in facts["dropped_columns"].items())
    files = " + ".join(each["name"] for each in facts["imported"])
    return (
        f"imported {name!r}: {facts['program']}, {files}: {table.frame.shape[1]} features of {facts['rows_used']} "
        f"cases; {facts['rows_unused']} rows unused, columns left out: {dropped or 'none'}"
    )


def given_sources(study: Study, tables: Mapping[str, FeatureTable], cohort: Cohort) -> list[FeatureSource]:
    """What the results say of these sources."""
    sources = ([SOURCE] if study.features.clinical else []) + [each.source for each in study.features.imported]
    kinds, training = study.features.kinds, cohort.of_set("training").frame.index
    found = []
    for name in sources:
        table, kind = tables[name], kinds[name]
        health = _health(table.restrict(training)) if kind == "deep" else {}
        width, facts = table.frame.shape[1], dict(table.provenance[name])
        found.append(FeatureSource(name=name, kind=kind, n_features=width, settings=facts, health=health))
    return found


def _health(table: FeatureTable) -> dict[str, float]:
    """Spread of deep features; of a few scores it says nothing, and gaps cannot be measured."""
    whole = table.values[:, np.isfinite(table.values).all(axis=0)]
    return feature_health(whole) if whole.shape[1] >= _MANY else {}
