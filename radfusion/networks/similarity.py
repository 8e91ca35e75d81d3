"""How alike two networks see the same cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import FeatureError

__all__ = ["debiased_cka"]


def debiased_cka(a: ArrayLike, b: ArrayLike) -> float:
    r"""Linear centred kernel alignment of two feature tables of the same cases [1]_, without its bias.

    The plain form goes towards 1 when there are fewer cases than features. Both Gram matrices
    :math:`K = XX^T, L = YY^T` lose their diagonal and are centred so that
    :math:`\langle K, L \rangle / n(n - 3)` estimates the Hilbert-Schmidt independence criterion without bias [2]_:
    :math:`\tilde K_{ij} = K_{ij} - \sum_k K_{ik} / (n - 2) - \sum_k K_{kj} / (n - 2) + \sum_{kl} K_{kl} /
    ((n - 1)(n - 2))` for :math:`i \ne j`. The result is :math:`\langle \tilde K, \tilde L \rangle /
    (\|\tilde K\| \|\tilde L\|)` [3]_: 1 for tables that differ by rotation, shift or scale, about 0 (also below) for
    unrelated ones.

    Parameters
    ----------
    a, b : (n, d) and (n, e) array
        Cases by features, rows of the same cases, four or more.

    Raises
    ------
    FeatureError
        For fewer than four cases, tables of different lengths, numbers that are not finite, or a table without
        variance.

    References
    ----------
    .. [1] Kornblith S, et al. Similarity of neural network representations revisited. ICML 2019. arXiv:1905.00414
    .. [2] Song L, et al. Feature selection via dependence maximization. J Mach Learn Res 2012;13:1393-1434.
    .. [3] Nguyen T, et al. Do wide and deep networks learn the same things? ICLR 2021. arXiv:2010.15327

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.random.default_rng(1).normal(size=(2, 20, 200))
    >>> round(debiased_cka(a, b), 2), round(debiased_cka(a, 5 - 3 * a[:, ::-1]), 6)
    (0.09, 1.0)
    """
    x, y = _paired(a, b)
    first, second = (_without_diagonal((each - each.mean(axis=0)) @ (each - each.mean(axis=0)).T) for each in (x, y))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    if norm == 0.0 or not (np.ptp(x, axis=0).any() and np.ptp(y, axis=0).any()):
        raise FeatureError("a table without variance has no similarity")
    return float(np.clip((first * second).sum() / norm, -1.0, 1.0))


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = (np.asarray(each, dtype=np.float64) for each in (a, b))
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < 4:
        raise FeatureError(f"tables of {x.shape} and {y.shape}; allowed are four or more cases, the same in both")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise FeatureError("features that are not finite have no similarity")
    return x, y


def _without_diagonal(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """U-centred Gram matrix: its off-diagonal sums are 0 in every row."""
    n = len(gram)
    off = gram - np.diag(np.diag(gram))
    sums = off.sum(axis=0) / (n - 2)
    centred: NDArray[np.float64] = off - sums[:, None] - sums[None, :] + off.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred
