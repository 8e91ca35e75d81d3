"""Linear classifiers: logistic regression, the elastic net, linear discriminant analysis."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, LinearScores, Stated
from radfusion.modelling.hyperparameters import Choice, Number, Share
from radfusion.modelling.lasso import Penalty, lasso_path

__all__: list[str] = []


def _logistic(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=5000, random_state=seed, **hyperparameters)


CLASSIFIERS.add(
    "logistic", Classifier("logistic regression", _logistic, {"C": Number(0.1, (0.001, 10.0))}, weighted=True)
)


class _ElasticNet:
    """The elastic net at one lambda, on the objective of glmnet and by the same solver as the LASSO step."""

    def __init__(self, strength: float, penalty: Penalty) -> None:
        self._strength, self._penalty = strength, penalty

    def fit(self, values: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
        path = lasso_path(values, codes, lambdas=[self._strength], penalty=self._penalty)
        self.scores = LinearScores(path.coefficients[0], path.intercepts[0])


def _elastic_net(hyperparameters: Stated, seed: int) -> _ElasticNet:  # noqa: ARG001 - nothing random in it
    return _ElasticNet(hyperparameters["lambda"], Penalty(alpha=hyperparameters["alpha"]))


CLASSIFIERS.add(
    "elastic-net",
    Classifier(
        "elastic-net logistic regression",
        _elastic_net,
        {"lambda": Number(0.1, (0.001, 0.5)), "alpha": Share(0.5, (0.05, 0.95))},
        storage="numbers",
        kept=attrgetter("scores"),
    ),
)


def _lda(hyperparameters: Stated, seed: int) -> Any:  # noqa: ARG001
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", **hyperparameters)


CLASSIFIERS.add(
    "lda",
    Classifier("linear discriminant analysis", _lda, {"shrinkage": Choice("auto", ("auto", 0.05, 0.2, 0.5, 0.8))}),
)
