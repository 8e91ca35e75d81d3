"""One model as an estimator of scikit-learn: the steps of a study and a classifier, fitted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

# The base classes have to be there when the class is made; nothing else of radfusion imports this module.
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from radfusion.errors import UserError
from radfusion.modelling.classifiers import CLASSIFIERS, fit_classifier, probabilities
from radfusion.modelling.fits import FitTask, InnerFold, fit_part
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import Preparation, PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.settings import ModellingSettings

__all__ = ["FeatureClassifier"]

Floats = NDArray[np.float64]


class FeatureClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Cleaning, selection and classifier as one estimator, for use with scikit-learn's own tools.

    Everything is fitted in ``fit``, on the rows that it is given: inside `cross_val_predict` or `GridSearchCV` nothing
    leaks. The parameters are those of ``modelling`` in a study file. Equal rows give the probabilities of `fit_arms`,
    in any order of the columns, and, where a data frame names the cases, in any order of the rows.

    Parameters
    ----------
    classifier : str
        A registered classifier; ``radfusion names classifiers`` lists them.
    steps : sequence, optional
        Names of steps, or mappings such as ``{"step": "lasso", "rule": "1se"}``; the steps of a study when not given.
        Steps that ask for the centre of a case, or for readings of it, have no place here.
    hyperparameters : mapping, optional
        Replace defaults of the classifier and are not tuned.
    tuning : mapping, optional
        Search for hyperparameters by five inner folds, for example ``{"trials": 20}``; none when not given.
    balance : mapping, optional
        What is done about classes of unequal size, for example ``{"weights": "balanced"}``.
    seed : int
        Seed of folds, search and classifier.

    Attributes
    ----------
    classes_ : (K,) array
        Classes, sorted.
    preparation_ : Preparation
        The fitted steps; ``names`` are the selected features.
    hyperparameters_ : dict
        All that the classifier was fitted with.
    estimator_ : object
        The fitted classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    >>> table, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = FeatureClassifier("knn", steps=["variance", "univariate", "correlation"])
    >>> model.fit(table, labels).predict(table.head(3)).tolist()
    [0, 0, 0]
    >>> patients, folds = table.index // 2, StratifiedGroupKFold(3)
    >>> bool(cross_val_score(model, table, labels, groups=patients, cv=folds, params={"groups": patients}).min() > 0.9)
    True
    """

    def __init__(
        self,
        classifier: str = "logistic",
        *,
        steps: Sequence[Any] | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        tuning: Mapping[str, Any] | None = None,
        balance: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.classifier = classifier
        self.steps = steps
        self.hyperparameters = hyperparameters
        self.tuning = tuning
        self.balance = balance
        self.seed = seed

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> FeatureClassifier:
        """Fit steps, hyperparameters and classifier.

        Parameters
        ----------
        X : (n, p) DataFrame or array
            Features; what is not finite is missing.
        y : (n,) array
            Classes.
        groups : (n,) array, optional
            Patient of each case, kept together in all inner folds; every case its own when not given.

        Returns
        -------
        FeatureClassifier
            Itself.

        Raises
        ------
        ValueError
            When a parameter is not allowed, or the cases do not do, for example when a class has too few patients.
        """
        frame, labels = self._training(X, y, groups)
        settings = self._settings()
        try:
            with threadpool_limits(1):
                self._fit(Rows.from_frame(frame), labels, settings)
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    def predict_proba(self, X: Any) -> Floats:
        """(n, K) array of probabilities in the order of `classes_`.

        Parameters
        ----------
        X : (n, p) DataFrame or array
            The features that were fitted.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite=False, reset=False)
        with threadpool_limits(1):
            return probabilities(
                self.estimator_, self.preparation_.transform(pd.DataFrame(values, columns=self._names()))
            )

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) array of the most probable class.

        Parameters
        ----------
        X : (n, p) DataFrame or array
            The features that were fitted.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _fit(self, rows: Rows, labels: TrainingLabels, settings: ModellingSettings) -> None:
        def prepared(within: NDArray[np.bool_]) -> Preparation:
            return prepare(PreparationTask(rows, labels, within, completed(settings.steps), None, self.seed))

        folds = labels.folds(settings.folds, seed=self.seed) if settings.tuning.trials else np.empty(0, dtype=np.intp)
        held = [folds == fold for fold in np.unique(folds)]
        inner = tuple(InnerFold(prepared(~each).of_rows(rows), each) for each in held)
        chain = prepared(np.ones(len(rows), dtype=bool))
        values, own = chain.of_rows(rows), settings.hyperparameters[self.classifier]
        how = (settings.tuning, settings.balance, self.seed)
        task = FitTask(self.classifier, own, labels, values, inner, values[:1], *how)
        chosen = fit_part(task).hyperparameters if inner else {**CLASSIFIERS[self.classifier].defaults, **own}
        self.preparation_, self.hyperparameters_ = chain, dict(chosen)
        self.estimator_ = fit_classifier(
            self.classifier, values, labels, hyperparameters=chosen, seed=self.seed, balance=settings.balance
        )

    def _settings(self) -> ModellingSettings:
        stated = {"steps": self.steps, "tuning": self.tuning, "balance": self.balance}
        own = {self.classifier: dict(self.hyperparameters or {})}
        given = {name: value for name, value in stated.items() if value is not None}
        return ModellingSettings.model_validate({"classifiers": (self.classifier,), "hyperparameters": own, **given})

    def _training(self, X: Any, y: ArrayLike, groups: ArrayLike | None) -> tuple[pd.DataFrame, TrainingLabels]:
        """Rows in an order of their own where the index names them, as in a study, with their labels."""
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(0)
        values, classes = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=False)
        check_classification_targets(classes)
        self.classes_, codes = np.unique(classes, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"all {len(codes)} cases are of 1 class, {self.classes_[0]!s}: at least 2 are needed")
        patients = np.arange(len(codes)) if groups is None else np.asarray(groups)
        check_consistent_length(values, patients)
        named = index.is_unique and index.inferred_type == "string"
        order = index.argsort() if named else np.arange(len(codes))
        numbers = np.asarray(pd.factorize(patients[order])[0], dtype=np.intp)
        labels = TrainingLabels(codes[order].astype(np.intp), numbers, tuple(map(str, self.classes_)))
        return pd.DataFrame(values[order], columns=self._names()), labels

    def _names(self) -> list[str]:
        """Names of the columns; made up, in their order, for an array."""
        width = len(str(self.n_features_in_))
        return list(
            getattr(self, "feature_names_in_", [f"x{number:0{width}d}" for number in range(self.n_features_in_)])
        )
