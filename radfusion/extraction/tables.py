"""Extraction of a cohort: cached, parallel, interruptible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash
from radfusion.core.results import Exclusion
from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import Executor, Outcome, Serial
from radfusion.execution.file_hashes import file_hashes
from radfusion.execution.progress import Progress
from radfusion.execution.provenance import package_versions, source_revision
from radfusion.extraction.engine import Measured
from radfusion.extraction.extractors.base import Extracted, Extractor, Shown
from radfusion.imaging.loading import CaseFiles, read_scans
from radfusion.imaging.segmentations import source_hash
from radfusion.imaging.settings import ImagingSettings

__all__ = ["Extraction", "extract", "extract_batch"]

#: Batches per worker that may wait to be shown to a network.
AHEAD = 8
#: What the cache keeps of a case beside its features.
_KEPT = ("has_spacing", "faults", "computed")
_UNTOLD = "these cases give no such feature"


@dataclass(frozen=True)
class Extraction:
    """One task: an extractor and the cases of a batch."""

    extractor: Extractor
    imaging: ImagingSettings
    cases: tuple[CaseFiles, ...]


def extract(
    cohort: Cohort,
    extractor: Extractor,
    *,
    imaging: ImagingSettings | None = None,
    executor: Executor | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> FeatureTable:
    """Extract features of every case.

    Parameters
    ----------
    cohort : Cohort
        Cases with their files.
    extractor : Extractor
        What to extract, for example ``Radiomics()``.
    imaging : ImagingSettings, optional
        How files are read.
    executor : Executor, optional
        Where work runs; in this process when not given.
    cache : Cache, optional
        Where finished cases are remembered, under a hash of file contents, settings and versions.
    progress : Progress, optional
        Listener.

    Returns
    -------
    FeatureTable
        Rows in cohort order, columns named ``source:feature``; cases that could not be used are in ``exclusions``.
    """
    imaging = imaging or ImagingSettings()
    progress = progress or Progress()
    files = [_files(cohort, case) for case in cohort.frame.index]
    progress.start(f"extract {extractor.source}", len(files))
    keys = _cache_keys(files, extractor, imaging=imaging, cache=cache) if cache else {}
    done = _remembered(keys, cache) if cache else {}
    progress.advance(len(done))
    remembered = len(done)
    todo = [case for case in files if case.case not in done]
    prepared = _run(todo, extractor, imaging=imaging, executor=executor or Serial())
    for result in extractor.complete(prepared, progress):
        done[result.case] = result
        if cache and result.case in keys and not result.reason:
            _remember(cache, keys[result.case], result)
        progress.advance()
    table = _table(files, done, extractor)
    for name in ("backend", "precision"):
        if isinstance(used := table.provenance[extractor.source].get(name), list):
            unlike = f"{extractor.source}: some cases were computed with {name} {used[0]}, others with {used[1]}"
            progress.say(f"{unlike}; another --cache computes all of them alike")
    progress.finish(f"{len(table.frame)} cases, {remembered} from cache, {len(table.exclusions)} excluded")
    return table


def extract_batch(task: Extraction) -> list[Extracted]:
    """Read the cases of one batch and do a worker's part, one image after the other.

    A case that cannot be used costs itself only, and no more than one image is in memory.
    """
    groups = groupby(task.cases, key=lambda files: files.image)
    return [each for _, group in groups for each in _extract_image(replace(task, cases=tuple(group)))]


def _extract_image(task: Extraction) -> list[Extracted]:
    try:
        read = read_scans(task.cases, settings=task.imaging)
    except MemoryError as error:
        return [_excluded(files.case, error, "read") for files in task.cases]
    scans = [scan for scan in read if isinstance(scan, Scan)]
    failed = zip(task.cases, read, strict=True)
    results = [_excluded(files.case, error, "read") for files, error in failed if isinstance(error, CaseError)]
    try:
        values = task.extractor.prepare(scans) if scans else []
    except (CaseError, MemoryError, RuntimeError) as error:  # RuntimeError: torch and ITK, memory of the GPU included
        if len(scans) == 1:
            return [*results, _excluded(scans[0].case, error, task.extractor.kind)]
        single = {scan.case for scan in scans}
        alone = [Extraction(task.extractor, task.imaging, (files,)) for files in task.cases if files.case in single]
        return [*results, *(result for part in alone for result in _extract_image(part))]
    return [*results, *(_extracted(scan, each, task.extractor.kind) for scan, each in zip(scans, values, strict=True))]


def _extracted(scan: Scan, measured: Measured | Shown | CaseError, stage: str) -> Extracted:
    if isinstance(measured, CaseError):
        return _excluded(scan.case, measured, stage)
    known = scan.spacing is not None
    if isinstance(measured, Shown):
        return Extracted(scan.case, {}, has_spacing=known, shown=measured)
    return Extracted(scan.case, measured.values, has_spacing=known, faults=measured.faults)


def _excluded(case: str, error: Exception, stage: str) -> Extracted:
    if isinstance(error, CaseError):
        return Extracted(case, {}, stage=error.stage, reason=error.reason)
    first_line = (str(error).splitlines() or [""])[0]
    return Extracted(case, {}, stage=stage, reason=f"{type(error).__name__}: {first_line}")


def _files(cohort: Cohort, case: str) -> CaseFiles:
    image, segmentation = cohort.image_path(case), cohort.segmentation_path(case)
    return CaseFiles(str(case), str(image), str(segmentation), cohort.segmentation_label(case))


def _cache_keys(
    files: Sequence[CaseFiles], extractor: Extractor, *, imaging: ImagingSettings, cache: Cache
) -> dict[str, str]:
    made_by = [package_versions(), source_revision("imaging", "extraction", "networks")]
    settings = content_hash(extractor.kind, dict(extractor.identity()), imaging, made_by)
    keys = {}
    for case, image in zip(files, file_hashes([case.image for case in files], cache), strict=True):
        try:
            drawn = None
            if case.segmentation:
                drawn = source_hash(Path(case.segmentation), case.label, Path(case.image), settings=imaging)
        except OSError:
            continue  # reading the case will say what is wrong with the file
        if image is not None:
            keys[case.case] = content_hash(settings, image, drawn)
    return keys


def _remembered(keys: Mapping[str, str], cache: Cache) -> dict[str, Extracted]:
    found = {}
    for case, key in keys.items():
        entry = cache.get(key)
        if entry is not None:
            arrays, facts = entry
            features = dict(zip(facts["names"], arrays["values"].tolist(), strict=True))
            told = {name: facts[name] for name in _KEPT}
            found[case] = Extracted(case, features, **told)
    return found


def _remember(cache: Cache, key: str, result: Extracted) -> None:
    values = np.array(list(result.features.values()), dtype=np.float64)
    facts = {"names": list(result.features), **{name: getattr(result, name) for name in _KEPT}}
    cache.put(key, {"values": values}, facts)


def _run(
    todo: Sequence[CaseFiles], extractor: Extractor, *, imaging: ImagingSettings, executor: Executor
) -> Iterator[Extracted]:
    batches = list(_batches(todo, extractor.batch))
    lost: list[CaseFiles] = []
    for batch, outcome in _outcomes(batches, extractor, imaging=imaging, executor=executor):
        if outcome.value is not None:
            yield from outcome.value
        elif len(batch) > 1:
            lost.extend(batch)
        else:
            yield _unanswered(batch[0], extractor, outcome)
    for batch, outcome in _outcomes([(files,) for files in lost], extractor, imaging=imaging, executor=executor):
        yield from outcome.value if outcome.value is not None else [_unanswered(batch[0], extractor, outcome)]


def _batches(todo: Sequence[CaseFiles], size: int) -> Iterator[tuple[CaseFiles, ...]]:
    """At least `size` cases at a time; the cases of an image stay together, so that it is read and filtered once."""
    images: dict[str, list[CaseFiles]] = {}
    for files in todo:
        images.setdefault(files.image, []).append(files)
    batch: list[CaseFiles] = []
    for group in images.values():
        batch.extend(group)
        if len(batch) >= size:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def _unanswered(files: CaseFiles, extractor: Extractor, outcome: Outcome[list[Extracted]]) -> Extracted:
    return Extracted(files.case, {}, stage=extractor.kind, reason=outcome.error or "the worker gave no result")


def _outcomes(
    batches: Sequence[tuple[CaseFiles, ...]], extractor: Extractor, *, imaging: ImagingSettings, executor: Executor
) -> Iterator[tuple[tuple[CaseFiles, ...], Outcome[list[Extracted]]]]:
    tasks = [Extraction(extractor, imaging, batch) for batch in batches]
    return zip(batches, executor.map(extract_batch, tasks, ahead=AHEAD), strict=True) if tasks else iter(())


def _table(files: Sequence[CaseFiles], done: Mapping[str, Extracted], extractor: Extractor) -> FeatureTable:
    rows = {case.case: done[case.case].features for case in files if not done[case.case].reason}
    exclusions = tuple(
        Exclusion(case=case.case, stage=done[case.case].stage, reason=done[case.case].reason)
        for case in files
        if done[case.case].reason
    )
    frame = pd.DataFrame.from_dict(rows, orient="index", dtype=np.float64)
    frame.columns = pd.Index([f"{extractor.source}:{name}" for name in frame.columns])
    known = sum(done[case].has_spacing for case in rows)
    facts = {**extractor.identity(), **_computed([done[case].computed for case in rows])}
    facts["spacing"] = {"known": known, "unknown": len(rows) - known}
    facts["not_computed"] = _not_computed(frame, done, extractor.source)
    return FeatureTable(frame, {extractor.source: facts}, exclusions)


def _computed(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the cases say of their computing; a list where they do not agree."""
    values: dict[str, list[Any]] = {}
    for name, value in (pair for each in told for pair in each.items()):
        if value not in values.setdefault(name, []):
            values[name].append(value)
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _not_computed(frame: pd.DataFrame, done: Mapping[str, Extracted], source: str) -> dict[str, dict[str, Any]]:
    """Features without a value in some cases: in how many, and the reason that most of these cases give."""
    told: dict[str, list[str]] = {}
    for case in frame.index:
        for name, why in done[case].faults.items():
            told.setdefault(name, []).append(why)
    missing = {str(name).removeprefix(f"{source}:"): int(count) for name, count in frame.isna().sum().items() if count}
    for name, count in missing.items():
        reasons = told.setdefault(name, [])
        reasons.extend([_UNTOLD] * (count - len(reasons)))
    return {
        name: {"n": len(reasons), "reason": max(sorted(set(reasons)), key=reasons.count)}
        for name, reasons in told.items()
    }
