"""Whether deep features carry anything: a network whose weights did not load gives nearly one number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from radfusion.errors import FeatureError

__all__ = ["feature_health", "health_warnings"]


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
        that hold 90% of it), ``effective_rank``, ``constant_share`` (of the units: never change, 0 to 1). Without any
        variance the first component counts as everything and the effective rank as 0.

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
    constant = float(np.mean(np.ptp(array, axis=0) == 0))
    variances = np.linalg.svd(array - array.mean(axis=0), compute_uv=False) ** 2
    total = float(variances.sum())
    counts = {"cases": float(len(array)), "features": float(array.shape[1]), "constant_share": constant}
    if constant == 1.0 or total == 0.0:
        return {**counts, "first_component_share": 1.0, "components_90": 0.0, "effective_rank": 0.0}
    shares = variances / total
    positive = shares[shares > 0]
    return {
        **counts,
        "first_component_share": float(shares[0]),
        "components_90": float(np.searchsorted(np.cumsum(shares), 0.9 - 1e-12) + 1),
        "effective_rank": float(np.exp(-np.sum(positive * np.log(positive)))),
    }


def health_warnings(health: Mapping[str, float]) -> list[str]:
    """Sentences on what :func:`feature_health` found to worry about; none for healthy features.

    Examples
    --------
    >>> health_warnings({"first_component_share": 0.97, "effective_rank": 1.2, "constant_share": 0.0})
    ['one component carries 97% of the variance (healthy features: less than half): were the weights loaded?',
     'the effective rank is 1.2, below 5: the features say nearly the same thing']
    """
    found = []
    if health["first_component_share"] > 0.9:
        share = f"{health['first_component_share']:.0%}"
        usual = "healthy features: less than half"
        found.append(f"one component carries {share} of the variance ({usual}): were the weights loaded?")
    if health["effective_rank"] < 5:
        rank = f"{health['effective_rank']:.1f}"
        found.append(f"the effective rank is {rank}, below 5: the features say nearly the same thing")
    if health["constant_share"] > 0.5:
        found.append(f"{health['constant_share']:.0%} of the units never change")
    return found
