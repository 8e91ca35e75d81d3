"""LASSO: the features with a non-zero coefficient of an L1-penalised logistic regression."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from radfusion.errors import FeatureError, UserError
from radfusion.modelling._selection_frequency import selection_frequency
from radfusion.modelling.folds import STEP_FOLDS, TrainingLabels
from radfusion.modelling.lasso import LassoCV, Penalty, cross_validated_lasso, lasso_path
from radfusion.modelling.steps.base import STEPS, FittedStep, Signature, Step, Training
from radfusion.modelling.transforms import Keep

__all__ = ["Lasso"]

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]

_PATH_FEATURES = 20
_PATH_POINTS = 50
_ON_THE_WAY = 10  # lambdas before the one that counts, where only that one does


@STEPS.register("lasso")
class Lasso(Step):
    """Features with a non-zero coefficient at the chosen lambda of an L1-penalised (multinomial) logistic regression.

    The least deviance is the default: with a few hundred cases and a weak signal one standard error often selects
    nothing at all, and where the signal is strong the AUCs of both rules hardly differ.

    References
    ----------
    1. Tibshirani R. Regression shrinkage and selection via the lasso. J R Stat Soc B 1996;58(1):267-288.
       doi:10.1111/j.2517-6161.1996.tb02080.x
    2. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
       J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
    3. Bach FR. Bolasso: model consistent Lasso estimation through the bootstrap. ICML 2008:33-40.
       doi:10.1145/1390156.1390161
    4. Meinshausen N, Bühlmann P. Stability selection. J R Stat Soc B 2010;72(4):417-473.
       doi:10.1111/j.1467-9868.2010.00740.x
    """

    step: Literal["lasso"] = "lasso"
    rule: Literal["min", "1se"] = Field(
        "min", description="lambda of the best cross-validated measure, or the largest within one standard error of it"
    )
    form: Literal["per-class", "grouped"] = Field(
        "per-class", description="three classes or more: each selects for itself, or a feature enters all together"
    )
    alpha: float = Field(1.0, ge=0.001, le=1, description="1 is the LASSO; less, an elastic net, which keeps more")
    measure: Literal["deviance", "class", "auc"] = Field(
        "deviance", description="what is cross-validated: deviance, share misclassified, or AUC (two classes only)"
    )
    folds: int = Field(10, ge=STEP_FOLDS, description="folds of the cross-validation that chooses lambda, by patient")
    n_lambdas: int = Field(100, ge=2, description="length of the path of lambdas")
    max_features: int | None = Field(None, ge=1, description="largest signature; null for no limit")
    bootstraps: int = Field(
        0, ge=0, description="bootstrap samples of patients that count how often each feature is selected; 0 for none"
    )
    minimum_frequency: float | None = Field(
        None, gt=0, le=1, description="features that a smaller share of the bootstrap samples selects go; null: none do"
    )

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.minimum_frequency is not None and not self.bootstraps:
            raise ValueError("minimum_frequency needs bootstrap samples to count in, for example bootstraps: 100")
        return self

    @property
    def penalty(self) -> Penalty:
        """What lambda is multiplied with."""
        return Penalty(alpha=self.alpha, grouped=self.form == "grouped")

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows.

        Raises
        ------
        UserError
            When a class has no case, too few patients for the folds, or the measure cannot be had of the classes.
        """
        names, values, labels = training.rows.names, training.rows.values, training.labels
        self._check(labels)
        if not np.any(values.max(axis=0) > values.min(axis=0)):
            return _nothing(labels, "no feature that varies was left to choose from")
        fitted = self._cross_validated(training)
        index = self._chosen(fitted)
        coefficients, intercepts = fitted.path.coefficients[index], fitted.path.intercepts[index]
        kept = selected = np.flatnonzero((coefficients != 0.0).any(axis=0))
        frequency = self._frequency(training, fitted.lambdas[: index + 1])
        if self.minimum_frequency is not None:
            kept = selected[frequency[selected] >= self.minimum_frequency]
            coefficients, intercepts = self._refitted(training, kept, fitted.lambdas[: index + 1])
        modelled = labels.classes if len(coefficients) > 1 else labels.classes[1:]
        means, scales = values.mean(axis=0), values.std(axis=0)
        centred = intercepts + coefficients @ means
        centred -= centred.mean() if len(centred) > 1 else 0.0  # as where columns have mean 0
        at = {"min": fitted.index_min, "1se": fitted.index_1se, "chosen": index}
        signature = Signature(
            names=tuple(names[column] for column in kept),
            coefficients=dict(zip(modelled, (coefficients * scales)[:, kept], strict=True)),
            intercepts=dict(zip(modelled, map(float, centred), strict=True)),
            lambdas={name: float(fitted.lambdas[position]) for name, position in at.items()},
            deviance=_deviance(fitted) if self.measure == "deviance" else (),
            path=_curves(fitted, names, modelled, kept=kept, scales=scales),
            frequency={names[column]: float(frequency[column]) for column in kept} if self.bootstraps else {},
            means=means[kept],
            scales=scales[kept],
        )
        return FittedStep(Keep(signature.names), _told(self, selected, kept), signature)

    def require_classes(self, count: int) -> None:
        """Check that the measure can be had of so many classes.

        Raises
        ------
        UserError
            When it is the AUC of more than two.
        """
        if self.measure == "auc" and count > 2:
            raise UserError(
                f"modelling.steps: {self.step}.measure: an AUC is of two classes, here are {count}: deviance or class"
            )

    def _check(self, labels: TrainingLabels) -> None:
        self.require_classes(len(labels.classes))
        absent = [name for name, count in labels.counts().items() if not count]
        if absent:
            raise UserError(
                f"modelling.steps: {self.step}: class {absent[0]!r} has no case among the {len(labels.codes)} training "
                "cases at hand: fewer folds, or merge it with another class"
            )

    def _cross_validated(self, training: Training) -> LassoCV:
        key = f"modelling.steps: {self.step}"
        folds = training.labels.folds(self.folds, seed=training.seed, key=f"{key}.folds")
        given = training.rows.values, training.labels.codes, folds
        try:
            return cross_validated_lasso(*given, lambdas=self.n_lambdas, penalty=self.penalty, measure=self.measure)
        except FeatureError as error:
            raise UserError(f"{key}: {error}") from error

    def _chosen(self, fitted: LassoCV) -> int:
        index = int(fitted.index_min if self.rule == "min" else fitted.index_1se)
        if self.max_features is None:
            return index
        allowed = np.flatnonzero(fitted.path.n_nonzero[: index + 1] <= self.max_features)
        return int(allowed.max(initial=0))

    def _frequency(self, training: Training, lambdas: Floats) -> Floats:
        way = np.unique(np.linspace(0, len(lambdas) - 1, _ON_THE_WAY + 1).round().astype(int))
        return selection_frequency(
            training.rows.values,
            training.labels,
            lambdas[way],
            penalty=self.penalty,
            samples=self.bootstraps,
            seed=training.seed,
        )

    def _refitted(self, training: Training, kept: Columns, lambdas: Floats) -> tuple[Floats, Floats]:
        """Coefficients of all columns and intercepts at the last lambda, of a fit to some of the columns."""
        values = np.zeros_like(training.rows.values)
        values[:, kept] = training.rows.values[:, kept]
        path = lasso_path(values, training.labels.codes, lambdas=lambdas, penalty=self.penalty)
        return path.coefficients[-1], path.intercepts[-1]


