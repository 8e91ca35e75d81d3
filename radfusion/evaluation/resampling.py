"""Bootstrap and permutation of areas under the curve: slower answers that the closed forms are checked against.

Resampling is stratified by class, as in pROC, and takes whole patients where patients have several cases. Every draw
comes from the seed alone, so that equal calls give equal numbers.

References
----------
.. [1] Efron B. Better bootstrap confidence intervals. J Am Stat Assoc 1987;82:171-185.
   doi:10.1080/01621459.1987.10478410
.. [2] Carpenter J, Bithell J. Bootstrap confidence intervals: when, which, what? Stat Med 2000;19:1141-1164.
   doi:10.1002/(SICI)1097-0258(20000515)19:9<1141::AID-SIM479>3.0.CO;2-F
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Integers, Ranked
from radfusion.evaluation.delong import Area, influence_of, pairs_influence, rising

__all__ = [
    "AVERAGES",
    "Average",
    "Bootstrap",
    "area_of",
    "bootstrap_interval",
    "case_counts",
    "resampled_areas",
    "weighted_areas",
]

# Numbers held at once by a block of resamples.
_BLOCK = 4_000_000

#: Ways in which the areas of several classes become one number.
Average = Literal["macro", "weighted", "hand_till"]
AVERAGES: tuple[Average, ...] = ("macro", "weighted", "hand_till")


@dataclass(frozen=True)
class Bootstrap:
    """How an interval is bootstrapped.

    Attributes
    ----------
    kind : {"bca", "percentile"}
        Bias-corrected and accelerated, or the plain percentiles (slightly too short in small sets).
    n_resamples : int
        Number of resamples, at least 100.
    seed : int
        Seed of the draws.
    """

    kind: Literal["bca", "percentile"] = "bca"
    n_resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("bca", "percentile"):
            raise EvaluationError(f"kind is {self.kind!r}; allowed are 'bca' and 'percentile'")
        if self.n_resamples < 100:
            raise EvaluationError(f"n_resamples is {self.n_resamples}; allowed are 100 and more")


@dataclass(frozen=True)
class _Column:
    """One curve: the cases it is of, which of them are positive, and their order."""

    cases: Integers
    positive: Booleans
    starts: Integers

    @classmethod
    def of(cls, positive: Booleans, scores: Floats, among: Integers) -> _Column:
        order = among[rising(scores[among])]
        ranked = scores[order]
        return cls(order, positive[order], np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])))

    def areas(self, counts: Integers) -> Floats:
        """Area in each of (B, n) resamples, given how often each case was drawn; NaN where a group is empty."""
        drawn = counts[:, self.cases]
        above = np.add.reduceat(drawn * self.positive, self.starts, axis=1)
        every = np.add.reduceat(drawn, self.starts, axis=1)
        below = every - above
        wins = (above * (2 * np.cumsum(below, axis=1) - below)).sum(axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        return np.asarray(np.where(pairs > 0, wins / np.maximum(2 * pairs, 1), np.nan), dtype=np.float64)


def area_of(ranked: Ranked, groups: Clusters, average: Average) -> Area:
    """Average area of the classes, with what each case contributes to it."""
    if average not in AVERAGES:
        raise EvaluationError(f"average is {average!r}; allowed are {', '.join(map(repr, AVERAGES))}")
    if average == "hand_till":
        return pairs_influence(ranked, groups).average()
    found = influence_of(ranked, groups)
    return found.average(found.n_positive / found.n if average == "weighted" else None)


def resampled_areas(ranked: Ranked, groups: Clusters, average: Average, *, how: Bootstrap) -> Floats:
    """(B,) average areas in stratified resamples of cases, or of patients."""
    columns, weights = _columns(ranked, average)
    strata = _strata(ranked.positive, groups)
    return np.concatenate(
        [_averaged(columns, weights, counts) for counts in case_counts(strata, groups, how.n_resamples, seed=how.seed)]
    )


def weighted_areas(ranked: Ranked, average: Average, counts: Integers) -> Floats:
    """(B,) average areas in resamples, given how often each case was drawn, (B, n)."""
    return _averaged(*_columns(ranked, average), counts)


def case_counts(strata: Integers, groups: Clusters, n_resamples: int, *, seed: int) -> Iterator[Integers]:
    """Blocks of (b, n) counts: how often each case is drawn, with replacement, within the strata of its unit.

    Parameters
    ----------
    strata : (units,) array of int
        Stratum of each case, or of each patient where patients have several cases.
    groups : Clusters
        Patients of the cases.
    n_resamples : int
        Number of resamples.
    seed : int
        Seed of the draws.
    """
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    size = max(1, _BLOCK // len(strata))
    for start in range(0, n_resamples, size):
        b = min(size, n_resamples - start)
        counts = np.zeros((b, len(strata)), dtype=np.int64)
        for units in members:
            drawn = generator.integers(0, len(units), (b, len(units))) + len(units) * np.arange(b)[:, None]
            counts[:, units] = np.bincount(drawn.ravel(), minlength=b * len(units)).reshape(b, -1)
        yield counts if groups.codes is None else counts[:, groups.codes]


def bootstrap_interval(
    area: Area, drawn: Floats, *, level: float, kind: Literal["bca", "percentile"]
) -> tuple[float | None, float | None, str | None]:
    """Lower and upper limit from (B,) resampled areas, or the reason why there is none.

    The acceleration of BCa is a sixth of the skewness of the influence values.
    """
    if not np.isfinite(drawn).all():
        return None, None, "some resamples hold no case of a class: the interval is not estimable"
    if drawn.min() == drawn.max():
        return None, None, "every resample gives the same area: the interval is not estimable"
    tails = np.array([0.5 - level / 2, 0.5 + level / 2])
    if kind == "bca":
        below = (np.mean(drawn < area.value) + np.mean(drawn <= area.value)) / 2
        if below in (0.0, 1.0):
            return None, None, "the area lies outside its resamples: the BCa interval is not estimable"
        bias = ndtri(below)
        skewness = (area.values**3).sum() / (area.values @ area.values) ** 1.5 / 6
        tails = ndtr(bias + (bias + ndtri(tails)) / (1 - skewness * (bias + ndtri(tails))))
    low, high = np.quantile(drawn, tails)
    return float(low), float(high), None


def _columns(ranked: Ranked, average: Average) -> tuple[list[_Column], Floats]:
    n, count = ranked.scores.shape
    if average == "hand_till":
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        among = [np.flatnonzero(ranked.positive[:, i] | ranked.positive[:, j]) for i, j in pairs]
        firsts = [i for i, _ in pairs]
    else:
        among, firsts = [np.arange(n)] * count, list(range(count))
    found = [
        _Column.of(ranked.positive[:, i], ranked.scores[:, i], cases) for i, cases in zip(firsts, among, strict=True)
    ]
    share = ranked.positive.mean(axis=0) if average == "weighted" else np.full(len(found), 1 / len(found))
    return found, share


def _averaged(columns: list[_Column], weights: Floats, counts: Integers) -> Floats:
    return np.asarray(np.stack([each.areas(counts) for each in columns], axis=1) @ weights, dtype=np.float64)


def _strata(positive: Booleans, groups: Clusters) -> Integers:
    """Class of each case; of each patient, the class of most of the patient's cases (of equals, the first)."""
    known = np.column_stack([positive, ~positive.any(axis=1)])
    if groups.codes is None:
        return np.asarray(known.argmax(axis=1), dtype=np.int64)
    counts = [np.bincount(groups.codes, weights=column) for column in known.T]
    return np.asarray(np.stack(counts, axis=1).argmax(axis=1), dtype=np.int64)
