"""Stability of features: the intraclass correlation of every feature over repeated readings of the same cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.results import Estimate, FeatureStability
from radfusion.errors import EvaluationError
from radfusion.evaluation.agreement.intraclass import icc_limits, icc_of_features

__all__ = ["feature_stability", "rank_correlations", "shared_ratings", "stable_features"]

Floats = NDArray[np.float64]
Use = Literal["estimate", "lower"]
Single = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"]
#: The forms in the notation of McGraw and Wong.
FORMS: dict[str, Single] = {"ICC(1,1)": "ICC(1,1)", "ICC(A,1)": "ICC(2,1)", "ICC(C,1)": "ICC(3,1)"}
#: A range below this share of the largest absolute value is rounding, not variation.
_ROUNDING = 1e-12
_CONSTANT = "does not vary between cases or readings"


def feature_stability(
    frames: Sequence[pd.DataFrame],
    *,
    form: str = "ICC(A,1)",
    minimum: float = 0.75,
    use: Use = "estimate",
    level: float = 0.95,
) -> tuple[FeatureStability, ...]:
    """Intraclass correlation of every feature over several tables of the same cases.

    Per feature, cases with a missing value in any table are left out. A feature that is constant everywhere is kept:
    no reading disagrees, and cleaning drops it by its own name. One whose ICC cannot be estimated for any other reason
    is not kept.

    Parameters
    ----------
    frames : sequence of pandas.DataFrame
        One per reading, indexed by case, features in columns. Cases and features that all tables have are used, in the
        order of the first.
    form : {"ICC(A,1)", "ICC(1,1)", "ICC(C,1)"}
        Form in the notation of McGraw and Wong: absolute agreement of raters, readings nested in cases, consistency.
    minimum : float
        Features below this are not kept.
    use : {"estimate", "lower"}
        Hold the estimate or the lower limit of its interval against `minimum`. Where readings are equal to the last
        digit there is no interval, and the estimate 1 stands.
    level : float
        Confidence level of the intervals.

    Raises
    ------
    EvaluationError
        For fewer than two tables or two shared cases, or an unknown form.

    References
    ----------
    .. [1] McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol Methods
       1996;1:30-46. doi:10.1037/1082-989X.1.1.30
    .. [2] Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for reliability
       research. J Chiropr Med 2016;15:155-63. doi:10.1016/j.jcm.2016.02.012

    Examples
    --------
    >>> first = pd.DataFrame({"area": [1.0, 2.0, 3.0], "noise": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])
    >>> second = pd.DataFrame({"area": [1.1, 2.1, 2.9], "noise": [2.5, 1.5, 2.0]}, index=["a", "b", "c"])
    >>> [(each.feature, round(each.value, 3), each.kept) for each in feature_stability([first, second])]
    [('area', 0.994, True), ('noise', -0.75, False)]
    """
    if form not in FORMS:
        raise EvaluationError(f"form is {form!r}; allowed are {', '.join(FORMS)}")
    features, _, ratings = shared_ratings(frames)
    found: list[Estimate] = [Estimate(metric=form, value=None)] * len(features)
    for members, complete in _alike(ratings):
        for at, each in zip(members, _estimated(complete, form, level), strict=True):
            found[at] = each
    return tuple(_verdict(name, each, minimum=minimum, use=use) for name, each in zip(features, found, strict=True))


def stable_features(
    ratings: Floats, *, form: str, minimum: float = 0.75, use: Use = "estimate", level: float = 0.95
) -> NDArray[np.bool_]:
    """Whether :func:`feature_stability` keeps each feature, without the numbers: for many sets of cases.

    Parameters
    ----------
    ratings : (features, cases, readings) array
        Of :func:`shared_ratings`, or some of its cases.
    form, minimum, use, level
        As there.

    Returns
    -------
    (features,) array of bool

    Examples
    --------
    >>> stable_features(np.array([[[1.0, 1.1], [2.0, 2.1], [3.0, 2.9]]]), form="ICC(A,1)")
    array([ True])
    """
    kept = np.zeros(len(ratings), dtype=bool)
    for members, complete in _alike(ratings):
        if complete.shape[1] < 2:
            continue
        flat = _flat(complete)
        value, low, _ = icc_limits(complete, form=FORMS[form], level=level)
        limit = np.where(np.isnan(low) & ~(value < 1), value, low) if use == "lower" else value
        kept[members] = flat | (limit >= minimum)
    return kept


def _alike(ratings: Floats) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Features with the same complete cases, and their ratings on these: mostly all of them at once."""
    finite = np.isfinite(ratings).all(axis=2)
    if finite.all():
        yield np.arange(len(ratings)), ratings
        return
    patterns, membership = np.unique(finite, axis=0, return_inverse=True)
    for number, complete in enumerate(patterns):
        members = np.flatnonzero(membership.ravel() == number)
        yield members, ratings[members][:, complete]


