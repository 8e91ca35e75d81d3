"""Scores: the macro AUC, and class shares exchanged."""

import numpy as np
import pytest

from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.fits import FitTask, InnerFold, inner_probabilities
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.scores import macro_auc, with_shares
from radfusion.modelling.tuning import TuningSettings


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
    none = np.empty((55, 0))
    inner = tuple(InnerFold(none, folds == fold) for fold in range(5))
    task = FitTask("logistic", {}, labels, none, inner, none, TuningSettings(), BalanceSettings(), 0)
    assert macro_auc(codes, inner_probabilities(task, {})) == 0.5
    raw = np.array([labels.take(folds != fold).shares for fold in folds])
    assert macro_auc(codes, raw) < 0.3


def test_shares_are_exchanged_and_rows_still_sum_to_one():
    predicted = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    before, after = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    changed = with_shares(predicted, before, after)
    np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_allclose(with_shares(changed, after, before), predicted)
