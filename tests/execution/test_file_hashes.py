"""Hashes of files are remembered, and never those of a file that changed."""

import os
import shutil

import pytest

from radfusion.core.hashing import file_hash
from radfusion.execution import file_hashes as module
from radfusion.execution.cache import Cache
from radfusion.execution.file_hashes import file_hashes


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files and a folder of one, which count as settled at once."""
    monkeypatch.setattr(module, "_SETTLED_NS", 0)
    (tmp_path / "series").mkdir()
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "series"]
    for path in (*paths[:2], paths[2] / "1.dcm"):
        path.write_bytes(path.name.encode())
    return paths


def entries(cache):
    return sorted(path.name for path in cache.folder.rglob("*.entry"))


def test_the_hashes_are_those_of_the_files_and_are_read_once(files, tmp_path):
    cache = Cache(tmp_path / "cache")
    expected = [file_hash(path) for path in files]
    assert file_hashes(files, cache) == expected
    (key,) = (name.removesuffix(".entry") for name in entries(cache))
    cache.put(key, {}, {"sha256": ["remembered"] * 3})
    assert file_hashes(files, cache) == ["remembered"] * 3


def test_a_file_that_changed_is_read_anew_even_with_its_old_time_and_size(files, tmp_path):
    cache = Cache(tmp_path / "cache")
    before = file_hashes(files, cache)
    for changed in (files[0], files[2] / "1.dcm"):
        state = changed.stat()
        other = changed.read_bytes()[::-1]
        while changed.stat().st_ctime_ns == state.st_ctime_ns:  # until the clock of the file system ticks
            changed.write_bytes(other)
            os.utime(changed, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = file_hashes(files, cache)
    assert after == [file_hash(path) for path in files]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, False]


def test_what_is_absent_is_none_and_nothing_is_remembered(files, tmp_path):
    cache = Cache(tmp_path / "cache")
    shutil.rmtree(files[2])
    assert file_hashes(files, cache)[2] is None
    assert entries(cache) == []


def test_files_changed_a_moment_ago_are_not_remembered(files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SETTLED_NS", 10**12)
    cache = Cache(tmp_path / "cache")
    assert None not in file_hashes(files, cache)
    assert entries(cache) == []
