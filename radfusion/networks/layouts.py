"""Layouts of weights files as data: how publishers name and store the tensors of one and the same network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radfusion.core.registry import Registry
from radfusion.errors import WeightsError
from radfusion.networks.containers import Content
from radfusion.networks.sources import Graph

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LAYOUTS", "Layout", "absorb_biases", "convert", "recognise"]


def _of_today(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """Names of torchvision's DenseNet as they were before 2018 had a dot more: ``norm.1``, ``conv.2``."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name), tensor


def _any(content: Content) -> bool:
    return content.container != "hdf5"


@dataclass(frozen=True)
class Layout:
    """How the tensors of a network are named and stored.

    Attributes
    ----------
    name, title : str
        Name in the table of weights sources, and words for messages with the name of a tensor.
    recognises : callable
        Whether a file's content has this layout, told from names alone; the first layout that does is taken.
    convert : callable
        A tensor's name and values in torchvision's terms.
    prefix : str
        How all names of the network begin; dropped before `convert`.
    beside : tuple of str
        How names begin that belong to the training, not to the network; dropped.
    biased : bool
        Convolutions have biases, which are absorbed into the means of the batch normalisation that follows.
    graph : Graph or None
        Variant that networks stored so were learned in, where the layout tells it.

    Examples
    --------
    A publisher who wraps torchvision's network as ``net.encoder`` beside a projection head:

    >>> layout = Layout("mine", "names like net.encoder.conv1.weight", lambda content: False, prefix="net.encoder.",
    ...                 beside=("net.projector.",))
    """

    name: str
    title: str
    recognises: Callable[[Content], bool]
    convert: Callable[[str, Tensor], tuple[str, Tensor]] = _of_today
    prefix: str = ""
    beside: tuple[str, ...] = ()
    biased: bool = False
    graph: Graph | None = None


LAYOUTS: Registry[Layout] = Registry("weights layout")

_KERAS_GRAPH = Graph(stride="v1", stem="padded", epsilon=1.001e-5)
_STAGES = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_BIAS = re.compile(r"(conv1|layer\d+\.\d+\.(conv\d|downsample\.0))\.bias")
_KERAS_LAYER = re.compile(r"conv(\d)_block(\d+)_([0-3])_(conv|bn)")
_KERAS_WEIGHTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def recognise(content: Content) -> Layout:
    """Layout of a file's content.

    Raises
    ------
    WeightsError
        When it has no known layout.
    """
    for layout in LAYOUTS.items().values():
        if layout.recognises(content):
            return layout
    shown = ", ".join(list(content.tensors)[:2]) or "nothing"
    raise WeightsError(f"an HDF5 file without the layers of Keras' ResNet (conv1_conv, conv2_block1_1_conv): {shown}")


def convert(content: Content, layout: Layout) -> dict[str, Tensor]:
    """Tensors under torchvision's names and in its order of axes; biases of convolutions are still there.

    Batch counters, which files of before 2018 and Keras lack and nothing is computed from, are filled in with 0.

    Raises
    ------
    WeightsError
        When two tensors of the file are one and the same.
    """
    import torch

    tensors: dict[str, Tensor] = {}
    for name, tensor in content.tensors.items():
        if layout.beside and name.startswith(layout.beside):
            continue
        ours, values = layout.convert(name.removeprefix(layout.prefix), tensor)
        if ours in tensors:
            raise WeightsError(f"{ours} is there twice, the second time as {name}")
        tensors[ours] = values
    if not any(name.endswith("num_batches_tracked") for name in tensors):
        means = [name for name in tensors if name.endswith("running_mean")]
        tensors |= {name.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for name in means}
    return tensors


