"""Extraction alone: feature tables of a study, or of a bare table of images, with where every number came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash, file_hash
from radfusion.core.registry import nearest
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError, StudyError, UserError
from radfusion.execution.cache import Cache, default_cache_folder, write_atomically
from radfusion.execution.executors import Executor
from radfusion.execution.file_hashes import file_hashes
from radfusion.execution.progress import Progress
from radfusion.execution.provenance import package_versions, platform_facts
from radfusion.extraction.dictionary import dictionary
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.tables import extract
from radfusion.imaging.settings import ImagingSettings
from radfusion.pipelines.fusion import available_extractors
from radfusion.study import Study

__all__ = ["FORMATS", "Extractions", "extractions_of", "write_tables"]

#: Words of ``--format`` and the files that they ask for.
FORMATS: Mapping[str, tuple[str, ...]] = {"parquet": ("parquet",), "csv": ("csv",), "both": ("parquet", "csv")}
_STUDIES, _TABLES = (".yaml", ".yml"), (".csv", ".xlsx", ".parquet")


@dataclass(frozen=True)
class Extractions:
    """What is to be extracted.

    Attributes
    ----------
    cohort : Cohort
        Cases.
    table : pathlib.Path
        Where they are listed.
    extractors : sequence of Extractor
        One feature table each.
    imaging : ImagingSettings
        How files are read.
    """

    cohort: Cohort
    table: Path
    extractors: Sequence[Extractor]
    imaging: ImagingSettings


def extractions_of(
    target: Path,
    overrides: Sequence[str] = (),
    *,
    parameters: Path | None = None,
    progress: Progress | None = None,
    offline: bool = False,
) -> Extractions:
    """Read what is to be extracted.

    Parameters
    ----------
    target : path
        A study file, or a table with a column of images and one of segmentations (CSV, Excel, Parquet; PyRadiomics'
        batch table is one); labels and sets are not needed.
    overrides : sequence of str
        ``dotted.key=value``, of a study file only.
    parameters : path, optional
        Parameter file of PyRadiomics; takes the place of the study's radiomic settings.
    progress : Progress, optional
        Told of weights that are left out.
    offline : bool
        Never ask the network for weights.

    Raises
    ------
    UserError
        For every mistake of study file, table or parameter file.
    """
    radiomics = None if parameters is None else Radiomics(parameters=parameters).at_hand(Path())
    if target.suffix.lower() in _TABLES:
        if overrides:
            raise UserError(f"{target.name} is a table: --set changes study files, --parameters says what to extract")
        usable = [_usable(radiomics or Radiomics())]
        return Extractions(Cohort.for_extraction(target), target, usable, ImagingSettings())
    if target.suffix.lower() not in _STUDIES:
        allowed = ", ".join((*_STUDIES, *_TABLES))
        raise StudyError(f"neither a study file nor a table; the name ends in one of {allowed}", file=target)
    study = Study.from_yaml(target, overrides)
    if radiomics is not None:
        features = study.features.model_copy(update={"radiomics": radiomics})
        study = study.model_copy(update={"features": features})
    if not study.features.needs_images:
        raise FeatureError(f"{target.name}: all features of the study come from tables; there is nothing to extract")
    extractors, _ = available_extractors(study, progress or Progress(), offline=offline)
    return Extractions(study.read_cohort(), study.resolve(study.cohort.table), extractors, study.imaging)


def write_tables(
    work: Extractions,
    out: Path,
    *,
    formats: str = "both",
    executor: Executor | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Exclusion, ...]:
    """Extract and write one table per source; return the cases that gave no row.

    Parameters
    ----------
    work : Extractions
        What to extract.
    out : path
        Folder for ``SOURCE.parquet``, ``SOURCE.csv``, ``SOURCE.provenance.json``, ``dictionary.csv`` and
        ``exclusions.csv``; the same input gives the same bytes.
    formats : {"both", "parquet", "csv"}
        Which files of numbers.
    executor : Executor, optional
        Where work runs; in this process when not given.
    cache : path, optional
        Folder of the cache; the user's cache folder when not given.
    progress : Progress, optional
        Listener.

    Raises
    ------
    UserError
        When the format is unknown.
    """
    if formats not in FORMATS:
        raise UserError(f"--format {formats!r}: {nearest(formats, list(FORMATS))}")
    remembered = Cache(cache or default_cache_folder())
    inputs = _inputs(work, remembered)
    out.mkdir(parents=True, exist_ok=True)
    tables = {}
    for extractor in work.extractors:
        table = extract(
            work.cohort,
            extractor,
            imaging=work.imaging,
            executor=executor,
            cache=remembered,
            progress=progress,
        )
        tables[extractor.source] = table
        _write(table, out / extractor.source.replace("/", "_"), kinds=FORMATS[formats], inputs=inputs)
    _write_csv(out / "dictionary.csv", _dictionary(tables))
    rows = [(name, each.case, each.stage, each.reason) for name, table in tables.items() for each in table.exclusions]
    _write_csv(out / "exclusions.csv", pd.DataFrame(rows, columns=["source", "case", "stage", "reason"]))
    return tuple(dict.fromkeys(each for table in tables.values() for each in table.exclusions))


def _usable(extractor: Radiomics) -> Radiomics:
    if reason := extractor.unavailable():
        raise FeatureError(reason)
    return extractor


def _inputs(work: Extractions, cache: Cache) -> dict[str, Any]:
    """What went in, as hashes: names of files and folders are nobody's business."""
    cohort = work.cohort
    files = {cohort.image_path(case) for case in cohort.frame.index}
    files |= {cohort.segmentation_path(case) for case in cohort.frame.index}
    return {
        "cohort_sha256": file_hash(work.table),
        "files": len(files),
        "files_sha256": content_hash(sorted(filter(None, file_hashes(sorted(files), cache)))),
        "imaging": work.imaging.model_dump(mode="json"),
    }


def _write(table: FeatureTable, base: Path, *, kinds: Sequence[str], inputs: Mapping[str, Any]) -> None:
    cases, features = table.frame.shape
    counts = {"cases": cases + len(table.exclusions), "extracted": cases, "features": features}
    facts = {
        "made_by": {**platform_facts(), "packages": package_versions()},
        "inputs": inputs,
        "counts": {**counts, "excluded": len(table.exclusions)},
        "table_sha256": table.hash(),
    }
    if "parquet" in kinds:
        write_atomically(base.with_name(f"{base.name}.parquet"), table.to_parquet(facts))
    if "csv" in kinds:
        write_atomically(base.with_name(f"{base.name}.csv"), table.to_csv().encode())
    write_atomically(base.with_name(f"{base.name}.provenance.json"), table.facts_text(facts).encode())


def _dictionary(tables: Mapping[str, FeatureTable]) -> pd.DataFrame:
    parts = [dictionary(table.frame.columns).assign(source=name) for name, table in tables.items()]
    table = pd.concat(parts, ignore_index=True)
    return table[["source", *table.columns.drop("source")]]


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_atomically(path, table.to_csv(index=False, lineterminator="\n").encode())
