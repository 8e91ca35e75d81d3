"""Feature tables: cases by features, with where each source came from."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.hashing import array_hash, content_hash
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError

__all__ = ["FeatureTable"]

#: Key of the Parquet file's metadata, and what is written beside a CSV file.
_METADATA, _BESIDE = b"radfusion", ".provenance.json"


@dataclass(frozen=True)
class FeatureTable:
    """Cases by features.

    Attributes
    ----------
    frame : pandas.DataFrame
        Indexed by case; columns of float64 named ``source:image-type_family_Name``, for example
        ``radiomics:original_glcm_Contrast`` or ``imagenet:resnet50.layer4_global_0007``.
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

    @property
    def missing(self) -> dict[str, tuple[str, ...]]:
        """Features without a finite value, and in which cases; reasons are in the provenance under ``not_computed``."""
        absent = ~np.isfinite(self.values)
        cases = self.frame.index.to_numpy(dtype=object)
        columns = zip(self.frame.columns, absent.T, strict=True)
        return {str(name): tuple(map(str, cases[column])) for name, column in columns if column.any()}

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

    @classmethod
    def from_parquet(cls, path: str | Path) -> Self:
        """Read a table that :meth:`to_parquet` wrote, or any Parquet file of numbers with a ``case`` column.

        Raises
        ------
        FeatureError
            When the file is absent, no Parquet, or holds columns that are no numbers.
        """
        import pyarrow as pa
        from pyarrow import parquet

        path = Path(path)
        try:
            stored = parquet.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise FeatureError(f"{path.name}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        frame = stored.to_pandas()
        frame = frame.set_index("case") if "case" in frame.columns else frame
        facts = json.loads((stored.schema.metadata or {}).get(_METADATA, b"{}"))
        return cls._told(frame, facts, path.name)

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Read a table that :meth:`to_csv` wrote, with the ``.provenance.json`` beside it when there is one.

        Raises
        ------
        FeatureError
            When the file is absent, lacks the column ``case``, or holds fields that are no numbers.
        """
        path = Path(path)
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            beside = path.with_suffix(_BESIDE)
            facts = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        except (OSError, ValueError) as error:
            raise FeatureError(f"{path.name}: cannot be read: {str(error).splitlines()[0]}") from error
        if "case" not in frame.columns:
            raise FeatureError(f"{path.name}: no column is named 'case'")
        return cls._told(frame.set_index("case").replace("", "nan"), facts, path.name)

    @classmethod
    def _told(cls, frame: pd.DataFrame, facts: Mapping[str, Any], name: str) -> Self:
        try:
            values = frame.to_numpy(dtype=object).astype(np.float64)  # Python's float: every digit counts
        except (TypeError, ValueError) as error:
            raise FeatureError(f"{name}: holds what is no number: {error}") from error
        numbers = pd.DataFrame(values, index=frame.index.astype(str), columns=frame.columns)
        exclusions = tuple(Exclusion(**item) for item in facts.get("exclusions", ()))
        return cls(numbers.rename_axis(None), facts.get("provenance", {}), exclusions)

    def to_parquet(self, facts: Mapping[str, Any] | None = None) -> bytes:
        """Bytes of a Parquet file with provenance and exclusions in its metadata; the same table, the same bytes.

        Parameters
        ----------
        facts : mapping, optional
            What to say of the table beside its provenance.
        """
        import pyarrow as pa
        from pyarrow import parquet

        stored = pa.Table.from_pandas(self.frame.rename_axis("case"))
        metadata = {**(stored.schema.metadata or {}), _METADATA: self.facts_text(facts).encode()}
        buffer = BytesIO()
        parquet.write_table(stored.replace_schema_metadata(metadata), buffer)
        return buffer.getvalue()

    def to_csv(self) -> str:
        """Text of a CSV file: shortest digits (17 at most) that give each number back; a missing value is empty."""
        buffer = StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["case", *self.frame.columns])
        for case, row in zip(self.frame.index, self.values.tolist(), strict=True):
            writer.writerow([case, *("" if math.isnan(value) else repr(value) for value in row)])
        return buffer.getvalue()

    def facts_text(self, facts: Mapping[str, Any] | None = None) -> str:
        """JSON text of provenance, exclusions and further facts; ``NAME.provenance.json`` beside ``NAME.csv``."""
        exclusions = [item.model_dump(mode="json") for item in self.exclusions]
        told = {**(facts or {}), "provenance": self.provenance, "exclusions": exclusions}
        return json.dumps(told, indent=1, ensure_ascii=False, default=list) + "\n"
