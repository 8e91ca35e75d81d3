"""`radfusion weights ...` as a user meets it: sentences and exit codes."""

import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from radfusion.cli import app, main
from radfusion.networks.sources import WEIGHTS
from radfusion.networks.weights import default_weights_folder


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RADFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("RADFUSION_WEIGHTS", raising=False)


@pytest.fixture
def weights(monkeypatch, capsys):
    """Call the command line; exit code, what it printed and what it said beside."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["radfusion", "weights", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return call


def test_the_list_names_every_source(weights):
    code, out, _ = weights("list")
    assert code == 0
    assert all(re.search(rf"^{name} ", out, re.MULTILINE) for name in WEIGHTS)


def test_one_source_is_told_with_its_contract(weights):
    code, out, _ = weights("list", "radimagenet-keras")
    assert code == 0
    for words in (
        "BGR",
        "0.4076, 0.458, 0.485",
        "stride v1,",
        "doi:10.1148/ryai.210315",
        "RadImageNet-ResNet50_notop.h5",
    ):
        assert words in out


def test_a_brought_file_is_kept_and_verified(weights, save, backbone_names):
    code, out, err = weights("import", "radimagenet", save(backbone_names))
    kept = default_weights_folder() / "radimagenet" / "ResNet50.pt"
    assert (code, out) == (0, f"{kept}\n")
    assert "the hash goes into every report" in err
    code, out, _ = weights("verify", "radimagenet")
    assert code == 0
    for line in ("form: ResNet50.pt", "layout: backbone", "hash known: no", "tensors: 318", "head: no"):
        assert line in out.splitlines()
    assert "minus (0.5, 0.5, 0.5), divided by (0.5, 0.5, 0.5)" in out
    assert f"at hand: {kept}" in weights("list", "radimagenet")[1]


def test_a_file_of_ones_own_says_that_its_input_must_be_stated(weights, save, names):
    code, out, _ = weights("verify", "file", save(names))
    assert code == 0
    assert "input: not told by the file: the study must state it" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "vicreq"], "did you mean 'vicreg'?"),
        (["fetch", "imagenett"], "did you mean 'imagenet'?"),
        (["fetch", "imagenet", "--network", "resnet49"], "no network is named 'resnet49'"),
        (["fetch", "imagenet-v2", "--network", "vgg16"], "have no file for vgg16; there are files for resnet50"),
        (["fetch", "radimagenet"], "cannot be fetched: take ResNet50.pt"),
        (["fetch", "random"], "there is no file"),
        (["fetch", "file"], "`weights: file` and `file: PATH`"),
        (["import", "file", "x.pt"], "are not imported: name it in the study"),
        (["import", "random", "x.pt"], "there is no file"),
        (["import", "radimagenet", "absent.pt"], "absent.pt is not a file"),
        (["verify", "radimagenet"], "are not here: take ResNet50.pt"),
        (["verify", "random"], "there is no file"),
        (["verify", "random", "--network", "resnet49", "--images", "."], "no network is named 'resnet49'"),
        (["verify", "random", "--images", "absent"], "absent: there is no such cohort table or folder of images"),
    ],
)
def test_mistakes_are_answered(weights, arguments, message):
    code, out, err = weights(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_machine_without_a_network_is_told_what_to_bring(weights, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    code, _, err = weights("fetch", "imagenet", "--network", "resnet18")
    assert code == 2
    assert "could not be reached" in err
    assert "bring https://download.pytorch.org/models/resnet18-f37072fd.pth (SHA-256 f37072fd...)" in err
    assert "`radfusion weights import imagenet resnet18-f37072fd.pth --network resnet18`" in err


def test_the_control_is_tested_on_images(weights, tmp_path):
    noise = np.random.default_rng(3)
    for index in range(4):
        Image.fromarray(noise.integers(0, 255, (64, 64), dtype=np.uint8)).save(tmp_path / f"{index}.png")
    code, out, _ = weights("verify", "random", "--network", "resnet18", "--images", tmp_path)
    assert code == 0
    assert "first principal component" in out


@pytest.mark.parametrize("command", ["list", "fetch", "import", "verify"])
def test_every_command_explains_itself(command):
    answer = CliRunner().invoke(app, ["weights", command, "--help"])
    assert answer.exit_code == 0
    assert "weights" in answer.output
