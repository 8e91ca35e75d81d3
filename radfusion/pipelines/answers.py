"""Answers of a model to cases whose features are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.contract import Answer, CaseWarning, Decision, InputContract
from radfusion.core.features import FeatureTable
from radfusion.modelling.contract import range_warnings
from radfusion.modelling.explanation import explain
from radfusion.modelling.fitting import case_facts
from radfusion.modelling.model import Model
from radfusion.pipelines.new_cases import unknown_levels

__all__ = ["answers_of", "as_rows"]


def answers_of(
    model: Model, frame: pd.DataFrame, cohort: Cohort, *, notes: Mapping[str, tuple[CaseWarning, ...]]
) -> Iterator[Answer]:
    """Probabilities, decisions, warnings and explanation of each case.

    Parameters
    ----------
    model : Model
        What answers.
    frame : pandas.DataFrame
        Features of the cases.
    cohort : Cohort
        The same cases.
    notes : mapping of str to tuple of CaseWarning
        What is known of a case already.
    """
    if not len(frame):
        return
    predictions, facts = model.predict(FeatureTable(frame), cohort), case_facts(cohort, cohort.frame)
    names = {each.label: each.name for each in model.contract.classes}
    for position, case in enumerate(map(str, frame.index)):
        probabilities = dict(zip(model.classes, predictions.probabilities[position].tolist(), strict=True))
        values = dict(zip(map(str, frame.columns), frame.iloc[position].tolist(), strict=True))
        told = dict(zip(map(str, cohort.frame.columns), cohort.frame.iloc[position].tolist(), strict=True))
        yield Answer(
            case=case,
            model=model.name,
            probabilities=probabilities,
            class_names=names,
            predicted=str(predictions.predicted[position]),
            decisions=tuple(_decisions(model.contract, probabilities)),
            warnings=(
                *range_warnings(model.contract, values),
                *unknown_levels(model.contract, told),
                *notes.get(case, ()),
            ),
            explanation=explain(model, frame.iloc[[position]], facts.iloc[[position]]),
        )


def as_rows(answers: tuple[Answer, ...]) -> pd.DataFrame:
    """One row per case: class and probabilities, decisions at the thresholds, all warnings."""
    columns = None if answers else ["case", "model", "predicted", "warnings"]
    return pd.DataFrame([_row(answer) for answer in answers], columns=columns)


def _decisions(contract: InputContract, probabilities: Mapping[str, float]) -> Iterator[Decision]:
    for each in contract.thresholds:
        probability = probabilities[each.class_]
        yield Decision(
            class_=each.class_,
            probability=probability,
            threshold=each.value,
            positive=None if each.value is None else probability >= each.value,
            rule=each.rule,
            fitted_on=each.fitted_on,
        )


def _row(answer: Answer) -> dict[str, Any]:
    row: dict[str, Any] = {"case": answer.case, "model": answer.model, "predicted": answer.predicted}
    row |= {f"p_{name}": value for name, value in answer.probabilities.items()}
    row |= {f"positive_{each.class_}": each.positive for each in answer.decisions}
    return row | {"warnings": "; ".join(each.message for each in answer.warnings)}
