"""Sections as data: what each must say."""

import pytest

from radfusion.core.results import Comparison, OutputFile
from radfusion.report.blocks import Note, Picture, Table, Text
from radfusion.report.index import Index
from radfusion.report.sections import SECTIONS, sections_in_order
from radfusion.report.sections.comparisons import verdict
from radfusion.report.sentences import AUTHOR_FACTS, unfilled


def texts(blocks):
    return [block.text for block in blocks if isinstance(block, Text | Note)]


def table(blocks, name):
    return next(block for block in blocks if isinstance(block, Table) and block.name == name)


@pytest.mark.parametrize("name", list(SECTIONS))
@pytest.mark.parametrize("study", ["results", "binary"])
def test_every_section_says_something(name, study, request):
    assert SECTIONS[name].build(Index(request.getfixturevalue(study)))


def test_sections_stand_in_rising_order():
    names = [name for name, _ in sections_in_order()]
    assert names[0] == "summary"
    assert names[-1] == "reproducibility"
    assert len({section.order for _, section in sections_in_order()}) == len(names)


def test_a_study_without_pretrained_weights_says_so_first(results):
    only = tuple(each for each in results.sources if each.name in {"radiomics", "radimagenet", "random"})
    blocks = SECTIONS["summary"].build(Index(results.model_copy(update={"sources": only})))
    assert isinstance(blocks[0], Note)
    assert blocks[0].level == "fail"
    assert "No real weights source was available; the deep arm is the untrained control `random`" in blocks[0].text
    assert any("Source radimagenet is missing" in text for text in texts(blocks))


def test_pretrained_weights_silence_that_warning(results):
    assert not any("No real weights" in text for text in texts(SECTIONS["summary"].build(Index(results))))


def test_a_primary_comparison_that_is_gone_is_named(results):
    secondary = tuple(each for each in results.comparisons if each.role != "primary")
    blocks = SECTIONS["summary"].build(Index(results.model_copy(update={"comparisons": secondary})))
    assert any(
        "early-imagenet and radiomics on the external set, could not be tested" in text for text in texts(blocks)
    )


def test_exclusions_are_listed_by_case_stage_and_reason(results):
    rows = table(SECTIONS["participants"].build(Index(results)), "exclusions").rows
    assert [tuple(cell.text for cell in row) for row in rows] == [
        (each.case, each.stage, each.reason) for each in results.exclusions
    ]


def test_signatures_can_be_recomputed_from_their_table(results):
    built = table(SECTIONS["selection"].build(Index(results)), "signature_radiomics").as_data()
    for row, item in zip(built.rows, results.selections[0].signature, strict=True):
        assert row == (item.feature, *item.coefficients.values(), item.mean, item.scale, item.fold_frequency)


def test_all_models_are_shown_on_all_test_sets(results):
    built = table(SECTIONS["performance"].build(Index(results)), "auc_all")
    assert len(built.rows) == len(results.models)
    assert len(built.columns) == 2 + 3


def test_two_classes_have_one_auc(binary):
    blocks = SECTIONS["performance"].build(Index(binary))
    assert table(blocks, "auc_best").columns[-1] == "AUC (mild fracture against no fracture)"
    assert "macro" not in " ".join(texts(blocks)).lower()


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (-0.02, 0.08, 0.24, "No difference in macro AUC between a/x and b/x was shown"),
        (0.01, 0.05, 0.004, "The macro AUC of a/x was higher than that of b/x"),
        (None, None, None, "P not estimable (variance is zero)"),
    ],
)
def test_verdicts_never_call_a_missing_proof_equality(results, low, high, p, said):
    found = Comparison(
        test="influence_macro_paired",
        metric="macro_auc",
        difference=0.03,
        low=low,
        high=high,
        p=p,
        models=("a/x", "b/x"),
        set="external",
        n=60,
        reason=None if p else "variance is zero",
    )
    words = verdict(Index(results), found)
    assert said in words
    assert "equal" not in words
    assert "significant" not in words


def test_facts_of_the_study_file_are_not_asked_again(results):
    open_ = unfilled(Index(results))
    assert AUTHOR_FACTS["objective"] not in open_
    assert AUTHOR_FACTS["ethics"] in open_


def test_names_of_figures_and_tables_are_unique(results):
    blocks = [block for _, section in sections_in_order() for block in section.build(Index(results))]
    for kind in (Picture, Table):
        names = [block.name for block in blocks if isinstance(block, kind)]
        assert len(set(names)) == len(names)


def test_hashes_of_the_reports_own_files_do_not_stand_in_it(results):
    paths = ("predictions/a.csv", "report.html", "figures/roc.svg", "tables/sets.csv", "methods.md")
    files = tuple(OutputFile(path=path, sha256="0" * 64) for path in paths)
    blocks = SECTIONS["reproducibility"].build(Index(results.model_copy(update={"files": files})))
    assert [row[0].text for row in table(blocks, "files").rows] == ["predictions/a.csv"]
