"""McNemar's tests: accuracies of two classifications of the same cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc, ndtri

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import level_of
from radfusion.evaluation.metrics.decisions import agreement

__all__ = ["McNemarMethod", "mcnemar_test"]

McNemarMethod = Literal["exact", "mid_p", "corrected", "uncorrected"]


def mcnemar_test(
    labels: ArrayLike,
    predicted_a: ArrayLike,
    predicted_b: ArrayLike,
    *,
    method: McNemarMethod = "exact",
    level: float = 0.95,
) -> Comparison:
    """Test of two accuracies on the same cases, from the b cases that only a has right and the c that only b has.

    Where b = c = 0 the two are right on the same cases: P = 1, and the chi-squared statistic 0 (R gives NaN). The
    interval of the difference is Bonett and Price's, which one added case of each kind keeps from collapsing. Cases
    must be of different patients; :func:`kappa_test` takes several of one patient.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    predicted_a, predicted_b : (n,) array
        Predicted class of each case by the two models or raters.
    method : {"exact", "mid_p", "corrected", "uncorrected"}
        Binomial test of b among b + c, the same with half the probability of b itself, or chi-squared with and without
        the continuity correction, which is left out where b = c as R does.
    level : float
        Confidence level of the interval of the difference a minus b.

    Raises
    ------
    EvaluationError
        When lengths differ, an entry is missing, or `method` is unknown.

    References
    ----------
    .. [1] McNemar Q. Note on the sampling error of the difference between correlated proportions or percentages.
       Psychometrika 1947;12:153-157. doi:10.1007/BF02295996
    .. [2] Fagerland MW, Lydersen S, Laake P. The McNemar test for binary matched-pairs data: mid-p and asymptotic are
       better than exact conditional. BMC Med Res Methodol 2013;13:91. doi:10.1186/1471-2288-13-91
    .. [3] Bonett DG, Price RM. Adjusted Wald confidence interval for a difference of binomial proportions based on
       paired data. J Educ Behav Stat 2012;37:479-488. doi:10.3102/1076998611411915

    Examples
    --------
    >>> found = mcnemar_test([1] * 10, [1] * 9 + [0], [1] * 3 + [0] * 6 + [1])
    >>> found.difference, found.p
    (0.5, 0.125)
    """
    right_a, right_b = agreement(labels, predicted_a), agreement(labels, predicted_b)
    if method not in _METHODS:
        raise EvaluationError(f"method is {method!r}; allowed are {', '.join(_METHODS)}")
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = len(right_a)
    statistic, p = _METHODS[method](only_a, only_b)
    low, high = _interval(only_a, only_b, n, level=level_of(level))
    return Comparison(
        test=f"mcnemar_{method}",
        metric="accuracy",
        difference=(only_a - only_b) / n,
        low=low,
        high=high,
        level=level,
        statistic=statistic,
        df=None if statistic is None else 1,
        p=p,
        values=(float(right_a.mean()), float(right_b.mean())),
        n=n,
    )


def _exact(b: int, c: int) -> tuple[None, float]:
    return None, min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def _mid_p(b: int, c: int) -> tuple[None, float]:
    # Half of P(X = x) is left out on each side: P(X <= x) and P(X < x) once each.
    below = float(bdtr(min(b, c) - 1, b + c, 0.5)) if min(b, c) else 0.0
    return None, min(1.0, float(bdtr(min(b, c), b + c, 0.5)) + below)


def _corrected(b: int, c: int) -> tuple[float, float]:
    return _chi_squared(max(abs(b - c) - 1, 0), b + c)


def _uncorrected(b: int, c: int) -> tuple[float, float]:
    return _chi_squared(abs(b - c), b + c)


def _chi_squared(difference: int, discordant: int) -> tuple[float, float]:
    statistic = difference**2 / discordant if discordant else 0.0
    return statistic, float(chdtrc(1, statistic))


_METHODS: dict[str, Callable[[int, int], tuple[float | None, float]]] = {
    "exact": _exact,
    "mid_p": _mid_p,
    "corrected": _corrected,
    "uncorrected": _uncorrected,
}


def _interval(b: int, c: int, n: int, *, level: float) -> tuple[float, float]:
    share_b, share_c = (b + 1) / (n + 2), (c + 1) / (n + 2)
    centre = share_b - share_c
    half = float(ndtri(0.5 + level / 2)) * float(np.sqrt((share_b + share_c - centre**2) / (n + 2)))
    return max(-1.0, centre - half), min(1.0, centre + half)
