"""Hashes of many files, read once: the file system says whether they are still the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from radfusion.core.hashing import content_hash, file_hash
from radfusion.execution.cache import Cache

__all__ = ["file_hashes"]

#: A file that was changed so shortly ago may be changed again within the same tick of the file system's clock.
_SETTLED_NS = 10 * 10**9


def file_hashes(paths: Sequence[str | Path], cache: Cache | None) -> list[str | None]:
    """SHA-256 of each file or folder, None for what cannot be read.

    The hashes of a list of files are remembered under device, inode, size and times of change of all of them: no name
    enters the cache, and a list of which one file was touched is read anew.

    Parameters
    ----------
    paths : sequence of path
        Files, or folders of files.
    cache : Cache or None
        Where hashes are remembered.
    """
    different = list(dict.fromkeys(map(str, paths)))  # cases may share a film
    hashes = _remembered(different, cache) if cache else [_hash(path) for path in different]
    found = dict(zip(different, hashes, strict=True))
    return [found[str(path)] for path in paths]


def _remembered(paths: Sequence[str], cache: Cache) -> list[str | None]:
    stamps = [_stamp(Path(path)) for path in paths]
    key = content_hash("hashes of files", stamps)
    entry = cache.get(key)
    if entry is not None:
        return list(entry[1]["sha256"])
    found = [_hash(path) for path in paths]
    newest = max((changed for stamp in stamps for *_, changed in stamp), default=0)
    if None not in found and time.time_ns() - newest > _SETTLED_NS:
        cache.put(key, {}, {"sha256": found})
    return found


def _stamp(path: Path) -> list[tuple[int, ...]]:
    """What changes when a file does; of a folder, that of its files, too."""
    try:
        inside = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else []
        states = [each.stat() for each in (path, *inside)]
    except OSError:
        return []
    return [(each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in states]


def _hash(path: str) -> str | None:
    try:
        return file_hash(path)
    except OSError:
        return None
