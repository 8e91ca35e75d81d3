import os
import pickle

import pytest
import torch

from radfusion.errors import WeightsError
from radfusion.networks.checkpoints import read_checkpoint
from radfusion.networks.weights import WEIGHTS, Pretrained, verify_weights

RADIMAGENET, IMAGENET = WEIGHTS["radimagenet"], WEIGHTS["imagenet"]


class Intruder:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def refuses(source, path, words):
    with pytest.raises(WeightsError, match=words) as caught:
        verify_weights(source, path)
    assert str(caught.value).startswith(f"weights {source.name!r}, {path.name}: ")


def test_all_318_tensors_of_radimagenet_are_accounted_for(save, backbone_names):
    facts = verify_weights(RADIMAGENET, save(backbone_names))
    assert (facts["tensors"], facts["batchnorm_layers"], facts["head"]) == (318, 53, False)
    assert facts["hash_known"] is False
    assert facts["layers"] == ["layer1", "layer2", "layer3", "layer4"]


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
    refuses(IMAGENET, save(names), f"its SHA-256 is [0-9a-f]{{64}}, not {IMAGENET.sha256[0]}; .*weights fetch imagenet")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html><head>", "a web page saved as a file"),
        (b"\xef\xbb\xbf\n <HTML>", "a web page saved as a file"),
        (b"\x89HDF\r\n\x1a\n", r"Keras lineage .*an HDF5 file.*PyTorch lineage"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "not a file that torch.save wrote"),
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
    refuses(IMAGENET, path, r"damaged or incomplete \([\d,]+ of 102,530,333 bytes\); get the file again")


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_never_run(save, tmp_path, names, zipped):
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
        ({}, "the dictionary is empty"),
        ({"state_dict": {"conv1.weight": torch.zeros(1)}, "epoch": 3}, "state_dict, epoch is no tensor"),
    ],
)
def test_only_plain_dictionaries_of_tensors_are_read(save, content, words):
    refuses(RADIMAGENET, save(content), words)


def test_the_keras_lineage_is_known_by_its_biases(save, names):
    port = {**names, "layer1.0.conv1.bias": torch.zeros(64)}
    refuses(RADIMAGENET, save(port), "Keras lineage .*its convolutions have biases")


def test_layouts_are_not_mixed_up(save, names, backbone_names):
    refuses(RADIMAGENET, save(names), "layout 'torchvision'.*names like backbone.0.weight")
    refuses(IMAGENET, save(backbone_names), "layout 'backbone'.*names like conv1.weight")


def test_missing_and_strange_tensors_are_counted(save, backbone_names):
    less = dict(list(backbone_names.items())[:-2])
    refuses(RADIMAGENET, save(less), r"2 of 318 tensors are missing \(first layer4.2.bn3.num_batches_tracked\), 0 are")
    more = {**backbone_names, "backbone.9.weight": torch.zeros(3)}
    refuses(RADIMAGENET, save(more), r"0 of 318 tensors are missing, 1 are strange \(first backbone.9.weight\)")
    other = {"backbone.conv.weight": torch.zeros(3)}
    refuses(RADIMAGENET, save(other), "318 of 318 tensors are missing")


def test_a_head_has_no_place_in_a_partial_network(save, names):
    partial = {name: value for name, value in names.items() if not name.startswith("layer4")}
    refuses(WEIGHTS["imagenet-caffe"], save(partial), r"2 are strange \(first fc.bias\)")


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
