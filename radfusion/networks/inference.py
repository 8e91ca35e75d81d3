"""Features of frozen networks, the same bits for the same image whatever it is computed with."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from radfusion.core.hashing import file_hash
from radfusion.errors import WeightsError
from radfusion.networks.backbones import load_backbone
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.devices import missing_packages, repeatable
from radfusion.networks.resnet import fold_batchnorm
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FrozenNetwork", "compute_features", "unusable", "versions", "weights_hash"]

FrozenNetwork = tuple[Pretrained, str, Literal["cpu", "cuda"]]


def compute_features(pixels: NDArray[np.float32], network: FrozenNetwork, batch_size: int) -> NDArray[np.float32]:
    """Average-pooled activations of a frozen network.

    Every batch is filled up to `batch_size` with repeats of its last image: kernels are chosen by the shape of the
    batch, so an image's features depend neither on its batch mates nor on how many there are.

    Parameters
    ----------
    pixels : (n, 3, size, size) array of float32
        As the weights source expects them.
    network : tuple
        Weights with their network, the layer, the device.
    batch_size : int
        Images that are computed together.

    Returns
    -------
    (n, channels) array of float32
    """
    import torch

    chosen, layer, device = network
    frozen = _frozen_network(chosen, _stamp(chosen.file), layer=layer, device=device)
    batches = []
    with repeatable(), torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            rows = np.minimum(np.arange(start, start + batch_size), len(pixels) - 1)
            batch = torch.from_numpy(pixels[rows]).to(device, memory_format=torch.channels_last)
            batches.append(frozen(batch).cpu().numpy()[: len(pixels) - start])
    return np.concatenate(batches)


def weights_hash(chosen: Pretrained) -> str:
    """SHA-256 of a source's file, or the seed of drawn weights in words."""
    file = chosen.file
    return f"drawn with seed {chosen.source.seed}" if file is None else _file_hash(file, _stamp(file))


def unusable(chosen: Pretrained) -> str | None:
    """Why a network cannot be had from a source's file here, or None; the file is read and proved once per process."""
    return missing_packages() or (None if chosen.file is None else _refusal(chosen, _stamp(chosen.file)))


def versions() -> dict[str, str]:
    """Versions of the packages that the numbers depend on."""
    import torch
    import torchvision

    return {"torch": str(torch.__version__), "torchvision": str(torchvision.__version__)}


def _stamp(file: Path | None) -> tuple[int, int]:
    """Size and time of a file, so that a replaced one is read anew."""
    if file is None:
        return 0, 0
    status = file.stat()
    return status.st_size, status.st_mtime_ns


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


@lru_cache(maxsize=4)
def _frozen_network(
    chosen: Pretrained, _stamp: tuple[int, int], *, layer: str, device: Literal["cpu", "cuda"]
) -> nn.Sequential:
    import torch

    network = fold_batchnorm(load_backbone(chosen, layer))
    network.to(device)
    network.to(memory_format=torch.channels_last)
    return network
