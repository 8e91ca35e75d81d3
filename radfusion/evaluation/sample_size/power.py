"""Power of tests of areas under the curve: of one area against 0.5, and of two areas on the same cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from radfusion.errors import EvaluationError
from radfusion.evaluation.sample_size.variances import PairedDesign, single_variances

__all__ = ["AucPower", "auc_power", "paired_auc_power"]

Alternative = Literal["two-sided", "one-sided"]


@dataclass(frozen=True)
class AucPower:
    """Sizes, difference, significance level and power that belong together.

    Attributes
    ----------
    n_positive : float or None
        Number of positive cases, with its fraction: round up.
    ratio : float
        Negative cases per positive case.
    difference : float or None
        How far the area is from 0.5, or from the other area.
    significance : float or None
        Level of the test.
    power : float or None
        Probability that the test finds the difference.
    alternative : {"two-sided", "one-sided"}
        A one-sided test spends the whole level on one side.
    auc : float or None
        The area that is tested against 0.5; None for two areas.
    reason : str or None
        Why a number that was asked for has no answer.
    """

    n_positive: float | None
    ratio: float
    difference: float | None
    significance: float | None
    power: float | None
    alternative: Alternative
    auc: float | None = None
    reason: str | None = None

    @property
    def n_negative(self) -> float | None:
        """Number of negative cases, with its fraction."""
        return None if self.n_positive is None else self.ratio * self.n_positive


def auc_power(
    *,
    auc: float | None = None,
    n_positive: float | None = None,
    ratio: float = 1.0,
    significance: float | None = 0.05,
    power: float | None = None,
    alternative: Alternative = "two-sided",
) -> AucPower:
    """Test of one area against 0.5: finds the one of area, size, significance level and power that is None.

    With the variances V0 (area 0.5) and V (the area) per positive case::

        |A - 0.5| sqrt(n_positive) = z_(1 - significance / 2) sqrt(V0) + z_power sqrt(V)

    Parameters
    ----------
    auc : float, optional
        Expected area, above 0 and below 1.
    n_positive : float, optional
        Number of positive cases.
    ratio : float
        Negative cases per positive case.
    significance : float, optional
        Level of the test.
    power : float, optional
        Power of the test.
    alternative : {"two-sided", "one-sided"}
        A one-sided test spends the whole level on one side.

    Raises
    ------
    EvaluationError
        When not exactly one of the four is None, or a number is out of its range.

    References
    ----------
    .. [1] Obuchowski NA, Lieber ML, Wians FH. ROC curves in clinical chemistry: uses, misuses, and possible solutions.
       Clin Chem 2004;50:1118-1125. doi:10.1373/clinchem.2004.031823

    Examples
    --------
    >>> found = auc_power(auc=0.7, power=0.9, ratio=2)
    >>> round(found.n_positive, 2), round(found.n_negative, 2)
    (30.6, 61.2)
    """
    difference = None if auc is None else auc - 0.5
    asked = AucPower(n_positive, ratio, difference, significance, power, alternative, auc)
    _check(asked, "auc")
    if auc is None:
        return _detectable(asked, float(np.sqrt(n_positive or 0.0)))
    return _solved(asked, *single_variances(auc, ratio))


def paired_auc_power(
    design: PairedDesign,
    *,
    n_positive: float | None = None,
    significance: float | None = 0.05,
    power: float | None = None,
    alternative: Alternative = "two-sided",
) -> AucPower:
    """Test of two areas on the same cases: finds the one of size, significance level and power that is None.

    Parameters
    ----------
    design : PairedDesign
        Difference and variances, from a pilot study or from binormal curves.
    n_positive : float, optional
        Number of positive cases.
    significance : float, optional
        Level of the test.
    power : float, optional
        Power of the test.
    alternative : {"two-sided", "one-sided"}
        A one-sided test spends the whole level on one side.

    Raises
    ------
    EvaluationError
        When not exactly one of the three is None, or a number is out of its range.

    References
    ----------
    .. [1] Obuchowski NA, McClish DK. Sample size determination for diagnostic accuracy studies involving binormal ROC
       curve indices. Stat Med 1997;16:1529-1542.
       doi:10.1002/(SICI)1097-0258(19970715)16:13<1529::AID-SIM565>3.0.CO;2-H

    Examples
    --------
    >>> from radfusion.evaluation.sample_size import binormal_design
    >>> design = binormal_design((2.6, 1), (1.9, 1), correlation_positive=0.6, correlation_negative=0.6)
    >>> round(paired_auc_power(design, power=0.9).n_positive, 1)
    93.3
    """
    asked = AucPower(n_positive, design.ratio, design.difference, significance, power, alternative)
    _check(asked, "difference")
    return _solved(asked, design.null_variance, design.variance)


def _check(asked: AucPower, effect: str) -> None:
    """Refuse numbers out of range, and questions with other than one number to find."""
    if asked.alternative not in ("two-sided", "one-sided"):
        raise EvaluationError(f"alternative is {asked.alternative!r}; allowed are 'two-sided' and 'one-sided'")
    for name in ("auc", "significance", "power"):
        if (value := getattr(asked, name)) is not None and not 0 < value < 1:
            raise EvaluationError(f"{name} is {value}; allowed are numbers between 0 and 1")
    for name in ("n_positive", "ratio"):
        if (value := getattr(asked, name)) is not None and not 0 < value < np.inf:
            raise EvaluationError(f"{name} is {value}; allowed are positive numbers")
    names = (effect, "n_positive", "significance", "power")
    missing = [name for name in names if getattr(asked, name) is None]
    if len(missing) != 1:
        raise EvaluationError(f"{len(missing)} of {', '.join(names)} are None; allowed is exactly one, to be found")


def _solved(asked: AucPower, null_variance: float, variance: float) -> AucPower:
    if not asked.difference:
        return replace(asked, reason="the areas are equal: there is no difference to find")
    if min(variance, null_variance) <= 0:
        return replace(asked, reason="the variance of the difference is estimated as 0: no test is possible")
    spread_null, spread = float(np.sqrt(null_variance)), float(np.sqrt(variance))
    if asked.n_positive is None:
        needed = _critical(asked) * spread_null + float(ndtri(asked.power)) * spread
        if needed <= 0:
            return replace(asked, reason="the power is not above that of any size: ask for more than the level")
        return replace(asked, n_positive=(needed / asked.difference) ** 2)
    reach = abs(asked.difference) * float(np.sqrt(asked.n_positive))
    if asked.power is None:
        return replace(asked, power=float(ndtr((reach - _critical(asked) * spread_null) / spread)))
    tail = float(ndtr(-(reach - float(ndtri(asked.power)) * spread) / spread_null))
    return replace(asked, significance=min(1.0, tail * (2 if asked.alternative == "two-sided" else 1)))


def _detectable(asked: AucPower, reach: float) -> AucPower:
    """The smallest area above 0.5 that the sizes, with this root of positive cases, find with the power."""
    from scipy.optimize import brentq

    critical, beta = _critical(asked), float(ndtri(asked.power))

    def short(auc: float) -> float:
        null_variance, variance = single_variances(auc, asked.ratio)
        return critical * float(np.sqrt(null_variance)) + beta * float(np.sqrt(variance)) - (auc - 0.5) * reach

    top = 1 - 1e-12
    if short(0.5) <= 0 or short(top) > 0:
        return replace(asked, reason="no area above 0.5 and below 1 has this power with so many cases")
    auc = float(brentq(short, 0.5, top, xtol=1e-14))
    return replace(asked, auc=auc, difference=auc - 0.5)


def _critical(asked: AucPower) -> float:
    return -float(ndtri((asked.significance or 0.0) / (2 if asked.alternative == "two-sided" else 1)))
