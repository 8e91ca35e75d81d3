"""Second readings of a cohort: by other readers, of perturbed images, of negative controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.random import Generator
from pydantic import Field, field_validator

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import array_hash, content_hash
from radfusion.core.scan import Scan
from radfusion.core.settings import Settings
from radfusion.errors import CaseError
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.extraction.controls import CONTROLS
from radfusion.extraction.engine import Measured
from radfusion.extraction.extractors.base import Extracted, Extractor, Shown
from radfusion.extraction.perturbations import PERTURBATIONS, perturb
from radfusion.extraction.tables import extract
from radfusion.imaging.geometry import bounding_box
from radfusion.imaging.settings import ImagingSettings

__all__ = [
    "Perturbed",
    "Readings",
    "StabilitySettings",
    "control_tables",
    "generator_of",
    "perturbed_readings",
    "reader_readings",
]

_REVISION = 1  # of perturbations and controls: raised when they change, so that no cache entry outlives them
Answer = TypeVar("Answer")


class StabilitySettings(Settings):
    """How the stability of features is measured, on training cases, and what becomes of unstable ones."""

    readers: Literal["auto", "none"] = Field(
        "auto", description="compare the readers of the cohort table when it has several, or never"
    )
    perturbations: tuple[str, ...] = Field(
        (),
        description="perturbations of image and region, several in turn joined by +, for example [rotate, "
        "noise+translate+dilate+contour]; none by default, as each costs a second extraction of n_cases: "
        + ", ".join(PERTURBATIONS),
    )
    n_cases: int = Field(30, ge=3, description="training cases that are perturbed, drawn by the seed of the study")
    repeats: int = Field(1, ge=1, le=50, description="times that each perturbation is drawn anew")
    minimum_icc: float = Field(
        0.75, gt=0, lt=1, description="features whose intraclass correlation lies below this are dropped"
    )
    use: Literal["estimate", "lower"] = Field(
        "estimate", description="hold the estimate, or the lower limit of its interval, against minimum_icc"
    )

    @field_validator("perturbations")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for part in (part for name in names for part in name.split("+")):
            if part not in PERTURBATIONS:
                raise ValueError(PERTURBATIONS.unknown(part))
        if len(set(names)) < len(names):
            raise ValueError(f"perturbations {', '.join(names)}: each is named once; see repeats")
        return names


class Perturbed(Extractor):
    """An extractor that is shown perturbed scans, or those of a negative control.

    The random numbers depend on the study's seed, the perturbation and the content of the region, not on the name of
    the case: what the cache remembers by content is then also right by content.

    Attributes
    ----------
    extractor : Extractor
        What is extracted.
    change : str
        A perturbation (several in turn: ``"noise+translate"``) or a negative control.
    seed : int
        Seed of the study.
    repeat : int
        Number of the draw, from 0.
    """

    kind: ClassVar[str] = "perturbed"

    extractor: Extractor
    change: str
    seed: int = 0
    repeat: int = 0

    @property
    def batch(self) -> int:
        """Number of scans that are extracted together."""
        return self.extractor.batch

    @property
    def source(self) -> str:
        """Prefix of the feature names: that of the extractor, so that values stand under the same names."""
        return self.extractor.source

    def unavailable(self) -> str | None:
        """Why the extractor cannot work here, or None."""
        return self.extractor.unavailable()

    def identity(self) -> Mapping[str, Any]:
        """Identity of the extractor with the perturbation, its seed and the number of the draw."""
        own = {"change": self.change, "seed": self.seed, "repeat": self.repeat, "revision": _REVISION}
        return {**self.extractor.identity(), "perturbed": {**own, "kind": self.extractor.kind}}

    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Features of each scan as the perturbation leaves it.

        Raises
        ------
        CaseError
            When nothing is left of a region, or the extractor refuses what is left.
        """
        return self.extractor.extract([self.changed(scan) for scan in scans])

    def measure(self, scans: Sequence[Scan]) -> list[Measured | CaseError]:
        """Features of each scan as the perturbation leaves it, or why it gives none."""
        return self._of_changed(scans, self.extractor.measure)

    def prepare(self, scans: Sequence[Scan]) -> list[Measured | Shown | CaseError]:
        """A worker's part of each scan as the perturbation leaves it, or why it gives nothing."""
        return self._of_changed(scans, self.extractor.prepare)

    def complete(self, results: Iterable[Extracted], progress: Progress) -> Iterator[Extracted]:
        """What is left to the extractor's own :meth:`Extractor.complete`."""
        return self.extractor.complete(results, progress)

    def _of_changed(
        self, scans: Sequence[Scan], use: Callable[[Sequence[Scan]], Sequence[Answer]]
    ) -> list[Answer | CaseError]:
        changed = [self._changed_or_why_not(scan) for scan in scans]
        left = [each for each in changed if isinstance(each, Scan)]
        answers = iter(use(left) if left else ())
        return [next(answers) if isinstance(each, Scan) else each for each in changed]

    def _changed_or_why_not(self, scan: Scan) -> Scan | CaseError:
        try:
            return self.changed(scan)
        except CaseError as error:
            return error

    def changed(self, scan: Scan) -> Scan:
        """The scan that the extractor is shown.

        Raises
        ------
        CaseError
            When nothing is left of the region.
        """
        rng = generator_of(scan, self.seed, self.change, self.repeat)
        return CONTROLS[self.change](scan, rng) if self.change in CONTROLS else perturb(scan, self.change, rng)


