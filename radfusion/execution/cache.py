"""A content-addressed store of arrays: finished work is found again, damaged entries are made again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

__all__ = ["Cache", "default_cache_folder"]

_MAGIC = b"radfusion-cache-1\n"
Arrays = Mapping[str, NDArray[Any]]


def default_cache_folder() -> Path:
    """``$RADFUSION_CACHE``, else ``radfusion`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RADFUSION_CACHE") or Path(base) / "radfusion")


class Cache:
    """Entries of named arrays plus a JSON text, under a content hash.

    An entry holds its own SHA-256; one that does not match is treated as absent. Writing is atomic (temporary file,
    fsync, rename), so readers never see half an entry and two writers of one key do no harm.

    Parameters
    ----------
    folder : path
        Where entries live; made when first written to.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> cache = Cache(tempfile.mkdtemp())
    >>> cache.put("0" * 64, {"values": np.arange(3.0)}, {"names": ["a", "b", "c"]})
    >>> arrays, facts = cache.get("0" * 64)
    >>> arrays["values"].tolist(), facts["names"]
    ([0.0, 1.0, 2.0], ['a', 'b', 'c'])
    >>> cache.get("1" * 64) is None
    True
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """File of an entry."""
        return self.folder / key[:2] / f"{key}.entry"

    def get(self, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Arrays and facts of an entry, or None when it is absent or damaged."""
        try:
            data = self.path(key).read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + 32
        if not data.startswith(_MAGIC) or hashlib.sha256(data[head:]).digest() != data[len(_MAGIC) : head]:
            return None
        length = int.from_bytes(data[head : head + 8], "little")
        facts, tensors = data[head + 8 : head + 8 + length], data[head + 8 + length :]
        try:
            return load(tensors), json.loads(facts)
        except (SafetensorError, ValueError):
            return None

    def put(self, key: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> None:
        """Write an entry, replacing one of the same key."""
        text = json.dumps(facts or {}, allow_nan=False).encode()
        tensors = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        body = len(text).to_bytes(8, "little") + text + tensors
        write_atomically(self.path(key), _MAGIC + hashlib.sha256(body).digest() + body)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
