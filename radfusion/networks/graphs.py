"""Networks as graphs of steps: built in the variant of their weights, cut below a layer, folded.

torchvision builds the modules; ``torch.fx`` writes down in which order their outputs are computed. A graph that is cut
below a layer computes nothing more than the layer needs, and can be traced and exported like any other module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.devices import require_packages
from radfusion.networks.sources import Graph, Pretrained
from radfusion.networks.sources.base import TORCHVISION_INPUT

if TYPE_CHECKING:
    from torch import fx, nn

Finish = Callable[["fx.Graph", "fx.Node"], "fx.Node"]

__all__ = [
    "Finish",
    "cut",
    "draw_network",
    "empty_network",
    "fold_batchnorm",
    "is_channels_last",
    "layers_of",
    "outputs",
]


def layers_of(chosen: Pretrained) -> tuple[str, ...]:
    """Stages that features can be taken from, the deepest that the weights hold last.

    Raises
    ------
    WeightsError
        When the weights end at a stage that the network does not have.

    Examples
    --------
    >>> from radfusion.networks.sources import WEIGHTS
    >>> layers_of(Pretrained(WEIGHTS["random"], "vgg16"))
    ('features.9', 'features.16', 'features.23', 'features.30')
    """
    network, deepest = NETWORKS[chosen.network], chosen.source.deepest
    if deepest is not None and deepest not in network.layers:
        what = f"{network.title} does not have; allowed: {', '.join(network.layers)}"
        raise WeightsError(f"weights {chosen.source.name!r} end at {deepest!r}, which {what}")
    return network.layers_to(deepest)


def empty_network(chosen: Pretrained) -> fx.GraphModule:
    """Network in its weights' variant, without head and without storage: names and shapes for a strict load.

    Returns
    -------
    torch.fx.GraphModule
        Everything down to the deepest stage that the weights hold, on the meta device; gives that stage's activations.

    Raises
    ------
    WeightsError
        When the network does not come in the variant of the weights.

    Examples
    --------
    >>> from radfusion.networks.sources import WEIGHTS
    >>> empty_network(Pretrained(WEIGHTS["random"])).state_dict()["conv1.weight"].shape
    torch.Size([64, 3, 7, 7])
    """
    require_packages()
    import torch

    with torch.device("meta"):
        return _build(chosen)


def draw_network(chosen: Pretrained) -> fx.GraphModule:
    """Network with weights drawn as torchvision draws them, always the same for a seed; see :func:`empty_network`."""
    require_packages()
    import torch

    if chosen.source.seed is None:
        raise ValueError(f"{chosen.source.name} is read from a file, not drawn")
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(chosen.source.seed)
    try:
        return _build(chosen)
    finally:
        torch.set_rng_state(state)


def outputs(graph: fx.Graph) -> Mapping[str, fx.Node]:
    """Step that computes the output of each module; of one that is used several times, the last."""
    return {name: node for node in graph.nodes for name in node.meta.get("output_of", ())}


def cut(network: nn.Module, end: fx.Node, finish: Finish | None = None) -> fx.GraphModule:
    """Part of a network that computes one step; its modules are shared with `network`, not copied.

    Parameters
    ----------
    network : torch.nn.Module
        Owner of the modules.
    end : torch.fx.Node
        Step of its graph whose value is wanted.
    finish : callable, optional
        Adds steps after the last one, and returns the one whose value is the result.

    Returns
    -------
    torch.fx.GraphModule
    """
    from torch import fx

    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in end.graph.nodes:
        if getattr(node.target, "__name__", "") != "_assert":  # checks of image sizes: Network.refused_size makes them
            copies[node] = graph.node_copy(node, copies.__getitem__)
        if node is end:
            break
    graph.output(copies[end] if finish is None else finish(graph, copies[end]))
    part = fx.GraphModule(network, graph)
    part.graph.eliminate_dead_code()
    part.delete_all_unused_submodules()
    part.recompile()
    return part


def fold_batchnorm(network: fx.GraphModule) -> fx.GraphModule:
    """Write each batch normalisation into the convolution whose output it alone reads: same function, fewer passes.

    The network is changed in place and returned; it must be in eval mode. Batch normalisation that follows anything
    else stays (DenseNet normalises before its convolutions).
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    modules = dict(network.named_modules())
    steps = [node for node in network.graph.nodes if node.op == "call_module"]
    uses = Counter(node.target for node in steps)
    for node in steps:
        before, norm = node.all_input_nodes[0], modules[node.target]
        conv = modules.get(before.target) if before.op == "call_module" else None
        alone = len(before.users) == uses[before.target] == uses[node.target] == 1
        if alone and isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d):
            network.set_submodule(before.target, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            network.graph.erase_node(node)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def is_channels_last(node: fx.Node) -> bool:
    """Whether a step's value has its channels in the last axis: the nearest change of axes before it tells."""
    import torch

    while node.op != "placeholder":
        if node.target in (torch.permute, "permute"):
            axes = node.args[1] if isinstance(node.args[1], (list, tuple)) else node.args[1:]
            return tuple(axes) == (0, 2, 3, 1)
        node = next(each for each in node.all_input_nodes if each.op != "get_attr")
    return False


def _build(chosen: Pretrained) -> fx.GraphModule:
    from torchvision.models import get_model

    network, deepest = NETWORKS[chosen.network], layers_of(chosen)[-1]
    if chosen.source.graph != Graph() and not network.variants:
        what = f"{network.title} does not come in the variant of these weights ({chosen.source.graph})"
        raise WeightsError(f"weights {chosen.source.name!r}: {what}; only networks of the ResNet family do")
    modules = get_model(chosen.network, weights=None, **dict(network.options)).eval()
    if network.variants:
        _vary(modules, chosen.source.graph)
    if chosen.network == "inception_v3":
        modules.transform_input = _expects_its_own_input(chosen)
    return cut(modules, outputs(_trace(modules))[deepest])


def _expects_its_own_input(chosen: Pretrained) -> bool:
    """Whether Inception turns torchvision's numbers into those of its training, as for the weights of torchvision."""
    return chosen.source.input == TORCHVISION_INPUT and bool(chosen.source.files_of(chosen.network))


def _vary(network: nn.Module, variant: Graph) -> None:
    """Make torchvision's ResNet the variant that the weights were learned in."""
    from torch import nn
    from torchvision.models.resnet import Bottleneck

    if variant.stem == "ceil":
        network.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=0, ceil_mode=True)
    for module in network.modules():
        if isinstance(module, Bottleneck) and variant.stride == "v1":
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
        if isinstance(module, nn.BatchNorm2d):
            module.eps = variant.epsilon


def _trace(network: nn.Module) -> fx.Graph:
    """Steps of a network, each marked with the modules whose output it computes."""
    from torch import fx

    class Recorder(fx.Tracer):
        def call_module(self, m: nn.Module, *call: Any) -> Any:
            value = super().call_module(m, *call)
            if isinstance(value, fx.Proxy):
                value.node.meta["output_of"] = (*value.node.meta.get("output_of", ()), self.path_of_module(m))
            return value

    return Recorder().trace(network)
