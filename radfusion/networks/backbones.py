"""Pretrained networks as feature extractors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.devices import require_packages
from radfusion.networks.resnet import draw_resnet50, empty_resnet50, take_layer
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import nn

__all__ = ["load_backbone"]


def load_backbone(chosen: Pretrained, layer: str | None = None) -> nn.Sequential:
    """ResNet-50 with a source's weights down to one stage, average-pooled, in eval mode.

    Parameters
    ----------
    chosen : Pretrained
        Weights source, network and file.
    layer : str, optional
        ``"layer1"`` to ``"layer4"``; by default the deepest that the source has.

    Returns
    -------
    torch.nn.Sequential
        From (n, 3, height, width) to (n, channels); ``layer4`` gives the 2048 numbers before the classifier.

    Raises
    ------
    WeightsError
        When the file is absent or not what the source promises, or the source has no such layer.

    Examples
    --------
    >>> import torch
    >>> from radfusion.networks.sources import WEIGHTS, Pretrained
    >>> network = load_backbone(Pretrained(WEIGHTS["random"]), "layer1")
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 256])
    """
    require_packages()
    source, layers = chosen.source, NETWORKS[chosen.network].layers_to(chosen.source.deepest)
    layer = layer or layers[-1]
    if layer not in layers:
        raise WeightsError(f"weights {source.name!r} have no {layer!r}; allowed: {', '.join(layers)}")
    if source.drawn:
        stages = draw_resnet50(chosen)
    elif chosen.file is None:
        raise WeightsError(f"weights {source.name!r}: no file; {source.obtain.format(name=source.name)}")
    else:
        stages = empty_resnet50(chosen)
        stages.load_state_dict(dict(read_checkpoint(chosen).tensors), strict=True, assign=True)
    return take_layer(stages, layer).eval().requires_grad_(False)
