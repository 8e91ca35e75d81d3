"""Estimates behind a table, unrounded, as the CSV file beside it."""

from __future__ import annotations

from collections.abc import Collection

from radfusion.core.results import Estimate
from radfusion.report.blocks import Data
from radfusion.report.index import Index

__all__ = ["estimates_data"]

_COLUMNS = (
    "set",
    "model",
    "metric",
    "class",
    "value",
    "low",
    "high",
    "level",
    "method",
    "n",
    "n_pos",
    "n_patients",
    "reason",
)


def estimates_data(index: Index, models: Collection[str], metrics: Collection[str]) -> Data:
    """One row per estimate of the models and metrics."""
    found = [each for each in index.results.estimates if each.model in models and each.metric in metrics]
    return Data(_COLUMNS, tuple(map(_row, found)))


def _row(each: Estimate) -> tuple[str | float | int | None, ...]:
    counts = (each.n, each.n_pos, each.n_patients)
    head = (each.set, each.model, each.metric, each.class_, each.value)
    return (*head, each.low, each.high, each.level, each.method, *counts, each.reason)
