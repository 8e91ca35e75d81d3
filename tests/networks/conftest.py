"""Weights files of every kind, written as their publishers write them."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from radfusion.networks.weights import WEIGHTS
from tests.reference.keras_resnet50 import made_up

STAGES = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}


@pytest.fixture(scope="session")
def trained():
    """A ResNet-50 of torchvision whose batch statistics differ from (0, 1), as after training."""
    generator = torch.Generator().manual_seed(7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = resnet50(weights=None)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network.eval()


@pytest.fixture(scope="session")
def names(trained):
    """torchvision's names and shapes, each tensor one number repeated: files of a few kilobytes."""
    return {
        name: torch.tensor(2, dtype=value.dtype).expand(value.shape) for name, value in trained.state_dict().items()
    }


@pytest.fixture(scope="session")
def in_backbone_layout():
    """torchvision's tensors under RadImageNet's names, without head."""

    def rename(state):
        parts = ((*name.partition("."), value) for name, value in state.items())
        return {f"backbone.{STAGES[stage]}.{rest}": value for stage, _, rest, value in parts if stage in STAGES}

    return rename


@pytest.fixture
def backbone_names(names, in_backbone_layout):
    """The repeated numbers in RadImageNet's layout."""
    return in_backbone_layout(names)


@pytest.fixture
def save(tmp_path):
    """Write a weights file."""

    def write(content, name="weights.pth", **options):
        path = tmp_path / name
        torch.save(content, path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def known_as():
    """A source of the table that knows its preferred file by the hash and size of another one."""

    def known(name, path):
        data, (first, *others) = path.read_bytes(), WEIGHTS[name].files
        first = replace(first, sha256=(hashlib.sha256(data).hexdigest(),), size=len(data))
        return replace(WEIGHTS[name], files=(first, *others))

    return known


@pytest.fixture(scope="session")
def keras_features(root):
    """What Keras computes with the made-up weights, by stage, and the shapes of these weights."""
    return json.loads((root / "tests" / "reference" / "keras_resnet50.json").read_text())


@pytest.fixture(scope="session")
def keras_arrays(keras_features):
    """Made-up weights of Keras' ResNet-50 as ``layer/weight``; nobody may change them."""
    shapes = keras_features["weights"].items()
    return {name: made_up(*name.split("/"), tuple(shape)) for name, shape in shapes}


@pytest.fixture(scope="session")
def keras_points(keras_arrays):
    """The same names and shapes, each array one number repeated: for files that are refused before they are used."""
    return {name: np.broadcast_to(np.float32(2), array.shape) for name, array in keras_arrays.items()}
