"""Whether a cohort can be harmonised as its study says: looked at before any computing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.errors import FeatureError, UserError
from radfusion.modelling.folds import INNER, FoldPlan, TrainingLabels
from radfusion.modelling.steps.base import Step
from radfusion.modelling.steps.combat import Combat, fact_of_cases

__all__ = ["check_harmonisation"]

#: What is fitted on which cases, and asked of which others.
Split = tuple[str, pd.DataFrame, pd.DataFrame]


def check_harmonisation(steps: Sequence[Step], cohort: Cohort, plan: FoldPlan, *, seed: int) -> None:
    """Check that every case has the batch and covariates of the ``combat`` steps, and that training cases know them.

    Parameters
    ----------
    steps : sequence of Step
        Of the study.
    cohort : Cohort
        All sets.
    plan : FoldPlan
        Folds, dealt as fitting will.
    seed : int
        Of the folds.

    Raises
    ------
    UserError
        Naming column, cases, set or fold, and what to write instead.
    """
    for step in steps:
        if isinstance(step, Combat):
            _check_columns(step, cohort)
            for name, split in product((step.batch, *step.preserve), list(_splits(cohort, plan, seed=seed))):
                _check_split(step, name, split, numeric=_numeric(cohort, name))


def _check_columns(step: Combat, cohort: Cohort) -> None:
    key = f"modelling.steps: {step.step}"
    there = [
        name for name in ("centre", *cohort.covariates) if name in cohort.frame and cohort.frame[name].notna().any()
    ]
    for name in (step.batch, *step.preserve):
        if name not in there:
            raise UserError(
                f"{key}: the cohort table has no {name!r}; it has {', '.join(there) or 'none'}: add the column, or "
                "take the step out of modelling.steps"
            )
        try:
            fact_of_cases(cohort.frame, name)
        except FeatureError as error:
            raise UserError(f"modelling.steps: {error}") from error
    for name in step.preserve:
        kind = cohort.covariate_types.get(name)
        if kind is None or kind.type == "date":
            raise UserError(
                f"{key}.preserve: {name!r} must be declared as a number or as categories: write cohort.covariates: "
                f"{{{name}: {{type: number}}}} or {{{name}: {{type: category}}}}"
            )
    found = sorted(set(fact_of_cases(cohort.of_set("training").frame, step.batch)))
    if len(found) < 2:
        raise UserError(
            f"{key}: all training cases have the {step.batch} {', '.join(found)}; two or more are needed: take the "
            "step out of modelling.steps"
        )
    if step.reference is not None and step.reference not in found:
        raise UserError(
            f"{key}.reference: no training case has the {step.batch} {step.reference!r}; {', '.join(found)}"
        )


def _numeric(cohort: Cohort, name: str) -> bool:
    kind = cohort.covariate_types.get(name)
    return kind is not None and kind.type == "number"


def _splits(cohort: Cohort, plan: FoldPlan, *, seed: int) -> Iterator[Split]:
    """All sets by the training set, then every outer and inner fold by the cases outside it."""
    training = cohort.of_set("training").frame.sort_index()
    for name in cohort.sets[1:]:
        yield f"the set {name!r}", training, cohort.of_set(name).frame
    labels = TrainingLabels.from_rows(training, cohort.classes)
    outer = labels.folds(plan.outer, seed=seed)
    for fold in range(plan.outer):
        within = outer != fold
        part = training[within]
        yield f"fold {fold + 1}", part, training[~within]
        inner = (
            labels.take(within).folds(plan.inner, seed=seed, key=INNER)
            if plan.inner is not None
            else np.empty(0, dtype=np.intp)
        )
        for number in np.unique(inner):
            yield f"inner fold {number + 1} of fold {fold + 1}", part[inner != number], part[inner == number]


def _check_split(step: Combat, name: str, split: Split, *, numeric: bool) -> None:
    """Refuse values that no case to be fitted on has."""
    where, fitted, asked = split
    known = set(fact_of_cases(fitted, name))
    strange = [value for value in fact_of_cases(asked, name) if value not in known]
    batch = name == step.batch
    if batch and len(known) < 2:
        raise UserError(
            f"modelling.steps: {step.step}: without {where} the training cases have one {name}, {', '.join(known)}: "
            "take the step out, or use fewer folds"
        )
    if not strange or (numeric and not batch) or (batch and step.unseen == "unchanged"):
        return
    first = strange[0]
    ways = "leave such cases out, or take the step out of modelling.steps"
    if batch:
        ways = f"write unseen: unchanged in the step, so that they pass as they are, or {ways}"
    raise UserError(
        f"modelling.steps: {step.step}: {where} has {strange.count(first)} cases of the {name} {first!r}, of which the "
        f"cases to be fitted on have none (they have {', '.join(sorted(known))}): {ways}"
    )
