"""Intraclass correlation of numerical ratings: six forms, one formula, for one or thousands of features.

With mean squares S between subjects, R between raters, E of error (two-way) and W within subjects (one-way), of n
subjects and k raters, every form of a single rating is

    ICC = (S - q N) / (S + q M),    q = 1,

where N = W, M = (k - 1) W for ICC(1,1); N = E, M = (k - 1) E for ICC(3,1); and N = E, M = (k R + (k n - k - n) E) / n
for ICC(2,1). Its limits are the same with q the upper and lower quantile of F with n - 1 degrees of freedom and those
of N (for ICC(2,1) Satterthwaite's). The mean of k ratings has k ICC / (1 + (k - 1) ICC), limits included.

References
----------
.. [1] Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull 1979;86:420-428.
   doi:10.1037/0033-2909.86.2.420
.. [2] McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol Methods
   1996;1:30-46. doi:10.1037/1082-989X.1.1.30
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, fdtri

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, _floats, level_of

__all__ = ["Form", "MeanSquares", "icc", "icc_limits", "icc_of_features", "icc_test", "mean_squares"]

Form = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]

_NO_TOTAL = "the variance of a rating is estimated as 0: the ICC is not estimable"
_NO_MEAN = "the variance of the mean rating is estimated as 0 or less: the ICC is not estimable"
_NO_ERROR = "the raters' error is estimated as 0: the interval is not estimable"
_NO_SUBJECTS = "the subjects do not differ: the interval is not estimable"
_NO_DF = "the degrees of freedom of the interval are estimated as 0: it is not estimable"
_UNBOUNDED = "the lower limit has no bound: the variance of the mean rating may be 0"

# Mean squares of ratings that are equal but for rounding: a share of the largest rating, squared.
_ROUNDING = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class MeanSquares:
    """Analysis of variance of F features, each rated on n subjects by k raters.

    Attributes
    ----------
    subjects, raters, error, within : (F,) array
        Mean squares between subjects, between raters, of error once both are taken out, and within subjects; in units
        of the rating squared. What is rounding error is 0.
    n, k : int
        Number of subjects and raters.
    """

    subjects: Floats
    raters: Floats
    error: Floats
    within: Floats
    n: int
    k: int


def icc(ratings: ArrayLike, *, form: Form = "ICC(2,1)", level: float = 0.95) -> Estimate:
    """Intraclass correlation of raters of the same subjects, with the interval of Shrout, Fleiss, McGraw and Wong.

    Negative values are kept: they say that raters differ more than subjects.

    Parameters
    ----------
    ratings : (n, k) array
        Subjects by raters (or repeated segmentations, scans, sessions), at least two of each.
    form : str
        ``"ICC(1,1)"`` each subject has its own raters, ``"ICC(2,1)"`` absolute agreement of raters that stand for
        others, ``"ICC(3,1)"`` consistency of just these raters; with ``k`` for 1, the mean of the raters.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When a rating is missing, there are fewer than two subjects or raters, or `form` is unknown.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428. doi:10.1037/0033-2909.86.2.420
    .. [2] McGraw KO, Wong SP. Psychol Methods 1996;1:30-46. doi:10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> [round(icc(judges, form=form).value, 2) for form in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(2,k)")]
    [0.17, 0.29, 0.71, 0.62]
    """
    table = _rated(ratings, ("subjects", "raters"))
    return icc_of_features(table[None], form=form, level=level)[0]


def icc_of_features(ratings: ArrayLike, *, form: Form = "ICC(2,1)", level: float = 0.95) -> list[Estimate]:
    """Intraclass correlation of each of many features, all computed at once; see :func:`icc`.

    Parameters
    ----------
    ratings : (F, n, k) array
        Features by subjects by raters.
    form : str
        One of the six forms.
    level : float
        Confidence level of the intervals.

    Raises
    ------
    EvaluationError
        When a rating is missing, there are fewer than two subjects or raters, or `form` is unknown.

    Examples
    --------
    >>> steady, noisy = [[1, 1.1], [2, 2.1], [3, 2.9]], [[1, 2.5], [2, 1.5], [3, 2]]
    >>> [round(each.value, 3) for each in icc_of_features([steady, noisy])]
    [0.994, -0.75]
    """
    squares = mean_squares(_rated(ratings, ("features", "subjects", "raters")))
    return list(_estimates(_singles(squares, form, level), squares, form, level=level))


def icc_limits(ratings: Floats, *, form: Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"], level: float = 0.95) -> Floats:
    """Numbers of :func:`icc_of_features` alone, for ratings that are known to be complete; forms of a single rating.

    Parameters
    ----------
    ratings : (F, n, k) array
        Features by subjects by raters, finite, two or more subjects and raters.
    form : str
        Of a single rating.
    level : float
        Confidence level of the interval.

    Returns
    -------
    (3, F) array
        Value, lower and upper limit; NaN where one is not estimable.

    Examples
    --------
    >>> icc_limits(np.array([[[1.0, 1.1], [2.0, 2.1], [3.0, 2.9]]]), form="ICC(2,1)").round(3)
    array([[0.994],
           [0.875],
           [1.   ]])
    """
    found = _singles(mean_squares(ratings), form, level)
    found = np.where(np.isnan(found[0]), np.nan, found)
    found[1, np.isnan(found[2])] = np.nan
    return found


def _singles(squares: MeanSquares, form: Form, level: float) -> Floats:
    """(3, F) ICC of a single rating, its lower and its upper limit."""
    inverses = (np.ones_like(squares.error), *_quantiles(squares, form, level_of(level)))
    return np.stack([_single(squares, form, inverse) for inverse in inverses])


def icc_test(ratings: ArrayLike, *, form: Form = "ICC(2,1)", level: float = 0.95) -> Comparison:
    """F test of an intraclass correlation against 0: whether subjects differ beyond the raters' error.

    F is the mean square between subjects over that of error (within subjects for ICC(1,1) and ICC(1,k)), one-sided. The
    P value for two-way forms is that of both ICC(2,1) and ICC(3,1).

    Parameters
    ----------
    ratings : (n, k) array
        Subjects by raters, at least two of each.
    form : str
        One of the six forms of :func:`icc`.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When a rating is missing, there are fewer than two subjects or raters, or `form` is unknown.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428. doi:10.1037/0033-2909.86.2.420

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = icc_test(judges, form="ICC(3,1)")
    >>> round(found.statistic, 2), found.df, found.df_denominator, round(found.p, 4)
    (11.03, 5.0, 15.0, 0.0001)
    """
    found = icc(ratings, form=form, level=level)
    squares = mean_squares(_rated(ratings, ("subjects", "raters"))[None])
    noise, _, df = _noise(squares, form)
    testable = noise[0] > 0
    statistic = float(squares.subjects[0] / noise[0]) if testable else None
    return Comparison(
        test="f",
        metric=form,
        difference=found.value,
        low=found.low,
        high=found.high,
        level=level,
        statistic=statistic,
        df=squares.n - 1,
        df_denominator=df,
        p=None if statistic is None else float(fdtrc(squares.n - 1, df, statistic)),
        paired=False,
        values=(found.value, 0.0),
        n=squares.n,
        reason=found.reason if testable else "the raters' error is estimated as 0: no F test is possible",
    )


def mean_squares(ratings: Floats) -> MeanSquares:
    """Two-way analysis of variance without replication of each (n, k) table of an (F, n, k) array."""
    _, n, k = ratings.shape
    # Centred first: features with a large mean lose no digits.
    centred = ratings - ratings.mean(axis=(1, 2), keepdims=True)
    subject, rater = centred.mean(axis=2, keepdims=True), centred.mean(axis=1, keepdims=True)
    floor = (_ROUNDING * np.abs(ratings).max(axis=(1, 2))) ** 2

    def square(effects: Floats, factor: float) -> Floats:
        found = factor * (effects**2).sum(axis=(1, 2))
        return np.where(found > floor, found, 0.0)

    raters = square(rater, n / (k - 1))
    error = square(centred - subject - rater, 1 / ((n - 1) * (k - 1)))
    return MeanSquares(
        subjects=square(subject, k / (n - 1)),
        raters=raters,
        error=error,
        within=(raters + (n - 1) * error) / n,
        n=n,
        k=k,
    )


def _noise(squares: MeanSquares, form: Form) -> tuple[Floats, Floats, int]:
    """N and M of the form, and the degrees of freedom of N."""
    if form not in get_args(Form):
        raise EvaluationError(f"form is {form!r}; allowed are {', '.join(get_args(Form))}")
    n, k = squares.n, squares.k
    if form.startswith("ICC(1"):
        return squares.within, (k - 1) * squares.within, n * (k - 1)
    if form.startswith("ICC(3"):
        return squares.error, (k - 1) * squares.error, (n - 1) * (k - 1)
    return squares.error, (k * squares.raters + (k * n - k - n) * squares.error) / n, (n - 1) * (k - 1)


def _single(squares: MeanSquares, form: Form, inverse: Floats) -> Floats:
    """ICC of a single rating at 1 / q; NaN where it is 0 / 0."""
    noise, rest, _ = _noise(squares, form)
    between = inverse * squares.subjects
    return _ratio(between - noise, between + rest)


def _of_the_mean(single: Floats, k: int) -> Floats:
    """ICC of the mean of k raters; NaN where the variance of that mean is not above 0."""
    return _ratio(k * single, 1 + (k - 1) * single)


def _quantiles(squares: MeanSquares, form: Form, level: float) -> tuple[Floats, Floats]:
    """1 / q of the lower and the upper limit; NaN where there are no limits."""
    noise, rest, df = _noise(squares, form)
    denominator = np.full_like(noise, df)
    if form.startswith("ICC(2"):
        n, k = squares.n, squares.k
        value = _single(squares, form, np.ones_like(noise))
        a, b = k * value * squares.raters, (n * (1 + (k - 1) * value) - k * value) * squares.error
        denominator = _ratio((a + b) ** 2, a**2 / (k - 1) + b**2 / ((n - 1) * (k - 1)))
    known = (squares.subjects > 0) & (noise + rest > 0)
    denominator = np.where(known, denominator, np.nan)
    tail = (1 - level) / 2
    return fdtri(denominator, squares.n - 1, tail), fdtri(denominator, squares.n - 1, 1 - tail)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _estimates(singles: Floats, squares: MeanSquares, form: Form, *, level: float) -> Iterator[Estimate]:
    """One estimate per column of value, lower and upper limit, of single ratings or their mean."""
    found = _of_the_mean(singles, squares.k) if form.endswith("k)") else singles
    found = np.where(np.isnan(found[0]), np.nan, found)
    noise = _noise(squares, form)[0]
    for single, limits, subjects, error in zip(singles[0], found.T.tolist(), squares.subjects, noise, strict=True):
        value, low, high = (None if np.isnan(each) else each for each in limits)
        no_limits = _NO_SUBJECTS if subjects == 0 else _NO_ERROR if error == 0 else _NO_DF
        no_value = _NO_TOTAL if np.isnan(single) else _NO_MEAN
        missing = ((value, no_value), (high, no_limits), (low, _UNBOUNDED))
        reason = next((why for number, why in missing if number is None), None)
        bare = Estimate(metric=form, value=value, level=level, n=squares.n, reason=reason)
        yield bare if high is None else bare.model_copy(update={"low": low, "high": high, "method": "f"})


def _rated(ratings: ArrayLike, axes: tuple[str, ...]) -> Floats:
    """Check ratings with these axes, of which the last two are subjects and raters."""
    shape = np.shape(np.asarray(ratings, dtype=object))
    if len(shape) != len(axes) or 0 in shape or min(shape[-2:]) < 2:
        raise EvaluationError(
            f"ratings have shape {shape}; allowed is ({', '.join(axes)}) with two or more subjects and raters"
        )
    return _floats(ratings, "ratings", shape)
