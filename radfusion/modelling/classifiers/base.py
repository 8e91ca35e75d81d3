"""What every classifier has: a name for the Methods section, how it is built, its hyperparameters, how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.modelling.hyperparameters import Hyperparameter

__all__ = ["CLASSIFIERS", "ClassShares", "Classifier", "LinearScores", "Stated", "stated_hyperparameters"]

Floats = NDArray[np.float64]
#: Hyperparameters by name.
Stated = Mapping[str, Any]


def _itself(fitted: Any) -> Any:
    return fitted


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
    hyperparameters : mapping of str to Hyperparameter
        All that a study file may state.
    weighted : bool
        Whether ``fit`` takes case weights and they change more than the shares of the classes.
    calibrated : bool
        The estimator gives scores without probabilities: a sigmoid is fitted on scores of held-out folds.
    at_most_cases : tuple of str
        Hyperparameters that cannot exceed the number of cases.
    storage : {"skops", "xgboost", "lightgbm", "numbers"}
        How the fitted estimator is saved.
    trusted : tuple of str
        Private types of the estimator that loading it has to allow.
    kept : callable
        What is kept of the fitted estimator; all of it by default.
    """

    title: str
    build: Callable[[Stated, int], Any]
    hyperparameters: Mapping[str, Hyperparameter]
    weighted: bool = False
    calibrated: bool = False
    at_most_cases: tuple[str, ...] = ()
    storage: Literal["skops", "xgboost", "lightgbm", "numbers"] = "skops"
    trusted: tuple[str, ...] = ()
    kept: Callable[[Any], Any] = field(default=_itself)

    @property
    def defaults(self) -> dict[str, Any]:
        """Hyperparameters that are good without a search."""
        return {name: each.default for name, each in self.hyperparameters.items()}

    @property
    def space(self) -> dict[str, Hyperparameter]:
        """The hyperparameters that a search covers."""
        return {name: each for name, each in self.hyperparameters.items() if each.searched}


CLASSIFIERS: Registry[Classifier] = Registry("classifier")


def stated_hyperparameters(classifier: str, stated: Stated) -> dict[str, Any]:
    """Hyperparameters of a study file, checked.

    Raises
    ------
    ValueError
        When the classifier has no such hyperparameter, or it cannot have such a value.
    UnknownNameError
        When there is no such classifier.

    Examples
    --------
    >>> stated_hyperparameters("knn", {"n_neighbors": 0})
    Traceback (most recent call last):
    ValueError: n_neighbors of knn is 0; allowed: a whole number of at least 1
    """
    known = CLASSIFIERS[classifier].hyperparameters
    for name, value in stated.items():
        if name not in known:
            listed = "; ".join(f"{each} ({known[each].allowed})" for each in known)
            raise ValueError(f"{classifier} has no hyperparameter {name!r}; allowed: {listed}")
        if not known[name].accepts(value):
            raise ValueError(f"{name} of {classifier} is {value!r}; allowed: {known[name].allowed}")
    return dict(stated)


@dataclass(frozen=True, eq=False)
class ClassShares:
    """What is predicted for every case when there is nothing to learn from: the class shares of the training cases.

    Attributes
    ----------
    shares : (K,) array
        Sum 1.
    """

    shares: Floats

    def predict_proba(self, values: Floats) -> Floats:
        """(n, K) array of equal rows."""
        return np.tile(self.shares, (len(values), 1))


@dataclass(frozen=True, eq=False)
class LinearScores:
    """A linear model of the log odds.

    Attributes
    ----------
    coefficients : (V, k) array
        Of the second class where there are two (V = 1), else of each class.
    intercepts : (V,) array
        In the same order.
    """

    coefficients: Floats
    intercepts: Floats

    def predict_proba(self, values: Floats) -> Floats:
        """(n, K) array, rows with sum 1."""
        scores = values @ self.coefficients.T + self.intercepts
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
