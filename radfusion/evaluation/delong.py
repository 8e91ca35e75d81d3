"""The one engine of every area under the curve: mid-rank placement values and what each case contributes.

DeLong's placement values of K classes against the rest are put on one scale, the influence of a case on each area. Sums
of squares and products of these values give the variance of every class, of the macro average and of any difference
between models, and their sums per patient the same for patients with several cases. Two classes, or one, give DeLong's
covariance.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating
   characteristic curves: a nonparametric approach. Biometrics 1988;44:837-845. doi:10.2307/2531595
.. [2] Sun X, Xu W. Fast implementation of DeLong's algorithm. IEEE Signal Process Lett 2014;21:1389-1393.
   doi:10.1109/LSP.2014.2337313
.. [3] Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics 1997;53:567-578.
   doi:10.2307/2533958
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Integers, Ranked, clusters, multiclass

__all__ = ["Influence", "difference_se", "influence", "influence_of"]

# A standard error below this share of its parts is rounding error of numbers that cancel exactly.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Influence:
    """Areas under K curves and the influence of each case, or of each patient, on them.

    Attributes
    ----------
    aucs : (K,) array
        Area of each class against the rest; 0 where `no_auc` says that there is none.
    values : (cases, K) array, or (patients, K) array when `clustered`
        Influence values; the variance of ``aucs @ w`` is ``sum((values @ w)**2) / n**2`` (times C / (C - 1) for C
        clusters).
    n : int
        Number of cases.
    n_positive : (K,) array of int
        Cases of each class.
    n_patients : int or None
        Number of patients; None when none were given.
    clustered : bool
        Whether at least one patient has several cases, so that rows are patients.
    no_auc, no_variance : tuple of K str or None
        Why the area, or its variance, of a class is not estimable.
    """

    aucs: Floats
    values: Floats
    n: int
    n_positive: Integers
    n_patients: int | None
    clustered: bool
    no_auc: tuple[str | None, ...]
    no_variance: tuple[str | None, ...]

    def covariance(self) -> Floats:
        """(K, K) covariance of the areas."""
        return np.asarray(self.values.T @ self.values * self._scale, dtype=np.float64)

    def class_se(self, position: int) -> float:
        """Standard error of the area of one class."""
        return self.se(self.values[:, position])

    def macro_se(self) -> float:
        """Standard error of the mean of the K areas."""
        return self.se(self.values.mean(axis=1))

    def se(self, values: Floats) -> float:
        """Standard error of the number whose influence values, one per row, are given."""
        return float(np.sqrt(values @ values * self._scale))

    @property
    def _scale(self) -> float:
        units = len(self.values)
        return (units / (units - 1) if self.clustered and units > 1 else 1.0) / self.n**2


def influence(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[Hashable], *, patients: ArrayLike | None = None
) -> Influence:
    """Areas of every class against the rest and the influence of each case, in O(K n log n).

    For case i of class k, with n_k cases in the class, placement value V (the share of the other group that i is ranked
    rightly against, ties counting half) and area A::

        F_k(i) = n / n_k       * (V - A) * sqrt(n_k / (n_k - 1))                if y_i = k
        F_k(i) = n / (n - n_k) * (V - A) * sqrt((n - n_k) / (n - n_k - 1))      otherwise

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Score of each class; only the order within a column matters.
    classes : sequence of K names
        Classes, in the order of the columns.
    patients : (n,) array, optional
        Patient of each case; with several cases of a patient, rows of the result are patients.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or a label is not among the classes.
    """
    ranked = multiclass(labels, probabilities, classes)
    return influence_of(ranked, clusters(patients, len(ranked.scores)))


def influence_of(ranked: Ranked, groups: Clusters) -> Influence:
    """:func:`influence` of inputs that were checked."""
    n, count = ranked.scores.shape
    aucs, values = np.zeros(count), np.zeros((n, count))
    n_positive = ranked.positive.sum(axis=0, dtype=np.int64)
    for k in np.flatnonzero((n_positive > 0) & (n_positive < n)):
        aucs[k], values[:, k] = _class_influence(ranked.positive[:, k], ranked.scores[:, k])
    clustered = groups.codes is not None
    columns = zip(ranked.names, ranked.positive.T, strict=True)
    return Influence(
        aucs,
        _sums(values, groups.codes) if groups.codes is not None else values,
        n,
        n_positive,
        groups.count,
        clustered,
        tuple(_no_auc(name, int(each), n) for name, each in zip(ranked.names, n_positive, strict=True)),
        tuple(_no_variance(name, positive, groups.codes) for name, positive in columns),
    )


def difference_se(a: Influence, b: Influence, weights: Floats) -> float:
    """Standard error of ``(a.aucs - b.aucs) @ weights`` for two models on the same cases.

    It is taken from the differences of the influence values, so that models of equal order give exactly 0.
    """
    first, second = a.values @ weights, b.values @ weights
    difference = first - second
    parts = first @ first + second @ second
    squares = difference @ difference
    return 0.0 if squares <= _ROUNDING**2 * parts else a.se(difference)


def _class_influence(positive: Booleans, scores: Floats) -> tuple[float, Floats]:
    # Counts are doubled so that half wins are whole: sums and differences of integers are exact.
    n = len(scores)
    n_pos = int(positive.sum())
    n_neg = n - n_pos
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1)
    top = int(ranks.max()) + 1
    wins = np.empty(n, dtype=np.int64)
    wins[positive] = _twice_below(ranks[~positive], top)[ranks[positive]]
    wins[~positive] = 2 * n_pos - _twice_below(ranks[positive], top)[ranks[~positive]]
    total = int(wins[positive].sum())
    size = np.where(positive, n_pos, n_neg)
    spread = np.where(size > 1, np.sqrt(size / np.maximum(size - 1, 1)), 0.0)
    values = n / size * ((wins * size - total) / (2 * n_pos * n_neg)) * spread
    return total / (2 * n_pos * n_neg), values


def _twice_below(ranks: Integers, top: int) -> Integers:
    """Twice the number of `ranks` below each of 0..top-1, those equal to it counting one."""
    counts = np.bincount(ranks, minlength=top)
    return np.asarray(2 * np.cumsum(counts) - counts, dtype=np.int64)


def _sums(values: Floats, codes: Integers) -> Floats:
    return np.stack([np.bincount(codes, weights=column) for column in values.T], axis=1)


def _no_auc(name: str, n_positive: int, n: int) -> str | None:
    if n_positive == 0:
        return f"no case is of class {name}"
    return f"every case is of class {name}" if n_positive == n else None


def _no_variance(name: str, positive: Booleans, codes: Integers | None) -> str | None:
    for group, words in ((positive, "is"), (~positive, "is not")):
        units = int(group.sum()) if codes is None else len(np.unique(codes[group]))
        if units == 1:
            who = "case" if codes is None else "patient"
            return f"the variance needs two {who}s whose class {words} {name}; there is one"
    return None