def _nothing(labels: TrainingLabels, reason: str) -> FittedStep:
    """The empty signature: the shares of the classes."""
    logs = np.log(labels.shares)
    centred = logs[1:] - logs[:1] if len(logs) == 2 else logs - logs.mean()
    modelled = labels.classes[-len(centred) :]
    intercepts = dict(zip(modelled, map(float, centred), strict=True))
    empty = Signature((), {name: np.empty(0) for name in modelled}, intercepts, {}, (), ())
    return FittedStep(Keep(()), {"reason": reason}, empty)


def _told(step: Lasso, selected: Columns, kept: Columns) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if step.minimum_frequency is not None:
        told["infrequent"] = len(selected) - len(kept)
    if not len(selected):
        told["reason"] = "every coefficient is zero at the chosen lambda"
    elif not len(kept):
        told["reason"] = "no feature is selected often enough"
    return told


def _deviance(fitted: LassoCV) -> tuple[dict[str, float], ...]:
    columns = (fitted.lambdas, fitted.cvm, fitted.cvsd, fitted.path.n_nonzero)
    keys = ("lambda", "mean", "se", "n_nonzero")
    return tuple(dict(zip(keys, map(float, row), strict=True)) for row in zip(*columns, strict=False))


def _curves(
    fitted: LassoCV, names: tuple[str, ...], modelled: tuple[str, ...], *, kept: Columns, scales: Floats
) -> tuple[dict[str, Any], ...]:
    paths = np.asarray(fitted.path.coefficients)
    active = (paths != 0.0).any(axis=1)
    entered = np.where(active.any(axis=0), active.argmax(axis=0), len(paths))
    first = [column for column in np.argsort(entered, kind="stable")[:_PATH_FEATURES] if entered[column] < len(paths)]
    points = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _PATH_POINTS)).round().astype(int))
    return tuple(
        {
            "feature": names[column],
            "class": name,
            "selected": bool(column in kept),
            "lambda": [float(value) for value in np.asarray(fitted.path.lambdas)[points]],
            "coefficient": [float(value) for value in paths[points, position, column] * scales[column]],
        }
        for column in sorted({*map(int, first), *map(int, kept)})
        for position, name in enumerate(modelled)
    )