def absorb_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the biases of convolutions and lower the means of the batch normalisations behind them by as much.

    ``gamma (w x + b - mean) / sd + beta`` equals ``gamma (w x - (mean - b)) / sd + beta``.
    """
    biases = {name for name in tensors if _BIAS.fullmatch(name)}
    changed = {name: tensor for name, tensor in tensors.items() if name not in biases}
    for name in biases:
        mean = f"{normalisation_after(name)}.running_mean"
        changed[mean] = changed[mean].double() - tensors[name].double()
    return changed


def normalisation_after(name: str) -> str:
    """Batch normalisation behind a convolution of a ResNet, by the name of the convolution's bias or weight.

    Examples
    --------
    >>> normalisation_after("layer1.0.conv2.bias"), normalisation_after("layer1.0.downsample.0.bias")
    ('layer1.0.bn2', 'layer1.0.downsample.1')
    """
    module = name.rpartition(".")[0]
    if module.endswith("downsample.0"):
        return f"{module[:-1]}1"
    return re.sub(r"conv(\d)$", r"bn\1", module)


def _is_keras(content: Content) -> bool:
    return content.container == "hdf5" and any(_keras_module(name.partition("/")[0]) for name in content.tensors)


def _is_keras_port(content: Content) -> bool:
    return _any(content) and any(_BIAS.fullmatch(name) for name in content.tensors)


def _starts(*prefixes: str) -> Callable[[Content], bool]:
    """All names begin like this, and the first way of beginning is among them."""

    def recognises(content: Content) -> bool:
        names = content.tensors
        return _any(content) and _some(names, prefixes[0]) and all(name.startswith(prefixes) for name in names)

    return recognises


def _some(names: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in names)


def _from_backbone(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    stage, _, rest = name.partition(".")
    return f"{_STAGES[stage]}.{rest}" if stage in _STAGES else f"backbone.{name}", tensor


def _into_features(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    return f"features.{name}", tensor


def _has_grey_stem(content: Content) -> bool:
    stem = content.tensors.get("conv1.weight")
    return _any(content) and stem is not None and stem.ndim == 4 and stem.shape[1] == 1


def _spread_stem(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """Give a third of the first kernel to each of three equal channels: the same sums."""
    return (name, tensor.expand(-1, 3, -1, -1) / 3) if name == "conv1.weight" else (name, tensor)


def _from_keras(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    layer, _, weight = name.partition("/")
    module = "fc" if layer == "predictions" else _keras_module(layer)
    if module is None or weight not in _KERAS_WEIGHTS:
        return name, tensor
    if weight == "kernel":
        tensor = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor
    return f"{module}.{_KERAS_WEIGHTS[weight]}", tensor


def _keras_module(layer: str) -> str | None:
    """Name that a layer of Keras' ResNet has in torchvision; None for other layers.

    Examples
    --------
    >>> _keras_module("conv1_bn"), _keras_module("conv2_block1_0_conv"), _keras_module("conv5_block3_2_bn")
    ('bn1', 'layer1.0.downsample.0', 'layer4.2.bn2')
    """
    if layer in ("conv1_conv", "conv1_bn"):
        return "conv1" if layer == "conv1_conv" else "bn1"
    parts = _KERAS_LAYER.fullmatch(layer)
    if parts is None:
        return None
    stage, block, place, kind = int(parts[1]) - 1, int(parts[2]) - 1, parts[3], parts[4]
    within = f"{kind}{place}" if place != "0" else f"downsample.{0 if kind == 'conv' else 1}"
    return f"layer{stage}.{block}.{within}"


for _layout in (
    Layout("keras", "Keras' layers like conv2_block1_1_conv", _is_keras, _from_keras, biased=True, graph=_KERAS_GRAPH),
    Layout(
        "keras-port",
        "Keras' network under torchvision's names, with biases like conv1.bias",
        _is_keras_port,
        biased=True,
        graph=_KERAS_GRAPH,
    ),
    Layout(
        "backbone-densenet",
        "names like backbone.0.denseblock1.denselayer1.norm1.weight",
        _starts("backbone.0.denseblock1.", "backbone.0."),
        _into_features,
        prefix="backbone.0.",
    ),
    Layout("backbone", "names like backbone.0.weight", _starts("backbone."), _from_backbone, prefix="backbone."),
    Layout(
        "momentum",
        "names like module.encoder_q.conv1.weight",
        _starts("module.encoder_q.", "module."),
        prefix="module.encoder_q.",
        beside=("module.encoder_k.", "module.queue"),
    ),
    Layout(
        "data-parallel",
        "names like module.conv1.weight",
        _starts("module."),
        prefix="module.",
        beside=("module.projection_head.", "module.prototypes."),
    ),
    Layout("grey-stem", "a first convolution of one channel", _has_grey_stem, _spread_stem),
    Layout("torchvision", "names like conv1.weight", _any),
):
    LAYOUTS.add(_layout.name, _layout)
