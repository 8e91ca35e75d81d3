from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from radfusion.errors import WeightsError
from radfusion.networks.backbones import load_backbone
from radfusion.networks.resnet import draw_resnet50, fold_batchnorm
from radfusion.networks.sources import LAYERS
from radfusion.networks.weights import WEIGHTS

RANDOM = WEIGHTS["random"]


@pytest.fixture(scope="session")
def pixels():
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_radimagenets_layout_loads_the_same_network(trained, in_backbone_layout, save, pixels):
    file = save(in_backbone_layout(trained.state_dict()), "ResNet50.pt")
    network = load_backbone(WEIGHTS["radimagenet"], file)
    headless = nn.Sequential(*list(trained.children())[:-1], nn.Flatten())
    assert torch.equal(network(pixels), headless(pixels))
    assert network(pixels).shape == (2, 2048)


@torch.inference_mode()
def test_a_layer_is_the_average_of_its_activations(trained, save, known_as, pixels):
    file = save(trained.state_dict())
    value = pixels
    for name, stage in trained.named_children():
        value = stage(value)
        if name == "layer2":
            break
    network = load_backbone(known_as("imagenet", file), file, "layer2")
    assert torch.allclose(network(pixels), value.mean(dim=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
@torch.inference_mode()
def test_every_layer_has_its_number_of_features(layer, pixels):
    network = load_backbone(RANDOM, None, layer)
    assert network(pixels[:1, :, :64, :64]).shape == (1, LAYERS[layer])
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_random_weights_are_always_the_same_and_leave_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = draw_resnet50(RANDOM).state_dict()
    assert torch.equal(torch.rand(4), expected)
    second = draw_resnet50(RANDOM).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(RANDOM.seed)
    assert torch.equal(first["conv1.weight"], resnet50(weights=None).conv1.weight)


@torch.inference_mode()
def test_folding_batch_normalisation_keeps_the_function(trained, save, in_backbone_layout, pixels):
    file = save(in_backbone_layout(trained.state_dict()))
    plain = load_backbone(WEIGHTS["radimagenet"], file)(pixels)
    folded = fold_batchnorm(load_backbone(WEIGHTS["radimagenet"], file))
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    assert float((folded(pixels) - plain).norm() / plain.norm()) < 1e-5


@pytest.mark.data
@torch.inference_mode()
def test_the_caffe_variant_strides_first_and_pools_partial_windows(shared, pixels):
    """Against torchvision's network rebuilt by hand from the tensors of the file."""
    file = shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"
    state = torch.load(file, weights_only=True)
    network = resnet50(weights=None).eval()
    network.load_state_dict({**network.state_dict(), **state})
    network.maxpool = nn.MaxPool2d(3, 2, padding=0, ceil_mode=True)
    for stage in (network.layer2, network.layer3):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    value = network.maxpool(network.relu(network.bn1(network.conv1(100 * pixels))))
    value = network.layer3(network.layer2(network.layer1(value)))
    assert torch.allclose(
        load_backbone(WEIGHTS["imagenet-caffe"], file)(100 * pixels), value.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5
    )


def test_a_layer_that_the_file_lacks_is_refused():
    with pytest.raises(WeightsError, match="'imagenet-caffe' have no 'layer4'; allowed: layer1, layer2, layer3"):
        load_backbone(WEIGHTS["imagenet-caffe"], None, "layer4")


def test_without_a_file_nothing_takes_its_place():
    with pytest.raises(WeightsError, match="'imagenet': no file; radfusion weights fetch imagenet"):
        load_backbone(WEIGHTS["imagenet"], None)
    with pytest.raises(ValueError, match="read from a file"):
        draw_resnet50(replace(RANDOM, seed=None))
