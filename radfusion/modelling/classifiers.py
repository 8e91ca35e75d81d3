"""The classifiers: what each is called, how it is built, and the few settings of it that are tried."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.modelling.folds import TrainingLabels

__all__ = ["CLASSIFIERS", "DEFAULT_CLASSIFIERS", "ClassShares", "Classifier", "fit_classifier", "probabilities"]

Floats = NDArray[np.float64]
Hyperparameters = Mapping[str, Any]
_CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class Classifier:
    """One kind of classifier.

    Attributes
    ----------
    title : str
        As a Methods section names it.
    build : callable
        ``build(hyperparameters, seed)`` gives an unfitted estimator with the interface of scikit-learn that uses one
        thread and says nothing.
    defaults : mapping
        Hyperparameters that are good without tuning.
    storage : {"skops", "xgboost", "lightgbm"}
        How the fitted estimator is saved.
    trusted : tuple of str
        Private types of the estimator that loading it has to allow.
    """

    title: str
    build: Callable[[Hyperparameters, int], Any]
    defaults: Hyperparameters
    storage: Literal["skops", "xgboost", "lightgbm"] = "skops"
    trusted: tuple[str, ...] = ()


CLASSIFIERS: Registry[Classifier] = Registry("classifier")


@dataclass(frozen=True, eq=False)
class ClassShares:
    """What is predicted for every case when nothing was selected: the shares of the classes among the training cases.

    Attributes
    ----------
    shares : (K,) array
        Sum 1.
    """

    shares: Floats

    def predict_proba(self, values: Floats) -> Floats:
        """(n, K) array of equal rows."""
        return np.tile(self.shares, (len(values), 1))


def fit_classifier(
    name: str, values: Floats, labels: TrainingLabels, *, hyperparameters: Hyperparameters, seed: int
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
        All that the classifier is built with.
    seed : int
        Seed of the estimator and of its inner folds.

    Returns
    -------
    object
        Fitted estimator (of XGBoost and LightGBM the booster, which is what is saved), or ClassShares when k is 0.

    Raises
    ------
    UserError
        When a class has too few patients for inner folds.
    """
    if values.shape[1] == 0:
        return ClassShares(labels.shares)
    estimator = CLASSIFIERS[name].build(hyperparameters, seed)
    if "cv" in estimator.get_params(deep=False):
        folds = labels.folds(min(_CALIBRATION_FOLDS, len(np.unique(labels.patients))), seed=seed)
        cv = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(folds.max() + 1)]
        estimator.set_params(cv=cv)
    if "n_neighbors" in hyperparameters:
        estimator.set_params(n_neighbors=min(hyperparameters["n_neighbors"], len(values)))
    with warnings.catch_warnings():
        # The network is trained for a fixed number of epochs: early stopping would need cases of its own.
        warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
        estimator.fit(values, labels.codes)
    if "cv" in estimator.get_params(deep=False):
        estimator.set_params(cv=None)
    if CLASSIFIERS[name].storage == "xgboost":
        return estimator.get_booster()
    return estimator.booster_ if CLASSIFIERS[name].storage == "lightgbm" else estimator


def probabilities(estimator: Any, values: Floats) -> Floats:
    """(n, K) array of float64 in the order of the classes, rows with sum 1."""
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


def _logistic(hyperparameters: Hyperparameters, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=5000, random_state=seed, **hyperparameters)


def _svm(hyperparameters: Hyperparameters, seed: int) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return CalibratedClassifierCV(SVC(random_state=seed, **hyperparameters), ensemble=False, n_jobs=1)


def _knn(hyperparameters: Hyperparameters, seed: int) -> Any:  # noqa: ARG001 - nothing random in it
    from sklearn.neighbors import KNeighborsClassifier

    # No search tree: its type depends on the number of features, and n is small.
    return KNeighborsClassifier(algorithm="brute", n_jobs=1, **hyperparameters)


def _random_forest(hyperparameters: Hyperparameters, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=1, **hyperparameters)


def _extra_trees(hyperparameters: Hyperparameters, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(n_estimators=200, random_state=seed, n_jobs=1, **hyperparameters)


def _xgboost(hyperparameters: Hyperparameters, seed: int) -> Any:
    from xgboost import XGBClassifier

    fixed = {"n_estimators": 150, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.5}
    return XGBClassifier(**fixed, tree_method="hist", n_jobs=1, random_state=seed, verbosity=0, **hyperparameters)


def _lightgbm(hyperparameters: Hyperparameters, seed: int) -> Any:
    from lightgbm import LGBMClassifier

    # The default of 20 cases in a leaf allows no split at all in a small fold.
    fixed: dict[str, Any] = {"n_estimators": 150, "learning_rate": 0.05, "min_child_samples": 5}
    fixed |= {"subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.5}
    fixed |= {"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbosity": -1}
    return LGBMClassifier(**fixed, random_state=seed, **hyperparameters)


def _mlp(hyperparameters: Hyperparameters, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    epochs = 60
    return MLPClassifier(
        hidden_layer_sizes=(32,),
        max_iter=epochs,
        n_iter_no_change=epochs,
        tol=0.0,
        learning_rate_init=3e-3,
        batch_size="auto",
        random_state=seed,
        **hyperparameters,
    )


_TREES = ("sklearn.tree._tree.Tree",)

CLASSIFIERS.add("logistic", Classifier("logistic regression", _logistic, {"C": 0.1}))
CLASSIFIERS.add(
    "svm",
    Classifier(
        "support vector machine",
        _svm,
        {"C": 1.0},
        trusted=("sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"),
    ),
)
CLASSIFIERS.add(
    "knn",
    Classifier(
        "k nearest neighbours",
        _knn,
        {"n_neighbors": 15},
    ),
)
CLASSIFIERS.add(
    "random-forest",
    Classifier("random forest", _random_forest, {"min_samples_leaf": 5}, trusted=_TREES),
)
CLASSIFIERS.add(
    "extra-trees",
    Classifier("extremely randomised trees", _extra_trees, {"min_samples_leaf": 5}, trusted=_TREES),
)
CLASSIFIERS.add("xgboost", Classifier("XGBoost", _xgboost, {"max_depth": 2}, storage="xgboost"))
CLASSIFIERS.add("lightgbm", Classifier("LightGBM", _lightgbm, {"num_leaves": 4}, storage="lightgbm"))
CLASSIFIERS.add(
    "mlp",
    Classifier(
        "multilayer perceptron",
        _mlp,
        {"alpha": 1.0},
        trusted=("sklearn.neural_network._stochastic_optimizers.AdamOptimizer",),
    ),
)

#: Fitted where a study names none.
DEFAULT_CLASSIFIERS = ("logistic", "svm", "knn", "random-forest", "extra-trees", "xgboost", "lightgbm", "mlp")
