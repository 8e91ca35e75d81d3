"""Receiver operating characteristic curves, as the points that are plotted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from radfusion.core.results import Curve
from radfusion.evaluation._inputs import Floats, Ranked, binary, probability_matrix
from radfusion.evaluation.threshold_rules import operating_counts

__all__ = ["macro_roc_curve", "roc_curve"]


def roc_curve(labels: ArrayLike, scores: ArrayLike, positive: Hashable = 1) -> Curve:
    """Sensitivity against 1 - specificity from (0, 0) to (1, 1); points inside a straight piece are left out.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive. Tied cases of both groups give a slanted piece.
    positive : object
        The label of the positive class.

    Raises
    ------
    EvaluationError
        When there is no positive or no negative case.

    Examples
    --------
    >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8])
    >>> curve.x, curve.y
    ((0.0, 0.0, 0.5, 0.5, 1.0), (0.0, 0.5, 0.5, 1.0, 1.0))
    """
    x, y = _corners(binary(labels, scores, positive))
    return Curve(kind="roc", x=tuple(x.tolist()), y=tuple(y.tolist()))


def macro_roc_curve(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[Hashable]) -> Curve:
    """Mean sensitivity of the classes against the rest at every 1 - specificity of any of them.

    Where a curve rises vertically both ends are kept, so that the area under it is the macro AUC.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    probabilities : (n, K) array
        Score of each class.
    classes : sequence of K names
        Classes, in the order of the columns.

    Raises
    ------
    EvaluationError
        When a class has no case, or all of them.
    """
    ranked = probability_matrix(labels, probabilities, classes)
    curves = [_corners(ranked.one(k)) for k in range(len(classes))]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    ends = [_ends(x, y, grid) for x, y in curves]
    low, high = (np.mean([end[side] for end in ends], axis=0) for side in (0, 1))
    points = np.stack([np.repeat(grid, 2), np.stack([low, high], axis=1).ravel()], axis=1)
    kept = np.append(True, (points[1:] != points[:-1]).any(axis=1))
    return Curve(kind="roc", x=tuple(points[kept, 0].tolist()), y=tuple(points[kept, 1].tolist()))


def _corners(ranked: Ranked) -> tuple[Floats, Floats]:
    _, true_positive, false_positive = operating_counts(ranked)
    across, up = false_positive[::-1], true_positive[::-1]
    step_x, step_y = np.diff(across), np.diff(up)
    turns = step_x[1:] * step_y[:-1] != step_x[:-1] * step_y[1:]
    kept = np.concatenate([[True], turns, [True]])
    return across[kept] / across[-1], up[kept] / up[-1]


def _ends(x: Floats, y: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Sensitivity at each point of `grid`: lower and upper end where the curve is vertical, else twice the same."""
    first, last = np.searchsorted(x, grid, side="left"), np.searchsorted(x, grid, side="right") - 1
    corner = x[first] == grid
    width = np.where(corner, 1.0, x[first] - x[last])
    between = y[last] + (y[first] - y[last]) * (grid - x[last]) / width
    return np.where(corner, y[first], between), np.where(corner, y[last], between)
