"""The proof looks at the real fits: whatever is tampered with is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import StudyResults
from radfusion.modelling.arms import ArmFit, PartFit
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.rows import cases_hash
from radfusion.modelling.settings import ModellingSettings
from radfusion.pipelines.proof import LeakError, fitted_rows, prove


@pytest.fixture(scope="module")
def study(simulated_arms: tuple[dict[str, FeatureTable], Cohort]) -> tuple[dict[str, Any], Cohort]:
    tables, cohort = simulated_arms
    settings = ModellingSettings.model_validate(
        {
            "steps": ["missing", "scale"],
            "classifiers": ["logistic"],
            "folds": 3,
            "inner_folds": 2,
            "tuning": {"trials": 2},
        }
    )
    arms = fit_arms(tables, cohort, settings, seed=1)
    return {**arms, "late": late_fusion("late", list(arms.values()), rule="stacking")}, cohort


def with_part(arm: ArmFit, at: int, **changes: Any) -> ArmFit:
    parts = list(arm.parts)
    parts[at] = replace(parts[at], **changes)
    return replace(arm, parts=tuple(parts))


def with_fit(arm: ArmFit, **changes: Any) -> ArmFit:
    return replace(arm, fits={"logistic": replace(arm.fits["logistic"], **changes)})


def added(predictions: Predictions, row: pd.DataFrame) -> Predictions:
    return replace(predictions, frame=pd.concat([predictions.frame, row]))


def fold(arm: ArmFit) -> PartFit:
    return arm.parts[1]


def test_real_fits_pass(study: tuple[dict[str, Any], Cohort]) -> None:
    prove(*study)


def test_every_list_of_cases_is_kept_once_and_can_be_hashed_again(study: tuple[dict[str, Any], Cohort]) -> None:
    arms, cohort = study
    rows = fitted_rows(arms, cohort)
    training = cohort.of_set("training").frame
    assert [each.name for each in rows[:2]] == ["training", "training without fold 1"]
    assert len(rows) == len({each.sha256 for each in rows}) == len({each.name for each in rows}) == 1 + 3 + 3 * 2
    assert set(rows[0].cases) == set(training.index)
    assert rows[0].n_patients == training["patient"].nunique()
    assert all(each.sha256 == cases_hash(each.cases) for each in rows)


def test_an_arm_that_lacks_cases_names_its_own_rows(simulated_arms: tuple[dict[str, FeatureTable], Cohort]) -> None:
    (table, *_), cohort = list(simulated_arms[0].values()), simulated_arms[1]
    fewer = table.restrict(list(table.frame.index[3:]))
    settings = ModellingSettings.model_validate(
        {"steps": ["scale"], "classifiers": ["logistic"], "folds": 2, "tuning": {"trials": 0}}
    )
    rows = fitted_rows(fit_arms({"all": table, "some": fewer}, cohort, settings, seed=1), cohort)
    assert {"training", "training (some)"} <= {each.name for each in rows}


TAMPERED: dict[str, Callable[[ArmFit, Cohort], ArmFit]] = {
    "steps were fitted on other cases": lambda arm, _: with_part(arm, 1, steps=frozenset({cases_hash(["x"])})),
    "outside the training set": lambda arm, cohort: with_part(
        arm,
        0,
        cases=(*arm.parts[0].cases, cohort.of_set("internal").frame.index[0]),
        steps=frozenset({cases_hash([*arm.parts[0].cases, cohort.of_set("internal").frame.index[0]])}),
    ),
    "predicts 1 cases and 1 patients": lambda arm, _: with_part(
        arm, 1, unseen=(*fold(arm).unseen, fold(arm).cases[0])
    ),
    "predicts 0 cases and 1 patients": lambda arm, _: with_part(
        arm, 1, cases=fold(arm).cases[1:], steps=frozenset({cases_hash(fold(arm).cases[1:])}),
        unseen=(*fold(arm).unseen, fold(arm).cases[0]),
    ),
    "predicted by no fold, or by several": lambda arm, _: with_part(arm, 1, unseen=fold(arm).unseen[1:]),
    "own training": lambda arm, _: with_part(arm, 0, unseen=arm.parts[0].unseen[1:]),
    "no part of the training set explains": lambda arm, cohort: with_fit(
        arm,
        out_of_fold=added(
            arm.fits["logistic"].out_of_fold,
            arm.fits["logistic"].predictions.frame.loc[cohort.of_set("internal").frame.index[:1]],
        ),
    ),
    "should not be known there": lambda arm, _: with_fit(
        arm, inside=tuple(reversed(arm.fits["logistic"].inside[:-1]))
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", TAMPERED)
def test_a_leak_is_found(study: tuple[dict[str, Any], Cohort], message: str) -> None:
    arms, cohort = study
    tampered = arms | {"radiomics": TAMPERED[message](arms["radiomics"], cohort)}
    with pytest.raises(LeakError, match=message):
        prove(tampered, cohort)


def test_a_run_writes_what_everything_was_fitted_on(small_run: Any) -> None:
    results = StudyResults.read(small_run)
    rows = {each.name: each for each in results.fitted_rows}
    training = next(one for one in results.sets if one.name == "training")
    assert rows["training"].n_cases == training.n_cases
    for selection in results.selections:
        assert selection.fitted_on == "training"
        assert {step.fitted_on for step in selection.steps} == {rows["training"].sha256}
    for model in results.models:
        assert model.fitted_on[0] == "training"
        assert model.fitted_on[1:] == tuple(f"training without fold {fold}" for fold in (1, 2, 3))
