import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backbones import load_network
from radfusion.networks.checkpoints import LAYOUTS, read_checkpoint
from radfusion.networks.layouts import absorb_biases
from radfusion.networks.sources import WEIGHTS, Pretrained
from radfusion.networks.weights import verify_weights
from tests.networks.keras_files import port_of, write_keras_2, write_keras_3
from tests.reference.keras_resnet50 import images

KERAS = WEIGHTS["radimagenet-keras"]
STAGES = ("layer1", "layer2", "layer3", "layer4")


@pytest.fixture(scope="module")
def files(tmp_path_factory, keras_arrays):
    """The same weights in every public form of the Keras lineage."""
    folder = tmp_path_factory.mktemp("keras")
    torch.save(port_of(keras_arrays), folder / "port.pth")
    return {
        "keras 2": write_keras_2(folder / "weights2.h5", keras_arrays),
        "keras 2 model": write_keras_2(folder / "model2.h5", keras_arrays, root="model_weights"),
        "keras 3 model": write_keras_2(folder / "model3.h5", keras_arrays, root="model_weights", suffix=""),
        "keras 3": write_keras_3(folder / "weights3.h5", keras_arrays),
        "port": folder / "port.pth",
    }


def features(file, stage, source=KERAS):
    with torch.no_grad():
        return load_network(Pretrained(source, file=file), stage)(
            torch.from_numpy(images()).permute(0, 3, 1, 2)
        ).numpy()


def distance(ours, theirs):
    """Norm of the difference by that of the reference."""
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize(("form", "stages"), [("keras 2", STAGES), ("port", STAGES[3:])])
def test_features_are_those_that_keras_computes(files, keras_features, form, stages):
    for stage in stages:
        assert distance(features(files[form], stage), np.array(keras_features["features"][stage])) < 1e-6


def test_all_forms_of_the_keras_lineage_hold_one_network(files):
    found = {form: read_checkpoint(Pretrained(KERAS, file=file)) for form, file in files.items()}
    first = found["port"].tensors
    assert len(first) == 318
    for form, checkpoint in found.items():
        name, layout = KERAS.files[form == "port"].name, KERAS.files[form == "port"].layout
        assert (checkpoint.facts["layout"], checkpoint.facts["form"]) == (layout, name)
        assert checkpoint.facts["tensors"] == 53 * 2 + 53 * 4
        assert checkpoint.tensors.keys() == first.keys()
        assert all(torch.equal(first[name], tensor) for name, tensor in checkpoint.tensors.items())


@pytest.mark.parametrize(
    ("variant", "least"),
    [({"stride": "v1.5"}, 1e-2), ({"stem": "ceil"}, 1e-3), ({"epsilon": 1e-3}, 1e-4)],
    ids=str,
)
def test_another_graph_takes_the_same_tensors_and_computes_something_else(files, keras_features, variant, least):
    network = load_network(Pretrained(replace(KERAS, graph=replace(KERAS.graph, **variant)), file=files["keras 2"]))
    with torch.no_grad():
        found = network(torch.from_numpy(images()).permute(0, 3, 1, 2)).numpy()
    assert distance(found, np.array(keras_features["features"]["layer4"])) > least


def test_dropped_biases_would_change_everything_and_are_refused(save, keras_arrays, keras_features):
    port = port_of(keras_arrays)
    kept = {name: tensor for name, tensor in port.items() if "conv" not in name or not name.endswith(".bias")}
    kept = {name: tensor for name, tensor in kept.items() if not name.endswith("downsample.0.bias")}
    assert len(port) - len(kept) == 53
    file = save(kept, "RadImageNet-ResNet50_notop.pth")
    with pytest.raises(WeightsError, match=r"layout 'torchvision' .*its convolutions have no biases, so either"):
        verify_weights(KERAS, file)
    believed = replace(WEIGHTS["dino"], graph=KERAS.graph)
    theirs = np.array(keras_features["features"]["layer4"])
    assert distance(features(file, "layer4", believed), theirs) > 0.05


def test_half_converted_ports_are_refused(save, keras_points):
    port = port_of(keras_points)
    less = {name: tensor for name, tensor in port.items() if name not in ("conv1.bias", "layer1.0.conv3.bias")}
    with pytest.raises(WeightsError, match=r"half-converted: 51 of 53 convolutions .*\(first conv1.bias\)"):
        verify_weights(KERAS, save(less))


def test_kernels_must_lie_as_torch_has_them(save, keras_points):
    with pytest.raises(WeightsError, match=r"conv1.weight has shape \(7, 7, 3, 64\).*axes still lie as Keras has them"):
        verify_weights(KERAS, save(port_of(keras_points, transposed=False)))


def test_absorbed_biases_leave_the_function_as_it_was():
    conv, norm = torch.nn.Conv2d(3, 4, 1).double(), torch.nn.BatchNorm2d(4).double().eval()
    state = {f"conv1.{name}": value for name, value in conv.state_dict().items()}
    state |= {f"bn1.{name}": value for name, value in norm.state_dict().items()}
    pixels = torch.linspace(-1, 1, 48, dtype=torch.float64).reshape(1, 3, 4, 4)
    expected = norm(conv(pixels))
    changed = absorb_biases(state)
    norm.running_mean.copy_(changed["bn1.running_mean"])
    found = norm(torch.nn.functional.conv2d(pixels, changed["conv1.weight"]))
    assert "conv1.bias" not in changed
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("file", [file for source in WEIGHTS.items().values() for file in source.files])
def test_every_layout_of_the_table_exists(file):
    assert file.layout in LAYOUTS


def test_layouts_that_tell_the_graph_agree_with_the_table():
    for source in WEIGHTS.items().values():
        for file in source.files:
            assert LAYOUTS[file.layout].graph in (None, source.graph)


def points(network):
    """Names and shapes of a whole network of torchvision, each tensor one number repeated."""
    with torch.device("meta"):
        state = get_model(network, weights=None, **dict(NETWORKS[network].options)).state_dict()
    return {name: torch.tensor(2, dtype=value.dtype).expand(value.shape) for name, value in state.items()}


@pytest.mark.parametrize("network", list(NETWORKS))
def test_files_of_every_network_are_proved(save, network):
    state = points(network)
    facts = verify_weights(WEIGHTS["file"], save(state), network)
    assert (facts["tensors"], facts["head"], facts["network"], facts["form"]) == (len(state), True, network, None)


@pytest.mark.parametrize("network", ["resnet18", "wide_resnet50_2", "densenet121"])
def test_another_network_is_called_by_its_name(save, network):
    title = NETWORKS[network].title
    with pytest.raises(WeightsError, match=f"it is {title}, not ResNet-50: write `network: {network}`"):
        verify_weights(WEIGHTS["file"], save(points(network)), "resnet50")


def test_densenets_of_before_2018_have_a_dot_more(save):
    dotted = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value
        for name, value in points("densenet121").items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in dotted
    assert verify_weights(WEIGHTS["file"], save(dotted), "densenet121")["batchnorm_layers"] == 121
