import hashlib
import os
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from radfusion.errors import WeightsError
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.weights import WEIGHTS, Pretrained, verify_weights
from tests.networks.keras_files import port_of, write_keras_2

RADIMAGENET, IMAGENET, KERAS = WEIGHTS["radimagenet"], WEIGHTS["imagenet"], WEIGHTS["radimagenet-keras"]
OWN = WEIGHTS["file"]


class Intruder:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def refuses(source, path, words):
    with pytest.raises(WeightsError, match=words) as caught:
        read_checkpoint(Pretrained(source, file=path))
    assert str(caught.value).startswith(f"weights {source.name!r}, {path.name}: ")


def test_all_318_tensors_of_radimagenet_are_accounted_for(save, backbone_names):
    facts = verify_weights(RADIMAGENET, save(backbone_names))
    assert (facts["tensors"], facts["batchnorm_layers"], facts["head"]) == (318, 53, False)
    assert facts["hash_known"] is False
    assert facts["layers"] == ["layer1", "layer2", "layer3", "layer4"]
    assert (facts["form"], facts["layout"], facts["network"]) == ("ResNet50.pt", "backbone", "resnet50")
    assert facts["file"] == "weights.pth"


def test_torchvision_files_come_with_a_head(save, names, known_as):
    path = save(names)
    facts = verify_weights(known_as("imagenet", path), path)
    assert (facts["tensors"], facts["head"], facts["hash_known"]) == (320, True, True)


def test_files_of_before_2018_lack_the_batch_counters(save, names, known_as):
    old = {name: value for name, value in names.items() if not name.endswith("num_batches_tracked")}
    path = save(old, _use_new_zipfile_serialization=False)
    checkpoint = read_checkpoint(Pretrained(known_as("imagenet", path), file=path))
    assert checkpoint.facts["tensors"] == 267
    assert checkpoint.tensors["layer4.2.bn3.num_batches_tracked"] == 0


def test_half_precision_is_computed_in_single(save, backbone_names):
    half = {name: value.half() if value.is_floating_point() else value for name, value in backbone_names.items()}
    tensors = read_checkpoint(Pretrained(RADIMAGENET, file=save(half))).tensors.values()
    assert {tensor.dtype for tensor in tensors} == {torch.float32, torch.int64}


@pytest.mark.data
def test_the_real_partial_network_is_what_it_says(shared):
    file = shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"
    facts = verify_weights(WEIGHTS["imagenet-caffe"], file)
    assert (facts["tensors"], facts["batchnorm_layers"], facts["hash_known"]) == (258, 43, True)


def test_another_file_of_the_right_layout_has_another_hash(save, names):
    refuses(
        IMAGENET, save(names), f"its SHA-256 is [0-9a-f]{{64}}, not {IMAGENET.files[0].sha256[0]}; .*fetch imagenet"
    )


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html><head>", "a web page saved as a file"),
        (b"\xef\xbb\xbf\n <HTML>", "a web page saved as a file"),
        (b"\x89HDF\r\n\x1a\n", r"damaged or incomplete \(8 bytes\)"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", r"damaged or incomplete \(10 bytes\)"),
        (b"GIF89a", "not a weights file: neither of torch.save, nor HDF5"),
        (b"PK\x03\x04 and then nothing", "damaged or incomplete"),
        (b"\x80\x02 and then nothing", "Python objects or code.*or is damaged"),
    ],
)
def test_other_kinds_of_file_are_named(tmp_path, start, words):
    path = tmp_path / "ResNet50.pt"
    path.write_bytes(start)
    refuses(RADIMAGENET, path, words)


def test_a_folder_is_no_file(tmp_path):
    refuses(RADIMAGENET, tmp_path, "cannot be read")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_file_is_damaged(save, names, zipped, kept):
    path = save(names, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    refuses(IMAGENET, path, r"damaged.* \([\d,]+ of 102,530,333 bytes\); get the file again")


@pytest.mark.parametrize("setting", [None, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_never_run(save, tmp_path, names, zipped, setting, monkeypatch):
    if setting:
        monkeypatch.setenv(setting, "1")
    trace = tmp_path / "was run"
    path = save({**names, "conv1.weight": Intruder(trace)}, _use_new_zipfile_serialization=zipped)
    refuses(IMAGENET, path, r"holds Python objects or code.* save `network.state_dict\(\)`")
    path.write_bytes(pickle.dumps(Intruder(trace)))
    refuses(IMAGENET, path, "holds Python objects or code")
    assert not trace.exists()


def test_a_whole_network_is_refused(save):
    refuses(RADIMAGENET, save(torch.nn.Conv2d(3, 4, 1)), "perhaps a whole network")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(1)], "holds a list"),
        ({}, "the dictionary in it is empty"),
        ({"weights": [torch.zeros(1)], "epoch": 3}, "weights, epoch is no tensor"),
        (
            {"student": {"a": torch.zeros(1)}, "teacher": {"a": torch.zeros(1)}},
            r"several networks \(student, teacher\)",
        ),
    ],
)
def test_only_plain_dictionaries_of_tensors_are_read(save, content, words):
    refuses(RADIMAGENET, save(content), words)


