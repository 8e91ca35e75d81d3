"""Arms: the default ones, those that a study names, and what is answered to names that cannot be."""

from __future__ import annotations

import jsonschema
import pytest
from ruamel.yaml import YAML

from radfusion.errors import StudyError
from radfusion.modelling.arm_plan import LateArm, planned_arms
from radfusion.modelling.settings import ModellingSettings
from radfusion.pipelines.names import json_schema
from radfusion.study import Study

KINDS = {"radiomics": "radiomics", "a": "deep", "b": "deep", "clinical": "clinical"}
TEXT = """\
title: Fractures
cohort:
  table: cohort.csv
  classes: [0, 1]
  covariates: {age: {type: number, unit: years}, seen: {type: date}}
features:
  deep:
    - weights: random
  clinical: [age]
modelling:
  arms:
    both: [clinical, radiomics]
    everything: {join: [clinical, radiomics, random]}
    stacked: {late: [both, deep-random, clinical], rule: stacking}
evaluation:
  primary: {models: [stacked, both], set: internal}
"""


def test_every_source_alone_and_radiomics_with_each_deep_source_by_default() -> None:
    plan = planned_arms(KINDS, ModellingSettings())
    assert plan.names == (
        "radiomics", "deep-a", "deep-b", "clinical", "early-a", "early-b", "late-a", "late-b"
    )  # fmt: skip
    assert plan.joined["early-b"] == ("radiomics", "b")
    assert plan.late["late-b"] == LateArm(("radiomics", "deep-b"), "mean")


def test_named_arms_stand_beside_them() -> None:
    study = Study.from_text(TEXT)
    plan = planned_arms(study.features.kinds, study.modelling)
    assert plan.joined["both"] == ("clinical", "radiomics")
    assert plan.joined["everything"] == ("clinical", "radiomics", "random")
    assert plan.late["stacked"] == LateArm(("both", "deep-random", "clinical"), "stacking")
    assert Study.from_text(study.to_yaml()) == study


def test_the_published_schema_takes_lists_and_mappings() -> None:
    jsonschema.validate(YAML(typ="safe").load(TEXT), json_schema("study"))


def test_only_named_arms_and_what_they_fuse() -> None:
    arms = {"both": ["clinical", "a"], "fused": {"late": ["both", "radiomics"]}}
    plan = planned_arms(KINDS, ModellingSettings.model_validate({"arms": arms, "default_arms": False}))
    assert plan.names == ("radiomics", "both", "fused")


def test_an_arm_whose_source_is_not_here_is_left_out_by_name() -> None:
    arms = {
        "both": ["clinical", "b"],
        "fused": {"late": ["both", "radiomics"]},
        "three": {"late": ["radiomics", "clinical"]},
    }
    here = {name: kind for name, kind in KINDS.items() if name != "b"}
    plan = planned_arms(here, ModellingSettings.model_validate({"arms": arms}))
    assert plan.left_out == {"both": "b", "fused": "both"}
    assert "three" in plan.names


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("both: [clinical, radiomics]", "both: [clinicl, radiomics]", 10, "no source is named 'clinicl'; did you mean"),
        ("late: [both,", "late: [bth,", 10, "arms.stacked: no fitted arm is named 'bth'; did you mean 'both'?"),
        ("late: [both,", "late: [late-random,", 10, "no fitted arm is named 'late-random'"),
        ("both: [clinical,", "Early-random: [clinical,", 10, "'Early-random' is the name of an arm that every"),
        ("both: [clinical,", "a/b: [clinical,", 10, "'a/b' cannot be a name; allowed are letters, digits"),
        ("both: [clinical,", "Everything: [clinical,", 10, "two arms are named"),
        ("rule: stacking", "rule: staking", 14, "no late fusion rule is named 'staking'; did you mean 'stacking'?"),
        ("everything: {join", "everything: {rule: mean, join", 13, "joined features need none"),
        ("late: [both, deep-random, clinical]", "late: [both]", 14, "'both' alone is nothing to fuse"),
        ("both: [clinical, radiomics]", "both: [clinical, clinical]", 12, "'clinical' is named twice"),
        ("both: [clinical, radiomics]", "both: {}", 12, "an arm joins sources or fuses arms"),
        ("[stacked, both]", "[staked, both]", 15, "no arm is named 'staked'; did you mean 'stacked'?"),
        ("clinical: [age]", "clinical: [age, bmd]", 6, "'bmd' is not declared; write its type under cohort."),
        ("clinical: [age]", "clinical: [seen]", 6, "'seen' is a date"),
        ("clinical: [age]", "clinical: [age, age]", 9, "the covariate 'age' is listed twice"),
        ("- weights: random", "- {weights: random, name: clinical}", 6, "which names the covariates of the cohort"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_its_line_and_the_nearest_name(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(StudyError) as error:
        Study.from_text(TEXT.replace(old, new))
    assert message in str(error.value)
    assert error.value.line == line


def test_without_default_arms_there_must_be_others() -> None:
    with pytest.raises(StudyError, match="default_arms: without them nothing is fitted"):
        Study.from_text(TEXT.split("evaluation")[0].split("  arms")[0] + "  default_arms: false\n")


def test_a_pretraining_benchmark_has_no_arms_of_its_own() -> None:
    text = "kind: pretraining-benchmark\n" + TEXT.split("evaluation")[0] + "  fusion: []\n"
    with pytest.raises(StudyError, match=r"arms: a pretraining benchmark fuses nothing; allowed is \{\}"):
        Study.from_text(text)


def test_a_step_of_a_source_that_is_not_there_is_refused() -> None:
    steps = "  steps: [missing, {step: univariate, sources: [radiomic]}]\n"
    with pytest.raises(StudyError, match=r"steps\.1: univariate: no source is named 'radiomic'; did you mean 'radio"):
        Study.from_text(TEXT.replace("modelling:\n", f"modelling:\n{steps}"))
