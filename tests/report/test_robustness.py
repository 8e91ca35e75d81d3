"""Robustness: other splits, the ledger, and what was fitted on which cases."""

import pytest

from radfusion.core.results import ModelChoice
from radfusion.report.blocks import Note, Picture, Table, Text
from radfusion.report.drawings.splits import heaped
from radfusion.report.index import Index
from radfusion.report.sections import SECTIONS
from radfusion.report.sections.models import choice
from radfusion.report.sentences import methods


def built(results, **changes):
    return SECTIONS["robustness"].build(Index(results.model_copy(update=changes)))


def of_kind(blocks, kind):
    return [block for block in blocks if isinstance(block, kind)]


def test_the_used_split_is_placed_among_the_random_ones(results):
    blocks = built(results)
    (text,) = of_kind(blocks, Text)
    assert "split at random by patient 20 times" in text.text
    assert "median macro AUC was 0.738 (2.5th to 97.5th percentile 0.702 to 0.774)" in text.text
    assert "gives 0.770, at percentile 90" in text.text
    (picture,) = of_kind(blocks, Picture)
    assert [row[1] for row in picture.data.rows] == list(results.repeated_splits.values)


def test_splits_without_an_internal_set_have_no_place_for_a_used_one(results):
    alone = results.repeated_splits.model_copy(update={"sets": ("training",), "used": None, "percentile": None})
    (text,) = of_kind(built(results, repeated_splits=alone), Text)
    assert text.text.startswith("The training cases were split")
    assert "percentile 90" not in text.text


def test_splits_that_failed_are_told_with_their_reason(results):
    some = results.repeated_splits.model_copy(update={"n_failed": 2, "reason": "a class is in one part only"})
    none = some.model_copy(update={"values": (), "median": None, "low": None, "high": None})
    (note,) = of_kind(built(results, repeated_splits=some), Note)
    assert "2 splits could not be fitted" in note.text
    blocks = built(results, repeated_splits=none)
    assert "No split could be fitted: a class is in one part only." in of_kind(blocks, Text)[0].text
    assert not of_kind(blocks, Picture)


def test_fitted_cases_are_named_once_in_the_csv(results):
    table = next(block for block in of_kind(built(results), Table) if block.name == "fitted_rows")
    assert [row[0].text for row in table.rows] == ["training", "training without fold 1"]
    assert len(table.data.rows) == sum(each.n_cases for each in results.fitted_rows)


def test_earlier_scorings_stand_in_the_table_and_in_the_methods(results):
    table = next(block for block in of_kind(built(results), Table) if block.name == "ledger")
    assert [(row[1].text, row[1].level) for row in table.rows] == [("2", "warn"), ("0", None)]
    text = " ".join(paragraph for _, paragraphs in methods(Index(results)) for paragraph in paragraphs)
    assert "The internal set had been scored under 2 earlier configurations" in text
    assert "The external set had been scored" not in text


def test_a_study_without_any_of_it_has_no_section(results):
    assert built(results, fitted_rows=(), ledger=(), repeated_splits=None) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("highest", "it has the highest macro AUC on training out-of-fold predictions"),
        ("one-standard-error", "2 are within one standard error of 0.020 of the highest"),
        ("named", "the study file names it"),
    ],
)
def test_the_choice_is_told_by_its_rule(results, rule, words):
    final = results.final_model
    told = ModelChoice(
        rule=rule, model=final, best="radiomics/knn", value=0.8, se=0.02, within=(final, "radiomics/knn"), n_features=4
    )
    assert words in choice(Index(results.model_copy(update={"choice": told})))


def test_points_of_equal_value_are_heaped():
    assert sorted(level for _, level in heaped((0.5, 0.5, 0.5))) == [0, 1, 2]
