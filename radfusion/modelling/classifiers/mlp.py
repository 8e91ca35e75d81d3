"""The multilayer perceptron."""

from __future__ import annotations

from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.hyperparameters import Integer, Number

__all__: list[str] = []


def _mlp(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    rest = {name: value for name, value in hyperparameters.items() if name != "units"}
    # A fixed number of epochs: early stopping would need cases of its own.
    return MLPClassifier(
        hidden_layer_sizes=(hyperparameters["units"],),
        n_iter_no_change=hyperparameters["max_iter"],
        tol=0.0,
        activation="tanh",
        random_state=seed,
        **rest,
    )


CLASSIFIERS.add(
    "mlp",
    Classifier(
        "multilayer perceptron",
        _mlp,
        {
            "alpha": Number(10.0, (0.1, 50.0)),
            "learning_rate_init": Number(0.005, (0.001, 0.02)),
            "units": Integer(32, (8, 64)),
            "max_iter": Integer(25),
        },
        weighted=True,
        trusted=("sklearn.neural_network._stochastic_optimizers.AdamOptimizer",),
    ),
)
