"""Self-test of deep features: some training cases are shown to the network once more and looked at closely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash
from radfusion.core.scan import Scan
from radfusion.core.selftest import SelfTest
from radfusion.errors import CaseError, UserError
from radfusion.execution.cache import Cache
from radfusion.execution.file_hashes import file_hashes
from radfusion.execution.progress import Progress
from radfusion.execution.provenance import source_revision
from radfusion.execution.work import Stage, Workers
from radfusion.extraction.extractors.base import Shown
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.selftest import features_of, self_test
from radfusion.imaging.formats import format_of
from radfusion.imaging.loading import CaseFiles, read_scans
from radfusion.imaging.settings import ImagingSettings
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.health import feature_health
from radfusion.networks.sources import WeightsSource
from radfusion.report.selftest_lines import self_test_lines

__all__ = ["N_CASES", "study_self_test", "verify_on_images"]

#: Cases that are looked at.
N_CASES = 30
#: Seed of the draw where no study has one.
SEED = 20240328

Entry: TypeAlias = tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class _Task:
    """Cases to look at, and the features that the network answered them with."""

    extractor: Deep
    imaging: ImagingSettings
    cases: tuple[CaseFiles, ...]
    features: NDArray[np.float64]
    cache: Cache | None


def study_self_test(
    extractor: Deep, cohort: Cohort, table: FeatureTable, *, imaging: ImagingSettings, seed: int, place: Workers
) -> SelfTest:
    """Self-test of one source of a study on :data:`N_CASES` training cases, drawn by its seed.

    Parameters
    ----------
    extractor : Deep
        The source.
    cohort : Cohort
        Cases that are used.
    table : FeatureTable
        Their features from this source.
    imaging : ImagingSettings
        How files are read.
    seed : int
        Seed of the study.
    place : Workers
        Where the answer is remembered; a second run computes nothing.
    """
    cases = _drawn(map(str, cohort.of_set("training").frame.index), seed)
    files = tuple(_files(cohort, case) for case in cases)
    task = _Task(extractor, imaging, files, table.restrict(cases).values, place.cache)
    (found,) = _STAGE.over([task], Workers(cache=place.cache, progress=place.progress))
    return found


def verify_on_images(
    source: WeightsSource,
    network: str,
    file: Path | None,
    *,
    images: Path,
    progress: Progress | None = None,
) -> list[str]:
    """Self-test of weights on a user's images, in lines for the terminal.

    Parameters
    ----------
    source : WeightsSource
        Weights source.
    network : str
        Name of the network.
    file : path or None
        Weights file; the one at hand when not given.
    images : path
        Cohort table, whose regions are cropped as in a study, or a folder of image files, which are shown whole.
    progress : Progress, optional
        Listener.

    Raises
    ------
    UserError
        When there is no such network or no such table or folder, or fewer than four images can be shown to it.
    WeightsError
        When the weights are absent or not what their source promises.
    """
    NETWORKS[network]
    if not images.exists():
        raise UserError(f"{images}: there is no such cohort table or folder of images")
    listener = progress or Progress()
    whole = images.is_dir()
    shape = {"crop": "image"} if whole else {}
    extractor = Deep.model_validate({"weights": source.name, "network": network, "file": file, **shape})
    files = _of_folder(images) if whole else _of_table(images)
    shown = _shown(extractor, files, imaging=ImagingSettings(), progress=listener)
    if len(shown) < 4:
        raise UserError(f"{images}: {len(shown)} of {len(files)} images can be shown to the network; four are needed")
    features = features_of(extractor, list(shown.values()))
    found = self_test(extractor, list(shown.values()), features)
    return self_test_lines(found, feature_health(features))


def _run(task: _Task) -> SelfTest:
    shown = _shown(task.extractor, task.cases, imaging=task.imaging, progress=Progress())
    rows = [row for files, row in zip(task.cases, task.features, strict=True) if files.case in shown]
    return self_test(task.extractor, list(shown.values()), rows)


def _key(task: _Task) -> Any:
    """All that the answer depends on; regions act on features and so are in them."""
    images = file_hashes([each.image for each in task.cases], task.cache)
    drawn = file_hashes([each.segmentation for each in task.cases if each.segmentation], task.cache)
    made_by = source_revision("imaging", "extraction")
    return [task.extractor.identity(), task.imaging, images, drawn, task.features, made_by]


def _encode(found: SelfTest) -> Entry:
    return {}, found.model_dump(mode="json")


def _decode(_arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> SelfTest:
    return SelfTest.model_validate(facts)


_STAGE = Stage("self-test of deep features", "networks", _run, _key, _encode, _decode)


def _shown(
    extractor: Deep, files: Sequence[CaseFiles], *, imaging: ImagingSettings, progress: Progress
) -> dict[str, Shown]:
    """Pictures of each case that can be shown, one scan in memory at a time."""
    found = {}
    progress.start("read images", len(files))
    for each in files:
        (scan,) = read_scans([each], settings=imaging)
        made = extractor.prepare([scan])[0] if isinstance(scan, Scan) else scan
        if isinstance(made, Shown):
            found[each.case] = made
        else:
            progress.say(f"{each.case}: {made}")
        progress.advance()
    progress.finish(f"{len(found)} shown")
    return found


def _drawn(cases: Iterable[str], seed: int) -> list[str]:
    """A simple random sample of the cases, the same whatever their order in the table."""
    return sorted(cases, key=lambda case: content_hash("self-test", seed, case))[:N_CASES]


def _files(cohort: Cohort, case: str) -> CaseFiles:
    image, segmentation = cohort.image_path(case), cohort.segmentation_path(case)
    return CaseFiles(case, str(image), str(segmentation), cohort.segmentation_label(case))


def _of_table(table: Path) -> list[CaseFiles]:
    """Cases of a table, of its training set where it names one."""
    cohort = Cohort.for_extraction(table)
    training = cohort.of_set("training")
    chosen = training if len(training.frame) else cohort
    return [_files(chosen, case) for case in _drawn(map(str, chosen.frame.index), SEED)]


def _of_folder(folder: Path) -> list[CaseFiles]:
    names = [path.name for path in folder.iterdir() if path.is_file() and _is_image(path)]
    return [CaseFiles(name, str(folder / name)) for name in _drawn(names, SEED)]


def _is_image(path: Path) -> bool:
    try:
        format_of(path)
    except CaseError:
        return False
    return True
