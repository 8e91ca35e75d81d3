"""Getting weights files: found, fetched, imported, verified. Nothing is ever downloaded by surprise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from radfusion.core.hashing import file_hash
from radfusion.errors import WeightsError
from radfusion.execution.cache import default_cache_folder
from radfusion.execution.progress import Progress
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.download import download
from radfusion.networks.sources import WEIGHTS, InputFormat, Pretrained, WeightsFile, WeightsSource
from radfusion.networks.trained import own_source, read_contract

__all__ = [
    "WEIGHTS",
    "InputFormat",
    "Pretrained",
    "WeightsSource",
    "default_weights_folder",
    "fetch_weights",
    "find_weights",
    "how_to_get",
    "import_weights",
    "verify_weights",
]


def default_weights_folder() -> Path:
    """Folder that fetched and imported files go to, one folder per source: ``weights`` in the cache folder."""
    return default_cache_folder() / "weights"


def find_weights(source: WeightsSource, network: str = "resnet50", file: Path | None = None) -> Path | None:
    """File of a source: the one that the study names, else from ``$RADFUSION_WEIGHTS``, else the fetched or imported.

    In both folders a file may lie under its own name, or in a folder with the source's name; the latter goes first,
    because some publishers call different networks by one name.

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
    places = [
        place / name
        for folder in [*folders, default_weights_folder()]
        for place in (folder / source.name, folder)
        for name in names
    ]
    return next((place for place in places if place.is_file()), None)


def how_to_get(source: WeightsSource, network: str = "resnet50") -> str:
    """Sentences for who lacks the file: which one to bring, its hash, the command, and where it may lie.

    Examples
    --------
    >>> print(how_to_get(WEIGHTS["imagenet"], "vgg16"))
    `radfusion weights fetch imagenet --network vgg16`, or, without a network, bring
    https://download.pytorch.org/models/vgg16-397923af.pth (SHA-256 397923af...), then
    `radfusion weights import imagenet vgg16-397923af.pth --network vgg16`, or lay it into $RADFUSION_WEIGHTS/imagenet
    """
    if not source.networks:
        return source.obtain
    form = _forms(source, network)[0]
    if form.url is None:
        known = [f"{each.name}: SHA-256 {each.hashes}" for each in source.files_of(network) if each.sha256]
        told = f" ({', '.join(known)})" if known else ""
        return f"{source.obtain.format(name=source.name)}{told}; then {_keep(source, form)}"
    return f"`radfusion weights fetch {source.name}{_option(form)}`, or, without a network, {_bring(source, form)}"


def verify_weights(source: WeightsSource, file: Path | None = None, network: str = "resnet50") -> dict[str, Any]:
    """Prove that a file is what its source promises; without one, the file at hand.

    Returns
    -------
    dict
        ``source, network, file, form, layout, sha256, hash_known, bytes, tensors, head, layers, batchnorm_layers,
        input``.

    Raises
    ------
    WeightsError
        When it is not; says what it is instead.
    """
    forms = _forms(source, network)
    file = find_weights(source, network, file)
    if file is None:
        raise WeightsError(f"weights {source.name!r} are not here: {how_to_get(source, network)}")
    expected = str(source.input)
    if not forms and read_contract(file) is None:
        expected = "not told by the file: the study must state it"
    elif not forms:
        source = own_source(file, network)
        expected = str(source.input)
    return {**read_checkpoint(Pretrained(source, network, file)).facts, "input": expected}


def import_weights(
    source: WeightsSource, file: Path, network: str = "resnet50", *, progress: Progress | None = None
) -> Path:
    """Verify a file that the user brings and copy it to where it is found from now on.

    Raises
    ------
    WeightsError
        When the file is not what its source promises, or another good one stands in its place; nothing is copied then.
    """
    forms = _forms(source, network)
    if not forms:
        raise WeightsError(f"weights {source.name!r} are not imported: {source.obtain}")
    facts = verify_weights(source, file, network)
    digest = facts["sha256"]
    if progress is not None and not facts["hash_known"]:
        progress.say(_unknown(source, facts))
    target = _target(source, next(form for form in forms if form.name == facts["form"]))
    with _alone(source, target, progress or Progress()):
        if target.is_file() and file_hash(target) != digest:
            raise WeightsError(
                f"weights {source.name!r}: another {target.name} is kept already, SHA-256 {file_hash(target)}, and "
                f"the one brought has {digest}; delete the file that you do not want"
            )
        if not target.is_file():
            _copy(source, file, target)
    return target


