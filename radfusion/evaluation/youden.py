"""Rules that choose a decision threshold from labels and scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.registry import Registry
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, Integers, Ranked, binary

__all__ = ["THRESHOLD_RULES", "operating_counts", "youden_threshold"]

#: Rule to function of (labels, scores, positive), giving the threshold.
THRESHOLD_RULES: Registry[Callable[[ArrayLike, ArrayLike, Hashable], float]] = Registry("threshold rule")


def youden_threshold(labels: ArrayLike, scores: ArrayLike, *, positive: Hashable = 1) -> float:
    """Threshold of the highest sensitivity + specificity; a score at or above it is called positive.

    Candidates are the midpoints between neighbouring distinct scores, and minus and plus infinity, as in pROC. Of
    several that are equally good the lowest is taken (the first that pROC lists). Minus infinity, which calls every
    case positive, is the answer for scores that separate nothing.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When there is no positive or no negative case.

    References
    ----------
    .. [1] Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.
       doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3

    Examples
    --------
    >>> youden_threshold([0, 0, 1, 1], [0.125, 0.5, 0.25, 0.75])
    0.1875
    """
    cut, true_positive, false_positive = operating_counts(binary(labels, scores, positive))
    # Integers, so that equally good thresholds are equal.
    index = true_positive * int(false_positive[0]) - false_positive * int(true_positive[0])
    return float(cut[int(np.argmax(index))])


def operating_counts(ranked: Ranked) -> tuple[Floats, Integers, Integers]:
    """Rising thresholds from -inf to inf, and the true and false positives at each, of one class against the rest."""
    positive, scores = ranked.positive[:, 0], ranked.scores[:, 0]
    n_pos = int(positive.sum())
    if n_pos in (0, len(scores)):
        raise EvaluationError(
            f"{n_pos} of {len(scores)} cases are of class {ranked.names[0]}; at least one must be, and one not"
        )
    values, ranks = np.unique(scores, return_inverse=True)
    found = np.bincount(ranks.reshape(-1)[positive], minlength=len(values))
    every = np.bincount(ranks.reshape(-1), minlength=len(values))
    true_positive = n_pos - np.concatenate([[0], np.cumsum(found)])
    false_positive = len(scores) - n_pos - np.concatenate([[0], np.cumsum(every - found)])
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    # Between neighbouring floating-point numbers there is none: the upper one separates them.
    middle = np.where(middle > low, middle, high)
    return np.concatenate([[-np.inf], middle, [np.inf]]), true_positive, false_positive


@THRESHOLD_RULES.register("youden")
def _youden(labels: ArrayLike, scores: ArrayLike, positive: Hashable) -> float:
    return youden_threshold(labels, scores, positive=positive)
