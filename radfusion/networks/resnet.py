"""ResNet-50 as a chain of named stages, in the variants that pretrained weights were made for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from radfusion.networks.architectures import NETWORKS
from radfusion.networks.devices import require_packages
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import nn

__all__ = ["draw_resnet50", "empty_resnet50", "fold_batchnorm", "take_layer"]

_STEM = ("conv1", "bn1", "relu", "maxpool")


def empty_resnet50(chosen: Pretrained) -> nn.Sequential:
    """ResNet-50 of a source's variant, without head and without storage: names and shapes for a strict load.

    Returns
    -------
    torch.nn.Sequential
        Stages ``conv1, bn1, relu, maxpool, layer1, ...`` down to the source's deepest, on the meta device.
    """
    require_packages()
    import torch

    with torch.device("meta"):
        return _stages(chosen)


def draw_resnet50(chosen: Pretrained) -> nn.Sequential:
    """ResNet-50 with weights drawn as torchvision draws them, always the same for a seed."""
    require_packages()
    import torch

    if chosen.source.seed is None:
        raise ValueError(f"{chosen.source.name} is read from a file, not drawn")
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(chosen.source.seed)
    try:
        return _stages(chosen)
    finally:
        torch.set_rng_state(state)


def take_layer(stages: nn.Sequential, layer: str) -> nn.Sequential:
    """Stages down to `layer`, then average pooling to one number per channel; (n, 3, h, w) to (n, channels)."""
    from torch import nn

    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for name, stage in stages.named_children():
        parts[name] = stage
        if name == layer:
            break
    parts["pool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    return nn.Sequential(parts)


def fold_batchnorm(network: nn.Sequential) -> nn.Sequential:
    """Write each batch normalisation into the convolution before it: fewer passes over memory, same function.

    The network is changed in place and returned; it must be in eval mode.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in network.modules():
        previous = ""
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, previous, fuse_conv_bn_eval(getattr(module, previous), child))
                setattr(module, name, nn.Identity())
            previous = name
    return network


def _stages(chosen: Pretrained) -> nn.Sequential:
    from torch import nn
    from torchvision.models import resnet50

    network, source = resnet50(weights=None), chosen.source
    layers = NETWORKS[chosen.network].layers_to(source.deepest)
    stages = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in (*_STEM, *layers)))
    if source.graph.stem == "ceil":
        stages.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=0, ceil_mode=True)
    if source.graph.stride == "v1":
        for name in layers[1:]:
            first = getattr(stages, name)[0]
            first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    return stages.eval()
