"""Every registered classifier runs, says nothing, and gives probabilities in the order of the classes."""

import numpy as np
import pytest

from radfusion.modelling.classifiers import CLASSIFIERS, ClassShares, fit_classifier, probabilities
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.tuning import TuningTask, macro_auc, out_of_fold, with_shares


def training(classes, *, n=90, k=4, seed=0):
    codes = np.arange(n) % classes
    values = np.random.default_rng(seed).normal(size=(n, k)) + codes[:, None]
    return values, TrainingLabels(codes, np.arange(n) // 2, tuple("abcd"[:classes]))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_separates_what_is_separable(name, classes):
    values, labels = training(classes)
    hyperparameters = CLASSIFIERS[name].grid[0]
    one, again = (
        probabilities(fit_classifier(name, values, labels, hyperparameters=hyperparameters, seed=7), values)
        for _ in range(2)
    )
    assert one.shape == (90, classes)
    assert one.dtype == np.float64
    np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-12)
    assert macro_auc(labels.codes, one) > 0.8
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_setting_of_the_grid_runs_on_few_cases_and_one_feature(name):
    values, labels = training(2, n=20, k=1)
    for hyperparameters in CLASSIFIERS[name].grid:
        estimator = fit_classifier(name, values, labels, hyperparameters=hyperparameters, seed=0)
        assert np.isfinite(probabilities(estimator, values)).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_without_a_feature_the_shares_of_the_classes_are_predicted(name):
    _, labels = training(3)
    some = labels.take(np.arange(89))
    estimator = fit_classifier(name, np.empty((89, 0)), some, hyperparameters={}, seed=0)
    assert isinstance(estimator, ClassShares)
    np.testing.assert_array_equal(probabilities(estimator, np.empty((2, 0))), [[30 / 89, 30 / 89, 29 / 89]] * 2)


def test_macro_auc_equals_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 200)
    predicted = rng.integers(1, 5, size=(200, 3)).astype(float)
    predicted /= predicted.sum(axis=1, keepdims=True)
    assert macro_auc(codes, predicted) == pytest.approx(roc_auc_score(codes, predicted, multi_class="ovr"), rel=1e-12)


def test_pooled_shares_that_say_nothing_have_an_auc_of_a_half():
    """Without equal shares in all folds the constant predictions of each fold rank against the labels."""
    codes = np.repeat([0, 1], [40, 15])
    labels = TrainingLabels(codes, np.arange(55), ("a", "b"))
    folds = np.r_[np.arange(40) % 5, np.array([0] * 7 + [1] * 5 + [2, 3, 4])]
    none = tuple(np.empty((55, 0)) for _ in range(5))
    task = TuningTask("logistic", labels, folds, none, none[0], none[0], 0)
    assert macro_auc(codes, out_of_fold(task, {})) == 0.5
    raw = np.array([labels.take(folds != fold).shares for fold in folds])
    assert macro_auc(codes, raw) < 0.3


def test_shares_are_exchanged_and_rows_still_sum_to_one():
    predicted = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    before, after = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    changed = with_shares(predicted, before, after)
    np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_allclose(with_shares(changed, after, before), predicted)
