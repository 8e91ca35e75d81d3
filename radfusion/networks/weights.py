"""Getting weights files: found, fetched, imported, verified. Nothing is ever downloaded by surprise."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import IO, Any

from radfusion.core.hashing import file_hash
from radfusion.errors import WeightsError
from radfusion.execution.cache import default_cache_folder, write_atomically
from radfusion.execution.progress import Progress
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.sources import WEIGHTS, InputFormat, Pretrained, WeightsFile, WeightsSource

__all__ = [
    "WEIGHTS",
    "InputFormat",
    "Pretrained",
    "WeightsSource",
    "default_weights_folder",
    "fetch_weights",
    "find_weights",
    "import_weights",
    "verify_weights",
]

_BLOCK = 1 << 20


def default_weights_folder() -> Path:
    """Folder that fetched and imported files go to: ``weights`` in the cache folder."""
    return default_cache_folder() / "weights"


def find_weights(source: WeightsSource, network: str = "resnet50", file: Path | None = None) -> Path | None:
    """File of a source: the one that the study names, else from ``$RADFUSION_WEIGHTS``, else the fetched or imported.

    Returns
    -------
    path or None
        None when the file is nowhere, and for a source that needs none.

    Raises
    ------
    WeightsError
        When the study names a file that is not there, or names one for a source that needs none.
    """
    if source.drawn:
        if file is not None:
            raise WeightsError(f"weights {source.name!r} are drawn, not read: leave out the file {file}")
        return None
    if file is not None:
        if not file.is_file():
            raise WeightsError(f"weights {source.name!r}: {file} is not a file")
        return file
    own = os.environ.get("RADFUSION_WEIGHTS")
    folders = [Path(own)] if own else []
    names = [form.name for form in source.files_of(network)]
    places = [folder / name for folder in [*folders, default_weights_folder()] for name in names]
    return next((place for place in places if place.is_file()), None)


def verify_weights(source: WeightsSource, file: Path, network: str = "resnet50") -> dict[str, Any]:
    """Prove that a file is what its source promises.

    Returns
    -------
    dict
        ``source, file, sha256, hash_known, bytes, tensors, head, layers, batchnorm_layers``.

    Raises
    ------
    WeightsError
        When it is not; says what it is instead.
    """
    _needs_file(source)
    return dict(read_checkpoint(Pretrained(source, network, file)).facts)


def import_weights(
    source: WeightsSource, file: Path, network: str = "resnet50", *, progress: Progress | None = None
) -> Path:
    """Verify a file that the user brings and copy it to where it is found from now on.

    Raises
    ------
    WeightsError
        When the file is not what its source promises; nothing is copied then.
    """
    facts = verify_weights(source, file, network)
    if progress is not None and not facts["hash_known"]:
        progress.say(
            f"weights {source.name!r}: all {facts['tensors']} tensors are in place, but SHA-256 {facts['sha256']} is "
            f"not one that {source.title} is known by; the hash goes into every report"
        )
    form = source.files_of(network)[0]
    target = _target(form)
    write_atomically(target, file.read_bytes())
    return target


def fetch_weights(
    source: WeightsSource, network: str = "resnet50", *, progress: Progress | None = None, timeout: float = 20.0
) -> Path:
    """Download a source's file from its public address, unless a good copy is there already.

    Parameters
    ----------
    source : WeightsSource
        A source with an address.
    progress : Progress, optional
        Told the address and size before the download starts.
    timeout : float
        Seconds without an answer after which the download is given up.

    Raises
    ------
    WeightsError
        When the source has no address, the network fails, or what arrives has another hash; nothing is left behind.
    """
    _needs_file(source)
    form = source.files_of(network)[0]
    target = _target(form)
    if form.url is None:
        raise WeightsError(
            f"weights {source.name!r} cannot be fetched: {source.obtain}; then "
            f"`radfusion weights import {source.name} {form.name}`"
        )
    if target.is_file() and file_hash(target) in form.sha256:
        return target
    listener = progress or Progress()
    listener.say(f"fetching weights {source.name!r}: {(form.size or 0) / 1e6:.1f} MB from {form.url}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise WeightsError(f"weights {source.name!r}: nothing can be kept in the cache: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            _download(source, form, file, timeout=timeout, progress=listener)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target


def _needs_file(source: WeightsSource) -> None:
    if source.drawn:
        raise WeightsError(f"weights {source.name!r} are drawn with a fixed seed: there is no file")


def _target(form: WeightsFile) -> Path:
    return default_weights_folder() / form.name


def _download(source: WeightsSource, form: WeightsFile, file: IO[bytes], *, timeout: float, progress: Progress) -> None:
    digest, received = hashlib.sha256(), 0
    progress.start(f"fetch {source.name}", -(-(form.size or 0) // _BLOCK))
    try:
        with urllib.request.urlopen(str(form.url), timeout=timeout) as answer:
            while block := answer.read(_BLOCK):
                file.write(block)
                digest.update(block)
                received += len(block)
                progress.advance()
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"weights {source.name!r}: {form.url} could not be fetched ({getattr(error, 'reason', error)}). "
            f"Without a network, bring the file: `radfusion weights import {source.name} {form.name}`, or put "
            "it into the folder that RADFUSION_WEIGHTS names"
        ) from error
    if digest.hexdigest() not in form.sha256:
        raise WeightsError(
            f"weights {source.name!r}: {received:,} of {form.size or 0:,} bytes came from {form.url} with SHA-256 "
            f"{digest.hexdigest()}, not {' or '.join(form.sha256)}; nothing was kept. Try again, or bring the file: "
            f"`radfusion weights import {source.name} {form.name}`"
        )
    progress.finish(f"{received / 1e6:.1f} MB, SHA-256 as published")
