"""Self-check of preprocessing by batch normalisation: does the network meet the numbers of its training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radfusion.networks.backbones import load_backbone
from radfusion.networks.devices import repeatable
from radfusion.networks.sources import Pretrained

__all__ = ["batchnorm_distance"]


def batchnorm_distance(pixels: NDArray[np.float32], chosen: Pretrained) -> float:
    r"""How far the statistics of some images lie from those stored with the weights.

    Each batch normalisation stores mean and variance per channel of what entered it in training. The distance is
    :math:`|m - \mu| / \sigma`, with the mean `m` of the given images, averaged over all channels of all
    layers. A wrong scale shows at once (several times the distance of the right one), channel order and stride only
    slightly. It needs no labels.

    Parameters
    ----------
    pixels : (n, 3, size, size) array of float32
        As the network would see them; about 30 images are enough.
    chosen : Pretrained
        Weights with learned statistics.

    Returns
    -------
    float
        0 for images like those of the training; smaller is better.
    """
    import torch
    from torch import nn

    network = load_backbone(chosen)
    distances: list[torch.Tensor] = []

    def measure(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        assert layer.running_mean is not None
        assert layer.running_var is not None
        mean = inputs[0].mean(dim=(0, 2, 3))
        distances.append((mean - layer.running_mean).abs() / (layer.running_var + layer.eps).sqrt())

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(measure)
    with repeatable(), torch.inference_mode():
        network(torch.from_numpy(np.ascontiguousarray(pixels)))
    return float(torch.cat(distances).mean())
