"""Weights sources as data: where pretrained weights come from and what a network trained with them expects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radfusion.core.registry import Registry

__all__ = ["WEIGHTS", "Graph", "InputFormat", "Pretrained", "WeightsFile", "WeightsSource"]


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
    """

    white: float
    order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


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
        Refuse a file of another hash. False where the publisher states no hash: an unknown one is then told aloud.
    """

    name: str
    layout: str
    network: str = "resnet50"
    url: str | None = None
    size: int | None = None
    sha256: tuple[str, ...] = ()
    hash_required: bool = False


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

_RESNET = "He K, et al. Deep residual learning for image recognition. CVPR 2016. doi:10.1109/CVPR.2016.90"
_PHOTOGRAPHS = ("natural photographs",)
_TORCHVISION_INPUT = InputFormat(1.0, "RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_TORCHVISION_TERMS = "BSD-3-Clause (torchvision); the ImageNet photographs themselves are for research only"
_FETCH = "radfusion weights fetch {name}"

for _source in (
    WeightsSource(
        name="imagenet",
        title="ImageNet (torchvision IMAGENET1K_V1)",
        files=(
            WeightsFile(
                name="resnet50-0676ba61.pth",
                layout="torchvision",
                url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
                size=102_530_333,
                sha256=("0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",),
                hash_required=True,
            ),
        ),
        input=_TORCHVISION_INPUT,
        modalities=_PHOTOGRAPHS,
        licence=_TORCHVISION_TERMS,
        reference=_RESNET,
        obtain=_FETCH,
    ),
    WeightsSource(
        name="imagenet-v2",
        title="ImageNet (torchvision IMAGENET1K_V2)",
        files=(
            WeightsFile(
                name="resnet50-11ad3fa6.pth",
                layout="torchvision",
                url="https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
                size=102_540_417,
                sha256=("11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",),
                hash_required=True,
            ),
        ),
        input=_TORCHVISION_INPUT,
        modalities=_PHOTOGRAPHS,
        licence=_TORCHVISION_TERMS,
        reference=_RESNET,
        obtain=_FETCH,
    ),
    WeightsSource(
        name="imagenet-caffe",
        title="ImageNet (He et al., Caffe ResNet-50), stem to layer3",
        files=(
            WeightsFile(
                name="resnet50_caffe_imagenet_stem_layer1-3.pt",
                layout="torchvision",
                size=34_380_587,
                sha256=("a46c8ec9c6722ac1d382693005ebd0f4289105c0f030076fecd0d8319d976e1f",),
                hash_required=True,
            ),
        ),
        input=InputFormat(255.0, "BGR", (103.06, 115.90, 123.15), (1.0, 1.0, 1.0)),
        modalities=_PHOTOGRAPHS,
        licence="MIT (KaimingHe/deep-residual-networks)",
        reference=_RESNET,
        obtain="convert the stem and layer1 to layer3 of the authors' ResNet-50 to torchvision's names",
        graph=Graph(stride="v1", stem="ceil"),
        deepest="layer3",
    ),
    WeightsSource(
        name="radimagenet",
        title="RadImageNet (PyTorch lineage)",
        files=(
            WeightsFile(
                name="ResNet50.pt",
                layout="backbone",
                sha256=("08629f7e7bd3e29b8ee9522ca3f65ce4d010a7ddf74f0ea3c7e3f3d0bbab0734",),
                hash_required=False,
            ),
        ),
        input=InputFormat(1.0, "RGB", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        modalities=("CT", "MR", "US"),
        licence="not stated for the weights (code MIT, dataset card CC BY 4.0)",
        reference="Mei X, et al. RadImageNet. Radiol Artif Intell 2022;4(5):e210315. doi:10.1148/ryai.210315",
        obtain="take ResNet50.pt of RadImageNet_pytorch from the authors (github.com/BMEII-AI/RadImageNet)",
    ),
    WeightsSource(
        name="random",
        title="random weights (control, nothing learned)",
        files=(),
        input=_TORCHVISION_INPUT,
        modalities=(),
        licence="none needed",
        reference="He K, et al. Delving deep into rectifiers. ICCV 2015. doi:10.1109/ICCV.2015.123",
        obtain="nothing to get: drawn with a fixed seed",
        seed=20221107,
    ),
):
    WEIGHTS.add(_source.name, _source)
