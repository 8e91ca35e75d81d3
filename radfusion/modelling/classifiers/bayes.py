"""Naive Bayes, whose own probabilities are far too extreme where features go together."""

from __future__ import annotations

from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.hyperparameters import Number

__all__: list[str] = []


def _naive_bayes(hyperparameters: Stated, seed: int) -> Any:  # noqa: ARG001 - nothing random in it
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB(**hyperparameters)


CLASSIFIERS.add(
    "naive-bayes",
    Classifier("Gaussian naive Bayes", _naive_bayes, {"var_smoothing": Number(3.0, (0.01, 10.0))}, calibrated=True),
)
