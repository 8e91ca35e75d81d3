"""What a backend is: it turns a frozen network into lanes that compute batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.networks.devices import gpu_titles
from radfusion.networks.sources import InputFormat

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BACKENDS", "Backend", "Computing", "Lane", "Precision", "grey_network"]

Precision = Literal["float32", "float16", "bfloat16"]

#: Computes one batch: pictures (n, rows, columns) from 0 to 1, and regions of that shape or None, to (n, channels).
#: Lanes may be called from several threads at a time; on the CPU each computes on one processor.
Lane = Callable[[NDArray[np.float32], NDArray[np.float32] | None], NDArray[np.float32]]


@dataclass(frozen=True)
class Computing:
    """What a network is computed with, as it was chosen for this machine.

    Attributes
    ----------
    device : str
        ``cpu``, ``cuda`` (all GPUs), ``cuda:1`` (one of them) or ``mps``.
    backend : str
        Name of :data:`BACKENDS`.
    precision : {"float32", "float16", "bfloat16"}
        Numbers that the network computes in.
    batch_size : int
        Pictures computed together.
    automatic : bool
        Whether another backend may take this one's place when its features are not equal to torch's.
    """

    device: str
    backend: str
    precision: Precision
    batch_size: int
    automatic: bool = True

    @property
    def place(self) -> str:
        """Kind of device: ``cpu``, ``cuda`` or ``mps``."""
        return self.device.partition(":")[0]

    def facts(self) -> dict[str, Any]:
        """What goes into provenance, and into the key under which features are remembered.

        Returns
        -------
        dict
            ``device`` (its kind), ``backend``, ``precision``, ``batch_size``, ``gpus`` (their kinds) where there are
            any, and versions.
        """
        gpus = sorted(set(gpu_titles(self.device)))
        return {
            "device": self.place,
            **({"gpus": gpus} if gpus else {}),
            "backend": self.backend,
            "precision": self.precision,
            "batch_size": self.batch_size,
            **BACKENDS[self.backend].versions(),
        }

    def __str__(self) -> str:
        """Words for the log."""
        gpus = gpu_titles(self.device)
        where = "CPU" if self.place == "cpu" else f"{len(gpus)} x {gpus[0]}"
        return f"{BACKENDS[self.backend].title} on {where}, {self.precision}, batches of {self.batch_size}"


class Backend(ABC):
    """One library that computes networks.

    A subclass is stateless; it is registered in :data:`BACKENDS`, whose order is the order of preference.
    """

    name: ClassVar[str]
    #: Word for logs and reports.
    title: ClassVar[str]
    #: Kinds of device with the precisions that are offered there.
    precisions: ClassVar[Mapping[str, tuple[Precision, ...]]]
    #: Pictures computed together where the study names no number, by kind of device; measured.
    batch_sizes: ClassVar[Mapping[str, int]]

    @abstractmethod
    def missing(self) -> str | None:
        """Why the library cannot be used here and what to install, or None when it can."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of the packages that the numbers depend on."""

    @abstractmethod
    def open(self, network: nn.Module, computing: Computing, examples: Sequence[NDArray[np.float32]]) -> list[Lane]:
        """Make a network ready to compute.

        Parameters
        ----------
        network : torch.nn.Module
            From :func:`grey_network`, in eval mode on the CPU, batch normalisation folded. The backend may change it.
        computing : Computing
            Device, precision and batch size.
        examples : sequence of arrays
            Pictures, and regions where the network pools over them, of the size that will be computed.

        Returns
        -------
        list of Lane
            One for each batch that can be computed at the same time.
        """


BACKENDS: Registry[Backend] = Registry("backend")


def grey_network(network: nn.Module, expected: InputFormat) -> nn.Module:
    """A network that takes grey pictures: :func:`radfusion.networks.preprocessing.network_input` as its first step.

    Parameters
    ----------
    network : torch.nn.Module
        From (n, channels, rows, columns), and regions (n, 1, rows, columns) where it pools over them.
    expected : InputFormat
        Numbers that it expects.

    Returns
    -------
    torch.nn.Module
        From (n, rows, columns) in float32, 0 is black and 1 is white, to (n, features) in float32.
    """
    import torch
    from torch import nn

    class GreyNetwork(nn.Module):
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("mean", torch.tensor(expected.mean).reshape(1, -1, 1, 1))
            self.register_buffer("std", torch.tensor(expected.std).reshape(1, -1, 1, 1))

        def forward(self, grey: torch.Tensor, regions: torch.Tensor | None = None) -> torch.Tensor:
            dtype = next((each.dtype for each in self.network.parameters()), torch.float32)
            pixels = ((expected.white * grey.unsqueeze(1) - self.mean) / self.std).to(dtype)
            if regions is None:
                features: torch.Tensor = self.network(pixels)
            else:
                features = self.network(pixels, regions.unsqueeze(1).to(dtype))
            return features.float()

    return GreyNetwork().eval().requires_grad_(False)
