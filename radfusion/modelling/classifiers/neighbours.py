"""Nearest neighbours."""

from __future__ import annotations

from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.hyperparameters import Choice, Integer

__all__: list[str] = []


def _knn(hyperparameters: Stated, seed: int) -> Any:  # noqa: ARG001 - nothing random in it
    from sklearn.neighbors import KNeighborsClassifier

    # No search tree: its type depends on the number of features, and n is small.
    return KNeighborsClassifier(algorithm="brute", n_jobs=1, **hyperparameters)


CLASSIFIERS.add(
    "knn",
    Classifier(
        "k nearest neighbours",
        _knn,
        {"n_neighbors": Integer(15, (3, 45)), "weights": Choice("distance", ("uniform", "distance"))},
        at_most_cases=("n_neighbors",),
    ),
)
