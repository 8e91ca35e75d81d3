"""Grids of weights, networks and layers: which entries they become, what is left out and why, what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from radfusion.errors import StudyError
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.grids import Grid, PretrainingSettings, with_untrained
from radfusion.pipelines.pretraining import planned_pairs
from radfusion.study import Study

TEXT = """\
kind: pretraining-benchmark
title: Weights
cohort: {table: cohort.csv, classes: [0, 1]}
features:
  grid:
    weights: [imagenet-caffe, imagenet]
    layers: [layer3, layer4]
    shared: {size: 96, margin: 0.2}
"""
NAMES = ["imagenet-caffe-layer3", "imagenet-layer3", "random-layer3", "imagenet-layer4", "random-layer4"]


def test_every_network_and_layer_gets_its_untrained_control() -> None:
    study = Study.from_text(TEXT)
    assert [entry.source for entry in study.features.deep] == NAMES
    assert {(entry.size, entry.margin) for entry in study.features.deep} == {(96, 0.2)}
    assert study.features.grid is not None
    assert list(study.features.grid.left_out()) == ["imagenet-caffe-layer4"]


def test_only_what_varies_is_in_the_names() -> None:
    assert [entry.source for entry in Grid(weights=("imagenet",)).entries()] == ["imagenet", "random"]
    both = Grid(weights=("random",), networks=("resnet18", "resnet50"))
    assert [entry.source for entry in both.entries()] == ["random-resnet18", "random-resnet50"]


def test_the_deepest_layers_of_sources_that_differ_get_a_control_each() -> None:
    names = [entry.source for entry in Grid(weights=("imagenet", "imagenet-caffe")).entries()]
    assert names == ["imagenet-layer4", "random-layer4", "imagenet-caffe-layer3", "random-layer3"]


def test_a_network_that_a_source_does_not_have_is_left_out_by_name() -> None:
    grid = Grid(weights=("imagenet-caffe", "random"), networks=("resnet50", "resnet18"))
    assert "have no file for 'resnet18'" in grid.left_out()["imagenet-caffe-resnet18-deepest"]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"weights": ["imagnet"]}, "no weights source is named 'imagnet'; did you mean 'imagenet'"),
        ({"weights": ["imagenet"], "networks": ["resnet5"]}, "no network is named 'resnet5'"),
        ({"weights": ["imagenet"], "layers": ["layer9"]}, "no combination has the layer 'layer9'"),
        ({"weights": ["imagenet", "imagenet"]}, "'imagenet' is listed twice"),
        ({"weights": ["imagenet"], "shared": {"layer": "layer3"}}, "'layer' differs between the combinations"),
    ],
)
def test_mistakes_in_a_grid_are_answered(grid: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Grid.model_validate(grid)


def test_a_benchmark_leaves_out_radiomics_and_fusion_unless_asked() -> None:
    study = Study.from_text(TEXT)
    assert study.features.radiomics is None
    assert (study.modelling.fusion, study.modelling.classifiers) == ((), ("logistic",))
    asked = Study.from_text(f"{TEXT}  radiomics: {{}}\n")
    assert asked.features.radiomics is not None


def test_the_study_with_every_default_spelled_out_is_the_same_study() -> None:
    study = Study.from_text(TEXT)
    again = Study.from_text(study.to_yaml())
    assert again == study
    assert again.to_yaml() == study.to_yaml()


def test_entries_of_deep_get_a_control_too() -> None:
    text = TEXT.split("features:", maxsplit=1)[0] + "features: {deep: [{weights: imagenet, layer: layer2}]}\n"
    entries = Study.from_text(text).features.deep
    assert [(entry.source, entry.layer_name) for entry in entries] == [("imagenet", "layer2"), ("random", "layer2")]
    assert with_untrained(entries) == list(entries)


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        ("modelling: {fusion: [early]}", "modelling", "fuses nothing"),
        ("pretraining: {reference: imagenet-v2}", "pretraining", "no source has the weights 'imagenet-v2'"),
        ("pretraining: {reference: imagenett}", "pretraining.reference", "did you mean 'imagenet'"),
        ("pretraining: {robustness: [noize]}", "pretraining.robustness", "did you mean 'noise'"),
        ("pretraining: {robustness: [noise, noise]}", "pretraining.robustness", "listed twice"),
        ("evaluation: {primary: {models: [deep-random, deep-imagenet-layer4], set: internal}}", "evaluation", "no arm"),
    ],
)
def test_mistakes_in_a_benchmark_name_their_key(more: str, key: str, said: str) -> None:
    with pytest.raises(StudyError, match=said) as error:
        Study.from_text(f"{TEXT}{more}\n")
    assert error.value.key == key


def test_a_fusion_study_is_no_benchmark() -> None:
    with pytest.raises(StudyError, match="kind pretraining-benchmark"):
        Study.from_text(TEXT.replace("pretraining-benchmark", "fusion") + "pretraining: {}\n")
    fusion = Study.from_text(TEXT.replace("kind: pretraining-benchmark\n", ""))
    assert fusion.pretraining is None
    assert planned_pairs(fusion, ["radiomics"]) is None


@pytest.mark.parametrize(
    ("settings", "pairs"),
    [
        (
            {},
            ["caffe3 - image3", "caffe3 - random3", "image3 - random3", "image4 - random4"],
        ),
        ({"reference": "imagenet"}, ["caffe3 - image3", "random3 - image3", "random4 - image4"]),
        (
            {"reference": "random", "pairs": "all"},
            ["caffe3 - random3", "caffe3 - random4", "image3 - random3", "image3 - random4", "image4 - random3",
             "image4 - random4"],
        ),
    ],
)  # fmt: skip
def test_pairs_are_planned_before_any_result(settings: dict[str, str], pairs: list[str]) -> None:
    study = Study.from_text(TEXT).model_copy(update={"pretraining": PretrainingSettings.model_validate(settings)})
    short = {"deep-imagenet-caffe-layer": "caffe", "deep-imagenet-layer": "image", "deep-random-layer": "random"}
    found = planned_pairs(study, [f"deep-{name}" for name in NAMES])
    assert found is not None
    assert sorted(" - ".join(short[arm[:-1]] + arm[-1] for arm in pair) for pair in found) == sorted(pairs)


def test_an_entry_listed_twice_is_one_entry() -> None:
    entry = "{weights: imagenet, name: imagenet-layer4, layer: layer4, size: 96, margin: 0.2}"
    study = Study.from_text(f"{TEXT}  deep: [{entry}]\n")
    assert [each.source for each in study.features.deep] == NAMES


def test_a_control_is_shown_what_its_source_is_shown_and_can_be_written_down() -> None:
    contract = {"white": 1, "order": "RGB", "mean": (0, 0, 0), "std": (1, 1, 1), "stride": "v1.5"}
    own = Deep.model_validate({"weights": "file", "file": "own.pt", "contract": contract})
    xray = Deep(weights="chest-xray", resize="torchvision")
    newer = Deep(weights="imagenet-v2", resize="torchvision")
    for entry in (own, xray, newer):
        source, control = with_untrained([entry])
        assert control.weights == "random"
        assert control.crop_settings == source.crop_settings
        assert Deep.model_validate(control.model_dump()) == control
