"""Rows: cases by features on their way from the feature table to the classifier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.hashing import content_hash
from radfusion.errors import FeatureError

__all__ = ["Rows", "cases_hash", "require_columns"]

Floats = NDArray[np.float64]
_LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Rows:
    """Cases by features, and what else is known of the cases.

    Attributes
    ----------
    values : (n, p) array
        Features; NaN where missing, until a step has filled that in.
    names : tuple of str
        The p features, sorted: the order of a table's columns changes nothing.
    facts : pandas.DataFrame
        One row per case: ``centre`` and the covariates of the cohort, for steps that ask for them. No label.
    """

    values: Floats
    names: tuple[str, ...]
    facts: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, facts: pd.DataFrame | None = None) -> Rows:
        """Rows of a feature frame; what is not finite, or too large to be squared (1e100), is missing."""
        names = tuple(sorted(map(str, frame.columns)))
        values = frame[list(names)].to_numpy(dtype=np.float64)
        known = pd.DataFrame(index=frame.index) if facts is None else facts
        return cls(np.where(np.abs(values) < _LARGEST, values, np.nan), names, known)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def cases(self) -> tuple[str, ...]:
        """Case of each row."""
        return tuple(map(str, self.facts.index))

    def take(self, rows: NDArray[np.bool_]) -> Rows:
        """Some of the cases."""
        return Rows(self.values[rows], self.names, self.facts[rows])

    def select(self, names: Sequence[str]) -> Rows:
        """Some of the features, in the given order.

        Raises
        ------
        FeatureError
            When features are absent.
        """
        columns = pd.Index(self.names).get_indexer(pd.Index(list(names)))
        if (columns < 0).any():
            require_columns(self.names, names)
        return Rows(self.values[:, columns], tuple(names), self.facts)

    def of_sources(self, sources: Sequence[str]) -> tuple[Rows, Rows]:
        """Features of the sources, and the others."""
        inside = np.array([name.split(":", 1)[0] in sources for name in self.names], dtype=bool)
        names = np.array(self.names, dtype=object)
        one, other = (Rows(self.values[:, part], tuple(names[part]), self.facts) for part in (inside, ~inside))
        return one, other

    def beside(self, other: Rows) -> Rows:
        """Features of both, sorted by name."""
        names = (*self.names, *other.names)
        order = sorted(range(len(names)), key=names.__getitem__)
        values = np.hstack([self.values, other.values])[:, order]
        return Rows(values, tuple(names[column] for column in order), self.facts)


def cases_hash(cases: Iterable[str]) -> str:
    """Content hash of cases, whatever their order: the name of what something was fitted on.

    Examples
    --------
    >>> cases_hash(["b", "a"]) == cases_hash(["a", "b"])
    True
    """
    return content_hash(sorted(cases))


def require_columns(present: Sequence[str], names: Sequence[str]) -> None:
    """Check that named features are present.

    Raises
    ------
    FeatureError
        Naming the absent ones and the sources that they come from.
    """
    there = set(present)
    absent = [name for name in names if name not in there]
    if absent:
        sources = ", ".join(dict.fromkeys(name.split(":", 1)[0] for name in absent))
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise FeatureError(
            f"the feature table lacks {len(absent)} features that the model needs (source {sources}): {shown}; "
            "extract that source with the settings of the study"
        )
