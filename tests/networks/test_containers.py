import io
import random
import zipfile

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save

from radfusion.errors import WeightsError
from radfusion.networks.containers import DamagedFileError, metadata_of, read_content
from tests.networks.keras_files import write_keras_2, write_keras_3

TENSORS = {"conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "bn1.num_batches_tracked": torch.tensor(4)}
ARRAYS = {
    "conv1_conv/kernel": np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2),
    "conv1_conv/bias": np.ones(2, np.float32),
    **{f"conv1_bn/{name}": np.ones(2, np.float32) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
}


def torch_bytes(**options):
    file = io.BytesIO()
    torch.save(TENSORS, file, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("containers")
    return {
        "torch": torch_bytes(),
        "legacy": torch_bytes(_use_new_zipfile_serialization=False),
        "safetensors": save(TENSORS, {"note": "a text"}),
        "keras 2": write_keras_2(folder / "2.h5", ARRAYS).read_bytes(),
        "keras 3": write_keras_3(folder / "3.h5", ARRAYS).read_bytes(),
    }


@pytest.mark.parametrize("form", ["torch", "legacy", "safetensors"])
def test_tensors_come_back_under_their_names(examples, form):
    content = read_content(examples[form])
    assert content.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(content.tensors[name], tensor) for name, tensor in TENSORS.items())
    assert content.container == ("safetensors" if form == "safetensors" else "torch")


@pytest.mark.parametrize("form", ["keras 2", "keras 3"])
def test_layers_of_keras_come_back_under_their_names(examples, form):
    tensors = read_content(examples[form]).tensors
    assert tensors.keys() == ARRAYS.keys()
    assert all(np.array_equal(tensors[name].numpy(), array) for name, array in ARRAYS.items())


def test_safetensors_carry_texts(examples):
    assert read_content(examples["safetensors"]).metadata == {"note": "a text"}
    assert metadata_of(examples["torch"]) == metadata_of(b"\x02\0\0\0\0\0\0\0{]") == {}


@pytest.mark.parametrize("form", ["torch", "legacy", "safetensors", "keras 2", "keras 3"])
def test_whatever_is_cut_or_flipped_is_answered_in_words(examples, form):
    whole, draw = examples[form], random.Random(11)
    cuts = [whole[: draw.randrange(len(whole))] for _ in range(60)]
    damaged = []
    for _ in range(150):
        other = bytearray(whole)
        for place in draw.choices(range(len(whole)), k=draw.choice([1, 1, 4, 64])):
            other[place] ^= draw.randrange(1, 256)
        damaged.append(bytes(other))
    answers = [answer(data) for data in cuts + damaged]
    assert all(answers[: len(cuts)])
    assert any(answers[len(cuts) :])


def answer(data):
    """What is said of a file; nothing where a flipped byte left other, but sound, tensors."""
    try:
        read_content(data)
    except WeightsError as error:
        return str(error)
    return ""


def test_flipped_numbers_contradict_the_checksum(examples):
    data = bytearray(examples["torch"])
    place = data.index(np.arange(24, dtype=np.float32).tobytes())
    data[place + 9] ^= 1
    with pytest.raises(DamagedFileError, match="'0' in it contradicts its own checksum"):
        read_content(bytes(data))


def archive(**entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in entries.items():
            opened.writestr(name.replace("_h5", ".h5").replace("weights", "model.weights"), text)
    return file.getvalue()


def test_other_archives_are_named():
    with pytest.raises(WeightsError, match=r"a .keras archive: unpack it"):
        read_content(archive(weights_h5="x"))
    with pytest.raises(WeightsError, match="a compressed archive"):
        read_content(archive(anything="x" * 99))


def test_programs_are_refused(tmp_path):
    path = tmp_path / "program.pt"
    file = io.BytesIO()
    module = torch.nn.Linear(2, 2)
    torch.save(module, file)
    with pytest.raises(WeightsError, match="holds Python objects or code, perhaps a whole network; only a dictionary"):
        read_content(file.getvalue())
    path.write_bytes(archive(**{"constants.pkl": "x", "data.pkl": "x"}))
    with pytest.raises(WeightsError):
        read_content(path.read_bytes())


def test_contradicting_settings_of_torch_are_passed_on(examples, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(WeightsError, match="torch refuses to read: Only one of"):
        read_content(examples["torch"])


@pytest.fixture
def hdf5(tmp_path):
    def write(fill):
        path = tmp_path / "weights.h5"
        with h5py.File(path, "w") as file:
            fill(file)
        return path.read_bytes()

    return write


def test_hdf5_never_leads_out_of_its_file(hdf5, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["conv1_conv/kernel"] = np.ones(4)

    def linked(file):
        file["conv1_conv"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "conv1_conv")
        file["model_weights"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")

    def outside(file):
        file.create_dataset("conv1_conv/bias", (4,), np.float32, external=[(str(secret), 0, 16)])

    def virtual(file):
        layout = h5py.VirtualLayout((4,), np.float64)
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "conv1_conv/kernel", shape=(4,))
        file.create_virtual_dataset("conv1_conv/bias", layout)

    assert read_content(hdf5(linked)).tensors == {}
    for fill in (outside, virtual):
        with pytest.raises(WeightsError, match="conv1_conv/bias lies in another file"):
            read_content(hdf5(fill))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"data": "a text"}, "holds no numbers"),
        ({"shape": (1 << 20, 1 << 20), "dtype": "f4", "chunks": (64, 64)}, "larger than any network"),
    ],
)
def test_strange_arrays_are_refused_unread(hdf5, dataset, words):
    data = hdf5(lambda file: file.create_dataset("conv1_conv/bias", **dataset))
    with pytest.raises(WeightsError, match=f"conv1_conv/bias .*{words}"):
        read_content(data)


def test_two_networks_in_one_file_are_refused(hdf5):
    def fill(file):
        file["left/conv1_conv/bias:0"] = file["right/conv1_conv/bias:0"] = np.ones(2)

    with pytest.raises(WeightsError, match="several networks: conv1_conv/bias is there more than once"):
        read_content(hdf5(fill))


def test_nameless_layers_are_refused(tmp_path):
    data = write_keras_3(tmp_path / "nameless.weights.h5", ARRAYS, named=False).read_bytes()
    with pytest.raises(WeightsError, match="does not say which layer it belongs to"):
        read_content(data)


def test_only_a_short_text_names_a_layer(hdf5):
    def fill(file):
        file["layers/conv2d/vars/0"] = np.ones(2)
        file["layers/conv2d/vars"].attrs["name"] = np.zeros(3)

    with pytest.raises(WeightsError, match="does not say which layer"):
        read_content(hdf5(fill))


def test_numbers_of_other_byte_orders_are_read(hdf5):
    numbers = np.arange(3, dtype=">f4")
    tensors = read_content(hdf5(lambda file: file.create_dataset("conv1_conv/bias", data=numbers))).tensors
    assert tensors["conv1_conv/bias"].tolist() == [0, 1, 2]
