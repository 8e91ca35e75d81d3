"""The classifiers: what each is called, how it is built, its hyperparameters, how it is stored.

A new classifier is an entry of ``CLASSIFIERS`` in a module of this folder, old or new.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from radfusion.modelling.classifiers.base import (
    CLASSIFIERS,
    Classifier,
    ClassShares,
    LinearScores,
    stated_hyperparameters,
)
from radfusion.modelling.classifiers.fit import fit_classifier, probabilities

__all__ = [
    "CLASSIFIERS",
    "DEFAULT_CLASSIFIERS",
    "ClassShares",
    "Classifier",
    "LinearScores",
    "fit_classifier",
    "probabilities",
    "stated_hyperparameters",
]

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

#: Fitted where a study names none.
DEFAULT_CLASSIFIERS = ("logistic", "svm", "knn", "random-forest", "extra-trees", "xgboost", "lightgbm", "mlp")
