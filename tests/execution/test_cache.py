from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radfusion.execution.cache import Cache, write_atomically

KEY = "a" * 64


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path)
    cache.put(KEY, {"x": np.array([1.5, np.nan]), "codes": np.array([[1, 2]])}, {"names": ["é", "b"]})
    return cache


def test_arrays_and_facts_come_back(cache: Cache) -> None:
    arrays, facts = cache.get(KEY) or ({}, {})
    np.testing.assert_array_equal(arrays["x"], [1.5, np.nan])
    np.testing.assert_array_equal(arrays["codes"], [[1, 2]])
    assert facts == {"names": ["é", "b"]}


@pytest.mark.parametrize("position", [0, 20, 60, -1])
def test_a_flipped_bit_makes_the_entry_absent(cache: Cache, position: int) -> None:
    data = bytearray(cache.path(KEY).read_bytes())
    data[position] ^= 1
    cache.path(KEY).write_bytes(data)
    assert cache.get(KEY) is None


@pytest.mark.parametrize("length", [0, 10, 40, 100])
def test_a_cut_entry_is_absent(cache: Cache, length: int) -> None:
    cache.path(KEY).write_bytes(cache.path(KEY).read_bytes()[:length])
    assert cache.get(KEY) is None


def test_failed_writing_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
