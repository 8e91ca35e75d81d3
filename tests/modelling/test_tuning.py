"""Tuning: the default first, never worse than it on the inner folds, blind to whatever is held out."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from pydantic import ValidationError

from radfusion.core.results import ClassifierTrial
from radfusion.execution.cache import Cache
from radfusion.execution.work import Workers
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.classifiers import CLASSIFIERS
from radfusion.modelling.fits import FITTING, FitTask, InnerFold, fit_part, inner_probabilities
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.hyperparameters import Choice, Number
from radfusion.modelling.scores import macro_auc
from radfusion.modelling.tuning import TuningSettings, best_trial, inner_score, search

SPACE = {"C": Number(0.1, (0.001, 10.0))}


def task(name, *, trials=6, n=60, k=3, classes=2, seed=0, **changes):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(n) % classes)
    values = rng.normal(size=(n, k)) + 0.6 * codes[:, None]
    labels = TrainingLabels(codes, np.arange(n), tuple("abc"[:classes]))
    folds = labels.folds(3, seed=1)
    inner = tuple(InnerFold(values, folds == fold) for fold in range(3))
    wanted = rng.normal(size=(10, k))
    made = FitTask(name, {}, labels, values, inner, wanted, TuningSettings(trials=trials), BalanceSettings(), 3)
    return replace(made, **changes)


def searched(scores, **settings):
    return search({"C": 0.1}, SPACE, scores, folds=3, settings=TuningSettings(**{"trials": 12} | settings), seed=5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_chosen_setting_is_never_worse_than_the_default_on_the_inner_folds(name):
    few = {"n_estimators": 10} if "n_estimators" in CLASSIFIERS[name].hyperparameters else {}
    each = task(name, trials=3, hyperparameters=few)
    fitted = fit_part(each)
    default = {**CLASSIFIERS[name].defaults, **few}
    assert fitted.trials[0].hyperparameters == default
    score = macro_auc(each.labels.codes, fitted.inside)
    assert score == best_trial(fitted.trials).score
    assert score >= macro_auc(each.labels.codes, inner_probabilities(each, default))
    np.testing.assert_array_equal(fitted.inside, inner_probabilities(each, fitted.hyperparameters))


def test_nothing_that_is_held_out_changes_what_is_chosen():
    each = task("logistic")
    one, two = (fit_part(replace(each, wanted=wanted)) for wanted in (each.wanted, np.full((4, 3), 1e30)))
    assert one.hyperparameters == two.hyperparameters
    assert one.trials == two.trials
    np.testing.assert_array_equal(one.inside, two.inside)


def test_the_search_is_the_same_twice_and_through_the_cache(tmp_path):
    each = task("knn", classes=3)
    alone = fit_part(each)
    for _ in range(2):
        (kept,) = FITTING.over([each], Workers(cache=Cache(tmp_path)))
        assert (kept.hyperparameters, kept.trials) == (alone.hyperparameters, alone.trials)
        assert list(kept.hyperparameters) == list(alone.hyperparameters)
        np.testing.assert_array_equal(kept.probabilities, alone.probabilities)


def test_without_trials_the_defaults_are_fitted_and_the_inside_is_still_told():
    fitted = fit_part(task("svm", trials=0))
    assert (fitted.hyperparameters, fitted.trials) == (CLASSIFIERS["svm"].defaults, ())
    assert fitted.inside.shape == (60, 2)


def test_what_the_study_states_is_not_searched():
    fitted = fit_part(task("knn", hyperparameters={"weights": "uniform"}))
    assert {trial.hyperparameters["weights"] for trial in fitted.trials} == {"uniform"}
    assert len({trial.hyperparameters["n_neighbors"] for trial in fitted.trials}) == len(fitted.trials) > 1
    assert fit_part(task("logistic", hyperparameters={"C": 2.0})).trials == ()


def test_a_signature_without_features_is_not_tuned():
    none = np.empty((60, 0))
    each = task("logistic")
    inner = tuple(InnerFold(none, fold.held) for fold in each.inner)
    fitted = fit_part(replace(each, values=none, inner=inner, wanted=none[:4]))
    assert fitted.trials == ()
    np.testing.assert_array_equal(fitted.probabilities, 0.5)


def test_a_better_setting_is_found():
    trials = searched(lambda chosen: [-abs(np.log(chosen["C"] / 3))] * 3, trials=25)
    assert trials[0].score < -3
    assert best_trial(trials).hyperparameters["C"] == pytest.approx(3, rel=0.3)


def test_among_equals_the_earliest_is_best():
    trials = searched(lambda _: [0.7, 0.7, 0.7])
    assert len(trials) == 12
    assert best_trial(trials).hyperparameters == {"C": 0.1}


@pytest.mark.parametrize("pruning", [True, False])
def test_hopeless_settings_are_given_up_and_recorded(pruning):
    """From the second inner fold on; the folds left are then not fitted."""
    fitted = []

    def scores(chosen):
        for fold in range(3):
            fitted.append(fold)
            yield 0.9 if len(fitted) <= 15 else 0.5

    trials = searched(scores, pruning=pruning)
    given_up = [trial for trial in trials if trial.pruned]
    assert len(given_up) == (7 if pruning else 0)
    assert len(fitted) == 3 * len(trials) - len(given_up)
    assert not best_trial(trials).pruned


def test_a_fold_without_a_case_of_every_class_has_no_area_yet():
    assert inner_score(np.array([0, 0, 1]), np.full((3, 3), 1 / 3), "macro_auc") is None
    assert searched(lambda _: [None, 0.6, 0.7])[0].score == 0.7


def test_a_setting_is_tried_once():
    space, tried = {"weights": Choice("uniform", ("uniform", "distance"))}, []

    def scores(chosen):
        tried.append(chosen["weights"])
        return [0.5]

    settings = TuningSettings(trials=9, sampler="random")
    trials = search({"weights": "uniform"}, space, scores, folds=1, settings=settings, seed=0)
    assert [trial.hyperparameters["weights"] for trial in trials] == tried == ["uniform", "distance"]


def test_log_loss_is_made_small():
    each = task("logistic", tuning=TuningSettings(trials=4, metric="log_loss", sampler="random"))
    fitted = fit_part(each)
    of_class = fitted.inside[np.arange(60), each.labels.codes]
    assert best_trial(fitted.trials).score == pytest.approx(np.log(of_class).mean(), rel=1e-12)
    assert max(trial.score for trial in fitted.trials if not trial.pruned) == best_trial(fitted.trials).score < 0


def test_the_search_says_nothing_and_leaves_optuna_as_it_was(capfd):
    before = optuna.logging.get_verbosity()
    fit_part(task("logistic"))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_trials_cannot_be_negative():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        TuningSettings(trials=-1)


def test_best_trial_passes_over_what_was_given_up():
    trials = [ClassifierTrial(hyperparameters={"C": c}, score=c, pruned=c > 1) for c in (0.2, 0.9, 5.0)]
    assert best_trial(trials).score == 0.9
