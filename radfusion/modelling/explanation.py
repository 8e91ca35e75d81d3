"""Why a model predicts what it predicts of one case: what each feature changes, by the model itself."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.contract import Contribution, Explanation, LinearTerm
from radfusion.modelling.balancing import Balanced
from radfusion.modelling.classifiers import probabilities
from radfusion.modelling.model import Model, ModelPart

__all__ = ["explain"]

Floats = NDArray[np.float64]

_METHOD = (
    "change of the probability (and log odds) of the predicted class against the same case with this one feature at "
    "its training median, all others as they are; of any model alike; features that act together share their effect, "
    "so contributions need not add up"
)
_SHARES = "no feature was selected: the model gives every case the shares of the classes among the training cases"
_ROUNDING = 1e-9
#: Where linear models keep coefficients and intercepts.
_NUMBERS = (("coef_", "coefficients"), ("intercept_", "intercepts"))


def explain(model: Model, frame: pd.DataFrame, facts: pd.DataFrame | None = None, *, top: int = 10) -> Explanation:
    """Explain the predicted class of one case.

    Each feature in turn is set to its training median, and the model is asked again; late fusion through all its
    parts. Where a part is linear, its terms are told as well: they are exact, and sum to the linear predictor.

    Parameters
    ----------
    model : Model
        Any.
    frame : (1, p) pandas.DataFrame
        Raw features of the case, at least those that the model needs.
    facts : pandas.DataFrame, optional
        Centre and covariates of the case, for models that ask for them.
    top : int
        Contributions and terms that are told, of the largest absolute size; equal ones in order of name.

    Returns
    -------
    Explanation
    """
    columns = list(model.columns)
    medians = {known.feature: known.median for known in model.contract.features}
    place = {name: column for column, name in enumerate(columns)}
    changed = [name for name in columns if medians.get(name) is not None]
    case = frame[columns].to_numpy(dtype=np.float64)
    rows = np.repeat(case, 1 + len(changed), axis=0)
    for row, name in enumerate(changed, start=1):
        rows[row, place[name]] = medians[name]
    versions = pd.DataFrame(rows, columns=columns)
    repeated = None if facts is None else facts.iloc[[0] * len(rows)].set_axis(versions.index)
    found = model.probabilities(versions, repeated)
    position = int(found[0].argmax())
    own, others = float(found[0, position]), found[1:, position].tolist()
    contributions = [
        Contribution(
            feature=name,
            value=_finite(case[0, place[name]]),
            median=float(medians[name] or 0.0),
            probability=own - other,
            log_odds=_log_odds(own, other),
        )
        for name, other in zip(changed, others, strict=True)
    ]
    linear, intercepts = _linear(model, frame, facts, position=position)
    return Explanation(
        class_=model.classes[position],
        method=_METHOD if columns else _SHARES,
        n_features=len(columns),
        contributions=tuple(sorted(contributions, key=lambda each: (-abs(each.probability), each.feature))[:top]),
        linear=tuple(sorted(linear, key=lambda each: (-abs(each.contribution), each.feature))[:top]),
        intercepts=intercepts,
    )


def _log_odds(own: float, other: float) -> float | None:
    if not (0 < own < 1 and 0 < other < 1):
        return None
    return math.log(own / (1 - own)) - math.log(other / (1 - other))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _linear(
    model: Model, frame: pd.DataFrame, facts: pd.DataFrame | None, *, position: int
) -> tuple[list[LinearTerm], dict[str, float]]:
    """Terms and intercepts, for the class at `position`, of the parts that are linear."""
    terms, intercepts = [], {}
    for part in model.parts:
        values = part.preparation.transform(frame, facts)
        formula = _formula(part, values)
        if formula is None:
            continue
        coefficients, intercept = formula[0][position], formula[1][position]
        intercepts[part.model] = float(intercept)
        terms += [
            LinearTerm(
                model=part.model, feature=name, value=value, coefficient=coefficient, contribution=coefficient * value
            )
            for name, value, coefficient in zip(
                part.preparation.names, values[0].tolist(), coefficients.tolist(), strict=True
            )
        ]
    return terms, intercepts


def _formula(part: ModelPart, values: Floats) -> tuple[Floats, Floats] | None:
    """(K, k) coefficients and (K,) intercepts, if they give the probabilities of the part; else None."""
    estimator, surplus = part.estimator, 0.0
    if isinstance(estimator, Balanced):
        estimator, surplus = estimator.estimator, np.log(estimator.after) - np.log(estimator.before)
    found = [getattr(estimator, one, getattr(estimator, other, None)) for one, other in _NUMBERS]
    if any(each is None for each in found):
        return None
    coefficients, intercepts = (np.asarray(each) for each in found)
    if coefficients.ndim != 2:
        return None
    if len(coefficients) == 1:  # two classes: half of the log odds counts for the second, half against the first
        half = np.array([[-0.5], [0.5]])
        coefficients, intercepts = half * coefficients, half[:, 0] * intercepts
    intercepts = intercepts + surplus
    predictors = values @ coefficients.T + intercepts
    shares = np.exp(predictors - predictors.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    if np.abs(shares - probabilities(part.estimator, values)).max() > _ROUNDING:
        return None
    if len(coefficients) == 2:
        coefficients, intercepts = coefficients - coefficients[::-1], intercepts - intercepts[::-1]
    return coefficients, intercepts
