"""What the chain found in shuffled labels, as an estimate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radfusion.core.results import Estimate

__all__ = ["null_estimate"]


def null_estimate(aucs: Sequence[float], arm: str, *, level: float = 0.95) -> Estimate | None:
    """Mean macro AUC over repeats with shuffled labels; None without repeats.

    Parameters
    ----------
    aucs : sequence of float
        Out-of-fold macro AUC of each repeat.
    arm : str
        The arm that was repeated.
    level : float
        Confidence level of the t interval of the mean; `n` of the estimate counts repeats.

    Examples
    --------
    >>> found = null_estimate([0.48, 0.5, 0.52], "radiomics")
    >>> round(found.value, 3), round(found.low, 3), found.method
    (0.5, 0.45, 't_interval_of_repeats')
    """
    from scipy.stats import t

    if not aucs:
        return None
    values = np.asarray(aucs, dtype=np.float64)
    mean, n = float(values.mean()), len(values)
    bare = Estimate(
        metric="null_macro_auc", value=mean, level=level, n=n, model=f"shuffled labels: {arm}", set="training"
    )
    if n < 2:
        return bare.model_copy(update={"reason": "one repeat has no interval"})
    se = float(values.std(ddof=1) / np.sqrt(n))
    half = float(t.ppf((1 + level) / 2, n - 1)) * se
    filled = {"low": mean - half, "high": mean + half, "se": se, "method": "t_interval_of_repeats"}
    return bare.model_copy(update=filled)