def test_the_state_of_a_training_may_lie_beside_the_network(save, backbone_names):
    wrapped = {"state_dict": backbone_names, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    assert verify_weights(RADIMAGENET, save(wrapped))["tensors"] == 318


def test_data_parallel_training_puts_a_word_before_every_name(save, names):
    file = save({f"module.{name}": value for name, value in names.items()})
    assert verify_weights(OWN, file)["layout"] == "data-parallel"
    refuses(RADIMAGENET, file, "layout 'data-parallel' in a torch file, first name 'module.conv1.weight'")


def test_safetensors_hold_the_same_networks(tmp_path, names):
    whole = {name: value.clone() for name, value in names.items()}
    path = tmp_path / "weights.safetensors"
    save_file(whole, path)
    assert verify_weights(OWN, path)["layout"] == "torchvision"
    refuses(WEIGHTS["dino"], path, "layout 'torchvision' in a safetensors file")
    path.write_bytes(path.read_bytes()[:-8])
    refuses(OWN, path, "damaged or incomplete")


def test_the_lineages_are_told_apart(save, tmp_path, names, backbone_names, keras_points):
    port = save(port_of(keras_points), "port.pth")
    refuses(RADIMAGENET, port, r"layout 'keras-port'.*are those of weights 'radimagenet-keras'")
    h5 = write_keras_2(tmp_path / "weights.h5", keras_points)
    refuses(RADIMAGENET, h5, r"layout 'keras' in a hdf5 file.*are those of weights 'radimagenet-keras'")
    refuses(KERAS, save(backbone_names), r"layout 'backbone'.*those of weights 'radimagenet'")
    refuses(RADIMAGENET, save(names), "layout 'torchvision'.*names like backbone.0.weight")
    refuses(IMAGENET, save(backbone_names), "layout 'backbone'.*names like conv1.weight")


def test_a_file_of_another_source_is_known_by_its_hash(save, backbone_names, known_as, monkeypatch):
    file = save(backbone_names)
    known = known_as("radimagenet", file)
    monkeypatch.setitem(WEIGHTS._items, "radimagenet", known)
    refuses(IMAGENET, file, r"this is ResNet50.pt of RadImageNet \(PyTorch lineage\): write `weights: radimagenet`")
    assert verify_weights(known, file)["hash_known"]


def test_leading_digits_are_enough_to_know_a_file(save, names):
    path = save(names)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    files = tuple(replace(file, sha256=(digits,)) for file in IMAGENET.files_of("resnet50"))
    assert verify_weights(replace(IMAGENET, files=files), path)["hash_known"]


def test_keras_files_of_ones_own_need_keras_graph(tmp_path, keras_points):
    h5 = write_keras_2(tmp_path / "weights.h5", keras_points)
    refuses(OWN, h5, "computes with stride v1, stem padded and epsilon 1.001e-05: state these, not v1.5")
    assert verify_weights(replace(OWN, graph=KERAS.graph), h5)["form"] is None


def test_heads_alone_and_parts_are_called_so(save, names):
    refuses(OWN, save({"fc.weight": torch.ones(9, 2048), "fc.bias": torch.ones(9)}), "the classifier's head alone")
    part = {name: value for name, value in names.items() if not name.startswith(("layer4", "fc"))}
    refuses(OWN, save(part), r"a part of the network, without layer4: 60 of 318 tensors are missing")


def test_missing_and_strange_tensors_are_counted(save, backbone_names):
    less = dict(list(backbone_names.items())[:-2])
    refuses(RADIMAGENET, save(less), r"2 of 318 tensors are missing \(first layer4.2.bn3.running_var\), 0 are")
    more = {**backbone_names, "backbone.9.weight": torch.zeros(3)}
    refuses(RADIMAGENET, save(more), r"0 of 318 tensors are missing, 1 are strange \(first backbone.9.weight\)")
    other = {"backbone.conv.weight": torch.zeros(3)}
    refuses(RADIMAGENET, save(other), "318 of 318 tensors are missing")


def test_a_head_has_no_place_in_a_partial_network(save, names):
    partial = {name: value for name, value in names.items() if not name.startswith("layer4")}
    refuses(WEIGHTS["imagenet-caffe"], save(partial), r"2 are strange \(first fc.weight\)")


def test_shapes_are_proved(save, backbone_names):
    other = {**backbone_names, "backbone.4.0.conv1.weight": torch.ones(64, 64, 3, 3)}
    refuses(RADIMAGENET, save(other), r"layer1.0.conv1.weight has shape \(64, 64, 3, 3\), not \(64, 64, 1, 1\)")


def test_numbers_must_be_finite(save, backbone_names):
    refuses(RADIMAGENET, save({**backbone_names, "backbone.1.bias": torch.full((64,), torch.nan)}), "bn1.bias .*finite")


def test_statistics_that_were_never_learned_are_refused(save, backbone_names):
    fresh = {"backbone.5.1.bn2.running_mean": torch.zeros(128), "backbone.5.1.bn2.running_var": torch.ones(128)}
    refuses(
        RADIMAGENET, save({**backbone_names, **fresh}), "1 batch normalisations stand at mean 0.*first layer2.1.bn2"
    )


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (torch.full((64,), -1.0), "holds negative variances"),
        (torch.ones(64, dtype=torch.int32), "numbers of type int32, not float16 to float64"),
        (torch.ones(64, dtype=torch.complex64), "numbers of type complex64"),
        (torch.ones(64).to_sparse(), "no plain tensor"),
        (torch.ones(64, device="meta"), "no plain tensor"),
        (torch.ones(0), r"has shape \(0,\), not \(64,\)"),
        (torch.tensor(1.0), r"has shape \(\), not \(64,\)"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_only_plain_real_numbers_are_taken(save, backbone_names, strange, words):
    refuses(RADIMAGENET, save({**backbone_names, "backbone.1.running_var": strange}), f"bn1.running_var .*{words}")
