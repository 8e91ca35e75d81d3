"""Balancing: inside training parts only, and no probability is wrong for it."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from radfusion.errors import UserError
from radfusion.modelling.balancing import Balanced, BalanceSettings, Resampling, balanced_weights, resampled
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.estimators import read_estimator, write_estimator
from radfusion.modelling.fits import FitTask, InnerFold, fit_part
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.model import fit_model
from radfusion.modelling.scores import with_shares
from radfusion.modelling.tuning import TuningSettings

RESAMPLING = [name for name in get_args(Resampling) if name != "none"]
BALANCES = {
    "weights": BalanceSettings(weights="balanced"),
    **{name: BalanceSettings(resampling=name) for name in RESAMPLING},
}


def unequal(n, *, shift=0.8, shares=(0.7, 0.2, 0.1), seed=0, k=4):
    rng = np.random.default_rng(seed)
    codes = rng.choice(len(shares), n, p=shares).astype(np.intp)
    values = rng.normal(size=(n, k)) + shift * np.eye(k)[codes]
    return values, TrainingLabels(codes, np.arange(n), tuple("abc"[: len(shares)]))


@pytest.mark.parametrize("name", RESAMPLING)
def test_classes_come_out_of_nearly_equal_size_and_the_same_twice(name):
    values, labels = unequal(200)
    found, codes = resampled(values, labels.codes, name, seed=1)
    again, _ = resampled(values, labels.codes, name, seed=1)
    np.testing.assert_array_equal(found, again)
    counts = np.bincount(codes)
    assert counts.min() > 0.8 * counts.max()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", RESAMPLING)
def test_a_class_of_two_is_enough_and_a_class_of_one_is_refused_where_it_has_no_neighbour(name):
    values = np.random.default_rng(0).normal(size=(14, 2))
    _, codes = resampled(values, np.array([0] * 8 + [1] * 4 + [2] * 2), name, seed=0)
    assert set(codes) == {0, 1, 2}
    single = np.array([0] * 8 + [1] * 5 + [2])
    if name.startswith("random"):
        assert set(resampled(values, single, name, seed=0)[1]) == {0, 1, 2}
    else:
        with pytest.raises(UserError, match=f"{name} needs two cases of every class"):
            resampled(values, single, name, seed=0)


def test_adasyn_on_classes_far_apart_is_smote():
    values = np.r_[np.random.default_rng(0).normal(size=(20, 2)), np.random.default_rng(1).normal(size=(8, 2)) + 99]
    codes = np.array([0] * 20 + [1] * 8)
    found, of_found = resampled(values, codes, "adasyn", seed=0)
    np.testing.assert_array_equal(found, resampled(values, codes, "smote", seed=0)[0])
    assert np.bincount(of_found).tolist() == [20, 20]


def test_weights_make_classes_count_alike():
    weights = balanced_weights(np.array([0, 0, 0, 1, 2, 2]))
    assert np.bincount([0, 0, 0, 1, 2, 2], weights=weights) == pytest.approx(2.0)


@pytest.mark.parametrize("how", [None, "weights", "smote"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_mean_probability_is_the_share_of_the_class_with_and_without_balancing(name, how):
    """Of new cases from the same source: calibration in the large."""
    values, labels = unequal(250)
    new, of_new = unequal(2000, seed=1)
    few = {"n_estimators": 30} if "n_estimators" in CLASSIFIERS[name].hyperparameters else {}
    balance = BALANCES[how] if how else BalanceSettings()
    fitted = fit_classifier(name, values, labels, hyperparameters=few, seed=0, balance=balance)
    np.testing.assert_allclose(probabilities(fitted, new).mean(axis=0), of_new.shares, atol=0.1)


def test_uncorrected_smote_would_overstate_the_rare_class():
    """What van den Goorbergh and others (2022) warn of, and what is undone here."""
    values, labels = unequal(400, shares=(0.9, 0.1))
    new, of_new = unequal(4000, shares=(0.9, 0.1), seed=1)
    fitted = fit_classifier("logistic", values, labels, hyperparameters={}, seed=0, balance=BALANCES["smote"])
    assert isinstance(fitted, Balanced)
    np.testing.assert_array_equal(fitted.before, 0.5)
    assert probabilities(fitted.estimator, new)[:, 1].mean() > 0.3
    assert probabilities(fitted, new)[:, 1].mean() == pytest.approx(of_new.shares[1], abs=0.03)


@pytest.mark.parametrize("how", BALANCES)
@pytest.mark.parametrize("name", ["logistic", "svm", "xgboost", "lightgbm", "elastic-net"])
def test_a_balanced_model_is_kept_with_its_shares(name, how, tmp_path):
    values, labels = unequal(120)
    fitted = fit_classifier(name, values, labels, hyperparameters={}, seed=0, balance=BALANCES[how])
    facts = write_estimator(fitted, name, tmp_path / "part")
    np.testing.assert_array_equal(
        probabilities(read_estimator(facts, name, tmp_path), values), probabilities(fitted, values)
    )


def test_weights_leave_classifiers_alone_that_take_none():
    values, labels = unequal(80)
    plain, weighted = (
        fit_classifier("knn", values, labels, hyperparameters={}, seed=0, balance=balance)
        for balance in (BalanceSettings(), BALANCES["weights"])
    )
    np.testing.assert_array_equal(probabilities(plain, values), probabilities(weighted, values))


def test_scores_are_calibrated_on_real_cases_that_lent_nothing_to_the_made_up_ones():
    """On noise, neighbours of a case that came back in another fold would make the sigmoid steep."""
    rng = np.random.default_rng(0)
    codes = (rng.random(150) < 0.2).astype(np.intp)
    values, labels = rng.normal(size=(150, 5)), TrainingLabels(codes, np.arange(150), ("a", "b"))
    for how in ("smote", "random-over"):
        fitted = fit_classifier("svm", values, labels, hyperparameters={}, seed=0, balance=BALANCES[how])
        assert not isinstance(fitted, Balanced)
        assert probabilities(fitted, rng.normal(size=(500, 5)))[:, 1].std() < 0.08


def test_inner_folds_are_balanced_without_the_cases_they_hold():
    values, labels = unequal(120)
    held = labels.folds(3, seed=0) == 0
    inner = (InnerFold(values, held), InnerFold(values, ~held))
    task = FitTask("logistic", {}, labels, values, inner, values[:3], TuningSettings(), BALANCES["smote"], 1)
    alone = fit_classifier(
        "logistic", values[~held], labels.take(~held), hyperparameters={}, seed=1, balance=BALANCES["smote"]
    )
    wanted = with_shares(probabilities(alone, values[held]), labels.take(~held).shares, labels.shares)
    np.testing.assert_allclose(fit_part(task).inside[held], wanted, rtol=1e-12)


def test_balancing_is_off_by_default_and_in_one_way_at_a_time():
    assert BalanceSettings() == BalanceSettings(weights="none", resampling="none")
    with pytest.raises(ValidationError, match="set one of them to none"):
        BalanceSettings(weights="balanced", resampling="smote")


def test_the_saved_model_of_a_balanced_study_predicts_as_the_study_did(simulate, quick):
    table, cohort = simulate(2, n=100, p=20)
    settings = quick(folds=2, classifiers=("logistic", "svm"), balance=BALANCES["smote"])
    arm = fit_arms({"arm": table}, cohort, settings, seed=1)["arm"]
    for name, fit in arm.fits.items():
        model = fit_model(arm, name, table=table, cohort=cohort, seed=1)
        found = model.predict(table, cohort).probabilities
        np.testing.assert_allclose(found, fit.predictions.probabilities, rtol=1e-12)
    plain = fit_arms({"arm": table}, cohort, quick(folds=2, classifiers=("logistic",)), seed=1)["arm"]
    assert (plain.fits["logistic"].predictions.probabilities != arm.fits["logistic"].predictions.probabilities).any()
