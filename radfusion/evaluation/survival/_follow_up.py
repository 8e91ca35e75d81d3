"""Checks of times, events and covariates; everything after them may trust its arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Floats, _floats, _places

NO_EVENT = "no event was observed"


@dataclass(frozen=True)
class FollowUp:
    """How long each case was followed, and whether that ended with the event.

    Attributes
    ----------
    times : (n,) array
        Time to the event or to censoring, in one unit.
    events : (n,) array of bool
        True where the event was observed.
    """

    times: Floats
    events: Booleans

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.times)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return int(self.events.sum())

    def until(self, horizon: float) -> FollowUp:
        """The same cases, all followed no longer than the horizon."""
        return FollowUp(np.minimum(self.times, horizon), self.events & (self.times <= horizon))


def follow_up(times: ArrayLike, events: ArrayLike) -> FollowUp:
    """Check times (positive, finite) and events (0 or 1, or booleans)."""
    shape = np.asarray(times).shape
    if len(shape) != 1 or not shape[0]:
        raise EvaluationError(f"times have shape {shape}; allowed is one dimension with at least one case")
    checked, happened = _floats(times, "times", shape), _floats(events, "events", shape)
    if (early := checked <= 0).any():
        raise EvaluationError(f"times are not positive {_places(early)}; allowed are times after 0")
    if (strange := ~np.isin(happened, (0, 1))).any():
        raise EvaluationError(f"events are neither 0 nor 1 {_places(strange)}; allowed are 1 (event) and 0 (censored)")
    return FollowUp(checked, happened == 1)


def covariate_matrix(covariates: ArrayLike, n: int) -> Floats:
    """Check an (n, p) array of covariates, or an (n,) array of one."""
    matrix = np.asarray(covariates)
    columns = matrix.shape[1] if matrix.ndim == 2 else 1
    if not columns:
        raise EvaluationError("covariates have no column; allowed is at least one")
    return _floats(matrix[:, None] if matrix.ndim == 1 else matrix, "covariates", (n, columns))


def horizons(at: ArrayLike) -> Floats:
    """Check the times at which something is asked for."""
    values = np.atleast_1d(np.asarray(at))
    checked = _floats(values, "at", (len(values),))
    if (checked <= 0).any():
        raise EvaluationError(f"at holds {checked.min():.4g}; allowed are times after 0")
    return checked
