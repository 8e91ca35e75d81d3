"""The support vector machine with a radial kernel."""

from __future__ import annotations

from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.hyperparameters import Number

__all__: list[str] = []


def _svm(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(random_state=seed, **hyperparameters)


CLASSIFIERS.add(
    "svm",
    Classifier("support vector machine", _svm, {"C": Number(1.0, (0.05, 50.0))}, weighted=True, calibrated=True),
)
