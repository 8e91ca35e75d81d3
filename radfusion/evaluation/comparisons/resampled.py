"""Tests by bootstrap and permutation: they assume less, cost more, and check the closed forms.

References
----------
.. [1] Venkatraman ES, Begg CB. A distribution-free procedure for comparing receiver operating characteristic curves
   from a paired experiment. Biometrika 1996;83:835-848. doi:10.1093/biomet/83.4.835
.. [2] Bandos AI, Rockette HE, Gur D. A permutation test sensitive to differences in areas for comparing ROC curves
   from a paired design. Stat Med 2005;24:2873-2893. doi:10.1002/sim.2149
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from scipy.stats import rankdata

from radfusion.core.results import Comparison
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Clusters, Floats, Integers, Ranked, binary, level_of
from radfusion.evaluation.comparisons.areas import bare_comparison, checked_set
from radfusion.evaluation.comparisons.base import ScoredPair
from radfusion.evaluation.resampling import Average, Bootstrap, area_of, resampled_areas

__all__ = ["auc_bootstrap_test", "auc_permutation_test", "venkatraman_test"]

_PLAIN = Bootstrap(kind="percentile")

# Areas are ratios of integers: a permutation this little below the difference found is as far.
_ROUNDING = 1e-12


def auc_bootstrap_test(pair: ScoredPair, average: Average = "macro", *, how: Bootstrap = _PLAIN) -> Comparison:
    """Paired stratified bootstrap test of two areas: z is their difference by the SD of its resamples, as in pROC.

    Both models are resampled by the same cases (or patients). The interval is that of the percentiles.

    Parameters
    ----------
    pair : ScoredPair
        Two models on the same cases.
    average : {"macro", "weighted", "hand_till"}
        Which average of the classes' areas is compared.
    how : Bootstrap
        Number of resamples and seed.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, a label is not among the classes, or the
        pair is of different cases.
    """
    (ranked, groups), (other, _) = _paired_sets(pair)
    bare = _compared(ranked, other, groups, average=average, test=f"bootstrap_paired_{how.n_resamples}")
    bare = bare.model_copy(update={"level": level_of(pair.a.level)})
    if bare.reason or bare.difference is None:
        return bare
    drawn = resampled_areas(ranked, groups, average, how=how) - resampled_areas(other, groups, average, how=how)
    return bare.model_copy(update=bootstrap_z(bare.difference, drawn, level=bare.level))


def bootstrap_z(difference: float, drawn: Floats, *, level: float) -> dict[str, float | str]:
    """Statistic, P value and limits from a difference and its (B,) resamples."""
    if not np.isfinite(drawn).all():
        return {"reason": "some resamples hold no case of a class: no test is possible"}
    spread = float(drawn.std(ddof=1))
    if spread == 0:
        if difference:
            return {"reason": "every resample gives the same difference: no test is possible"}
        return {"statistic": 0.0, "p": 1.0, "low": 0.0, "high": 0.0}
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    z = difference / spread
    return {"statistic": z, "p": 2 * float(ndtr(-abs(z))), "low": float(low), "high": float(high)}


def auc_permutation_test(
    pair: ScoredPair, average: Average = "macro", *, n_resamples: int = 2000, seed: int = 0
) -> Comparison:
    """Paired permutation test of two average areas: each class is ranked per model, then cases swap their models.

    A case (or patient) swaps all its classes together. P is (1 + r) / (1 + B) with r of B permutations at least as far
    from 0 as the difference found; there is no interval.

    Parameters
    ----------
    pair : ScoredPair
        Two models on the same cases.
    average : {"macro", "weighted", "hand_till"}
        Which average of the classes' areas is compared.
    n_resamples : int
        Number of permutations, at least 100.
    seed : int
        Seed of the permutations.

    Raises
    ------
    EvaluationError
        When shapes differ, a probability is missing, rows do not sum to 1, a label is not among the classes, or the
        pair is of different cases.

    References
    ----------
    .. [1] Bandos AI, Rockette HE, Gur D. Stat Med 2005;24:2873-2893. doi:10.1002/sim.2149
    """
    (ranked, groups), (other, _) = _paired_sets(pair)
    bare = _compared(ranked, other, groups, average=average, test=f"permutation_paired_{n_resamples}")
    if bare.reason or bare.difference is None:
        return bare
    found = abs(bare.difference) - _ROUNDING
    a, b = (rankdata(each.scores, axis=0) for each in (ranked, other))

    def far(swapped: Booleans) -> bool:
        swap = (swapped if groups.codes is None else swapped[groups.codes])[:, None]
        one, two = (Ranked(ranked.positive, np.where(swap, *each), ranked.names) for each in ((b, a), (a, b)))
        return abs(area_of(one, Clusters(), average).value - area_of(two, Clusters(), average).value) >= found

    units = len(a) if groups.codes is None else int(groups.codes.max()) + 1
    return bare.model_copy(update={"p": _permuted(far, units, n_resamples=n_resamples, seed=seed)})


def venkatraman_test(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    positive: Hashable = 1,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Venkatraman and Begg's permutation test that two paired ROC curves are equal everywhere, not only in area.

    The statistic is the sum over all ranks k of the difference between the numbers of wrong decisions of the two scores
    when the k lowest are called negative. Ties are ranked in the order of the cases, as pROC does. The difference
    and values are those of the areas.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores_a, scores_b : (n,) array
        Scores of the two models; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.
    n_resamples : int
        Number of permutations.
    seed : int
        Seed of the permutations.

    Raises
    ------
    EvaluationError
        When lengths differ, a score is missing, or `positive` is not a label.

    References
    ----------
    .. [1] Venkatraman ES, Begg CB. Biometrika 1996;83:835-848. doi:10.1093/biomet/83.4.835
    """
    ranked, other = (binary(labels, each, positive) for each in (scores_a, scores_b))
    bare = _compared(ranked, other, Clusters(), average="macro", test=f"venkatraman_paired_{n_resamples}")
    if bare.reason or bare.difference is None:
        return bare.model_copy(update={"metric": "roc_curve"})
    a, b = (rankdata(each.scores[:, 0], method="ordinal") for each in (ranked, other))
    positives = ranked.positive[:, 0]
    found = _curve_distance(positives, a, b)

    def far(swapped: Booleans) -> bool:
        one, two = (rankdata(np.where(swapped, *each), method="ordinal") for each in ((b, a), (a, b)))
        return _curve_distance(positives, one, two) >= found

    p = _permuted(far, len(a), n_resamples=n_resamples, seed=seed)
    return bare.model_copy(update={"metric": "roc_curve", "statistic": float(found), "p": p})


