"""What an extractor is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan
from radfusion.core.settings import Settings
from radfusion.errors import CaseError
from radfusion.execution.progress import Progress
from radfusion.extraction.engine import Measured

__all__ = ["Extracted", "Extractor", "Shown"]


@dataclass(frozen=True)
class Shown:
    """What a network is to be shown of one scan, made where the scan was read.

    Attributes
    ----------
    pictures : (pictures, rows, columns) array of float32
        Grey levels from 0 (black) to 1 (white).
    regions : (pictures, rows, columns) array of float32, or None
        Share of each pixel that is inside the ROI, where features are pooled over it.
    """

    pictures: NDArray[np.float32]
    regions: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Extracted:
    """What became of one case: features and why some are NaN, or the stage and reason of its exclusion.

    ``shown`` is what :meth:`Extractor.complete` turns into features; None once they are there. ``computed`` is what is
    known of the computing only once it is done: what really computed a network, and how equal to the reference.
    """

    case: str
    features: Mapping[str, float]
    has_spacing: bool = False
    stage: str = ""
    reason: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)
    shown: Shown | None = None
    computed: Mapping[str, Any] = field(default_factory=dict)


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

    def prepare(self, scans: Sequence[Scan]) -> list[Measured | Shown | CaseError]:
        """What a worker does of :meth:`measure`: by default all of it; the rest is left to :meth:`complete`.

        Raises
        ------
        CaseError
            As :meth:`measure`.
        """
        return [*self.measure(scans)]

    def complete(self, results: Iterable[Extracted], progress: Progress) -> Iterator[Extracted]:
        """Features of what the workers prepared, in the same order, in the process that started them.

        A network is loaded once here rather than in every worker; results that are complete pass through.

        Parameters
        ----------
        results : iterable of Extracted
            As they come from the workers.
        progress : Progress
            Told what is worth knowing.
        """
        del progress
        yield from results
