import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from radfusion.errors import WeightsError
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.sources import Graph, InputFormat, Pretrained
from radfusion.networks.trained import Contract, own_source, read_contract, write_trained
from tests.networks.keras_files import write_keras_2

INPUT = {"white": 1.0, "order": "RGB", "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
STATED = Contract(**INPUT, stride="v1.5")
TRAINED = Contract(
    **INPUT,
    stride="v1",
    network="resnet50",
    title="SimCLR on our films",
    modalities=("DX",),
    trained="SimCLR, 200 epochs, 3,000 films of centre A",
    reference="this study",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("trained") / "simclr.safetensors"
    write_trained(path, names, TRAINED)
    return path


def test_networks_trained_here_plug_in_without_a_word(file, names):
    source = own_source(file, "resnet50")
    assert (source.name, source.title, source.modalities) == ("file", "SimCLR on our films", ("DX",))
    assert source.input == InputFormat(1.0, "RGB", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert source.graph == Graph(stride="v1")
    checkpoint = read_checkpoint(Pretrained(source, file=file))
    assert (checkpoint.facts["layout"], checkpoint.facts["head"]) == ("torchvision", True)
    assert all(torch.equal(tensor, names[name]) for name, tensor in checkpoint.tensors.items())
    assert read_contract(file) == TRAINED


def test_equal_networks_give_equal_bytes(file, tmp_path, names):
    write_trained(tmp_path / "again.safetensors", dict(reversed(names.items())), TRAINED)
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()
    with safe_open(file, "pt") as opened:
        assert json.loads(opened.metadata()["radfusion"])["trained"] == TRAINED.trained


def test_only_whole_and_learned_networks_are_kept(tmp_path, names):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(WeightsError, match="must name the network"):
        write_trained(path, names, STATED)
    with pytest.raises(WeightsError, match="1 of 318 tensors are missing"):
        write_trained(path, {name: value for name, value in names.items() if name != "bn1.weight"}, TRAINED)
    assert not path.exists()


def test_what_nothing_tells_must_be_stated(save, names):
    path = save(names)
    with pytest.raises(WeightsError, match=r"weights 'file', weights.pth: nothing in the file says .*`contract: \{whi"):
        own_source(path, "resnet50")
    assert read_contract(path) is None
    source = own_source(path, "resnet50", STATED)
    assert (source.title, source.graph) == ("own weights (weights.pth)", Graph())
    assert read_checkpoint(Pretrained(source, file=path)).facts["source"] == "file"


def test_the_stride_of_a_resnet_is_never_guessed(save, names):
    with pytest.raises(WeightsError, match=r"does not state the stride: v1\.5 for networks of torchvision"):
        own_source(save(names), "resnet50", Contract(**INPUT))
    assert own_source(save(names), "vgg16", Contract(**INPUT)).graph == Graph()


def test_keras_files_tell_their_graph(tmp_path, keras_points):
    path = write_keras_2(tmp_path / "weights.h5", keras_points)
    source = own_source(path, "resnet50", Contract(**INPUT))
    assert source.graph == Graph(stride="v1", epsilon=1.001e-5)
    assert read_checkpoint(Pretrained(source, file=path)).facts["layout"] == "keras"
    with pytest.raises(WeightsError, match=r"state these, not v1\.5"):
        read_checkpoint(Pretrained(own_source(path, "resnet50", STATED), file=path))


def test_study_and_file_must_agree(file):
    assert own_source(file, "resnet50", Contract(**INPUT)) == own_source(file, "resnet50")
    with pytest.raises(WeightsError, match=r"was trained with stride v1, not v1.5: leave out the contract"):
        own_source(file, "resnet50", STATED)
    with pytest.raises(WeightsError, match=r"holds resnet50, not resnet18: write `network: resnet50`"):
        own_source(file, "resnet18")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"std": (1, 0, 1)}, "std in the contract holds a 0"),
        ({"deepest": "layer9"}, "ResNet-50 has no 'layer9'; allow"),
    ],
)
def test_contracts_that_cannot_be_are_refused(save, names, changes, words):
    with pytest.raises(WeightsError, match=words):
        own_source(save(names), "resnet50", STATED.model_copy(update=changes))


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"white": 1}', "[" * 9000])
def test_contracts_that_cannot_be_read_are_refused(tmp_path, text):
    path = tmp_path / "weights.safetensors"
    save_file({"conv1.weight": torch.ones(1)}, path, {"radfusion": text})
    with pytest.raises(WeightsError, match=r"weights.safetensors: the contract in the file cannot be read"):
        own_source(path, "resnet50")


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"weights 'file', none\.pth: cannot be read"):
        own_source(tmp_path / "none.pth", "resnet50", STATED)


def test_parts_of_networks_can_be_stated(save, names):
    part = save({name: value for name, value in names.items() if not name.startswith(("layer4", "fc"))})
    source = own_source(part, "resnet50", STATED.model_copy(update={"deepest": "layer3"}))
    assert read_checkpoint(Pretrained(source, file=part)).facts["tensors"] == 258