def rank_correlations(first: pd.DataFrame, second: pd.DataFrame) -> Floats:
    """Absolute Spearman correlation of every feature between two tables of the same cases and features.

    Only cases with both values count; a feature that is constant in either table has 0.

    Parameters
    ----------
    first, second : pandas.DataFrame
        (cases, features), indexed and named alike.

    Returns
    -------
    (features,) array

    Examples
    --------
    >>> first = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [5.0, 5.0, 5.0]})
    >>> rank_correlations(first, first ** 2)
    array([1., 0.])
    """
    both = first.notna() & second.notna()
    ranks = [each.where(both).rank() for each in (first, second)]
    centred = [(each - each.mean()).fillna(0.0).to_numpy() for each in ranks]
    products = np.abs((centred[0] * centred[1]).sum(axis=0))
    norms = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    return np.asarray(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0))


def shared_ratings(frames: Sequence[pd.DataFrame]) -> tuple[tuple[str, ...], tuple[str, ...], Floats]:
    """Features and cases that all tables have, in the order of the first, and (features, cases, readings) array.

    Parameters
    ----------
    frames : sequence of pandas.DataFrame
        One per reading, indexed by case, features in columns.

    Raises
    ------
    EvaluationError
        For fewer than two tables or two shared cases.
    """
    if len(frames) < 2:
        raise EvaluationError(f"{len(frames)} readings; stability needs two or more")
    first, *others = frames
    features = [name for name in first.columns if all(name in each.columns for each in others)]
    cases = [case for case in first.index if all(case in each.index for each in others)]
    if len(cases) < 2:
        raise EvaluationError(f"{len(cases)} cases have every reading; stability needs two or more")
    tables = [each.loc[cases, features].to_numpy(dtype=np.float64).T for each in frames]
    return tuple(map(str, features)), tuple(map(str, cases)), np.stack(tables, axis=2)


def _flat(ratings: Floats) -> NDArray[np.bool_]:
    """Whether each feature is constant everywhere, but for rounding."""
    return np.asarray(np.ptp(ratings, axis=(1, 2)) <= _ROUNDING * np.abs(ratings).max(axis=(1, 2)))


def _estimated(ratings: Floats, form: str, level: float) -> list[Estimate]:
    """Estimates of features that are complete on these cases."""
    count, cases, _ = ratings.shape
    if cases < 2:
        why = f"{cases} cases have a value in every reading; two are needed"
        return [Estimate(metric=form, value=None, n=cases, reason=why)] * count
    flat = _flat(ratings)
    found = [Estimate(metric=form, value=None, n=cases, reason=_CONSTANT)] * count
    if not flat.all():
        varied = icc_of_features(ratings[~flat], form=FORMS[form], level=level)
        for at, each in zip(np.flatnonzero(~flat), varied, strict=True):
            found[at] = each
    return found


def _verdict(name: str, found: Estimate, *, minimum: float, use: Use) -> FeatureStability:
    limit = found.low if use == "lower" and found.low is not None else found.value
    without_interval = use == "lower" and found.low is None and found.value is not None and found.value < 1
    kept = found.reason == _CONSTANT or (limit is not None and limit >= minimum and not without_interval)
    return FeatureStability(
        feature=name, value=found.value, low=found.low, high=found.high, n_cases=found.n, kept=kept, reason=found.reason
    )
