"""Features of frozen networks, the same for the same picture whatever it is computed together with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.core.hashing import file_hash
from radfusion.errors import CaseError, WeightsError
from radfusion.execution.progress import Progress
from radfusion.networks.backends import Computing, Precision
from radfusion.networks.backends.batches import Pictures, Row
from radfusion.networks.backends.choice import choose_computing
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.devices import missing_packages
from radfusion.networks.opened import JUDGED, FrozenNetwork, Opened, file_stamp, settle
from radfusion.networks.sources import Pretrained

__all__ = [
    "Computing",
    "FrozenNetwork",
    "Precision",
    "choose_computing",
    "compute_features",
    "computed_by",
    "stream_features",
    "unusable",
    "weights_hash",
]

#: What networks were computed by in this process.
_used: dict[tuple[FrozenNetwork, Computing], dict[str, Any]] = {}


def stream_features(
    items: Iterable[Pictures], network: FrozenNetwork, computing: Computing, *, progress: Progress | None = None
) -> Iterator[NDArray[np.float32] | CaseError]:
    """Features of many items, lazily and in order, computed in full batches across items while the next are read.

    Parameters
    ----------
    items : iterable of (pictures, regions)
        For each item one or more pictures (k, size, size) of float32, 0 is black and 1 is white, and for the pooling
        ``"roi"`` as many regions, else None. Read in the caller's thread, only a few batches ahead.
    network : FrozenNetwork
        Loaded when the first item is there.
    computing : Computing
        From :func:`choose_computing`.
    progress : Progress, optional
        Told what computes, and when something else takes its place.

    Yields
    ------
    (k, channels) array of float32 or CaseError
        Features of each item, or why it has none; a bad picture costs its own item only.

    Raises
    ------
    WeightsError
        When the weights are absent or not what their source promises.
    UserError
        When the backend that was asked for does not give the network's features.
    ValueError
        When pictures are not of the network's size, or regions come without a use or are missing.
    """
    listener = progress or Progress()
    checked = (_checked(item, network) for item in items)
    first = _first(checked, 1 if computing.precision == "float32" else JUDGED)
    if not first:
        return
    opened = settle(network, computing, first)
    who = f"deep features of {network.chosen.source.name} ({network.chosen.network}, {network.layer})"
    for word in (*opened.words, str(opened.computing)):
        listener.say(f"{who}: {word}")
    _used[network, computing] = _told(opened)
    for rows in opened.batches.stream(chain(first, checked)):
        for word in opened.batches.words():
            listener.say(f"{who}: {word}")
            _used[network, computing] = _told(opened)
        yield _features(rows)


def compute_features(
    pictures: NDArray[np.float32],
    regions: NDArray[np.float32] | None,
    network: FrozenNetwork,
    *,
    computing: Computing,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Features of some pictures; see :func:`stream_features`.

    Parameters
    ----------
    pictures : (n, size, size) array of float32
        0 is black, 1 is white.
    regions : (n, size, size) array of float32 or None
        For the pooling ``"roi"``.
    network : FrozenNetwork
        What features are taken from.
    computing : Computing
        From :func:`choose_computing`.
    progress : Progress, optional
        Told what is worth knowing.

    Returns
    -------
    (n, channels) array of float32

    Raises
    ------
    CaseError
        When the network cannot compute one of the pictures.
    """
    features = next(stream_features([(pictures, regions)], network, computing, progress=progress))
    if isinstance(features, CaseError):
        raise features
    return features


def computed_by(network: FrozenNetwork, computing: Computing) -> dict[str, Any]:
    """What a network was really computed by in this process, for provenance.

    Returns
    -------
    dict
        :meth:`Computing.facts` of the choice or of what took its place, with ``equality`` to eager float32
        (``relative_error, correlation, pictures``) once something was computed.
    """
    used = _used.get((network, computing))
    return computing.facts() if used is None else dict(used)


def weights_hash(chosen: Pretrained) -> str:
    """SHA-256 of a source's file, or the seed of drawn weights in words."""
    file = chosen.file
    return f"drawn with seed {chosen.source.seed}" if file is None else _file_hash(file, file_stamp(file))


def unusable(chosen: Pretrained) -> str | None:
    """Why a network cannot be had from a source's file here, or None; the file is read and proved once per process."""
    return missing_packages() or (None if chosen.file is None else _refusal(chosen, file_stamp(chosen.file)))


def _checked(item: Pictures, network: FrozenNetwork) -> Pictures:
    pictures, regions = item
    if not len(pictures) or pictures.shape[1:] != (network.size, network.size):
        raise ValueError(f"one or more pictures of {network.size} x {network.size} are needed, not {pictures.shape}")
    if (regions is not None) != (network.pooling == "roi"):
        raise ValueError(f"pooling {network.pooling!r} {'needs' if regions is None else 'has no use for'} regions")
    if regions is not None and regions.shape != pictures.shape:
        raise ValueError(f"regions of {regions.shape} for pictures of {pictures.shape}")
    single = np.ascontiguousarray(pictures, dtype=np.float32)
    return single, None if regions is None else np.ascontiguousarray(regions, dtype=np.float32)


def _first(items: Iterator[Pictures], wanted: int) -> list[Pictures]:
    """As many items as hold the pictures that are wanted, or all."""
    found: list[Pictures] = []
    while sum(len(pictures) for pictures, _ in found) < wanted:
        item = next(items, None)
        if item is None:
            break
        found.append(item)
    return found


def _told(opened: Opened) -> dict[str, Any]:
    equality = {} if opened.equality is None else {"equality": opened.equality.facts()}
    return {**opened.computing.facts(), "batch_size": opened.batches.size, **equality}


def _features(rows: list[Row]) -> NDArray[np.float32] | CaseError:
    bad = next((row for row in rows if isinstance(row, CaseError)), None)
    return np.stack([row for row in rows if not isinstance(row, CaseError)]) if bad is None else bad


@lru_cache(maxsize=16)
def _file_hash(file: Path, _stamp: tuple[int, int]) -> str:
    return file_hash(file)


@lru_cache(maxsize=16)
def _refusal(chosen: Pretrained, _stamp: tuple[int, int]) -> str | None:
    try:
        read_checkpoint(chosen)
    except WeightsError as error:
        return str(error)
    return None
