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

__all__ = ["Area", "Influence", "difference_se", "influence", "influence_of", "pairs_influence", "rising"]

# A standard error below this share of its parts is rounding error of numbers that cancel exactly.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Area:
    """One area, or an average of areas, and the influence of each case, or of each patient, on it.

    Attributes
    ----------
    value : float
        The area; meaningless where `no_value` says that there is none.
    values : (units,) array
        Influence values of cases, or of patients when `clustered`.
    n : int
        Number of cases.
    n_patients : int or None
        Number of patients; None when none were given.
    clustered : bool
        Whether at least one patient has several cases.
    no_value, no_variance : str or None
        Why there is no area, or no variance.
    """

    value: float
    values: Floats
    n: int
    n_patients: int | None
    clustered: bool
    no_value: str | None
    no_variance: str | None

    @property
    def se(self) -> float:
        """Standard error: root of the sum of squared influence values (times C / (C - 1) for C patients), by n."""
        return _standard_error(self.values, self)


@dataclass(frozen=True)
class Influence:
    """Areas under K curves and the influence of each case, or of each patient, on them.

    Attributes
    ----------
    aucs : (K,) array
        Area of each curve; 0 where `no_auc` says that there is none.
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
        return np.asarray(self.values.T @ self.values * _scale(self), dtype=np.float64)

    def one(self, k: int) -> Area:
        """Area of curve k."""
        return self._area(float(self.aucs[k]), self.values[:, k], self.no_auc[k], self.no_variance[k])

    def average(self, weights: Floats | None = None) -> Area:
        """Average of the K areas, by default unweighted; it needs every one of them."""
        missing, fixed = (next(filter(None, each), None) for each in (self.no_auc, self.no_variance))
        if weights is None:
            return self._area(float(self.aucs.mean()), self.values.mean(axis=1), missing, fixed)
        # Weights that sum to 1 but for rounding leave areas that are all alike as they are.
        value = float(np.clip(self.aucs @ weights, self.aucs.min(), self.aucs.max()))
        return self._area(value, self.values @ weights, missing, fixed)

    def _area(self, value: float, values: Floats, *reasons: str | None) -> Area:
        return Area(value, values, self.n, self.n_patients, self.clustered, *reasons)


def influence(
    labels: ArrayLike, scores: ArrayLike, classes: Sequence[Hashable], *, patients: ArrayLike | None = None
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
    scores : (n, K) array
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
    ranked = multiclass(labels, scores, classes)
    return influence_of(ranked, clusters(patients, len(ranked.scores)))


def influence_of(ranked: Ranked, groups: Clusters) -> Influence:
    """:func:`influence` of inputs that were checked."""
    n, count = ranked.scores.shape
    aucs, values = np.zeros(count), np.zeros((count, n))
    n_positive = ranked.positive.sum(axis=0, dtype=np.int64)
    for k in np.flatnonzero((n_positive > 0) & (n_positive < n)):
        aucs[k], values[k] = _class_influence(ranked.positive[:, k], ranked.scores[:, k])
    columns = zip(ranked.names, ranked.positive.T, strict=True)
    return Influence(
        aucs,
        (values if groups.codes is None else _sums(values, groups.codes)).T,
        n,
        n_positive,
        groups.count,
        groups.codes is not None,
        tuple(_no_auc(name, int(each), n) for name, each in zip(ranked.names, n_positive, strict=True)),
        tuple(_no_variance(name, positive, groups.codes) for name, positive in columns),
    )


def pairs_influence(ranked: Ranked, groups: Clusters) -> Influence:
    """Areas of every class against each other one by the first one's score, pairs (a, b), (a, c), ..., (b, a), ....

    Cases of neither class have no influence on the area of a pair.
    """
    n, count = ranked.scores.shape
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    every = influence_of(ranked, groups)
    aucs, values = np.zeros(len(pairs)), np.zeros((len(pairs), n))
    for row, (i, j) in enumerate(pairs if not any(every.no_auc) else ()):
        among = np.flatnonzero(ranked.positive[:, i] | ranked.positive[:, j])
        aucs[row], found = _class_influence(ranked.positive[among, i], ranked.scores[among, i])
        values[row, among] = found * (n / len(among))
    # A single case of class j is as much an obstacle as one of class i: every class is the first of some pair.
    return Influence(
        aucs,
        (values if groups.codes is None else _sums(values, groups.codes)).T,
        n,
        every.n_positive[[i for i, _ in pairs]],
        groups.count,
        groups.codes is not None,
        tuple(every.no_auc[i] for i, _ in pairs),
        tuple(every.no_variance[i] for i, _ in pairs),
    )


def difference_se(a: Area, b: Area) -> float:
    """Standard error of the difference of two models' areas on the same cases.

    It is taken from the differences of the influence values, so that models of equal order give exactly 0.
    """
    difference = a.values - b.values
    parts = a.values @ a.values + b.values @ b.values
    return 0.0 if difference @ difference <= _ROUNDING**2 * parts else _standard_error(difference, a)


def _standard_error(values: Floats, of: Area) -> float:
    return float(np.sqrt(values @ values * _scale(of)))


def _scale(of: Area | Influence) -> float:
    units = len(of.values)
    return (units / (units - 1) if of.clustered and units > 1 else 1.0) / of.n**2


def _class_influence(positive: Booleans, scores: Floats) -> tuple[float, Floats]:
    # Wins are doubled so that ties count whole numbers, which floating point adds and multiplies exactly.
    n = len(scores)
    n_pos = int(positive.sum())
    n_neg = n - n_pos
    order = rising(scores)
    above = positive[order]
    everyone, negatives = _twice_passed(~above, scores[order])
    wins = np.where(above, negatives, 2 * n_pos - (everyone - negatives))
    total = float(negatives @ above)
    values = np.empty(n)
    values[order] = wins * np.where(above, n_pos, n_neg) - total
    values *= np.where(positive, _scale_of(n, n_pos), _scale_of(n, n_neg)) / (2 * n_pos * n_neg)
    return total / (2 * n_pos * n_neg), values


def _scale_of(n: int, size: int) -> float:
    return n / size * np.sqrt(size / (size - 1)) if size > 1 else 0.0


def rising(scores: Floats) -> Integers:
    """Positions of (n,) finite scores in rising order, about three times faster than ``argsort``.

    The position of each score replaces the last bits of an integer that is ordered as the scores are, so that one sort
    of integers is enough; scores that differ in the lost bits only are put in order afterwards.
    """
    bits = max(1, (len(scores) - 1).bit_length())
    raw = np.ascontiguousarray(scores).view(np.int64)
    key = raw ^ ((raw >> 63) & np.iinfo(np.int64).max)
    packed = np.sort((key >> bits << bits) | np.arange(len(scores)))
    order = packed & ((1 << bits) - 1)
    ranked = scores[order]
    if (ranked[1:] < ranked[:-1]).any():
        alike = packed[1:] >> bits == packed[:-1] >> bits
        run = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
        order[run] = order[run][np.lexsort((ranked[run], packed[run] >> bits))]
    return order


def _twice_passed(counted: Booleans, ranked: Floats) -> tuple[Floats, Floats]:
    """Twice how many of all, and of the `counted`, are below each of the rising scores; an equal score counts once."""
    upto = np.cumsum(counted, dtype=np.float64)
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    if len(starts) == len(ranked):
        return np.arange(1.0, 2 * len(ranked), 2), 2 * upto - counted
    ends = np.append(starts[1:], len(ranked))
    inside = np.diff(upto[ends - 1], prepend=0.0)
    found = np.stack([starts + ends, 2 * upto[ends - 1] - inside]).repeat(ends - starts, axis=1)
    return found[0], found[1]


def _sums(values: Floats, codes: Integers) -> Floats:
    return np.stack([np.bincount(codes, weights=row) for row in values])


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
