"""The section on pretrained weights: its answer, its numbers with their places, and what it says without weights."""

from __future__ import annotations

import pytest

from radfusion.core.results import StudyResults
from radfusion.report.blocks import Note, Picture, Table, Text
from radfusion.report.figures import draw
from radfusion.report.index import Index
from radfusion.report.pretraining_sentences import against, answers, opening
from radfusion.report.sections.pretraining import build
from radfusion.report.styles import Style


@pytest.fixture(scope="module")
def pretrained(benchmark: StudyResults) -> StudyResults:
    """Return the results as if the sources of layer4 of ResNet-18 were pretrained and shared a place with a control."""
    found = benchmark.pretraining
    assert found is not None
    changed = {"random-resnet18-layer4": {"weights": "imagenet", "network": "resnet50"}}
    sources = tuple(each.model_copy(update=changed.get(each.source, {})) for each in found.sources)
    return benchmark.model_copy(update={"pretraining": found.model_copy(update={"sources": sources})})


def pointed(results: StudyResults, pointer: str) -> object:
    value: object = results.model_dump(mode="json", by_alias=True)
    for part in pointer.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]  # type: ignore[index]
    return value


def test_without_pretrained_weights_the_section_says_that_nothing_is_answered(benchmark: StudyResults) -> None:
    notes = [block.text for block in build(Index(benchmark)) if isinstance(block, Note)]
    assert "does not answer the question" in notes[0]


def test_a_source_is_held_against_the_control_of_its_place(pretrained: StudyResults) -> None:
    found = pretrained.pretraining
    assert found is not None
    by_name = {each.source: each for each in found.sources}
    other = against(found, by_name["random-resnet18-layer4"])
    assert other is not None
    assert other.source == "random-resnet50-layer4"
    assert against(found, by_name["random-resnet50-layer3"]) is None


def test_the_answer_comes_first_and_is_cautious(pretrained: StudyResults) -> None:
    index = Index(pretrained)
    assert not any(isinstance(block, Note) for block in build(index))
    assert pretrained.pretraining is not None
    first = answers(index, pretrained.pretraining)[0]
    assert "deep-random-resnet18-layer4" in first
    assert "P " in first
    texts = [block.text for block in build(index) if isinstance(block, Text)]
    assert texts[1] == first


def test_every_pointer_of_every_table_leads_to_a_value(pretrained: StudyResults) -> None:
    tables = [block for block in build(Index(pretrained)) if isinstance(block, Table)]
    refs = [cell.ref for table in tables for row in table.rows for cell in row if cell.ref]
    assert len(refs) > 50
    assert [ref for ref in refs if pointed(pretrained, ref) is None] == []


def test_a_primary_comparison_that_names_the_control_first_is_turned(pretrained: StudyResults) -> None:
    asked = ("deep-random-resnet50-layer4", "deep-random-resnet18-layer4")
    turned = tuple(
        each.model_copy(update={"models": each.models[::-1], "difference": -(each.difference or 0.0)})
        if {name.split("/")[0] for name in each.models} == set(asked) and each.class_ is None
        else each
        for each in pretrained.comparisons
    )
    rows = [_row(each) for each in (pretrained, pretrained.model_copy(update={"comparisons": turned}))]
    assert rows[0] is not None
    assert rows[0] == rows[1]


def _row(results: StudyResults) -> object:
    """Difference of the source that counts as pretrained to its control in the first set."""
    (table,) = (block for block in build(Index(results)) if isinstance(block, Table) and block.name == "pretraining")
    assert table.data is not None
    (row,) = (row for row in table.data.rows if row[0] == "random-resnet18-layer4" and row[2] == "internal")
    return row[7]


def test_what_else_differs_and_an_absent_reference_are_told(pretrained: StudyResults) -> None:
    found = pretrained.pretraining
    assert found is not None
    first, *others = pretrained.sources
    crop = {**first.settings["crop"], "margin": 0.5}
    other = first.model_copy(update={"settings": {**first.settings, "crop": crop}})
    assert "what the networks are shown differs" not in opening(Index(pretrained), found)
    assert "differs, too (margin)" in opening(Index(pretrained.model_copy(update={"sources": (other, *others)})), found)
    absent = pretrained.model_copy(update={"pretraining": found.model_copy(update={"reference": "vicreg"})})
    (note,) = (block.text for block in build(Index(absent)) if isinstance(block, Note))
    assert "vicreg, was left out" in note


def test_pictures_hold_every_source_and_can_be_drawn(pretrained: StudyResults) -> None:
    pictures = {block.name: block for block in build(Index(pretrained)) if isinstance(block, Picture)}
    assert set(pictures) == {"pretraining_areas", "pretraining_similarity", "pretraining_robustness"}
    assert len(pictures["pretraining_similarity"].data.rows) == 6
    drawn = draw(pictures["pretraining_areas"], Style(dpi=50))
    assert "<svg" in drawn.inline


def test_other_studies_have_no_such_section(benchmark: StudyResults) -> None:
    assert build(Index(benchmark.model_copy(update={"pretraining": None}))) == []
