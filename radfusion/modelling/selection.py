"""Selection: the signature of an arm, chosen on training rows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from radfusion.core.registry import Registry
from radfusion.core.results import SelectionStep
from radfusion.core.settings import Settings
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.lasso import LassoCV, cross_validated_lasso

__all__ = ["SELECTORS", "Candidates", "SelectionSettings", "Selector", "Signature", "fit_signature"]

Floats = NDArray[np.float64]
_PATH_FEATURES = 20
_PATH_POINTS = 50


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a selector chooses from: standardised training values and their labels.

    Attributes
    ----------
    values : (n, p) array
        Columns with mean 0 and standard deviation 1.
    names : tuple of str
        The p features.
    labels : TrainingLabels
        Of the n cases.
    """

    values: Floats
    names: tuple[str, ...]
    labels: TrainingLabels


@dataclass(frozen=True, eq=False)
class Signature:
    """Selected features.

    Attributes
    ----------
    names : tuple of str
        The k features; none is allowed, the model then predicts the shares of the classes.
    coefficients : mapping of str to (k,) array
        Per class (two classes: the second only), on the standardised scale; empty where the selector has none.
    intercepts : mapping of str to float
        Per class, in the same way.
    lambdas : mapping of str to float
        ``min``, ``1se`` and ``chosen``.
    deviance : tuple of dict
        Cross-validated deviance per lambda: ``lambda``, ``mean``, ``se``, ``n_nonzero``. The folds share the cleaning
        of the training rows, so the curve flatters; what the model is worth is measured with cleaning and selection
        repeated in every outer fold.
    path : tuple of dict
        Curves to plot, of the selected features and of the first 20 to enter: ``feature``, ``class``, ``selected``,
        ``lambda`` and ``coefficient`` (lists).
    step : SelectionStep
        Number of features before and after.
    """

    names: tuple[str, ...]
    coefficients: dict[str, Floats]
    intercepts: dict[str, float]
    lambdas: dict[str, float]
    deviance: tuple[dict[str, float], ...]
    path: tuple[dict[str, Any], ...]
    step: SelectionStep


class SelectionSettings(Settings):
    """How the signature is chosen.

    The least deviance is the default: with a few hundred cases and a weak signal one standard error often selects
    nothing at all, and where the signal is strong the AUCs of both rules hardly differ.
    """

    method: str = Field("lasso", description="selector: lasso, or none to keep every cleaned feature")
    rule: Literal["min", "1se"] = Field(
        "min", description="lambda of least cross-validated deviance, or the largest within one standard error of it"
    )
    folds: int = Field(10, ge=3, description="folds of the cross-validation that chooses lambda, by patient")
    n_lambdas: int = Field(100, ge=2, description="length of the path of lambdas")
    max_features: int | None = Field(None, ge=1, description="largest signature; null for no limit")

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in SELECTORS:
            raise ValueError(SELECTORS.unknown(method))
        return method


Selector = Callable[[Candidates, SelectionSettings, int], Signature]
SELECTORS: Registry[Selector] = Registry("selector")


def fit_signature(candidates: Candidates, settings: SelectionSettings, *, seed: int) -> Signature:
    """Choose the signature with the selector of the settings.

    Parameters
    ----------
    candidates : Candidates
        Cleaned training rows.
    settings : SelectionSettings
        Method and its options.
    seed : int
        Seed of the folds.

    Returns
    -------
    Signature
        Possibly empty.

    Raises
    ------
    UserError
        When a class has too few patients for the folds.
    """
    return SELECTORS[settings.method](candidates, settings, seed)


@SELECTORS.register("lasso")
def select_by_lasso(candidates: Candidates, settings: SelectionSettings, seed: int) -> Signature:
    """Features with a non-zero coefficient at the chosen lambda of an L1-penalised (multinomial) logistic regression.

    References
    ----------
    1. Tibshirani R. Regression shrinkage and selection via the lasso. J R Stat Soc B 1996;58(1):267-288.
       doi:10.1111/j.2517-6161.1996.tb02080.x
    2. Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent.
       J Stat Softw 2010;33(1):1-22. doi:10.18637/jss.v033.i01
    """
    labels = candidates.labels
    if not candidates.names:
        return Signature((), {}, {}, {}, (), (), _step(candidates, 0, settings))
    folds = labels.folds(settings.folds, seed=seed)
    fitted = cross_validated_lasso(candidates.values, labels.codes, folds, lambdas=settings.n_lambdas)
    index = _chosen(fitted, settings)
    coefficients = np.asarray(fitted.path.coefficients[index])
    selected = np.flatnonzero((coefficients != 0.0).any(axis=0))
    modelled = labels.classes if len(coefficients) > 1 else labels.classes[1:]
    at = {"min": fitted.index_min, "1se": fitted.index_1se, "chosen": index}
    return Signature(
        names=tuple(candidates.names[column] for column in selected),
        coefficients={name: row[selected] for name, row in zip(modelled, coefficients, strict=True)},
        intercepts=dict(zip(modelled, map(float, np.ravel(fitted.path.intercepts[index])), strict=True)),
        lambdas={name: float(fitted.lambdas[position]) for name, position in at.items()},
        deviance=_deviance(fitted),
        path=_curves(fitted, candidates.names, modelled, selected=selected),
        step=_step(candidates, len(selected), settings),
    )


@SELECTORS.register("none")
def select_all(candidates: Candidates, settings: SelectionSettings, seed: int) -> Signature:  # noqa: ARG001
    """Every cleaned feature."""
    return Signature(candidates.names, {}, {}, {}, (), (), _step(candidates, len(candidates.names), settings))


def _step(candidates: Candidates, n_out: int, settings: SelectionSettings) -> SelectionStep:
    used = settings.model_dump() if settings.method == "lasso" else {}
    return SelectionStep(name=settings.method, n_in=len(candidates.names), n_out=n_out, settings=used)


def _chosen(fitted: LassoCV, settings: SelectionSettings) -> int:
    index = int(fitted.index_min if settings.rule == "min" else fitted.index_1se)
    if settings.max_features is None:
        return index
    allowed = np.flatnonzero(fitted.path.n_nonzero[: index + 1] <= settings.max_features)
    return int(allowed.max(initial=0))


def _deviance(fitted: LassoCV) -> tuple[dict[str, float], ...]:
    columns = (fitted.lambdas, fitted.cvm, fitted.cvsd, fitted.path.n_nonzero)
    keys = ("lambda", "mean", "se", "n_nonzero")
    return tuple(dict(zip(keys, map(float, row), strict=True)) for row in zip(*columns, strict=False))


def _curves(
    fitted: LassoCV, names: tuple[str, ...], modelled: tuple[str, ...], *, selected: NDArray[np.intp]
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
            "selected": bool(column in selected),
            "lambda": [float(value) for value in np.asarray(fitted.path.lambdas)[points]],
            "coefficient": [float(value) for value in paths[points, position, column]],
        }
        for column in sorted({*map(int, first), *map(int, selected)})
        for position, name in enumerate(modelled)
    )
