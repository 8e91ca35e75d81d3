"""What a weights source is: where pretrained weights come from and what a network trained with them expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radfusion.core.registry import Registry

__all__ = [
    "PHOTOGRAPHS",
    "TORCHVISION_INPUT",
    "WEIGHTS",
    "Graph",
    "InputFormat",
    "Pretrained",
    "WeightsFile",
    "WeightsSource",
]

_WHOLE_HASH = 64


@dataclass(frozen=True)
class InputFormat:
    """Numbers that a network expects at its input: ``(white * grey - mean) / std`` per channel, grey from 0 to 1.

    Attributes
    ----------
    white : float
        Value of white before centring; black is 0.
    order : {"RGB", "BGR"}
        Order of the channels, in which `mean` and `std` are written.
    mean, std : tuple of 3 float
        Subtracted from and divided into each channel.

    Examples
    --------
    >>> print(InputFormat(1.0, "RGB", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
    grey in 3 channels (RGB), black 0 and white 1, minus (0.5, 0.5, 0.5), divided by (0.5, 0.5, 0.5)
    """

    white: float
    order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __str__(self) -> str:
        """Words for a table."""
        scale = "" if self.std == (1.0, 1.0, 1.0) else f", divided by {self.std}"
        return f"grey in 3 channels ({self.order}), black 0 and white {self.white:g}, minus {self.mean}{scale}"


@dataclass(frozen=True)
class Graph:
    """Which variant of a network the weights were learned in: equal tensors, another function.

    Attributes
    ----------
    stride : {"v1", "v1.5"}
        A stage halves its grid in its first 1x1 convolution (v1: Caffe, Keras) or in the 3x3 one (v1.5: torchvision).
    stem : {"padded", "ceil"}
        Max pooling after the first convolution: padded by 1 (torchvision), or unpadded with partial windows (Caffe).
    epsilon : float
        Added to the variance in batch normalisation.
    """

    stride: Literal["v1", "v1.5"] = "v1.5"
    stem: Literal["padded", "ceil"] = "padded"
    epsilon: float = 1e-5


@dataclass(frozen=True)
class WeightsFile:
    """One public form of the weights of one network.

    Attributes
    ----------
    name : str
        Name of the file as its publisher gave it.
    layout : str
        How tensors are named and stored, a name of :data:`radfusion.networks.checkpoints.LAYOUTS`.
    network : str
        Name of the network, see :data:`radfusion.networks.architectures.NETWORKS`.
    url : str or None
        Public address, or None when the user brings the file.
    size : int or None
        Bytes of the file, where known.
    sha256 : tuple of str
        Hashes that the file is known by: 64 hexadecimal digits, or the leading ones where no more are published.
    hash_required : bool
        Refuse a file of another hash. False where the tensors alone tell the source: an unknown hash is told aloud.
    mebibytes : float or None
        Size as its publisher rounds it, where the bytes are not known.
    """

    name: str
    layout: str
    network: str = "resnet50"
    url: str | None = None
    size: int | None = None
    sha256: tuple[str, ...] = ()
    hash_required: bool = False
    mebibytes: float | None = None

    @property
    def expected_bytes(self) -> int:
        """Size for bars and disks, as exact as it is known; 0 when it is not."""
        return self.size or round((self.mebibytes or 0) * 2**20)

    @property
    def hashes(self) -> str:
        """Known hashes in words; dots stand for digits that are not known."""
        return " or ".join(known if len(known) == _WHOLE_HASH else f"{known}..." for known in self.sha256)

    def is_known_as(self, sha256: str) -> bool:
        """Whether a hash of 64 digits is one that the file is known by."""
        return any(sha256.startswith(known) for known in self.sha256)


@dataclass(frozen=True)
class WeightsSource:
    """One entry of the table of pretrained weights.

    Attributes
    ----------
    name, title : str
        Name in study files, and words for the report.
    files : tuple of WeightsFile
        Public files, for each network its forms with the preferred one first; empty for weights that are drawn, and
        where the user names the file.
    input : InputFormat
        What the network expects at its input.
    modalities : tuple of str
        Kinds of image that the weights were learned from.
    licence, reference, obtain : str
        Terms of use, publication, and how to get the file.
    graph : Graph
        Variant of the network.
    deepest : str or None
        Last stage that the files hold, where it is not the network's.
    seed : int or None
        Seed of drawn weights.
    size : int or None
        Rows and columns of the images that the weights were learned from, where they are not the network's.
    """

    name: str
    title: str
    files: tuple[WeightsFile, ...]
    input: InputFormat
    modalities: tuple[str, ...]
    licence: str
    reference: str
    obtain: str
    graph: Graph = Graph()
    deepest: str | None = None
    seed: int | None = None
    size: int | None = None

    @property
    def drawn(self) -> bool:
        """Whether the weights are drawn from a seed, not read."""
        return self.seed is not None

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks that there are files for; empty where every network can be had."""
        return tuple(dict.fromkeys(file.network for file in self.files))

    def files_of(self, network: str) -> tuple[WeightsFile, ...]:
        """Forms of one network's file, the preferred one first."""
        return tuple(file for file in self.files if file.network == network)

    def facts(self) -> dict[str, Any]:
        """What a report says of the source."""
        return {
            "name": self.name,
            "title": self.title,
            "modalities": list(self.modalities),
            "stride": self.graph.stride,
            "licence": self.licence,
            "reference": self.reference,
        }


@dataclass(frozen=True)
class Pretrained:
    """A network with weights of a source, as a study chose them.

    Attributes
    ----------
    source : WeightsSource
        Where the weights come from; for a file of the user's own, what is known of it.
    network : str
        Name of the network.
    file : pathlib.Path or None
        File that the weights are read from; None for drawn weights.
    """

    source: WeightsSource
    network: str = "resnet50"
    file: Path | None = None


WEIGHTS: Registry[WeightsSource] = Registry("weights source")

PHOTOGRAPHS = ("natural photographs",)
TORCHVISION_INPUT = InputFormat(1.0, "RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
