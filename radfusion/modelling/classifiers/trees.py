"""Forests of randomised trees."""

from __future__ import annotations

from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.hyperparameters import Choice, Integer

__all__ = ["TREES"]

#: Private types of what holds trees of scikit-learn.
TREES = ("sklearn.tree._tree.Tree",)


def _random_forest(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=seed, n_jobs=1, **hyperparameters)


def _extra_trees(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(random_state=seed, n_jobs=1, **hyperparameters)


_REST = {"max_features": Choice("sqrt", ("sqrt", 0.4)), "n_estimators": Integer(100)}
CLASSIFIERS.add(
    "random-forest",
    Classifier(
        "random forest",
        _random_forest,
        {"min_samples_leaf": Integer(5, (1, 20)), **_REST},
        weighted=True,
        trusted=TREES,
    ),
)
CLASSIFIERS.add(
    "extra-trees",
    Classifier(
        "extremely randomised trees",
        _extra_trees,
        {"min_samples_leaf": Integer(2, (1, 20)), **_REST},
        weighted=True,
        trusted=TREES,
    ),
)
