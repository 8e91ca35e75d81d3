import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from radfusion.errors import WeightsError
from radfusion.networks.backbones import load_network, resolve_layer
from radfusion.networks.graphs import draw_network, fold_batchnorm, layers_of
from radfusion.networks.sources import WEIGHTS, Pretrained

RANDOM = Pretrained(WEIGHTS["random"])


@pytest.fixture(scope="session")
def pixels():
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_radimagenets_layout_loads_the_same_network(trained, in_backbone_layout, save, pixels):
    file = save(in_backbone_layout(trained.state_dict()), "ResNet50.pt")
    network = load_network(Pretrained(WEIGHTS["radimagenet"], file=file))
    headless = nn.Sequential(*list(trained.children())[:-1], nn.Flatten())
    assert torch.equal(network(pixels), headless(pixels))
    folded = fold_batchnorm(network)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    assert float((folded(pixels) - headless(pixels)).norm() / headless(pixels).norm()) < 1e-5


@torch.inference_mode()
def test_a_layer_is_the_average_of_its_activations(trained, save, known_as, pixels):
    file = save(trained.state_dict())
    value = pixels
    for name, stage in trained.named_children():
        value = stage(value)
        if name == "layer2":
            break
    network = load_network(Pretrained(known_as("imagenet", file), file=file), "layer2")
    torch.testing.assert_close(network(pixels), value.mean(dim=(2, 3)), rtol=0, atol=1e-6)


def test_only_what_the_layer_needs_is_kept():
    names = load_network(RANDOM, "layer2.0.conv1").state_dict()
    assert [name for name in names if name.startswith("layer2")] == ["layer2.0.conv1.weight"]
    assert not [name for name in names if name.startswith(("layer3", "layer4", "fc"))]
    branch = load_network(Pretrained(WEIGHTS["random"], "inception_v3"), "Mixed_5b.branch1x1").state_dict()
    assert {name.split(".")[1] for name in branch if name.startswith("Mixed")} == {"branch1x1"}


def test_random_weights_are_always_the_same_and_leave_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = draw_network(RANDOM).state_dict()
    assert torch.equal(torch.rand(4), expected)
    second = draw_network(RANDOM).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(RANDOM.source.seed)
    expected = resnet50(weights=None).state_dict()
    assert set(expected) - set(first) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(first[name], expected[name]) for name in first)


@pytest.mark.data
@torch.inference_mode()
def test_the_caffe_variant_strides_first_and_pools_partial_windows(shared, pixels):
    """Against torchvision's network rebuilt by hand from the tensors of the file."""
    file = shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"
    network = resnet50(weights=None).eval()
    network.load_state_dict({**network.state_dict(), **torch.load(file, weights_only=True)})
    network.maxpool = nn.MaxPool2d(3, 2, padding=0, ceil_mode=True)
    for stage in (network.layer2, network.layer3):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    value = network.maxpool(network.relu(network.bn1(network.conv1(100 * pixels))))
    for layer in ("layer1", "layer2", "layer3"):
        value = getattr(network, layer)(value)
        ours = load_network(Pretrained(WEIGHTS["imagenet-caffe"], file=file), layer)(100 * pixels)
        torch.testing.assert_close(ours, value.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)


def test_a_layer_that_the_file_lacks_is_refused():
    caffe = Pretrained(WEIGHTS["imagenet-caffe"])
    assert layers_of(caffe) == ("layer1", "layer2", "layer3")
    assert resolve_layer(caffe) == resolve_layer(caffe, "avgpool") == "layer3"
    allowed = "allowed: avgpool, layer1, layer2, layer3, or the dotted name of any module before layer3"
    with pytest.raises(WeightsError, match=f"'imagenet-caffe': ResNet-50 has no 'layer4'; .*{allowed}"):
        load_network(caffe, "layer4")


def test_an_unknown_layer_is_answered_with_the_nearest():
    assert resolve_layer(RANDOM, "layer3.5.conv2") == "layer3.5.conv2"
    with pytest.raises(WeightsError, match=r"no 'layer3\.5\.conv4'; did you mean 'layer3\.5\.conv"):
        resolve_layer(RANDOM, "layer3.5.conv4")
    with pytest.raises(WeightsError, match="ResNet-50 has no 'fc'"):
        resolve_layer(RANDOM, "fc")


def test_without_a_file_nothing_takes_its_place():
    with pytest.raises(WeightsError, match=r"'imagenet': no file; .*weights fetch imagenet"):
        load_network(Pretrained(WEIGHTS["imagenet"]))
    with pytest.raises(ValueError, match="read from a file"):
        draw_network(Pretrained(WEIGHTS["imagenet"]))
