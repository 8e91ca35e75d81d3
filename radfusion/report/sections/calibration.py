"""Calibration of the final model on every set."""

from __future__ import annotations

from radfusion.report.blocks import Block, Cell, Table, Text
from radfusion.report.estimates import estimates_data
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section

__all__ = ["build"]

MEASURES = (
    ("calibration_in_the_large", "In the large"),
    ("calibration_intercept", "Intercept"),
    ("calibration_slope", "Slope"),
    ("ici", "ICI"),
)


def build(index: Index) -> list[Block]:
    """Intercept, slope and distance of each class against the rest."""
    metrics = [metric for metric, _ in MEASURES]
    if index.final is None or not index.tests or not index.has(metrics):
        return []
    model = index.final.model
    rows = tuple(
        (
            Cell(index.set_words(each)),
            Cell(index.label(name)),
            *(index.cell(metric, model, each.name, class_=name) for metric in metrics),
        )
        for each in index.tests
        for name in index.outcome_classes
    )
    return [
        Text(
            "A slope below 1 means that probabilities are too extreme, a value in the large below 0 that they are too "
            "high. Discrimination says nothing about either."
        ),
        Table(
            name="calibration",
            caption=f"Calibration of the final model ({model}), one class against the rest.",
            columns=("Set", "Class", *(title for _, title in MEASURES)),
            rows=rows,
            notes=(
                f"{index.interval_words} in parentheses. In the large: intercept of a logistic model with the logit of "
                "the probability as offset (0 is best); intercept (0) and slope (1) of logistic recalibration; ICI: "
                "integrated calibration index, the mean distance of probabilities from a loess curve of the outcome.",
            ),
            data=estimates_data(index, {each.model for each in index.results.models}, set(metrics)),
            group=True,
        ),
    ]


SECTIONS.add("calibration", Section("Calibration", 65, build))
