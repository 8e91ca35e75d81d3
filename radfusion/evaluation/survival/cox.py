"""Cox regression: hazard ratios, the tests of the model, and the test of proportional hazards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, level_of
from radfusion.evaluation.intervals import wald_test
from radfusion.evaluation.survival._follow_up import FollowUp, covariate_matrix, follow_up
from radfusion.evaluation.survival.kaplan_meier import survivors
from radfusion.evaluation.survival.partial_likelihood import CoxFit, Ties, fit_cox

__all__ = ["cox_regression", "cox_tests", "proportional_hazards_test"]

_LARGEST = float(np.log(np.finfo(np.float64).max))


def cox_regression(
    times: ArrayLike, events: ArrayLike, covariates: ArrayLike, *, ties: Ties = "efron", level: float = 0.95
) -> list[Estimate]:
    """Hazard ratio of each covariate in Cox's model, with a Wald interval on the log scale.

    ``se`` is the standard error of the logarithm of the hazard ratio.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    covariates : (n, p) or (n,) array
        Covariates as numbers.
    ties : {"efron", "breslow"}
        How events at one time are treated.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a covariate is missing.

    References
    ----------
    .. [1] Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
       doi:10.1111/j.2517-6161.1972.tb00899.x

    Examples
    --------
    >>> found, = cox_regression([1, 2, 3, 4, 5], [1, 1, 0, 1, 1], [0.9, 0.3, 0.8, 0.4, 0.1])
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (13.261, 0.083, 2114.717)
    """
    followed, fit = _fit(times, events, covariates, ties=ties)
    z = float(ndtri(0.5 + level_of(level) / 2))
    bare = Estimate(
        metric="hazard_ratio",
        value=None,
        level=level,
        method="none" if fit.reason else "wald_log",
        n=followed.n,
        n_pos=followed.n_events,
        reason=fit.reason,
    )
    if fit.reason:
        return [bare] * len(fit.coefficients)
    columns = zip(fit.coefficients.tolist(), _standard_errors(fit), strict=True)
    return [bare.model_copy(update=_ratio(log, se, z)) for log, se in columns]


def cox_tests(
    times: ArrayLike, events: ArrayLike, covariates: ArrayLike, *, ties: Ties = "efron", level: float = 0.95
) -> list[Comparison]:
    """Wald test of each log hazard ratio against 0, then three tests of them all.

    The tests are named ``cox_wald`` (one per covariate), ``cox_likelihood_ratio``, ``cox_score`` (Rao) and
    ``cox_wald_global``; the last three are chi-squared with p degrees of freedom.

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    covariates : (n, p) or (n,) array
        Covariates as numbers.
    ties : {"efron", "breslow"}
        How events at one time are treated.
    level : float
        Confidence level of the intervals of the log hazard ratios.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a covariate is missing.

    References
    ----------
    .. [1] Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer, 2000.
       doi:10.1007/978-1-4757-3294-8

    Examples
    --------
    >>> found = cox_tests([1, 2, 3, 4, 5], [1, 1, 0, 1, 1], [0.9, 0.3, 0.8, 0.4, 0.1])
    >>> [(each.test, round(each.p, 4)) for each in found]
    [('cox_wald', 0.3179), ('cox_likelihood_ratio', 0.2882), ('cox_score', 0.2882), ('cox_wald_global', 0.3179)]
    """
    followed, fit = _fit(times, events, covariates, ties=ties)
    shared: dict[str, Any] = {"metric": "log_hazard_ratio", "level": level_of(level), "paired": False, "n": followed.n}
    names = ["cox_wald"] * len(fit.coefficients) + ["cox_likelihood_ratio", "cox_score", "cox_wald_global"]
    if fit.reason:
        return [Comparison(test=name, difference=None, reason=fit.reason, **shared) for name in names]
    single = [
        Comparison(test="cox_wald", **shared, **vars(wald_test(log, se, level=level)))
        for log, se in zip(fit.coefficients.tolist(), _standard_errors(fit), strict=True)
    ]
    statistics = (
        2 * (fit.fitted.log_likelihood - fit.null.log_likelihood),
        float(fit.null.score @ np.linalg.solve(fit.null.information, fit.null.score)),
        float(fit.coefficients @ np.linalg.solve(fit.covariance, fit.coefficients)),
    )
    df = len(fit.coefficients)
    return single + [
        Comparison(test=name, difference=None, **shared, **_chi_squared(value, df))
        for name, value in zip(names[df:], statistics, strict=True)
    ]


def proportional_hazards_test(
    times: ArrayLike, events: ArrayLike, covariates: ArrayLike, *, ties: Ties = "efron"
) -> list[Comparison]:
    """Test of proportional hazards of each covariate, then of all together, as ``cox.zph`` of R's survival 3.

    The score test of a coefficient that changes with g(t) = 1 - S(t-), the Kaplan-Meier share of events before t. With
    the residual r_i and the covariance V_i of the risk set at each event, and g centred at the events::

        u = sum g_i r_i      chi2 = u' (sum g_i^2 V_i - B (sum V_i)^-1 B)^-1 u      B = sum g_i V_i

    Parameters
    ----------
    times : (n,) array
        Time to the event or to censoring, positive.
    events : (n,) array of bool or 0/1
        Whether the event was observed.
    covariates : (n, p) or (n,) array
        Covariates as numbers.
    ties : {"efron", "breslow"}
        How events at one time are treated.

    Raises
    ------
    EvaluationError
        When lengths differ, a time is not positive, an event is neither 0 nor 1, or a covariate is missing.

    References
    ----------
    .. [1] Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals. Biometrika
       1994;81:515-526. doi:10.1093/biomet/81.3.515

    Examples
    --------
    >>> found = proportional_hazards_test([1, 2, 3, 4, 5], [1, 1, 0, 1, 1], [0.9, 0.3, 0.8, 0.4, 0.1])
    >>> [(each.test, round(each.p, 4)) for each in found]
    [('schoenfeld_km', 0.7305), ('schoenfeld_km_global', 0.7305)]
    """
    followed, fit = _fit(times, events, covariates, ties=ties)
    p = len(fit.coefficients)
    bare = Comparison(test="schoenfeld_km", metric="proportional_hazards", difference=None, paired=False, n=followed.n)
    chosen = [*([j] for j in range(p)), list(range(p))]
    tests = [bare] * p + [bare.model_copy(update={"test": "schoenfeld_km_global"})]
    if fit.reason:
        return [each.model_copy(update={"reason": fit.reason}) for each in tests]
    score, variance = _slope_in_time(followed, fit)
    return [
        each.model_copy(update=_quadratic(score[j], variance[np.ix_(j, j)]))
        for each, j in zip(tests, chosen, strict=True)
    ]


def _fit(times: ArrayLike, events: ArrayLike, covariates: ArrayLike, *, ties: Ties) -> tuple[FollowUp, CoxFit]:
    if ties not in ("efron", "breslow"):
        raise EvaluationError(f"ties is {ties!r}; allowed are 'efron' and 'breslow'")
    followed = follow_up(times, events)
    return followed, fit_cox(followed, covariate_matrix(covariates, followed.n), ties)


def _standard_errors(fit: CoxFit) -> list[float]:
    errors: list[float] = np.sqrt(np.diag(fit.covariance)).tolist()
    return errors


def _ratio(log: float, se: float, z: float) -> dict[str, Any]:
    if log + z * se > _LARGEST:
        return {"se": se, "reason": "a hazard ratio per unit this far from 1 is no number: take a larger unit"}
    value, low, high = np.exp([log, log - z * se, log + z * se]).tolist()
    return {"value": value, "low": low, "high": high, "se": se}


def _slope_in_time(followed: FollowUp, fit: CoxFit) -> tuple[Floats, Floats]:
    """Score of coefficients that change with time, and its variance once the constant ones are estimated."""
    residuals, variances = fit.fitted.residuals, fit.fitted.variances
    g = 1 - survivors(followed).before(fit.fitted.times)
    g = g - g.mean()
    crossed = np.tensordot(g, variances, axes=1)
    adjusted = crossed @ np.linalg.solve(fit.fitted.information, crossed)
    return g @ residuals, np.tensordot(g**2, variances, axes=1) - adjusted


def _quadratic(score: Floats, variance: Floats) -> dict[str, Any]:
    eigenvalues = np.linalg.eigvalsh(variance)
    if eigenvalues[0] <= 1e-10 * max(1.0, eigenvalues[-1]):
        return {"reason": "too few different times of events to see a change with time"}
    return _chi_squared(float(score @ np.linalg.solve(variance, score)), len(score))


def _chi_squared(statistic: float, df: int) -> dict[str, Any]:
    return {"statistic": statistic, "df": float(df), "p": float(chdtrc(df, max(0.0, statistic)))}
