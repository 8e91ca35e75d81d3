"""Whether deep features carry anything: a network whose weights did not load gives nearly one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import FeatureError

__all__ = ["NEARLY", "feature_health"]

#: Standard deviation, in units of the mean absolute value, below which a unit counts as nearly constant.
NEARLY = 0.01


def feature_health(values: ArrayLike) -> dict[str, float]:
    r"""Spread of a table of features over its principal components.

    With eigenvalues :math:`\lambda_i` of the covariance and shares :math:`p_i = \lambda_i / \sum \lambda`, the
    effective rank is :math:`\exp(-\sum p_i \ln p_i)` [1]_.

    Parameters
    ----------
    values : (n, d) array
        Cases by features, not standardised.

    Returns
    -------
    dict
        ``cases, features, first_component_share`` (of the variance, 0 to 1), ``components_90`` (number of components
        that hold 90% of it), ``effective_rank``; shares of the units: ``constant_share`` (never change), ``zero_share``
        (of these, always 0), ``near_constant_share`` (change, but with a standard deviation below 1% of the mean
        absolute value). Without any variance the first component counts as everything and the effective rank as 0.

    Raises
    ------
    FeatureError
        For fewer than two cases, no feature, or numbers that are not finite.

    References
    ----------
    .. [1] Roy O, Vetterli M. The effective rank: a measure of effective dimensionality. EUSIPCO 2007, 606-610.

    Examples
    --------
    >>> import numpy as np
    >>> health = feature_health(np.diag([1.0, 1.0, 1.0, 1.0]))
    >>> round(health["first_component_share"], 3), round(health["effective_rank"], 3)
    (0.333, 3.0)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2 or not array.shape[1] or not np.isfinite(array).all():
        raise FeatureError(f"feature health needs finite numbers of two or more cases, not an array of {array.shape}")
    counts = {"cases": float(len(array)), "features": float(array.shape[1]), **_still(array)}
    variances = np.linalg.svd(array - array.mean(axis=0), compute_uv=False) ** 2
    total = float(variances.sum())
    if counts["constant_share"] == 1.0 or total == 0.0:
        return {**counts, "first_component_share": 1.0, "components_90": 0.0, "effective_rank": 0.0}
    shares = variances / total
    positive = shares[shares > 0]
    return {
        **counts,
        "first_component_share": float(shares[0]),
        "components_90": float(np.searchsorted(np.cumsum(shares), 0.9 - 1e-12) + 1),
        "effective_rank": float(np.exp(-np.sum(positive * np.log(positive)))),
    }


def _still(array: NDArray[np.float64]) -> dict[str, float]:
    """Shares of the units that say nothing, or next to nothing."""
    constant = np.ptp(array, axis=0) == 0
    size = np.abs(array).mean(axis=0)
    near = ~constant & (array.std(axis=0) < NEARLY * size)
    shares = {"constant_share": constant, "zero_share": constant & (size == 0), "near_constant_share": near}
    return {name: float(np.mean(units)) for name, units in shares.items()}