def fetch_weights(
    source: WeightsSource, network: str = "resnet50", *, progress: Progress | None = None, timeout: float = 20.0
) -> Path:
    """Download a source's file from its public address, unless a good copy is there already.

    A download that broke off is continued by the next call, where the whole can be checked against a hash. Of
    processes that fetch one file at once, one does and the others wait for it.

    Parameters
    ----------
    source : WeightsSource
        A source with an address.
    network : str
        One of its networks.
    progress : Progress, optional
        Told the address and size before the download starts.
    timeout : float
        Seconds without an answer after which the download is given up.

    Raises
    ------
    WeightsError
        When the source has no address, the network or the disk fails, or what arrives is not the file; nothing but
        the beginning of a good file is left behind.
    """
    listener = progress or Progress()
    form = next((form for form in _forms(source, network) if form.url), None)
    if form is None:
        raise WeightsError(f"weights {source.name!r} cannot be fetched: {how_to_get(source, network)}")
    target = _target(source, form)
    if _is_good(target, form):
        return target
    with _alone(source, target, listener):
        if not _is_good(target, form):
            _fetch(source, form, target, timeout=timeout, progress=listener)
    return target


def _fetch(source: WeightsSource, form: WeightsFile, target: Path, *, timeout: float, progress: Progress) -> None:
    part = target.with_name(f".{target.name}.part")
    free = shutil.disk_usage(target.parent).free
    if free < form.expected_bytes:
        what = f"the disk of the cache has {free / 1e6:.0f} MB left, the file needs {form.expected_bytes / 1e6:.0f} MB"
        raise WeightsError(f"weights {source.name!r}: {what}")
    size = f"{form.expected_bytes / 1e6:.1f} MB" if form.expected_bytes else form.name
    progress.say(f"fetching weights {source.name!r}: {size} from {form.url}")
    try:
        if not (form.sha256 and _is_good(part, form)):
            download(str(form.url), part, resume=bool(form.sha256), timeout=timeout, progress=progress)
        _prove(source, form, part, progress=progress)
    except WeightsError as error:
        if not form.sha256:
            part.unlink(missing_ok=True)
        kept = "; what came is kept, and the same command goes on from there" if part.is_file() else ""
        raise WeightsError(
            f"weights {source.name!r}: {error}{kept}. Without a network, {_bring(source, form)}"
        ) from error
    part.replace(target)


def _prove(source: WeightsSource, form: WeightsFile, part: Path, *, progress: Progress) -> None:
    """Take away what is not the file: by its hash, or by its tensors where no hash is known."""
    digest, received = file_hash(part), part.stat().st_size
    try:
        if not form.sha256:
            progress.say(_unknown(source, dict(read_checkpoint(Pretrained(source, form.network, part)).facts)))
        elif not form.is_known_as(digest):
            raise WeightsError(
                f"{received:,} bytes came from {form.url} with SHA-256 {digest}, not {form.hashes}; nothing was kept"
            )
    except WeightsError:
        part.unlink()
        raise
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def _forms(source: WeightsSource, network: str) -> tuple[WeightsFile, ...]:
    """Files of a source for a network; empty only where the user names any file."""
    NETWORKS[network]
    if source.drawn:
        raise WeightsError(f"weights {source.name!r} are drawn with a fixed seed: there is no file")
    forms = source.files_of(network)
    if source.networks and not forms:
        raise WeightsError(
            f"weights {source.name!r} have no file for {network}; there are files for {', '.join(source.networks)}"
        )
    return forms


def _copy(source: WeightsSource, file: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.import")
    try:
        shutil.copyfile(file, part)
        part.replace(target)
    except OSError as error:
        raise WeightsError(f"weights {source.name!r}: {file.name} cannot be copied ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _alone(source: WeightsSource, target: Path, progress: Progress) -> Iterator[None]:
    """Let one process at a time write a file."""
    lock = FileLock(target.with_name(f".{target.name}.lock"), mode=0o666)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        progress.say(f"weights {source.name!r}: another process writes this file; waiting for it")
        lock.acquire()
    except OSError as error:
        raise WeightsError(f"weights {source.name!r}: nothing can be kept in the cache: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _is_good(target: Path, form: WeightsFile) -> bool:
    return target.is_file() and (not form.sha256 or form.is_known_as(file_hash(target)))


def _target(source: WeightsSource, form: WeightsFile) -> Path:
    return default_weights_folder() / source.name / form.name


def _unknown(source: WeightsSource, facts: dict[str, Any]) -> str:
    return (
        f"weights {source.name!r}: all {facts['tensors']} tensors are in place, but SHA-256 {facts['sha256']} is "
        f"not one that {source.title} is known by; the hash goes into every report"
    )


def _bring(source: WeightsSource, form: WeightsFile) -> str:
    known = f" (SHA-256 {form.hashes})" if form.sha256 else ""
    return f"bring {form.url}{known}, then {_keep(source, form)}"


def _keep(source: WeightsSource, form: WeightsFile) -> str:
    return (
        f"`radfusion weights import {source.name} {form.name}{_option(form)}`, or lay it into $RADFUSION_WEIGHTS/"
        f"{source.name}"
    )


def _option(form: WeightsFile) -> str:
    return "" if form.network == "resnet50" else f" --network {form.network}"
