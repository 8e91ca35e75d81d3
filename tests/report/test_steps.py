"""Steps of cleaning and selection in words."""

import pytest

from radfusion.core.results import SelectionStep, SetSummary
from radfusion.modelling.steps import STEPS
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS
from radfusion.report.sentences import methods
from radfusion.report.step_sentences import named_steps, selection_paragraphs, step_words, unharmonised


def step(name, n_in=9, n_out=3, **settings):
    told = STEPS[name](**settings).model_dump(mode="json", exclude={"step"}, exclude_none=True)
    return SelectionStep(name=name, n_in=n_in, n_out=n_out, settings=told)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_words_of_its_own(name):
    said = step_words(step(name))
    assert ":" not in said
    assert name.replace("_", " ") != said
    assert step_words(step(name, sources=("imagenet",))) == f"{said} (only imagenet)"


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("missing", {"fill": "mean", "max_share": 0.1}, "missing in more than 10% of cases and filling in the mean"),
        ("variance", {"max_equal_share": 0.95}, "and those with one value in more than 95% of cases"),
        ("univariate", {"test": "mann-whitney"}, "the Mann-Whitney test (P < 0.05)"),
        ("univariate", {"adjustment": "bh", "top": 40}, "test (Benjamini-Hochberg-adjusted P < 0.05, at most 40)"),
        ("correlation", {"method": "pearson", "stays": "first"}, "Pearson correlation above 0.9 (the first by name"),
        ("mrmr", {"form": "difference", "method": "spearman"}, "difference of F and mean absolute Spearman"),
        ("pca", {}, "principal components that explain 95% of the variance"),
        ("pca", {"n_components": 20}, "principal components (at most 20)"),
        ("scale", {"method": "robust"}, "scaling by median and interquartile range"),
        ("combat", {"batch": "scanner", "preserve": ("age", "sex")}, "by scanner, preserving age and sex"),
        ("combat", {"mean_only": True}, "ComBat harmonisation of the means alone by centre"),
        ("lasso", {"rule": "1se", "folds": 5}, "largest λ within one standard error of the least deviance in 5-fold"),
        ("lasso", {"measure": "auc"}, "λ of the highest AUC in 10-fold cross-validation"),
    ],
)  # fmt: skip
def test_words_speak_of_the_settings(name, settings, words):
    assert words in step_words(step(name, **settings))


def of_steps(results, *steps):
    """Results whose selections had other steps, and no model among them."""
    selections = tuple(
        each.model_copy(
            update={
                "steps": steps,
                "signature": tuple(item.model_copy(update={"coefficients": {}}) for item in each.signature),
                "intercepts": {},
                "lambda_": {},
                "deviance": (),
                "coefficient_path": (),
            }
        )
        for each in results.selections
    )
    return results.model_copy(update={"selections": selections})


def test_without_lasso_nothing_speaks_of_it(results):
    changed = of_steps(results, step("missing", 900, 880), step("mrmr", 880, 12), step("scale", 12, 12))
    blocks = SECTIONS["selection"].build(Index(changed))
    spoken = [getattr(block, "text", "") for block in blocks] + [getattr(block, "caption", "") for block in blocks]
    spoken += [note for block in blocks for note in getattr(block, "notes", ())]
    said = dict(methods(Index(changed)))["Feature selection"]
    assert "cross-validation fold: imputation, mRMR and scaling. Features in the signatures" in spoken[0]
    assert not any("LASSO" in words or "λ" in words or "coefficient" in words for words in [*spoken, *said])
    assert "12 after minimum redundancy, maximum relevance" in said[1]


def test_with_lasso_its_rule_and_lambda_are_told(results):
    said = dict(methods(Index(results)))["Feature selection"]
    assert said[0].startswith("All steps were fitted on the training set only, and fitted anew, in the same order")
    words = "after LASSO (λ of the least deviance in 5-fold cross-validation) remained. The chosen λ"
    assert all(words in each for each in said[1:])


def test_a_stability_step_without_readings_is_not_told(results):
    kept = [SelectionStep(name="stability", n_in=9, n_out=9, settings={"measured": False}), step("scale", 9, 9)]
    changed = of_steps(results, *kept)
    assert named_steps(changed.selections) == "scaling"
    assert not any("stable" in said for said in selection_paragraphs(changed.selections))
    measured = SelectionStep(name="stability", n_in=9, n_out=5, settings={"measured": True})
    assert (
        "5 after removing features that were not stable"
        in selection_paragraphs(of_steps(results, measured).selections)[1]
    )


def test_no_selection_has_no_paragraph():
    assert selection_paragraphs([]) == []


def test_centres_that_combat_did_not_know_are_named(results):
    sets = [
        SetSummary(name=name, role=name, n_cases=9, n_patients=9, n_by_class={}, centres=centres)
        for name, centres in (("internal", ("A", "B")), ("external", ("B", "C", "D")))
    ]
    told = {"batch": "centre", "batches": {"A": 9, "B": 9}}
    changed = of_steps(results, SelectionStep(name="combat", n_in=9, n_out=9, settings=told))
    assert unharmonised(changed.selections, sets) == [
        "Cases of C and D in the external set were not harmonised, because no training case is from there."
    ]
    assert unharmonised(of_steps(results, step("scale")).selections, sets) == []
    scanner = SelectionStep(name="combat", n_in=9, n_out=9, settings=told | {"batch": "scanner"})
    assert unharmonised(of_steps(results, scanner).selections, sets) == []
