"""What the Methods say of classifiers is true of tuned and of untuned studies."""

import pytest

from radfusion.report.index import Index
from radfusion.report.model_sentences import classifier_sentences, final_sentence
from radfusion.report.sections import SECTIONS


def told(results, trials=(), **modelling):
    """An index of the study with these trials of every model and these settings."""
    models = tuple(each.model_copy(update={"trials": trials}) for each in results.models)
    facts = results.study.model_copy(update={"settings": {"modelling": {"inner_folds": 4} | modelling}})
    return Index(results.model_copy(update={"models": models, "study": facts}))


@pytest.fixture
def trials(results):
    first = results.models[0].trials[0]
    worse = first.model_copy(update={"hyperparameters": {"C": 9.0}, "score": 0.4, "pruned": True})
    return (first, worse)


def settings_table(index):
    return next(block for block in SECTIONS["models"].build(index) if getattr(block, "name", "") == "tuning")


def test_an_untuned_study_says_that_nothing_was_searched(results):
    index = told(results)
    words = classifier_sentences(index)
    assert "their hyperparameters were fixed beforehand, without a search." in words
    assert "maximising" not in words
    found = settings_table(index)
    assert found.notes == ("No search: the settings are the defaults or those that the study file states.",)
    assert found.data is None


def test_a_tuned_study_states_budget_sampler_metric_and_folds(results, trials):
    words = classifier_sentences(told(results, trials, tuning={"sampler": "tpe", "metric": "macro_auc"}))
    assert "chosen inside every training part from at most 2 settings each, the default first" in words
    assert "tree-structured Parzen estimator, maximising the macro AUC over 4 inner folds of patients" in words
    assert "given up early" in words
    small = classifier_sentences(told(results, trials[:1], tuning={"sampler": "random", "metric": "log_loss"}))
    assert "at most 1 setting each, the default first, others drawn at random, minimising the log loss" in small
    assert "given up" not in small


def test_every_trial_is_in_the_table_with_what_was_given_up(results, trials):
    index = told(results, trials)
    found = settings_table(index)
    assert found.data.columns == ("model", "trial", "hyperparameters", "score", "pruned")
    assert [row[-1] for row in found.data.rows[:2]] == ["", "given up"]
    assert len(found.data.rows) == 2 * len(index.results.models)


def test_what_was_searched_is_printed(results, trials):
    index = told(results, trials)
    models = tuple(each.model_copy(update={"space": {"C": "0.001 to 10"}}) for each in index.results.models)
    notes = settings_table(Index(index.results.model_copy(update={"models": models}))).notes
    assert notes[0].startswith(f"Searched: {models[0].classifier} (C: 0.001 to 10)")


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        ({"weights": "balanced"}, "cases weighed in inverse proportion to the size of their class"),
        ({"resampling": "smote"}, "classes were balanced by SMOTE; probabilities were brought back"),
    ],
)
def test_balancing_is_told_only_where_it_was_done(results, balance, words):
    assert words in classifier_sentences(told(results, balance=balance))
    assert words not in classifier_sentences(told(results, balance={"weights": "none", "resampling": "none"}))


def test_one_classifier_was_fitted_and_several_were(results):
    alone = tuple(each for each in results.models if each.classifier == "logistic")
    assert ") was fitted on" in classifier_sentences(Index(results.model_copy(update={"models": alone})))
    assert ") were fitted on" in classifier_sentences(Index(results))


def test_the_rule_of_the_choice_is_told(results):
    assert "chosen by the highest out-of-fold macro AUC in 5 folds" in final_sentence(Index(results), "5 folds")
