"""Every registered network against torchvision's own: names, features, layers, folding."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backbones import load_network
from radfusion.networks.graphs import empty_network, fold_batchnorm, layers_of
from radfusion.networks.sources import WEIGHTS, Graph, Pretrained
from radfusion.networks.sources.base import TORCHVISION_INPUT

RANDOM = WEIGHTS["random"]


def pixels_for(name, n=2):
    network = NETWORKS[name]
    size = network.size if network.fixed else max(64, network.smallest + 1)
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def headless(name):
    """torchvision's network with made-up batch statistics; it gives what its head would see."""
    generator, kind = torch.Generator().manual_seed(2), NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = get_model(name, weights=None, **dict(kind.options)).eval()
    setattr(network, kind.head[0].rstrip("."), nn.Identity())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network


def without_head(network, name):
    return {key: value for key, value in network.state_dict().items() if not key.startswith(NETWORKS[name].head)}


def activations(network, layer, pixels):
    """Output of one of torchvision's modules, the last time that it is used."""
    seen = []
    network.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    network(pixels)
    return seen[-1][0] if isinstance(seen[-1], tuple) else seen[-1]


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_the_deepest_features_are_what_torchvisions_classifier_sees(name):
    theirs, pixels = headless(name), pixels_for(name)
    network = load_network(Pretrained(RANDOM, name), "avgpool")
    network.load_state_dict(without_head(theirs, name), strict=True)
    expected = theirs(pixels).flatten(1)
    if name == "vgg16":  # its head sees 7 x 7 cells one by one
        expected = expected.reshape(2, 512, 49).mean(dim=2)
    found = network(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    folded = fold_batchnorm(network)(pixels)
    assert float((folded - found).norm() / found.norm()) < 1e-5
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_empty_network_has_torchvisions_names_and_shapes_without_the_head(name):
    with torch.device("meta"):
        theirs = get_model(name, weights=None, **dict(NETWORKS[name].options))
    empty = empty_network(Pretrained(RANDOM, name))
    assert {key: value.shape for key, value in empty.state_dict().items()} == {
        key: value.shape for key, value in without_head(theirs, name).items()
    }
    assert {value.device.type for value in empty.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_is_a_module_of_the_network_and_each_lies_below_the_one_before(name):
    source = replace(RANDOM, deepest=NETWORKS[name].layers[1])
    assert layers_of(Pretrained(source, name)) == NETWORKS[name].layers[:2]
    two, all_of_them = (set(empty_network(Pretrained(each, name)).state_dict()) for each in (source, RANDOM))
    assert two < all_of_them


CHANNELS_FIRST, CHANNELS_LAST, TOKENS = (2, 3), (1, 2), (1,)
LAYERS = {
    ("resnet18", "conv1"): CHANNELS_FIRST,
    ("resnet18", "layer2.0.relu"): CHANNELS_FIRST,
    ("densenet121", "features.denseblock3"): CHANNELS_FIRST,
    ("inception_v3", "Mixed_6b.branch7x7_2.conv"): CHANNELS_FIRST,
    ("efficientnet_b0", "features.2.0.block.2"): CHANNELS_FIRST,
    ("convnext_tiny", "features.1.0.block.0"): CHANNELS_FIRST,
    ("convnext_tiny", "features.1.0.block.3"): CHANNELS_LAST,
    ("convnext_tiny", "features.3"): CHANNELS_FIRST,
    ("swin_t", "features.0.0"): CHANNELS_FIRST,
    ("swin_t", "features.1.0.mlp.0"): CHANNELS_LAST,
    ("swin_t", "features.2.reduction"): CHANNELS_LAST,
    ("vit_b_16", "conv_proj"): CHANNELS_FIRST,
    ("vit_b_16", "encoder.layers.encoder_layer_3.self_attention"): TOKENS,
}


@pytest.mark.parametrize(("name", "layer"), LAYERS)
@torch.inference_mode()
def test_any_module_is_a_layer_however_its_channels_lie(name, layer):
    pixels, axes = pixels_for(name, 1), LAYERS[name, layer]
    theirs = headless(name)
    network = load_network(Pretrained(RANDOM, name), layer)
    state = theirs.state_dict()
    network.load_state_dict({key: state[key] for key in network.state_dict()}, strict=True)
    value = activations(theirs, layer, pixels)
    expected = value[:, 1:].mean(dim=1) if axes == TOKENS else value.mean(dim=axes)
    torch.testing.assert_close(network(pixels), expected, rtol=1e-5, atol=1e-6)


def test_weights_that_end_at_a_stage_of_another_network_are_refused():
    with pytest.raises(WeightsError, match=r"end at 'layer3', which VGG-16 does not have; allowed: features\.9"):
        layers_of(Pretrained(WEIGHTS["imagenet-caffe"], "vgg16"))


def test_variants_are_of_the_resnet_family_alone():
    graph = Graph(stride="v1", stem="ceil", epsilon=1.001e-5)
    chosen = Pretrained(replace(RANDOM, graph=graph), "resnext50_32x4d")
    network = empty_network(chosen)
    first = network.get_submodule("layer3.0")
    assert (first.conv1.stride, first.conv2.stride, first.bn1.eps) == ((2, 2), (1, 1), 1.001e-5)
    assert (network.maxpool.padding, network.maxpool.ceil_mode) == (0, True)
    with pytest.raises(WeightsError, match="DenseNet-121 does not come in the variant of these weights"):
        empty_network(replace(chosen, network="densenet121"))


@torch.inference_mode()
def test_inception_turns_the_input_of_torchvisions_weights_into_its_own():
    theirs, pixels = headless("inception_v3"), pixels_for("inception_v3", 1)
    theirs.transform_input = True
    source = replace(RANDOM, files=WEIGHTS["imagenet"].files)
    other = replace(source, input=replace(TORCHVISION_INPUT, mean=(0.5, 0.5, 0.5)))
    found = []
    for each in (source, other):
        network = load_network(Pretrained(each, "inception_v3"))
        network.load_state_dict(without_head(theirs, "inception_v3"), strict=True)
        found.append(network(pixels))
    torch.testing.assert_close(found[0], theirs(pixels))
    assert not torch.allclose(found[1], found[0], rtol=1e-2)


def test_a_network_says_which_sizes_it_takes():
    assert NETWORKS["vit_b_16"].refused_size(224) is None
    assert "75 x 75 or more" in NETWORKS["inception_v3"].refused_size(64)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning", "ignore:.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # Swin's windows are those of the traced size
@pytest.mark.parametrize("name", ["resnet50", "densenet121", "swin_t"])
@torch.inference_mode()
def test_networks_with_their_pooling_can_be_traced_for_any_batch(name):
    pixels = pixels_for(name, 3)
    regions = torch.zeros(3, 1, *pixels.shape[2:])
    regions[:, :, 10:30, 20:] = 1
    network = fold_batchnorm(load_network(Pretrained(RANDOM, name), pooling="roi"))
    traced = torch.jit.trace(network, (pixels[:2], regions[:2]))
    torch.testing.assert_close(traced(pixels, regions), network(pixels, regions))
