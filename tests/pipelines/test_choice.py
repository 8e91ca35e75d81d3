"""The rule of the study decides which model is judged as the final one, and which stands for its arm."""

from __future__ import annotations

import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.modelling.fitting import fit_arms
from radfusion.pipelines.judging import judge
from radfusion.study import Study

STUDY = """
title: Fractures
cohort: {table: cohort.csv, classes: ['0', '1']}
features: {deep: [{weights: random}]}
modelling: {steps: [scale], classifiers: [logistic, knn], folds: 2, tuning: {trials: 0}, fusion: [], choice: %s}
"""


@pytest.mark.parametrize(
    "rule",
    [
        "{}",
        "{rule: one-standard-error}",
        "{rule: named, model: deep-random/knn}",
        "{rule: named, model: radiomics/knn}",
    ],
)
def test_the_final_model_stands_for_its_arm(simulated_arms: tuple[dict[str, FeatureTable], Cohort], rule: str) -> None:
    tables, cohort = simulated_arms
    study = Study.from_text(STUDY % rule)
    judged = judge(study, cohort, fit_arms(tables, cohort, study.modelling, seed=1))
    assert judged.final.model == judged.choice.model
    assert judged.final.model in judged.choice.within
    assert judged.final.best_of_arm
    assert [model.arm for model in judged.models if model.best_of_arm] == ["radiomics", "deep-random"]
    assert judged.choice.value == max(model.cv_macro_auc for model in judged.models)
    assert (study.modelling.choice.model or judged.final.model) == judged.final.model
    if study.modelling.choice.rule == "one-standard-error":
        scores = {model.model: model.cv_macro_auc for model in judged.models}
        least = judged.choice.value - (judged.choice.se or 0.0)
        assert set(judged.choice.within) == {name for name, score in scores.items() if score >= least}
        assert judged.final.classifier == "logistic" or "logistic" not in str(judged.choice.within)
