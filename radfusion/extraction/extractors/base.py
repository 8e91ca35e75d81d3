"""What an extractor is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from radfusion.core.scan import Scan
from radfusion.core.settings import Settings
from radfusion.errors import CaseError
from radfusion.extraction.engine import Measured

__all__ = ["Extractor"]


class Extractor(Settings):
    """Turns scans into named numbers.

    A subclass is a frozen settings object; it defines :attr:`source`, :meth:`identity` and :meth:`extract`.
    """

    kind: ClassVar[str]

    #: Cases handed to :meth:`extract` at once.
    @property
    def batch(self) -> int:
        """Number of scans that are extracted together."""
        return 1

    @property
    @abstractmethod
    def source(self) -> str:
        """Prefix of the feature names, unique in a study."""

    def unavailable(self) -> str | None:
        """Why this extractor cannot work here (weights that are absent, a package that cannot be imported), or None."""
        return None

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Everything that the values depend on beside the scan: settings, versions, hash of the weights."""

    @abstractmethod
    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Feature name (without source) to value, per scan, in the same order of names for every scan.

        Raises
        ------
        CaseError
            When a scan of the batch cannot be used; raised for a batch of one only by the caller's retry.
        """

    def measure(self, scans: Sequence[Scan]) -> list[Measured | CaseError]:
        """Features of each scan with what could not be computed, or why this scan gives none.

        Raises
        ------
        CaseError
            As :meth:`extract`, by extractors that know of a batch only that one of its scans cannot be used.
        """
        return [Measured(values, {}) for values in self.extract(scans)]
