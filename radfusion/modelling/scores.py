"""Scores of out-of-fold predictions, and the class shares that make them comparable across folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["macro_auc", "with_shares"]

Floats = NDArray[np.float64]


def with_shares(predicted: Floats, before: Floats, after: Floats) -> Floats:
    """Probabilities under other class shares.

    A fold that holds many cases of a class leaves few for training, so the classes' shares in the training parts run
    against the cases that are scored. Pooled over folds this lowers an AUC, below 0.5 where there is nothing to find.
    Bringing every fold to the shares of the whole training set, which the final model has too, undoes it.

    Parameters
    ----------
    predicted : (n, K) array
        Probabilities, rows with sum 1.
    before, after : (K,) array
        Class shares that the model was fitted with, and those wanted.

    References
    ----------
    1. Saerens M, Latinne P, Decaestecker C. Adjusting the outputs of a classifier to new a priori probabilities.
       Neural Comput 2002;14(1):21-41. doi:10.1162/089976602753284446

    Examples
    --------
    >>> with_shares(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.2, 0.8]))
    array([[0.2, 0.8]])
    """
    weighted = predicted / before * after
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def macro_auc(codes: NDArray[np.intp], predicted: Floats) -> float:
    """Mean over classes of the AUC of one class against the rest; ties count half.

    Parameters
    ----------
    codes : (n,) array of int
        Classes, each with a case.
    predicted : (n, K) array
        Probabilities.

    Examples
    --------
    >>> macro_auc(np.array([0, 0, 1]), np.array([[0.8, 0.2], [0.4, 0.6], [0.4, 0.6]]))
    0.75
    """
    from scipy.stats import rankdata

    n_classes = predicted.shape[1]
    member = codes[:, None] == np.arange(n_classes)
    inside = member.sum(axis=0)
    rank_sums = (rankdata(predicted, axis=0) * member).sum(axis=0)
    aucs = (rank_sums - inside * (inside + 1) / 2) / (inside * (len(codes) - inside))
    return float(aucs.mean())
