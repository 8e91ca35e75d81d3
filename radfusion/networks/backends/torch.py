"""torch itself: the reference on the CPU, and the only backend on GPUs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from radfusion.execution.executors.processes import available_processors
from radfusion.networks.backends.base import BACKENDS, Backend, Computing, Lane, Precision
from radfusion.networks.devices import gpu_numbers, missing_packages, repeatable

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Torch"]

#: Batches on one GPU at a time: while one computes, the other's pictures travel there and its features back.
_BATCHES_PER_GPU = 2


class Torch(Backend):
    """Eager torch, channels-last; half precision on request."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "torch"
    precisions: ClassVar[Mapping[str, tuple[Precision, ...]]] = {
        "cpu": ("float32", "bfloat16"),
        "cuda": ("float32", "float16", "bfloat16"),
        "mps": ("float32", "float16"),
    }
    batch_sizes: ClassVar[Mapping[str, int]] = {"cpu": 8, "cuda": 64, "mps": 32}

    def missing(self) -> str | None:
        """Why torch or torchvision cannot be used here, or None."""
        return missing_packages()

    def versions(self) -> dict[str, str]:
        """Versions of torch and torchvision."""
        import torch
        import torchvision

        return {"torch": str(torch.__version__), "torchvision": str(torchvision.__version__)}

    def open(self, network: nn.Module, computing: Computing, examples: Sequence[NDArray[np.float32]]) -> list[Lane]:
        """One lane per processor, two per GPU (a copy of the network on each), one on an Apple GPU."""
        import torch

        del examples
        network.get_submodule("network").to(getattr(torch, computing.precision))
        network.to(memory_format=torch.channels_last)
        if computing.place == "cpu":
            return [_cpu_lane(network)] * available_processors()
        if computing.place == "mps":
            return [_mps_lane(network.to("mps"))]
        lanes = []
        for number in gpu_numbers(computing.device):
            replica = copy.deepcopy(network).to(f"cuda:{number}")
            torch.cuda.synchronize(number)
            lanes.append([_cuda_lane(replica, number) for _ in range(_BATCHES_PER_GPU)])
        return [lane for turn in zip(*lanes, strict=True) for lane in turn]


def _tensors(*arrays: NDArray[np.float32] | None) -> list[torch.Tensor]:
    import torch

    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays if array is not None]


def _cpu_lane(network: nn.Module) -> Lane:
    import torch

    def lane(pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> NDArray[np.float32]:
        with repeatable(), torch.inference_mode():
            features: NDArray[np.float32] = network(*_tensors(pictures, regions)).numpy()
            return features

    return lane


def _mps_lane(network: nn.Module) -> Lane:
    import torch

    lock = Lock()

    def lane(pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> NDArray[np.float32]:
        with lock, repeatable(), torch.inference_mode():
            inputs = [tensor.to("mps") for tensor in _tensors(pictures, regions)]
            features: NDArray[np.float32] = network(*inputs).cpu().numpy()
            return features

    return lane


def _cuda_lane(network: nn.Module, number: int) -> Lane:
    """A lane with a stream of its own, fed from pinned memory."""
    import torch

    stream, lock = torch.cuda.Stream(number), Lock()  # type: ignore[no-untyped-call]

    def lane(pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> NDArray[np.float32]:
        with lock, repeatable(), torch.inference_mode(), torch.cuda.stream(stream):
            pinned = [tensor.pin_memory() for tensor in _tensors(pictures, regions)]
            inputs = [tensor.to(f"cuda:{number}", non_blocking=True) for tensor in pinned]
            features: NDArray[np.float32] = network(*inputs).cpu().numpy()
            return features

    return lane


BACKENDS.add(Torch.name, Torch())
