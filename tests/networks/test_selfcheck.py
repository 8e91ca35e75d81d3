"""The self-check names the preparation that a network was learned with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import resnet18

from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from radfusion.networks.preprocessing import CropSettings, crops_of, network_input
from radfusion.networks.profiles import PROFILES
from radfusion.networks.selfcheck import clearly_better, profile_fits, ranges, without_statistics
from radfusion.networks.sources import WEIGHTS, Pretrained

CAFFE = "resnet50_caffe_imagenet_stem_layer1-3.pt"


def pictures(seed, count=6, size=64):
    """Smooth blobs on a dark ground."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    found = []
    for _ in range(count):
        y, x, width = rng.uniform(0.2, 0.8, 3)
        blob = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2 * 8)
        found.append(np.clip(0.1 + 0.8 * blob + rng.normal(0, 0.05, (size, size)), 0, 1))
    return np.array(found, dtype=np.float32)


def learned_with(profile, path):
    """A network whose batch statistics were gathered from pictures prepared in one way."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        network = resnet18(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.from_numpy(network_input(pictures(1, 8), PROFILES[profile].input)))
    torch.save(network.state_dict(), path)
    form = replace(WEIGHTS["imagenet"].files_of("resnet18")[0], sha256=(), hash_required=False)
    return replace(WEIGHTS["imagenet"], files=(form,)), path


@pytest.mark.parametrize("profile", ["torchvision", "half", "caffe", "unit", "bytes-torchvision"])
def test_the_preparation_of_the_training_is_named_first(profile, tmp_path):
    source, file = learned_with(profile, tmp_path / "weights.pth")
    shown = pictures(2)
    right = profile_fits(shown, Pretrained(replace(source, input=PROFILES[profile].input), "resnet18", file))
    assert right[0].profile == profile
    assert right[0].own
    assert clearly_better(right) is None
    other = "half" if profile != "half" else "torchvision"
    wrong = profile_fits(shown, Pretrained(replace(source, input=PROFILES[other].input), "resnet18", file))
    assert clearly_better(wrong) == profile


def test_against_numpy_at_the_first_layer(tmp_path):
    source, file = learned_with("unit", tmp_path / "weights.pth")
    chosen = Pretrained(replace(source, input=PROFILES["unit"].input), "resnet18", file)
    fits = profile_fits(pictures(1, 8), chosen)
    # On the pictures of the training itself the statistics agree, but for the variance's divisor (n - 1 in training).
    assert fits[0].distance < 0.06
    assert fits[0].mean_shift < 0.06
    assert fits[0].spread_ratio == pytest.approx(1, abs=0.05)


def test_networks_without_learned_statistics_are_told():
    assert "drawn" in without_statistics(Pretrained(WEIGHTS["random"]))
    source = replace(WEIGHTS["imagenet"], name="mine")
    assert "no batch normalisation" in without_statistics(Pretrained(source, "convnext_tiny"))
    assert without_statistics(Pretrained(source, "resnet18")) is None


def test_ranges_are_those_of_the_network_input():
    grey = np.array([[[0.0, 0.5], [0.5, 1.0]]], dtype=np.float32)
    (blue, _, red) = ranges(grey, WEIGHTS["imagenet-caffe"].input)
    assert (blue.channel, red.channel) == ("B", "R")
    assert (blue.minimum, blue.maximum) == pytest.approx((-103.06, 255 - 103.06), abs=1e-4)
    assert (blue.black, blue.white) == (blue.minimum, blue.maximum)
    assert red.mean == pytest.approx(127.5 - 123.15, abs=1e-4)


@pytest.mark.data
def test_a_real_network_names_its_preparation_on_real_films(shared):
    table = pd.read_csv(shared / "data/cxr3/cohort.csv", usecols=["patient_id", "image", "mask", "split"])
    rows = table[table["split"] == "train"].iloc[:800:100].to_dict("records")
    films = [
        read_scan(
            str(row["patient_id"]), shared / "data/cxr3" / row["image"], shared / "data/cxr3" / row["mask"],
            settings=ImagingSettings(),
        )
        for row in rows
    ]  # fmt: skip
    shown = np.stack([crops_of(film, CropSettings(size=112))[0].grey for film in films])
    source, file = WEIGHTS["imagenet-caffe"], shared / "weights" / CAFFE
    fits = profile_fits(shown, Pretrained(source, file=file))
    distance = {fit.profile: fit.distance for fit in fits}
    assert {fits[0].profile, fits[1].profile} == {"caffe", "exchanged"}
    assert clearly_better(fits) is None
    assert distance["torchvision"] > 1.5 * distance["caffe"]
    asked = replace(source, input=WEIGHTS["imagenet"].input)
    assert clearly_better(profile_fits(shown, Pretrained(asked, file=file))) == "caffe"
