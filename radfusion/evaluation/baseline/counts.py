"""Tests and measures of tables of counts: rows are groups, columns categories."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, Integers, level_of
from radfusion.evaluation.baseline._samples import counts
from radfusion.evaluation.baseline.exact import FirstCell, exact_p, simulated_p

__all__ = ["chi_square_test", "cramers_v", "expected_counts", "fisher_test", "odds_ratio"]


def chi_square_test(table: ArrayLike, *, continuity: bool = True) -> Comparison:
    """Whether groups differ in their categories, by Pearson's chi-square test.

    For a 2 x 2 table ``values`` are the shares of the first column in both rows and ``difference`` is theirs.

    Parameters
    ----------
    table : (r, c) array of int
        Counts of r groups in c categories.
    continuity : bool
        Yates' correction, which concerns 2 x 2 tables only; on by default, as in R.

    Raises
    ------
    EvaluationError
        When the table has fewer than two rows or columns, or does not hold counts.

    References
    ----------
    .. [1] Yates F. Contingency tables involving small numbers and the chi-square test. Suppl J R Stat Soc
       1934;1:217-235. doi:10.2307/2983604

    Examples
    --------
    >>> found = chi_square_test([[22, 32], [28, 13]], continuity=False)
    >>> round(found.statistic, 4), round(found.p, 5)
    (7.0962, 0.00772)
    """
    found = counts(table)
    corrected = continuity and found.shape == (2, 2)
    bare = _bare("chi_square_yates" if corrected else "chi_square", found)
    if reason := _empty(found):
        return bare.model_copy(update={"reason": reason})
    statistic = _chi_square(found, corrected=corrected)
    df = float((found.shape[0] - 1) * (found.shape[1] - 1))
    return bare.model_copy(update={"statistic": statistic, "df": df, "p": float(chdtrc(df, statistic))})


def fisher_test(table: ArrayLike, *, level: float = 0.95, n_resamples: int = 100_000, seed: int = 0) -> Comparison:
    """Whether groups differ in their categories, by Fisher's exact test.

    P is the sum of the probabilities of all tables with the same totals that are not likelier than the one observed.
    Up to 4,000,000 tables of either half of the columns are enumerated; beyond that P comes from `n_resamples` random
    tables and the test is named ``"fisher_monte_carlo"``. For a 2 x 2 table ``difference`` is the conditional
    maximum-likelihood log odds ratio of the first column, row 1 less row 2, with its exact interval: the logarithms of
    :func:`odds_ratio`. A missing limit is infinite, as ``reason`` says.

    Parameters
    ----------
    table : (r, c) array of int
        Counts of r groups in c categories. Empty rows and columns say nothing and are left out.
    level : float
        Confidence level of the interval.
    n_resamples : int
        Number of random tables where there are too many for enumeration.
    seed : int
        Seed of the random tables.

    Raises
    ------
    EvaluationError
        When the table has fewer than two rows or columns, or does not hold counts.

    References
    ----------
    .. [1] Mehta CR, Patel NR. A network algorithm for performing Fisher's exact test in r x c contingency tables. J Am
       Stat Assoc 1983;78:427-434. doi:10.1080/01621459.1983.10477989
    .. [2] Agresti A. A survey of exact inference for contingency tables. Stat Sci 1992;7:131-153.
       doi:10.1214/ss/1177011454

    Examples
    --------
    >>> found = fisher_test([[1, 9], [7, 4]])
    >>> round(found.p, 4), round(float(np.exp(found.difference)), 4)
    (0.0237, 0.0739)
    """
    found = counts(table)
    if n_resamples < 1:
        raise EvaluationError(f"n_resamples is {n_resamples}; allowed are whole numbers from 1")
    bare = _bare("fisher_exact", found).model_copy(update={"level": level_of(level)})
    if found.shape == (2, 2):
        ratio = odds_ratio(found, level=level)
        logs = [_log(each) for each in (ratio.value, ratio.low, ratio.high)]
        fields = dict(zip(("difference", "low", "high"), logs, strict=True))
        shared = {"metric": "log_odds_ratio", "values": (None, None), "reason": ratio.reason}
        return bare.model_copy(update={**shared, **fields, "p": FirstCell(found).two_sided_p()})
    kept = found[found.any(axis=1)][:, found.any(axis=0)]
    if min(kept.shape) < 2:
        return bare.model_copy(update={"reason": "all cases are in one row or column: no test is possible"})
    p = exact_p(kept)
    if p is not None:
        return bare.model_copy(update={"p": p})
    p = simulated_p(kept, n_resamples=n_resamples, seed=seed)
    why = f"too many tables to enumerate: P is from {n_resamples} random tables (seed {seed})"
    return bare.model_copy(update={"test": "fisher_monte_carlo", "p": p, "reason": why})


def odds_ratio(
    table: ArrayLike, *, method: Literal["conditional", "sample"] = "conditional", level: float = 0.95
) -> Estimate:
    """Odds ratio of the first column, row 1 over row 2.

    Parameters
    ----------
    table : (2, 2) array of int
        Counts of two groups in two categories.
    method : {"conditional", "sample"}
        Conditional maximum likelihood with the exact interval, as goes with Fisher's test; or the product of the
        diagonals with the interval of its logarithm (Woolf's). An infinite value or limit is None, and ``reason`` says
        so.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When the table is not 2 x 2 or does not hold counts.

    References
    ----------
    .. [1] Woolf B. On estimating the relation between blood group and disease. Ann Hum Genet 1955;19:251-253.
       doi:10.1111/j.1469-1809.1955.tb01348.x

    Examples
    --------
    >>> found = odds_ratio([[0, 12], [6, 9]])
    >>> found.value, found.low, round(found.high, 4)
    (0.0, 0.0, 0.8592)
    """
    found = counts(table)
    if found.shape != (2, 2):
        raise EvaluationError(f"table has shape {found.shape}; allowed is a 2 x 2 table")
    if method not in {"conditional", "sample"}:
        raise EvaluationError(f"method is {method!r}; allowed are conditional, sample")
    bare = Estimate(metric="odds_ratio", value=None, level=level_of(level), n=int(found.sum()))
    if reason := _empty(found):
        return bare.model_copy(update={"reason": reason})
    if method == "sample":
        return bare.model_copy(update=_sample_odds_ratio(found, level))
    value, low, high = (float(np.exp(each)) for each in FirstCell(found).log_odds(level))
    reason = None if np.isfinite(high) else "a cell of the second diagonal is 0: the odds ratio has no upper limit"
    update = {"value": _finite(value), "low": low, "high": _finite(high), "method": "conditional_exact"}
    return bare.model_copy(update={**update, "reason": reason})


def cramers_v(table: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Cramér's V: strength of the association of groups and categories, from 0 to 1.

    V² = chi-square / (n (min(r, c) - 1)), without continuity correction. The limits are those of the non-centrality of
    the chi-square distribution; V itself is biased upwards in small samples.

    Parameters
    ----------
    table : (r, c) array of int
        Counts of r groups in c categories.
    level : float
        Confidence level of the interval.

    Raises
    ------
    EvaluationError
        When the table has fewer than two rows or columns, or does not hold counts.

    Examples
    --------
    >>> found = cramers_v([[22, 32], [28, 13]])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2733, 0.0715, 0.4744)
    """
    from scipy.special import chdtr, chndtrinc

    found = counts(table)
    n, level = int(found.sum()), level_of(level)
    bare = Estimate(metric="cramers_v", value=None, level=level, n=n)
    if reason := _empty(found):
        return bare.model_copy(update={"reason": reason})
    statistic = _chi_square(found, corrected=False)
    df, most = (found.shape[0] - 1) * (found.shape[1] - 1), n * (min(found.shape) - 1)
    # Below the central quantile no non-centrality is small enough: the limit is 0.
    reached = chdtr(df, statistic)
    limits = [
        float(np.sqrt(chndtrinc(statistic, df, tail) / most)) if reached > tail else 0.0
        for tail in (0.5 + level / 2, 0.5 - level / 2)
    ]
    low, high = (min(1.0, each) for each in limits)
    value = min(1.0, float(np.sqrt(statistic / most)))
    return bare.model_copy(update={"value": value, "low": low, "high": high, "method": "noncentral_chi_square"})


def expected_counts(table: Integers) -> Floats:
    """Counts that the totals lead to expect where groups do not differ, (r, c) array."""
    expected: Floats = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return expected


def _chi_square(table: Integers, *, corrected: bool) -> float:
    expected = expected_counts(table)
    distance = np.abs(table - expected)
    if corrected:
        distance = distance - np.minimum(0.5, distance)
    return float((distance**2 / expected).sum())


def _bare(test: str, table: Integers) -> Comparison:
    bare = Comparison(test=test, metric="distribution", difference=None, paired=False, n=int(table.sum()))
    if table.shape != (2, 2) or not table.any(axis=1).all():
        return bare
    a, b = (table[:, 0] / table.sum(axis=1)).tolist()
    return bare.model_copy(update={"metric": "proportion", "difference": a - b, "values": (a, b)})


def _empty(table: Integers) -> str | None:
    """Which row or column holds no case."""
    for axis, name in ((1, "row"), (0, "column")):
        empty = np.flatnonzero(~table.any(axis=axis))
        if len(empty):
            return f"{name} {empty[0] + 1} of the table holds no case"
    return None


def _sample_odds_ratio(table: Integers, level: float) -> dict[str, float | str | None]:
    (a, b), (c, d) = table.tolist()
    if not table.all():
        value = None if b * c == 0 else 0.0
        return {"value": value, "reason": "a cell is 0: Woolf's interval is not estimable"}
    value, se = a * d / (b * c), float(np.sqrt((1 / table).sum()))
    half = float(ndtri(0.5 + level / 2)) * se
    low, high = value * float(np.exp(-half)), value * float(np.exp(half))
    return {"value": value, "low": low, "high": high, "method": "woolf"}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _log(value: float | None) -> float | None:
    return float(np.log(value)) if value else None
