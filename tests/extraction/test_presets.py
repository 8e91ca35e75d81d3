"""Presets: each value has a reason, given keys win, the resolved study shows all."""

import pytest
from pydantic import ValidationError

from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.presets import PRESETS, preset_values
from radfusion.study import Study

STUDY = """\
title: A study
cohort: {table: cohort.csv, classes: [0, 1]}
features:
  radiomics: {preset: ct, log_sigma: [2]}
"""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_valid_and_every_value_has_a_reason(name):
    radiomics = Radiomics(preset=name)
    assert {setting: getattr(radiomics, setting) for setting in PRESETS[name]} == preset_values(name)
    assert all(len(choice.reason) > 15 for choice in PRESETS[name].values())


def test_given_keys_go_before_those_of_the_preset():
    radiomics = Radiomics(preset="mr", bin_width=10.0, resampled_spacing=None)
    assert (radiomics.bin_width, radiomics.resampled_spacing, radiomics.normalise) == (10.0, None, True)


def test_a_count_replaces_the_width_of_the_preset_and_the_other_way_round():
    assert Radiomics(preset="ct", bin_count=64).bin_width is None
    assert Radiomics(preset="radiograph", bin_width=4.0).bin_count is None


def test_the_radiograph_preset_is_the_default():
    assert Radiomics(preset="radiograph").asked(2) == Radiomics().asked(2)


def test_the_resolved_study_prints_every_value_and_is_the_same_study():
    study = Study.from_text(STUDY)
    text = study.to_yaml()
    assert "bin_width: 25.0" in text
    assert "array_shift: 1000" in text
    assert Study.from_text(text).features == study.features


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValidationError, match="'radiograph', 'ct', 'mr' or 'pet'"):
        Radiomics(preset="us")


def rows(name):
    """Rows of the guide's table of a preset."""
    for setting, choice in PRESETS[name].items():
        value = choice.value
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else "as is" if value is None else str(value)
        if setting != "feature_classes":
            yield f"| `{setting}` | {shown} | {choice.reason} | {choice.source} |"


@pytest.mark.parametrize("name", PRESETS)
def test_the_guide_gives_every_value_with_its_reason(name, root):
    text = (root / "docs" / "radiomics.md").read_text(encoding="utf-8")
    assert [row for row in rows(name) if row not in text] == []
