"""The final model is chosen by the rule of the study, and by nothing else."""

import pytest
from pydantic import ValidationError

from radfusion.errors import UserError
from radfusion.modelling.choice import Candidate, ChoiceSettings, choose

MODELS = (
    Candidate("radiomics/logistic", 0.78, 5, 0),
    Candidate("radiomics/svm", 0.79, 5, 1),
    Candidate("early/logistic", 0.80, 12, 0),
    Candidate("early/svm", 0.80, 12, 1),
    Candidate("deep/svm", 0.60, 2, 1),
)


def chosen(error=0.025, **settings):
    return choose(MODELS, ChoiceSettings(**settings), lambda _: error)


def test_the_first_of_the_highest_is_the_default():
    found = chosen()
    assert (found.rule, found.model, found.best, found.value) == ("highest", "early/logistic", "early/logistic", 0.80)
    assert (found.within, found.n_features) == (("early/logistic",), 12)


def test_one_standard_error_prefers_few_features_then_the_simplest_classifier():
    found = chosen(rule="one-standard-error")
    assert found.model == "radiomics/logistic"
    assert (found.best, found.se, found.n_features) == ("early/logistic", 0.025, 5)
    assert found.within == tuple(each.model for each in MODELS[:4])


@pytest.mark.parametrize(("error", "model"), [(0.015, "radiomics/svm"), (0.005, "early/logistic"), (0.3, "deep/svm")])
def test_how_far_one_standard_error_reaches(error, model):
    assert chosen(error, rule="one-standard-error").model == model


def test_without_a_standard_error_only_equals_are_left():
    assert chosen(None, rule="one-standard-error").within == ("early/logistic", "early/svm")


def test_a_named_model_is_taken_whatever_it_reached():
    found = chosen(rule="named", model="deep/svm")
    assert (found.model, found.best, found.within) == ("deep/svm", "early/logistic", ("deep/svm",))


def test_a_named_model_must_be_there():
    with pytest.raises(UserError, match="no model is named 'early/swm'; did you mean 'early/svm'"):
        chosen(rule="named", model="early/swm")


@pytest.mark.parametrize("settings", [{"rule": "named"}, {"model": "early/svm"}, {"rule": "best"}])
def test_rule_and_name_belong_together(settings):
    with pytest.raises(ValidationError):
        ChoiceSettings(**settings)
