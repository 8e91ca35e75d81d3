"""What a network costs: parameters and multiply-adds, counted rather than timed."""

from __future__ import annotations

from dataclasses import dataclass

from radfusion.networks.backbones import load_network
from radfusion.networks.sources import Pretrained

__all__ = ["NetworkCost", "network_cost"]


@dataclass(frozen=True)
class NetworkCost:
    """Cost of a network down to a layer.

    Attributes
    ----------
    parameters : int
        Learned numbers.
    multiply_adds : int
        Multiplications with an addition, per picture, in convolutions and matrix products.
    """

    parameters: int
    multiply_adds: int


def network_cost(chosen: Pretrained, layer: str | None, size: int) -> NetworkCost:
    """Count what one square picture of `size` rows costs; nothing is computed.

    Parameters
    ----------
    chosen : Pretrained
        Weights and network.
    layer : str or None
        Layer that features are taken from; None is the deepest.
    size : int
        Rows and columns of the picture.

    Raises
    ------
    WeightsError
        When the weights are absent or not what their source promises.

    Examples
    --------
    >>> from radfusion.networks.sources import WEIGHTS
    >>> network_cost(Pretrained(WEIGHTS["random"]), "layer4", 224)
    NetworkCost(parameters=23508032, multiply_adds=4087136256)
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = load_network(chosen, layer).to("meta")
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, size, size, device="meta"))
    parameters = sum(each.numel() for each in network.parameters())
    return NetworkCost(parameters, counter.get_total_flops() // 2)
