"""Opening frozen networks: loaded, handed to a backend, and proved to give the features of eager float32."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError, UserError
from radfusion.networks.backbones import Pooling, load_network
from radfusion.networks.backends import BACKENDS, Computing
from radfusion.networks.backends.base import grey_network
from radfusion.networks.backends.batches import Batches, Pictures
from radfusion.networks.backends.choice import others
from radfusion.networks.backends.equality import EXACT, HALF, Equality, compare, probe
from radfusion.networks.devices import first_line, repeatable
from radfusion.networks.graphs import fold_batchnorm
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import nn

__all__ = ["JUDGED", "FrozenNetwork", "Opened", "file_stamp", "open_network", "settle"]

#: Pictures that half precision is judged by, at most; it needs `_FEWEST` for a correlation to say anything.
JUDGED = 64
_FEWEST = 8
#: What a library raises that cannot take over a network.
_CANNOT = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, OSError, ImportError, MemoryError)


@dataclass(frozen=True)
class FrozenNetwork:
    """What features are taken from.

    Attributes
    ----------
    chosen : Pretrained
        Weights with their network.
    layer : str
        Layer of the network.
    pooling : {"global", "roi"}
        Average over the picture, or over the region of interest.
    size : int
        Rows and columns of the pictures.
    """

    chosen: Pretrained
    layer: str
    pooling: Pooling = "global"
    size: int = 224


@dataclass(frozen=True)
class Opened:
    """A network ready to compute.

    Attributes
    ----------
    batches : Batches
        Computes.
    computing : Computing
        What with, which may not be what was chosen.
    equality : Equality or None
        How equal its features are to those of eager float32; None for half precision that was not judged.
    words : tuple of str
        What has to be told of this.
    """

    batches: Batches
    computing: Computing
    equality: Equality | None = None
    words: tuple[str, ...] = ()


def settle(network: FrozenNetwork, computing: Computing, first: Sequence[Pictures]) -> Opened:
    """Open a network as chosen, or in float32 where half precision is not proved equal on the first pictures.

    bfloat16 is never equal enough and used all the same: it is not chosen unless asked for by name.

    Raises
    ------
    UserError
        When the backend that was asked for does not give the network's features.
    """
    if computing.precision == "float32":
        return open_network(network, computing)
    exact = open_network(network, replace(computing, precision="float32"))
    half = open_network(network, computing)
    equality = _judge(half, exact, first)
    told = f"{computing.precision} against float32: {equality or f'fewer than {_FEWEST} pictures to judge by'}"
    if computing.precision == "bfloat16":
        return replace(half, equality=equality, words=(*half.words, f"{told}; used because it was asked for"))
    if equality is not None and equality.within(HALF):
        return replace(half, equality=equality, words=(*half.words, told))
    return replace(exact, words=(*exact.words, f"{told}; not proved equal, so float32 takes its place"))


def open_network(network: FrozenNetwork, computing: Computing) -> Opened:
    """Load a network and hand it to its backend, or to the next one where the features are not those of eager torch.

    The last few networks stay open. Half precision is not proved here, see :func:`settle`.

    Raises
    ------
    WeightsError
        When the weights are absent or not what their source promises.
    UserError
        When the backend that was asked for does not give the network's features.
    """
    return _open(network, file_stamp(network.chosen.file), computing)


def file_stamp(file: Path | None) -> tuple[int, int]:
    """Size and time of a file, so that a replaced one is read anew."""
    if file is None:
        return 0, 0
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)
def _open(network: FrozenNetwork, _stamp: tuple[int, int], computing: Computing) -> Opened:
    chosen = network.chosen
    plain = load_network(chosen, network.layer, network.pooling)
    examples = probe(network.size, regions=network.pooling == "roi")
    expected = _eager(grey_network(plain, chosen.source.input), examples)
    words: list[str] = []
    for each in (computing, *others(computing)):
        folded = fold_batchnorm(copy.deepcopy(plain))
        opened = _attempt(grey_network(folded, chosen.source.input), each, examples, expected=expected)
        if isinstance(opened, Opened):
            return replace(opened, words=tuple(words))
        words.append(f"{BACKENDS[each.backend].title} is refused: {opened}")
    raise UserError(f"deep features of {chosen.source.name} ({chosen.network}): {'; '.join(words)}")


def _attempt(
    module: nn.Module,
    computing: Computing,
    examples: Sequence[NDArray[np.float32]],
    *,
    expected: NDArray[np.float32],
) -> Opened | str:
    """Network opened by one backend, or why not."""
    try:
        batches = Batches(BACKENDS[computing.backend].open(module, computing, examples), computing.batch_size)
    except _CANNOT as error:
        return f"it cannot take over the network ({type(error).__name__}: {first_line(error)})"
    if computing.precision != "float32":
        return Opened(batches, computing)
    rows = batches.compute(examples[0], examples[1] if len(examples) > 1 else None)
    if bad := next((row for row in rows if isinstance(row, CaseError)), None):
        return bad.reason
    equality = compare(np.stack([row for row in rows if not isinstance(row, CaseError)]), expected)
    if not equality.within(EXACT):
        return f"its features are not those of eager torch ({equality})"
    return Opened(batches, computing, equality)


def _eager(network: nn.Module, examples: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    import torch

    with repeatable(), torch.inference_mode():
        features: NDArray[np.float32] = network(*map(torch.from_numpy, examples)).numpy()
    return features


def _judge(half: Opened, exact: Opened, first: Sequence[Pictures]) -> Equality | None:
    """Compare both on the first pictures; pictures that float32 cannot compute say nothing."""
    pictures = np.concatenate([each for each, _ in first])[:JUDGED]
    regions = [each for _, each in first if each is not None]
    inside = np.concatenate(regions)[:JUDGED] if regions else None
    pairs = zip(half.batches.compute(pictures, inside), exact.batches.compute(pictures, inside), strict=True)
    known = [(row, true) for row, true in pairs if not isinstance(true, CaseError)]
    if len(known) < _FEWEST:
        return None
    rows = [np.full_like(true, np.nan) if isinstance(row, CaseError) else row for row, true in known]
    return compare(np.stack(rows), np.stack([true for _, true in known]))
