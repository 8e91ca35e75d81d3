import copy
import re

import pytest
import torch
from torchvision import models

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backbones import load_network
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.sources import WEIGHTS, Pretrained

FILES = [(source, file) for source in WEIGHTS.items().values() for file in source.files]
NAMES = [f"{source.name}/{file.name}" for source, file in FILES]


@pytest.mark.parametrize("source", WEIGHTS.items().values(), ids=list(WEIGHTS))
def test_every_source_says_what_a_report_needs(source):
    assert WEIGHTS[source.name] is source
    assert source.title
    assert source.licence
    assert source.obtain
    assert re.search(r"doi:10\.|arXiv:\d{4}\.\d{5}", source.reference) or source.name == "file"
    assert source.facts()["modalities"] == list(source.modalities)
    assert source.modalities or source.name in {"random", "file"}
    assert bool(source.files) != (source.drawn or source.name == "file")


@pytest.mark.parametrize(("source", "file"), FILES, ids=NAMES)
def test_every_file_can_be_told_from_others(source, file):
    assert file.network in NETWORKS
    assert all(re.fullmatch(r"[0-9a-f]{8,64}", known) for known in file.sha256)
    assert file.sha256 or not file.hash_required
    assert file.url is None or file.url.endswith(f"/{file.name}")
    assert len({form.name for form in source.files}) == len(source.files)


def test_no_two_files_are_known_by_one_hash():
    known = [digits[:8] for _, file in FILES for digits in file.sha256]
    assert len(set(known)) == len(known)


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize(("name", "generation"), [("imagenet", "IMAGENET1K_V1"), ("imagenet-v2", "IMAGENET1K_V2")])
def test_the_table_is_torchvisions(network, name, generation):
    published = [entry for entry in models.get_model_weights(network) if entry.name == generation]
    files = WEIGHTS[name].files_of(network)
    assert [file.url for file in files] == [entry.url for entry in published]
    for file, entry in zip(files, published, strict=True):
        standard = entry.transforms()
        assert file.mebibytes == entry.meta["_file_size"]
        assert file.size is None or file.size / 2**20 == pytest.approx(file.mebibytes, abs=1e-3)
        assert re.search(r"-([0-9a-f]{8})\.pth$", file.name).group(1) == file.sha256[0][:8]
        assert file.hash_required
        assert (list(WEIGHTS[name].input.mean), list(WEIGHTS[name].input.std)) == (standard.mean, standard.std)
        assert standard.crop_size == [NETWORKS[network].size]


@pytest.mark.parametrize("name", ["barlow-twins", "vicreg"])
def test_not_every_resnet50_of_that_name_is_the_publishers(name, trained, save):
    with pytest.raises(WeightsError, match=r"its SHA-256 is .*, not c"):
        read_checkpoint(Pretrained(WEIGHTS[name], file=save(trained.state_dict(), "resnet50.pth")))


def test_swav_divides_red_by_its_own_number():
    assert WEIGHTS["swav"].input.std == (0.228, 0.224, 0.225)
    assert WEIGHTS["swav"].input.mean == WEIGHTS["imagenet"].input.mean


def test_the_two_radimagenet_networks_share_nothing():
    pytorch, keras = WEIGHTS["radimagenet"], WEIGHTS["radimagenet-keras"]
    assert pytorch.graph != keras.graph
    assert pytorch.input != keras.input
    assert not {known for file in pytorch.files for known in file.sha256} & {
        known for file in keras.files for known in file.sha256
    }


def wrapped(state, prefix, **beside):
    """A state dict as trainings save it, under a prefix and beside other tensors."""
    return {f"{prefix}{name}": tensor for name, tensor in state.items()} | beside


@pytest.mark.parametrize(
    ("name", "network", "save_as"),
    [
        ("radimagenet", "densenet121", lambda body: {f"backbone.0.{n[9:]}": t for n, t in body.items()}),
        ("moco-v2", "resnet50", lambda body: {"epoch": 800, "state_dict": wrapped(body, "module.encoder_q.")}),
        ("moco-v2", "resnet50", lambda body: wrapped(body, "module.encoder_q.", **{"module.queue": torch.ones(2)})),
        ("swav", "resnet50", lambda body: wrapped(body, "module.", **{"module.prototypes.weight": torch.ones(2)})),
        ("dino", "resnet50", lambda body: body),
    ],
)
def test_files_of_publishers_are_read_as_they_come(name, network, save_as, save):
    state = {key: torch.full_like(value, 2) for key, value in models.get_model(network).state_dict().items()}
    body = {key: value for key, value in state.items() if not key.startswith(NETWORKS[network].head)}
    read = read_checkpoint(Pretrained(WEIGHTS[name], network, save(save_as(body))))
    assert read.facts["form"] == WEIGHTS[name].files_of(network)[0].name
    assert {key: tuple(tensor.shape) for key, tensor in read.tensors.items()} == {
        key: tuple(tensor.shape) for key, tensor in body.items()
    }


def test_a_first_convolution_of_one_channel_computes_the_same_from_three(trained, save):
    """TorchXRayVision's ResNet-50 takes one channel; three equal ones give equal features."""
    grey = copy.deepcopy(trained)
    grey.conv1 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    grey.conv1.weight = torch.nn.Parameter(trained.conv1.weight.sum(dim=1, keepdim=True))
    grey.fc = torch.nn.Linear(2048, 18)
    network = load_network(Pretrained(WEIGHTS["chest-xray"], file=save(grey.state_dict())))
    film = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    grey.fc = torch.nn.Identity()
    with torch.no_grad():
        ours, theirs = network(film.expand(-1, 3, -1, -1)), grey(film)
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()


def test_the_guide_lists_every_source(root):
    text = (root / "docs" / "weights.md").read_text().partition("## Sources")[2].partition("**There are two")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == list(WEIGHTS)
