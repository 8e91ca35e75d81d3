"""Pretrained networks as feature extractors: down to a layer, pooled to one number per channel."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal

from radfusion.core.registry import nearest
from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS, Network
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.graphs import Finish, cut, draw_network, empty_network, is_channels_last, layers_of, outputs
from radfusion.networks.pooling import Form, average, region_average
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import fx, nn

__all__ = ["Pooling", "load_network", "resolve_layer"]

Pooling = Literal["global", "roi"]


def load_network(chosen: Pretrained, layer: str | None = None, pooling: Pooling = "global") -> fx.GraphModule:
    """Network with a source's weights down to one layer, pooled, in eval mode and without gradients.

    Parameters
    ----------
    chosen : Pretrained
        Weights source, network and file.
    layer : str, optional
        A stage of the network, or any of its modules by its dotted name, such as ``"layer3.5.conv2"``; by default, and
        for ``"avgpool"``, the deepest stage that the source has.
    pooling : {"global", "roi"}
        Average over the picture, or over the region of interest (over the picture where it is empty).

    Returns
    -------
    torch.fx.GraphModule
        From pixels (n, 3, h, w), and for ``"roi"`` regions (n, 1, h, w), to (n, channels). The deepest stage of a whole
        network gives what its classifier would see.

    Raises
    ------
    WeightsError
        When the file is absent or not what the source promises, or the network has no such layer.

    Examples
    --------
    >>> import torch
    >>> from radfusion.networks.sources import WEIGHTS, Pretrained
    >>> network = load_network(Pretrained(WEIGHTS["random"]), "layer1")
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 256])
    """
    name = resolve_layer(chosen, layer)
    if chosen.source.drawn:
        network = draw_network(chosen)
    elif chosen.file is None:
        what = chosen.source.obtain.format(name=chosen.source.name)
        raise WeightsError(f"weights {chosen.source.name!r}: no file; {what}")
    else:
        network = empty_network(chosen)
        network.load_state_dict(dict(read_checkpoint(chosen).tensors), strict=True, assign=True)
    end, kind = outputs(network.graph)[name], NETWORKS[chosen.network]
    finish = _pool(end, network.get_submodule(name), kind, deepest=name == kind.layers[-1], pooling=pooling)
    return cut(network, end, finish).eval().requires_grad_(False)


def resolve_layer(chosen: Pretrained, layer: str | None = None) -> str:
    """Full name of a layer, without reading weights.

    Raises
    ------
    WeightsError
        When the network has no such layer down to where the weights end; names the nearest.

    Examples
    --------
    >>> from radfusion.networks.sources import WEIGHTS
    >>> resolve_layer(Pretrained(WEIGHTS["random"]), "avgpool")
    'layer4'
    """
    layers = layers_of(chosen)
    if layer is None or layer == "avgpool":
        return layers[-1]
    if layer in layers:
        return layer
    if layer in (known := outputs(empty_network(chosen).graph)):
        return layer
    guess = nearest(layer, list(known)).partition("known:")[0]
    allowed = f"allowed: avgpool, {', '.join(layers)}, or the dotted name of any module before {layers[-1]}"
    title = NETWORKS[chosen.network].title
    raise WeightsError(f"weights {chosen.source.name!r}: {title} has no {layer!r}; {guess}{allowed}")


def _pool(end: fx.Node, module: nn.Module, network: Network, *, deepest: bool, pooling: Pooling) -> Finish:
    """What adds the steps from the activations of a layer to its features."""
    from torch import nn

    form = _form(end, module, network, of_the_classifier=deepest and pooling == "global")
    how: dict[str, Any] = {"form": form, "patches": network.patches}

    def finish(graph: fx.Graph, last: fx.Node) -> fx.Node:
        if isinstance(module, nn.MultiheadAttention):  # gives its weights too
            last = graph.call_function(operator.getitem, (last, 0))
        if network.rectified and deepest:
            last = graph.call_method("relu", (last,))
        if pooling == "global":
            return graph.call_function(average, (last,), how)
        with graph.inserting_after(next(iter(graph.nodes))):
            regions = graph.placeholder("regions")
        return graph.call_function(region_average, (last, regions), how)

    return finish


def _form(end: fx.Node, module: nn.Module, network: Network, *, of_the_classifier: bool) -> Form:
    from torch import nn

    if network.patches and not isinstance(module, nn.Conv2d):
        return "class token" if of_the_classifier else "tokens"
    return "channels last" if is_channels_last(end) else "channels first"
