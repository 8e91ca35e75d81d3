"""The ledger of a cohort: how often each validation set was scored, and under how many configurations.

It lies beside the cohort table as ``<table>.ledger.jsonl``, one line per set and configuration, and is only ever added
to. It holds hashes, versions and days, no identifiers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from radfusion import __version__
from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash
from radfusion.core.results import SetScoring
from radfusion.execution.cache import default_cache_folder
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.study import Study

__all__ = ["Ledger", "configuration_hash", "register", "set_hash"]

#: What a source records of itself that makes no other features.
_CIRCUMSTANCES = {"versions", "device", "backend", "batch_size", "equality", "spacing", "not_computed", "revision"}
_PACKAGES = {"torch", "torchvision", "onnx", "onnxruntime"}


def set_hash(cohort: Cohort, name: str) -> str:
    """Content hash of the cases of a set with their patients and labels, whatever their order."""
    rows = cohort.of_set(name).frame
    return content_hash(sorted(zip(map(str, rows.index), rows["patient"], rows["label"], strict=True)))


def configuration_hash(study: Study, cohort: Cohort, tables: Mapping[str, FeatureTable]) -> str:
    """Content hash of all that decides what a study finds: its settings, its training cases and its feature sources.

    Title, statements, paths, versions of packages and the device do not count.

    Parameters
    ----------
    study : Study
        Settings.
    cohort : Cohort
        Cases that are used.
    tables : mapping of str to FeatureTable
        One per source.
    """
    settings = _pathless(study.model_dump(exclude={"title", "statements"}))
    left_out = _CIRCUMSTANCES | _PACKAGES
    sources = {
        source: {key: value for key, value in facts.items() if key not in left_out}
        for table in tables.values()
        for source, facts in table.provenance.items()
    }
    return content_hash(settings, set_hash(cohort, "training"), _pathless(sources))


def _pathless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _pathless(item) for key, item in value.items() if not isinstance(item, Path)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pathless(item) for item in value if not isinstance(item, Path)]
    return value


def register(
    study: Study, cohort: Cohort, tables: Mapping[str, FeatureTable], *, place: Workers
) -> tuple[SetScoring, ...]:
    """Record in the ledger of the study's cohort that its validation sets are about to be scored.

    Parameters
    ----------
    study : Study
        Settings.
    cohort : Cohort
        Cases that are used.
    tables : mapping of str to FeatureTable
        One per source.
    place : Workers
        Its cache folder takes the ledger when nothing can be written beside the cohort table.
    """
    spare = place.cache.folder if place.cache else default_cache_folder()
    ledger = Ledger(study.resolve(study.cohort.table), spare, place.progress)
    configuration = configuration_hash(study, cohort, tables)
    return ledger.register({name: set_hash(cohort, name) for name in cohort.sets if name != "training"}, configuration)


@dataclass(frozen=True)
class _Entry:
    """A line; a damaged one has neither set nor configuration."""

    set: str = ""
    set_sha256: str = ""
    configuration_sha256: str = ""

    @classmethod
    def read(cls, line: str) -> _Entry:
        try:
            facts = json.loads(line)
            return cls(*(str(facts[key]) for key in ("set", "set_sha256", "configuration_sha256")))
        except (ValueError, KeyError, TypeError):
            return cls()

    @property
    def damaged(self) -> bool:
        return not self.configuration_sha256

    def concerns(self, other: _Entry) -> bool:
        """Whether it tells of a scoring of the same set: the same cases, or another state of the set of that name."""
        return self.damaged or other.set == self.set or other.set_sha256 == self.set_sha256

    def repeats(self, other: _Entry) -> bool:
        key = (self.set_sha256, self.configuration_sha256)
        return not self.damaged and key == (other.set_sha256, other.configuration_sha256)


@dataclass(frozen=True)
class Ledger:
    """Where a cohort's scorings are counted.

    Attributes
    ----------
    table : pathlib.Path
        The cohort table.
    spare : pathlib.Path
        Folder that takes the ledger when nothing can be written beside the table.
    progress : Progress
        Told of damaged lines, and of a ledger that lies elsewhere.
    """

    table: Path
    spare: Path
    progress: Progress

    def register(self, sets: Mapping[str, str], configuration: str) -> tuple[SetScoring, ...]:
        """Record that sets are about to be scored; the same again adds nothing.

        Parameters
        ----------
        sets : mapping of str to str
            Validation set to its :func:`set_hash`.
        configuration : str
            A :func:`configuration_hash`.

        Returns
        -------
        tuple of SetScoring
            One per set. ``earlier`` counts what was recorded before this configuration was, so it stays the
            same however often the study is run.
        """
        asked = [_Entry(name, digest, configuration) for name, digest in sets.items()]
        name = f"{self.table.stem}.ledger.jsonl"
        try:
            return self._recorded(self.table.with_name(name), asked)
        except OSError as error:
            folder = self.spare / "ledgers" / content_hash(self.table.resolve().as_posix())[:16]
            folder.mkdir(parents=True, exist_ok=True)
            where = f"ledgers/{folder.name}/{name} of the cache folder"
            reason = (error.strerror or type(error).__name__).lower()
            self.progress.say(f"{name} cannot be written beside the cohort table ({reason}); scorings are in {where}")
            return self._recorded(folder / name, asked)

    def _recorded(self, path: Path, asked: Sequence[_Entry]) -> tuple[SetScoring, ...]:
        with FileLock(path.with_name(f".{path.stem}.lock")):
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            entries = [_Entry.read(line) for line in text.splitlines()]
            new = [each for each in asked if not any(each.repeats(entry) for entry in entries)]
            if new:
                _append(path, new, whole=not text or text.endswith("\n"))
        for number, entry in enumerate(entries, start=1):
            if entry.damaged:
                self.progress.say(f"{path.name}, line {number}: damaged; it is kept and counts as an earlier scoring")
        return tuple(_scoring(each, [*entries, *new]) for each in asked)


def _append(path: Path, entries: Sequence[_Entry], *, whole: bool) -> None:
    today = datetime.now(UTC).date().isoformat()
    facts = [vars(each) | {"radfusion": __version__, "first_scored": today} for each in entries]
    text = ("" if whole else "\n") + "".join(json.dumps(each) + "\n" for each in facts)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _scoring(asked: _Entry, entries: Sequence[_Entry]) -> SetScoring:
    own = next(place for place, entry in enumerate(entries) if asked.repeats(entry))
    earlier = sum(entry.concerns(asked) for entry in entries[:own])
    return SetScoring(**vars(asked), ordinal=earlier + 1, earlier=earlier)