def generator_of(scan: Scan, *parts: str | int) -> Generator:
    """Random generator that only the content of the scan around its region and `parts` decide on.

    Raises
    ------
    CaseError
        When the region is empty.
    """
    if not scan.roi.any():
        raise CaseError("the region is empty", stage="perturbation")
    box = bounding_box(scan.roi)
    place = [(side.start, side.stop) for side in box]
    digest = content_hash(list(parts), place, array_hash(scan.image[box]), array_hash(scan.roi[box]))
    return np.random.default_rng(int(digest, 16))


@dataclass(frozen=True)
class Readings:
    """The same cases measured several times.

    Attributes
    ----------
    kind : {"readers", "perturbations"}
        What differs between the readings.
    source : str
        Feature source.
    versions : tuple of str
        One per table: reader, or perturbation (``"original"`` for the cases as they are).
    tables : tuple of FeatureTable
        One per version; a case that could not be measured is missing there and named in its exclusions.
    """

    kind: Literal["readers", "perturbations"]
    source: str
    versions: tuple[str, ...]
    tables: tuple[FeatureTable, ...]


def perturbed_readings(
    cohort: Cohort,
    extractor: Extractor,
    settings: StabilitySettings,
    *,
    seed: int,
    imaging: ImagingSettings | None = None,
    workers: Workers | None = None,
) -> Readings | None:
    """Training cases as they are and under every perturbation of the settings; None without perturbations.

    Parameters
    ----------
    cohort : Cohort
        Cases; only those of the training set are measured, at most ``settings.n_cases``.
    extractor : Extractor
        What to extract.
    settings : StabilitySettings
        Perturbations, number of cases and of draws.
    seed : int
        Seed of the study: draws cases and perturbations.
    imaging : ImagingSettings, optional
        How files are read.
    workers : Workers, optional
        Where work runs and is remembered.
    """
    if not settings.perturbations:
        return None
    drawn = _drawn(cohort.of_set("training"), settings.n_cases, seed)
    changes = [(name, repeat) for name in settings.perturbations for repeat in range(settings.repeats)]
    versions: list[Extractor] = [extractor]
    versions += [Perturbed(extractor=extractor, change=name, seed=seed, repeat=repeat) for name, repeat in changes]
    tables = tuple(_extracted(drawn, version, imaging=imaging, workers=workers) for version in versions)
    return Readings("perturbations", extractor.source, ("original", *(name for name, _ in changes)), tables)


def reader_readings(
    cohort: Cohort,
    extractor: Extractor,
    *,
    imaging: ImagingSettings | None = None,
    workers: Workers | None = None,
) -> Readings | None:
    """Training cases as each reader drew them; None where no two readers share two cases.

    Of the readers, most productive first, as many are taken as give the largest number of second readings: a two-way
    ICC needs every case read by every reader.

    Parameters
    ----------
    cohort : Cohort
        Cases with their readers; only those of the training set are measured.
    extractor : Extractor
        What to extract.
    imaging : ImagingSettings, optional
        How files are read.
    workers : Workers, optional
        Where work runs and is remembered.
    """
    training = set(cohort.of_set("training").frame.index)
    read = {name: cohort.read_by(name) for name in cohort.readers}
    cases = {name: [case for case in each.frame.index if case in training] for name, each in read.items()}
    readers, shared = crossed(cases)
    if not readers:
        return None
    tables = tuple(
        _extracted(_restricted(read[name], shared), extractor, imaging=imaging, workers=workers) for name in readers
    )
    return Readings("readers", extractor.source, readers, tables)


def control_tables(
    cohort: Cohort,
    extractor: Extractor,
    controls: Sequence[str],
    *,
    seed: int,
    imaging: ImagingSettings | None = None,
    workers: Workers | None = None,
) -> dict[str, FeatureTable]:
    """Feature tables of a whole cohort under negative controls, by name of the control.

    Parameters
    ----------
    cohort : Cohort
        Cases with their files.
    extractor : Extractor
        What to extract.
    controls : sequence of str
        Names such as ``"roi_shuffle"``.
    seed : int
        Seed of the study.
    imaging : ImagingSettings, optional
        How files are read.
    workers : Workers, optional
        Where work runs and is remembered.
    """
    shown = {name: Perturbed(extractor=extractor, change=name, seed=seed) for name in controls}
    return {name: _extracted(cohort, each, imaging=imaging, workers=workers) for name, each in shown.items()}


def crossed(cases: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Readers and the cases that all of them read; empty where no two share two cases.

    Examples
    --------
    >>> crossed({"A": ["1", "2", "3"], "B": ["2", "3"], "C": ["1"]})
    (('A', 'B'), ('2', '3'))
    """
    ranked = sorted(cases, key=lambda name: -len(cases[name]))
    best: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    for count in range(2, len(ranked) + 1):
        readers = tuple(name for name in cases if name in ranked[:count])
        others = [set(cases[name]) for name in readers]
        shared = tuple(case for case in cases[readers[0]] if all(case in other for other in others))
        if len(shared) >= 2 and len(shared) * (count - 1) > len(best[1]) * (len(best[0]) - 1):
            best = (readers, shared)
    return best


def _drawn(cohort: Cohort, count: int, seed: int) -> Cohort:
    """A simple random sample of the cases, the same whatever their order in the table."""
    ranked = sorted(cohort.frame.index, key=lambda case: content_hash("stability", seed, str(case)))
    return _restricted(cohort, ranked[:count])


def _restricted(cohort: Cohort, cases: Sequence[str]) -> Cohort:
    wanted = set(cases)
    return cohort.without([case for case in cohort.frame.index if case not in wanted])


def _extracted(
    cohort: Cohort, extractor: Extractor, *, imaging: ImagingSettings | None, workers: Workers | None
) -> FeatureTable:
    place = workers or Workers()
    return extract(
        cohort, extractor, imaging=imaging, executor=place.executor, cache=place.cache, progress=place.progress
    )