def _curve_distance(positives: Booleans, a: Integers, b: Integers) -> int:
    """Sum over k of the absolute difference in wrong decisions when the cases ranked up to k are called negative."""
    signs = np.where(positives, 1, -1)
    wrong = [np.cumsum(np.bincount(each, weights=signs)[1:]) for each in (a, b)]
    return int(np.abs(wrong[0] - wrong[1]).sum())


def _permuted(far: Callable[[Booleans], bool], units: int, *, n_resamples: int, seed: int) -> float:
    if n_resamples < 100:
        raise EvaluationError(f"n_resamples is {n_resamples}; allowed are 100 and more")
    generator = np.random.default_rng(seed)
    count = sum(far(generator.random(units) < 0.5) for _ in range(n_resamples))
    return (1 + count) / (1 + n_resamples)


def _paired_sets(pair: ScoredPair) -> list[tuple[Ranked, Clusters]]:
    if not pair.paired:
        raise EvaluationError("the models are of different cases; allowed are two models on the same cases")
    return [checked_set(each) for each in (pair.a, pair.b)]


def _compared(ranked: Ranked, other: Ranked, groups: Clusters, *, average: Average, test: str) -> Comparison:
    a, b = (area_of(each, groups, average) for each in (ranked, other))
    metric = "auc" if ranked.scores.shape[1] == 1 else f"{average}_auc"
    return bare_comparison(a, b, test=test, metric=metric, level=0.95)
