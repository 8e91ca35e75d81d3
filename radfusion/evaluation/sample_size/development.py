"""Cases needed to develop a prediction model of two or more classes (Riley and others, Pate and others)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtri, xlogy

from radfusion.core.results import Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, _floats, level_of

__all__ = ["cox_snell_from_auc", "required_cases", "required_cases_multinomial"]

# Of the published criteria: optimism of Nagelkerke's R2, and half width of the interval of a class's share.
_OPTIMISM = 0.05
_HALF_WIDTH = 0.05


def cox_snell_from_auc(auc: float, prevalence: float) -> float:
    """Cox-Snell's R2 of a calibrated model with a given area under the curve.

    The linear predictor is normal with equal variance in both classes; the expected log likelihood is integrated, where
    the paper simulates it.

    Parameters
    ----------
    auc : float
        Area under the curve, at least 0.5 and below 1.
    prevalence : float
        Share of positive cases.

    Raises
    ------
    EvaluationError
        When a number is out of its range.

    References
    ----------
    .. [1] Riley RD, Van Calster B, Collins GS. A note on estimating the Cox-Snell R2 from a reported C statistic
       (AUROC) to inform sample size calculations for developing a prediction model with a binary outcome. Stat Med
       2021;40:859-864. doi:10.1002/sim.8806

    Examples
    --------
    >>> round(cox_snell_from_auc(0.81, 0.77), 4)
    0.2121
    """
    _inside(prevalence, "prevalence")
    if not 0.5 <= auc < 1:
        raise EvaluationError(f"auc is {auc}; allowed are numbers from 0.5 to below 1")
    distance = math.sqrt(2) * float(ndtri(auc))
    nodes, weights = hermegauss(200)
    # Log odds of a case, of each class, whose predictor is `nodes` standard deviations from the mean of its class.
    odds = math.log(prevalence / (1 - prevalence)) + distance * nodes
    losses = np.logaddexp(0, -(odds + distance**2 / 2)), np.logaddexp(0, odds - distance**2 / 2)
    loss = (prevalence * losses[0] + (1 - prevalence) * losses[1]) @ weights / weights.sum()
    return float(-np.expm1(2 * (loss - _entropy([prevalence, 1 - prevalence]))))


def required_cases(
    parameters: int,
    prevalence: float,
    *,
    r2: float | None = None,
    auc: float | None = None,
    nagelkerke: float | None = None,
    shrinkage: float = 0.9,
) -> list[Estimate]:
    """Cases needed to develop a model of two classes: for each criterion of Riley and others, then for all.

    With P parameters, prevalence p, Cox-Snell's R2 and its largest value M = 1 - (p^p (1-p)^(1-p))^2::

        shrinkage     n = P / ((S - 1) log(1 - R2 / S))                        S = 0.9
        optimism      the same with S = R2 / (R2 + 0.05 M)                     R2 of Nagelkerke within 0.05
        overall_risk  n = (z / 0.05)^2 p (1 - p)                               mean risk within 0.05

    Parameters
    ----------
    parameters : int
        Number of candidate parameters, not of those that are selected.
    prevalence : float
        Share of positive cases.
    r2, auc, nagelkerke : float, optional
        Exactly one: Cox-Snell's R2, the area under the curve, or Nagelkerke's R2 that is expected; 0.15 is the paper's
        cautious value of the last.
    shrinkage : float
        Shrinkage S of the first criterion.

    Raises
    ------
    EvaluationError
        When a number is out of its range, or not exactly one of the three is given.

    References
    ----------
    .. [1] Riley RD, Ensor J, Snell KIE, et al. Calculating the sample size required for developing a clinical
       prediction model. BMJ 2020;368:m441. doi:10.1136/bmj.m441

    Examples
    --------
    >>> [(each.metric, each.value) for each in required_cases(24, 0.174, r2=0.288)]
    [('required_cases_shrinkage', 623.0),
     ('required_cases_optimism', 662.0),
     ('required_cases_overall_risk', 221.0),
     ('required_cases', 662.0)]
    """
    shares = np.array([_inside(prevalence, "prevalence"), 1 - prevalence])
    if sum(each is not None for each in (r2, auc, nagelkerke)) != 1:
        raise EvaluationError("of r2, auc and nagelkerke allowed is exactly one")
    if auc is not None:
        r2 = cox_snell_from_auc(auc, prevalence)
    elif r2 is None:
        r2 = _inside(nagelkerke or 0.0, "nagelkerke") * _largest(shares)
    needed = (
        _for_shrinkage(_count(parameters), r2, _inside(shrinkage, "shrinkage")),
        _for_optimism(parameters, r2, _largest(shares)),
        (float(ndtri(0.975)) / _HALF_WIDTH) ** 2 * prevalence * (1 - prevalence),
    )
    return _listed(needed, positive=prevalence)


def required_cases_multinomial(
    parameters: int,
    shares: ArrayLike,
    *,
    pair_aucs: ArrayLike | None = None,
    nagelkerke: float = 0.15,
    shrinkage: float = 0.9,
    level: float = 0.95,
) -> list[Estimate]:
    """Cases needed to develop a multinomial model of K classes: for each criterion of Pate and others, then for all.

    The shrinkage criterion is that of every pair of classes, whose cases are their share of all; the overall risks are
    those of all classes at once (Bonferroni). With Q parameters per class and M = 1 - (prod p_k^p_k)^2::

        shrinkage     n = max over pairs of Q / ((S - 1) log(1 - R2_kr / S)) / (p_k + p_r)
        optimism      n = (K - 1) Q / ((S' - 1) log(1 - R2 / S'))              S' = R2 / (R2 + 0.05 M)
        overall_risk  n = max over k of chi2_1(1 - 0.05 / K) p_k (1 - p_k) / 0.05^2

    Parameters
    ----------
    parameters : int
        Number of candidate parameters of one class against another.
    shares : (K,) array
        Shares of the classes, or their counts.
    pair_aucs : (K, K) array, optional
        Expected area of each pair of classes, read above the diagonal; where None, R2_kr follows from `nagelkerke`.
    nagelkerke : float
        Expected R2 of Nagelkerke of the model, and of its pairs where `pair_aucs` is None.
    shrinkage : float
        Shrinkage S of the first criterion.
    level : float
        Confidence level of the overall risks together.

    Raises
    ------
    EvaluationError
        When a number is out of its range or the shapes differ.

    References
    ----------
    .. [1] Pate A, Riley RD, Collins GS, et al. Minimum sample size for developing a multivariable prediction model
       using multinomial logistic regression. Stat Methods Med Res 2023;32:555-571. doi:10.1177/09622802231151220

    Examples
    --------
    >>> [(each.metric, each.value) for each in required_cases_multinomial(5, [620, 580, 111])]
    [('required_cases_shrinkage', 924.0),
     ('required_cases_optimism', 217.0),
     ('required_cases_overall_risk', 572.0),
     ('required_cases', 924.0)]
    """
    parts = _shares(shares)
    expected, largest = _inside(nagelkerke, "nagelkerke"), _largest(parts)
    pairs = {}
    for k, r in combinations(range(len(parts)), 2):
        share = parts[k] / (parts[k] + parts[r])
        pairs[k, r] = expected * _largest(np.array([share, 1 - share]))
    if pair_aucs is not None:
        aucs = _floats(pair_aucs, "pair_aucs", (len(parts), len(parts)))
        pairs = {(k, r): cox_snell_from_auc(aucs[k, r], parts[k] / (parts[k] + parts[r])) for k, r in pairs}
    _inside(shrinkage, "shrinkage")
    critical = float(chdtri(1, (1 - level_of(level)) / len(parts)))
    needed = (
        max(_for_shrinkage(_count(parameters), r2, shrinkage) / (parts[k] + parts[r]) for (k, r), r2 in pairs.items()),
        _for_optimism((len(parts) - 1) * parameters, expected * largest, largest),
        critical * float((parts * (1 - parts)).max()) / _HALF_WIDTH**2,
    )
    return _listed(needed)


def _for_shrinkage(parameters: int, r2: float, shrinkage: float) -> float:
    if not 0 < r2 < shrinkage:
        raise EvaluationError(f"Cox-Snell's R2 is {r2:.4g}; allowed is above 0 and below the shrinkage {shrinkage:.4g}")
    return parameters / ((shrinkage - 1) * math.log1p(-r2 / shrinkage))


def _for_optimism(parameters: int, r2: float, largest: float) -> float:
    if r2 >= largest * (1 - _OPTIMISM):
        raise EvaluationError(
            f"Cox-Snell's R2 is {r2:.4g}; allowed is below {largest * (1 - _OPTIMISM):.4g} with these shares of classes"
        )
    return _for_shrinkage(parameters, r2, r2 / (r2 + _OPTIMISM * largest))


def _listed(needed: Sequence[float], positive: float | None = None) -> list[Estimate]:
    names = ("_shrinkage", "_optimism", "_overall_risk", "")
    # Whole numbers that rounding errors lifted stay what they are.
    whole = [math.ceil(each - 1e-9) for each in needed]
    return [
        Estimate(
            metric=f"required_cases{name}",
            value=float(n),
            method="riley" if positive is not None else "pate",
            n=n,
            n_pos=None if positive is None else math.ceil(n * positive - 1e-9),
        )
        for name, n in zip(names, [*whole, max(whole)], strict=True)
    ]


def _largest(shares: Floats) -> float:
    """Largest possible Cox-Snell R2 of classes of given shares."""
    return -math.expm1(-2 * _entropy(shares))


def _entropy(shares: ArrayLike) -> float:
    return -float(xlogy(shares, shares).sum())


def _shares(values: ArrayLike) -> Floats:
    parts = _floats(values, "shares", (len(np.atleast_1d(np.asarray(values))),))
    if len(parts) < 2 or parts.min() <= 0:
        raise EvaluationError(f"shares are {parts.tolist()}; allowed are two or more positive numbers")
    return np.asarray(parts / parts.sum())


def _inside(value: float, name: str) -> float:
    if not 0 < value < 1:
        raise EvaluationError(f"{name} is {value}; allowed are numbers between 0 and 1")
    return value


def _count(parameters: int) -> int:
    if parameters < 1:
        raise EvaluationError(f"parameters are {parameters}; allowed are 1 and more")
    return parameters
