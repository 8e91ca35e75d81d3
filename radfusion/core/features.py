"""Feature tables: cases by features, with where each source came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.hashing import array_hash, content_hash
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError

__all__ = ["FeatureTable"]


@dataclass(frozen=True)
class FeatureTable:
    """Cases by features.

    Attributes
    ----------
    frame : pandas.DataFrame
        Indexed by case; columns of float64 named ``source:image-type_family_Name``, for example
        ``radiomics:original_glcm_Contrast`` or ``imagenet:avgpool_pool_0007``.
    provenance : mapping of str to mapping
        Per source: extractor settings, weights hash, versions.
    exclusions : tuple of Exclusion
        Cases that gave no row, with stage and reason.
    """

    frame: pd.DataFrame
    provenance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    exclusions: tuple[Exclusion, ...] = ()

    def __post_init__(self) -> None:
        for what, index in (("case", self.frame.index), ("feature", self.frame.columns)):
            if not index.is_unique:
                double = sorted(map(str, index[index.duplicated()].unique()))[:5]
                raise FeatureError(f"feature table: {what} names must be unique; twice: {', '.join(double)}")

    @property
    def sources(self) -> tuple[str, ...]:
        """Feature sources in column order."""
        return tuple(dict.fromkeys(str(name).split(":", 1)[0] for name in self.frame.columns))

    @property
    def values(self) -> NDArray[np.float64]:
        """(cases, features) array of float64."""
        return self.frame.to_numpy(dtype=np.float64)

    def restrict(self, cases: Iterable[str]) -> FeatureTable:
        """Rows of the given cases, in the given order.

        Raises
        ------
        FeatureError
            When a case is not in the table.
        """
        wanted = list(cases)
        absent = [case for case in wanted if case not in self.frame.index]
        if absent:
            raise FeatureError(f"feature table: no row for {len(absent)} cases, first {absent[0]!r}")
        return FeatureTable(self.frame.loc[wanted], self.provenance, self.exclusions)

    def join(self, other: FeatureTable) -> FeatureTable:
        """Early fusion: the columns of both, for the cases that both have, in this table's order.

        Raises
        ------
        FeatureError
            When the two share a source.
        """
        shared = set(self.sources) & set(other.sources)
        if shared:
            raise FeatureError(f"feature tables share the source {sorted(shared)[0]!r}: nothing to fuse")
        cases = [case for case in self.frame.index if case in other.frame.index]
        frame = pd.concat([self.frame.loc[cases], other.frame.loc[cases]], axis=1)
        return FeatureTable(frame, {**self.provenance, **other.provenance}, (*self.exclusions, *other.exclusions))

    def hash(self) -> str:
        """Content hash of names and values."""
        return content_hash(list(self.frame.index), list(self.frame.columns), array_hash(self.values))
