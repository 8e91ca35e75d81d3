import csv
import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from radfusion.core.hashing import content_hash
from radfusion.core.scan import Scan
from radfusion.errors import CaseError, WeightsError
from radfusion.extraction.extractors.deep import Deep
from radfusion.networks.health import feature_health
from radfusion.networks.preprocessing import crop_roi, network_input
from radfusion.networks.selfcheck import batchnorm_distance
from radfusion.networks.weights import WEIGHTS, Pretrained

QUICK = Deep(weights="random", layer="layer1", size=64, batch_size=4, device="cpu")


def made_up(case, seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (70, 90)).astype(float)
    roi = np.zeros(image.shape, dtype=bool)
    roi[20:50, 30:70] = True
    return Scan(case, image, roi, None)


@pytest.fixture(scope="module")
def weights(shared):
    return shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"


@pytest.fixture(scope="module")
def films(shared):
    """Twelve real chest films, spread over the table."""
    folder = shared / "data" / "cxr3"
    with (folder / "cohort.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::80][:12]
    scans = []
    for row in rows:
        image = np.asarray(Image.open(folder / row["image"]).convert("L"), dtype=float)
        lungs = np.asarray(Image.open(folder / row["mask"]).convert("L")) == 255
        scans.append(Scan(row["patient_id"], image, lungs, None, modality="CR"))
    return scans


@pytest.fixture(scope="module")
def real(weights):
    return Deep(weights="imagenet-caffe", file=weights, batch_size=4, device="cpu")


@pytest.mark.data
def test_a_film_has_the_same_bits_in_any_company(real, films):
    together = real.extract(films[:4])
    assert real.extract(films[:1]) == together[:1]
    assert real.extract(films[3:5])[0] == together[3]
    assert real.extract([films[4], films[2], films[0], films[1]])[1:] == [together[2], together[0], together[1]]


@pytest.mark.data
def test_real_features_say_more_than_random_ones(real, films):
    features = [list(row.values()) for row in real.extract(films)]
    health = feature_health(features)
    assert health["first_component_share"] < 0.5
    assert health["constant_share"] < 0.05
    random = Deep(weights="random", layer="layer3", batch_size=4, device="cpu")
    control = feature_health([list(row.values()) for row in random.extract(films)])
    assert control["first_component_share"] > 0.9


@pytest.mark.data
def test_the_right_input_is_nearest_to_the_numbers_of_training(real, films, weights):
    grey = np.stack([crop_roi(film, real.crop_settings).grey for film in films[:4]])
    formats = {name: WEIGHTS[name].input for name in ("imagenet-caffe", "imagenet", "radimagenet")}
    source = WEIGHTS["imagenet-caffe"]
    distance = {
        name: batchnorm_distance(network_input(grey, each), Pretrained(source, file=weights))
        for name, each in formats.items()
    }
    assert distance["imagenet-caffe"] < 0.7 * min(distance["imagenet"], distance["radimagenet"])


@pytest.mark.data
def test_real_names_and_identity(real, films):
    names = list(real.extract(films[:1])[0])
    assert (len(names), names[7]) == (1024, "layer3_pool_0007")
    assert real.unavailable() is None
    identity = real.identity()
    assert identity["weights_sha256"] == WEIGHTS["imagenet-caffe"].sha256[0] == real.weights_facts()["sha256"]
    assert (identity["layer"], identity["batch_size"], identity["device"]) == ("layer3", 4, "cpu")


def test_random_bits_do_not_depend_on_company():
    scans = [made_up(str(seed), seed) for seed in range(6)]
    together = QUICK.extract(scans)
    assert [row for scan in scans for row in QUICK.extract([scan])] == together
    assert QUICK.extract(scans[::-1]) == together[::-1]
    assert together[0] != together[1]
    assert list(together[0])[255] == "layer1_pool_0255"


def test_identity_is_plain_and_follows_what_matters():
    assert QUICK.extract([]) == []
    assert QUICK.source == "random"
    assert QUICK.batch == 4
    json.dumps(QUICK.identity())
    same = content_hash(QUICK.identity())
    for change in ({"layer": "layer2"}, {"size": 96}, {"margin": 0.2}, {"outside": "zero"}, {"batch_size": 5}):
        assert content_hash(QUICK.model_copy(update=change).identity()) != same


def test_the_default_layer_is_the_deepest():
    assert Deep(weights="imagenet").layer_name == "layer4"
    assert Deep(weights="imagenet-caffe").layer_name == "layer3"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "imagnet"}, "no weights source is named 'imagnet'; did you mean 'imagenet'"),
        ({"weights": "imagenet-caffe", "layer": "layer4"}, "have no 'layer4'; allowed: layer1, layer2, layer3"),
        ({"layer": "avgpool"}, "layer1"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"centre_crop": True}, "Extra inputs are not permitted"),
    ],
)
def test_mistakes_in_a_study_file_are_named(settings, words):
    with pytest.raises(ValidationError, match=words):
        Deep(**settings)


@pytest.fixture
def empty_handed(tmp_path, monkeypatch):
    monkeypatch.setenv("RADFUSION_CACHE", str(tmp_path))
    monkeypatch.delenv("RADFUSION_WEIGHTS", raising=False)


@pytest.mark.usefixtures("empty_handed")
def test_absent_weights_are_said_and_never_replaced():
    assert "'imagenet' (resnet50-0676ba61.pth) are not here: radfusion weights fetch" in Deep().unavailable()
    assert "then `radfusion weights import radimagenet ResNet50.pt`" in Deep(weights="radimagenet").unavailable()
    for use in (Deep().identity, lambda: Deep().extract([made_up("a")])):
        with pytest.raises(WeightsError, match="are not here"):
            use()


def test_an_unfit_file_is_said_before_any_computing(tmp_path):
    page = tmp_path / "ResNet50.pt"
    page.write_text("<!DOCTYPE html><title>Quota exceeded</title>")
    assert "a web page saved as a file" in Deep(weights="radimagenet", file=page).unavailable()
    assert "is not a file" in Deep(weights="radimagenet", file=tmp_path / "absent.pt").unavailable()


def test_a_case_without_a_region_is_refused():
    empty = Scan("b", np.ones((9, 9)), np.zeros((9, 9), dtype=bool), None)
    with pytest.raises(CaseError, match="the ROI is empty"):
        QUICK.extract([made_up("a"), empty])


def test_what_the_network_sees_can_be_told():
    assert QUICK.describe(made_up("a")) == {
        "box": [11, 59, 26, 74],
        "plane": None,
        "window": [0.0, 255.0],
        "rule": "8-bit",
    }
