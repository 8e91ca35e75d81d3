"""A study file is read whole or answered with file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from radfusion.errors import StudyError
from radfusion.pipelines.names import json_schema
from radfusion.pipelines.templates import template_folder
from radfusion.study import Study

TEXT = """\
title: Fractures
cohort:
  table: cohort.csv
  classes: [0, 1]
modelling:
  folds: 4
  classifiers: [logistic, svm]
features:
  deep:
    - weights: random
"""


def error_of(text: str, overrides: tuple[str, ...] = ()) -> StudyError:
    with pytest.raises(StudyError) as error:
        Study.from_text(text, "my/study.yaml", overrides)
    return error.value


def test_a_study_is_read_and_numbers_become_labels() -> None:
    study = Study.from_text(TEXT)
    assert study.cohort.classes == ("0", "1")
    assert study.modelling.folds == 4


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("  folds: 4", "  fold: 4", 6, "modelling.fold", "unknown key; did you mean 'folds'?"),
        ("modelling:", "modeling:", 5, "modeling", "unknown key; did you mean 'modelling'?"),
        ("svm]", "svn]", 7, "modelling.classifiers", "no classifier is named 'svn'; did you mean 'svm'?"),
        ("folds: 4", "folds: four", 6, "modelling.folds", "got 'four'"),
        ("folds: 4", "folds: 1", 6, "modelling.folds", "greater than or equal to 2; got 1"),
        ("weights: random", "weights: randon", 10, "features.deep.0.weights", "did you mean 'random'?"),
        ("weights: random", "weight: random", 10, "features.deep.0.weight", "did you mean 'weights'?"),
        ("  table: cohort.csv\n", "", 2, "cohort.table", "this key is required"),
        ("folds: 4", "folds: 2024-01-01", 6, "modelling.folds", "date"),
    ],
)
def test_a_mistake_is_answered_with_line_key_and_help(old: str, new: str, line: int, key: str, message: str) -> None:
    error = error_of(TEXT.replace(old, new))
    assert (error.line, error.key) == (line, key)
    assert message in str(error)
    assert str(error).startswith(f"my/study.yaml:{line}: {key}: ")


def test_all_mistakes_are_told_at_once() -> None:
    message = str(error_of(TEXT.replace("folds", "fold").replace("svm", "svn").replace("title", "titel")))
    assert [line.split(":")[1] for line in message.splitlines()] == ["1", "1", "6", "7"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("title: a\n  b: [", 2, "not valid YAML"),
        ("title: a\ntitle: b\n", 2, "duplicate key"),
        ("- a\n", 1, "a mapping of keys"),
        ("", 1, "a mapping of keys"),
    ],
)
def test_broken_yaml_is_answered_with_its_line(text: str, line: int, message: str) -> None:
    error = error_of(text)
    assert error.line == line
    assert message in str(error)


def test_overrides_reach_nested_keys_and_lists() -> None:
    study = Study.from_text(
        TEXT, overrides=["modelling.folds=7", "features.deep.0.layer=layer2", "features.radiomics=null"]
    )
    assert study.modelling.folds == 7
    assert study.features.deep[0].layer == "layer2"
    assert study.features.radiomics is None


@pytest.mark.parametrize("override", ["modelling.folds", "=3", "features.deep.5.layer=layer2", "modelling.fold=3"])
def test_a_wrong_override_is_answered(override: str) -> None:
    assert error_of(TEXT, (override,))


def test_a_missing_file_is_answered(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        Study.from_yaml(tmp_path / "study.yaml")


def test_the_resolved_study_is_the_same_study() -> None:
    study = Study.from_text(TEXT)
    assert Study.from_text(study.to_yaml()) == study


@pytest.mark.parametrize(
    "file", sorted([*template_folder().glob("*/study.yaml")], key=str), ids=lambda path: path.parent.name
)
def test_templates_fit_the_json_schema(file: Path) -> None:
    schema = json_schema("study")
    jsonschema.Draft202012Validator.check_schema(schema)
    tree = YAML(typ="safe", pure=True).load(file.read_text())
    jsonschema.validate(tree, schema)


def test_every_setting_is_described() -> None:
    definitions = json_schema("study")["$defs"]
    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, entry in definition.get("properties", {}).items()
        if "description" not in entry and "const" not in entry and name not in {"Statements"}
    ]
    assert bare == []
