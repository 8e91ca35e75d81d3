"""Fitting one classifier on training cases, and what it predicts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.modelling.balancing import (
    Balanced,
    BalanceSettings,
    balanced_weights,
    class_shares,
    resampled,
    resampling_first,
)
from radfusion.modelling.classifiers.base import CLASSIFIERS, ClassShares, Stated
from radfusion.modelling.folds import TrainingLabels

__all__ = ["fit_classifier", "probabilities"]

Floats = NDArray[np.float64]
_CALIBRATION_FOLDS = 5
#: Standardised values beyond this say no more; trees hold them in single precision.
_LARGEST = 1e15
_NO_BALANCE = BalanceSettings()
#: What libraries say of settings that are chosen on purpose.
_EXPECTED = (
    "Stochastic Optimizer: Maximum iterations",  # the network is trained for a fixed number of epochs
    "Only one sample available",  # of a class, which then adds nothing to the pooled covariance
)
#: What they say where there is nothing to learn from: AdaBoost, and LDA of one case per class.
_NOTHING = ("worse than random", "number of samples must be more than the number of classes")


def fit_classifier(
    name: str,
    values: Floats,
    labels: TrainingLabels,
    *,
    hyperparameters: Stated,
    seed: int,
    balance: BalanceSettings = _NO_BALANCE,
) -> Any:
    """Fit a classifier on standardised training values.

    Parameters
    ----------
    name : str
        A registered classifier.
    values : (n, k) array
        Features of the signature; k may be 0.
    labels : TrainingLabels
        Of the n cases, every class present.
    hyperparameters : mapping
        They replace defaults.
    seed : int
        Seed of the estimator, of its inner folds and of resampling.
    balance : BalanceSettings
        Weights and resampling.

    Returns
    -------
    object
        Fitted estimator (of XGBoost and LightGBM the booster, which is what is saved), within Balanced when it was
        fitted on other class shares than those of the cases, or ClassShares when no feature varies.

    Raises
    ------
    UserError
        When a class has too few patients for inner folds, or too few cases to resample.
    """
    entry = CLASSIFIERS[name]
    if not (values.size and np.ptp(values, axis=0).any()):
        return ClassShares(labels.shares)
    # Scores are calibrated on cases as they are, so that their estimator resamples inside the calibration.
    resampling = "none" if entry.calibrated else balance.resampling
    drawn, codes = resampled(values, labels.codes, resampling, seed=seed)
    chosen = entry.defaults | dict(hyperparameters)
    chosen |= {key: min(chosen[key], len(drawn)) for key in entry.at_most_cases}
    estimator = entry.build(chosen, seed)
    if entry.calibrated:
        estimator = _calibrated(estimator, labels, seed=seed, balance=balance)
    weighted = entry.weighted and balance.weights == "balanced"
    weights = {"sample_weight": balanced_weights(codes)} if weighted else {}
    if not _fitted(estimator, drawn, codes, weights=weights):
        return ClassShares(labels.shares)
    kept = _stripped(estimator) if entry.calibrated else entry.kept(estimator)
    n_classes = len(labels.classes)
    believed = np.full(n_classes, 1 / n_classes) if weighted else class_shares(codes, n_classes)
    return kept if np.array_equal(believed, labels.shares) else Balanced(kept, believed, labels.shares)


def probabilities(estimator: Any, values: Floats) -> Floats:
    """(n, K) array of float64 in the order of the classes, rows with sum 1."""
    if isinstance(estimator, Balanced):
        return estimator.restored(probabilities(estimator.estimator, values))
    values = np.clip(values, -_LARGEST, _LARGEST)
    if hasattr(estimator, "inplace_predict"):  # a booster of XGBoost
        result = estimator.inplace_predict(values)
    elif hasattr(estimator, "predict_proba"):
        result = estimator.predict_proba(values)
    else:  # a booster of LightGBM
        result = estimator.predict(values, num_threads=1)
    result = np.asarray(result, dtype=np.float64)
    if result.ndim == 1:
        result = np.column_stack([1.0 - result, result])
    return np.asarray(result / result.sum(axis=1, keepdims=True))


def _fitted(estimator: Any, values: Floats, codes: NDArray[np.intp], *, weights: dict[str, Floats]) -> bool:
    """Fit; False where there is nothing better than chance to be found."""
    with warnings.catch_warnings():
        for message in _EXPECTED:
            warnings.filterwarnings("ignore", message=message)
        try:
            estimator.fit(values, codes, **weights)
        except ValueError as error:
            if not any(known in str(error) for known in _NOTHING):
                raise
            return False
    return True


def _calibrated(estimator: Any, labels: TrainingLabels, *, seed: int, balance: BalanceSettings) -> Any:
    """The estimator with a sigmoid that is fitted on its scores of held-out folds of patients."""
    from sklearn.calibration import CalibratedClassifierCV

    rarest = min(labels.patients_per_class.values())
    folds = labels.folds(min(_CALIBRATION_FOLDS, max(2, rarest)), seed=seed)
    cv = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(folds.max() + 1)]
    if balance.resampling != "none":
        estimator = resampling_first(estimator, balance.resampling, seed=seed)
    return CalibratedClassifierCV(estimator, cv=cv, ensemble=False, n_jobs=1)


def _stripped(calibrated: Any) -> Any:
    """Without what only fitting needed: folds and sampler."""
    (fitted,) = calibrated.calibrated_classifiers_
    if hasattr(fitted.estimator, "steps"):
        fitted.estimator, calibrated.estimator = fitted.estimator[-1], calibrated.estimator[-1]
    calibrated.cv = None
    return calibrated
