"""Features of frozen networks: the same from every backend, batch size and company; what is said when they are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from radfusion.errors import CaseError, UserError
from radfusion.execution.progress import Progress
from radfusion.networks.backbones import load_network
from radfusion.networks.backends import BACKENDS, Backend
from radfusion.networks.inference import (
    FrozenNetwork,
    choose_computing,
    compute_features,
    computed_by,
    stream_features,
    unusable,
    weights_hash,
)
from radfusion.networks.preprocessing import network_input
from radfusion.networks.sources import WEIGHTS, Pretrained

SIZE = 64
RANDOM = Pretrained(WEIGHTS["random"])
NETWORK = FrozenNetwork(RANDOM, "layer2", "global", SIZE)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")


class Told(Progress):
    """Keeps what is said."""

    def __init__(self):
        self.words = []

    def say(self, message):
        self.words.append(message)


@pytest.fixture(params=[*BACKENDS])
def backend(request):
    if reason := BACKENDS[request.param].missing():
        pytest.skip(reason)
    return request.param


@pytest.fixture(scope="module")
def films():
    """Smooth pictures that differ, and the left or upper half of each as its region."""
    generator = np.random.default_rng(11)
    coarse = generator.random((13, 8, 8), dtype=np.float32)
    pictures = np.kron(coarse, np.ones((1, SIZE // 8, SIZE // 8), dtype=np.float32))
    regions = np.zeros_like(pictures)
    regions[::2, :, : SIZE // 2], regions[1::2, : SIZE // 2] = 1, 1
    return pictures, regions


def eager(films, network):
    """Features by the plain network, every picture alone."""
    pictures, regions = films
    plain = load_network(network.chosen, network.layer, network.pooling)
    rows = []
    with torch.inference_mode():
        for picture, region in zip(pictures, regions, strict=True):
            pixels = torch.from_numpy(network_input(picture[None], network.chosen.source.input))
            inside = [torch.from_numpy(region[None, None])] if network.pooling == "roi" else []
            rows.append(plain(pixels, *inside).numpy()[0])
    return np.stack(rows)


def relative(features, expected):
    return np.abs(features - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("pooling", ["global", "roi"])
def test_every_backend_gives_eager_features_in_batches_of_1_and_of_32(backend, pooling, films):
    network = replace(NETWORK, pooling=pooling)
    regions = films[1] if pooling == "roi" else None
    expected = eager(films, network)
    for size in (1, 32):
        computing = choose_computing("cpu", backend, batch_size=size)
        assert relative(compute_features(films[0], regions, network, computing=computing), expected) < 1e-5
        facts = computed_by(network, computing)
        assert facts["backend"] == backend
        assert facts["equality"]["relative_error"] < 1e-5


def test_a_picture_has_the_same_bits_in_any_company(backend, films):
    """Alone, among others, and split over items otherwise."""
    computing = choose_computing("cpu", backend, batch_size=4)
    together = compute_features(films[0], None, NETWORK, computing=computing)
    items = [(films[0][start : start + 3], None) for start in (9, 6, 3, 0)]
    apart = list(stream_features(items, NETWORK, computing))
    assert [len(rows) for rows in apart] == [3, 3, 3, 3]
    assert np.array_equal(np.concatenate(apart[::-1]), together[:12])
    assert np.array_equal(compute_features(films[0][5:6], None, NETWORK, computing=computing), together[5:6])


def test_nothing_is_loaded_before_there_is_something_to_show():
    absent = FrozenNetwork(replace(RANDOM, source=WEIGHTS["imagenet"]), "layer4")
    assert list(stream_features([], absent, choose_computing("cpu", "torch"))) == []


def test_what_computes_is_said_once(films):
    told = Told()
    items = [(films[0][:1], None)] * 9
    assert (
        len(list(stream_features(items, NETWORK, choose_computing("cpu", "torch", batch_size=4), progress=told))) == 9
    )
    assert told.words == ["deep features of random (resnet50, layer2): torch on CPU, float32, batches of 4"]


def test_a_bad_picture_costs_its_own_item(backend, films):
    bad = np.full((1, SIZE, SIZE), np.nan, dtype=np.float32)
    items = [(films[0][:2], None), (np.concatenate([films[0][:1], bad]), None), (films[0][2:3], None)]
    computing = choose_computing("cpu", backend, batch_size=4)
    first, second, third = stream_features(items, NETWORK, computing)
    assert isinstance(second, CaseError)
    assert (second.stage, second.reason) == ("deep", "the picture holds numbers that are not finite")
    assert first.shape == (2, 512)
    assert np.array_equal(third, compute_features(films[0][2:3], None, NETWORK, computing=computing))
    with pytest.raises(CaseError, match="not finite"):
        compute_features(bad, None, NETWORK, computing=computing)


@pytest.mark.parametrize(
    ("shape", "regions", "pooling", "message"),
    [
        ((1, SIZE, SIZE + 1), False, "global", r"pictures of 64 x 64 are needed, not \(1, 64, 65\)"),
        ((0, SIZE, SIZE), False, "global", "one or more pictures"),
        ((1, SIZE, SIZE), True, "global", "pooling 'global' has no use for regions"),
        ((1, SIZE, SIZE), False, "roi", "pooling 'roi' needs regions"),
    ],
)
def test_pictures_that_do_not_fit_the_network_are_a_mistake(shape, regions, pooling, message):
    pictures = np.zeros(shape, dtype=np.float32)
    network = replace(NETWORK, pooling=pooling)
    with pytest.raises(ValueError, match=message):
        list(stream_features([(pictures, pictures if regions else None)], network, choose_computing("cpu", "torch")))


def test_bfloat16_is_used_when_asked_for_and_says_how_unequal_it_is(films):
    told, computing = Told(), choose_computing("cpu", precision="bfloat16", batch_size=4)
    features = np.concatenate(list(stream_features([(films[0], None)], NETWORK, computing, progress=told)))
    assert 1e-5 < relative(features, eager(films, NETWORK)) < 0.1
    assert "bfloat16 against float32: relative error" in told.words[0]
    assert told.words[0].endswith("used because it was asked for")
    facts = computed_by(NETWORK, computing)
    assert (facts["precision"], facts["equality"]["pictures"]) == ("bfloat16", 13)


class Wrong(Backend):
    """Computes something else."""

    name, title = "wrong", "Wrong"
    precisions, batch_sizes = {"cpu": ("float32",)}, {"cpu": 4}

    def missing(self):
        return None

    def versions(self):
        return {"wrong": "1"}

    def open(self, network, computing, examples):
        right = BACKENDS["torch"].open(network, computing, examples)
        return [lambda pictures, regions: right[0](1 - pictures, regions)]


class Unable(Wrong):
    """Cannot take over any network."""

    name, title = "unable", "Unable"

    def open(self, *_):
        raise RuntimeError("no such operator")


@pytest.fixture
def with_unfit_backends(monkeypatch):
    """Two backends that come first and cannot be used."""
    monkeypatch.setattr(BACKENDS, "_items", {"wrong": Wrong(), "unable": Unable(), **BACKENDS.items()})


def test_a_backend_with_other_features_is_refused_and_the_next_is_taken(with_unfit_backends, films):
    told, computing = Told(), choose_computing("cpu", batch_size=4)
    assert computing.backend == "wrong"
    features = np.concatenate(list(stream_features([(films[0], None)], NETWORK, computing, progress=told)))
    assert relative(features, eager(films, NETWORK)) < 1e-5
    assert "Wrong is refused: its features are not those of eager torch (relative error" in told.words[0]
    assert "Unable is refused: it cannot take over the network (RuntimeError: no such operator)" in told.words[1]
    assert computed_by(NETWORK, computing)["backend"] in ("onnxruntime", "openvino", "torch")


def test_a_backend_that_was_asked_for_is_not_replaced(with_unfit_backends, films):
    with pytest.raises(UserError, match=r"deep features of random \(resnet50\): Wrong is refused"):
        compute_features(films[0], None, NETWORK, computing=choose_computing("cpu", "wrong"))


def test_drawn_weights_have_a_seed_and_are_always_there():
    assert weights_hash(RANDOM) == "drawn with seed 20221107"
    assert unusable(RANDOM) is None


@pytest.mark.data
def test_real_features_are_equal_from_every_backend(backend, shared):
    """The Caffe network down to layer3 on structured pictures, as real weights have large inner numbers."""
    file = shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"
    network = FrozenNetwork(replace(RANDOM, source=WEIGHTS["imagenet-caffe"], file=file), "layer3", "global", 96)
    pictures = np.kron(np.random.default_rng(4).random((3, 12, 12), dtype=np.float32), np.ones((1, 8, 8)))
    pictures = pictures.astype(np.float32)
    features = compute_features(pictures, None, network, computing=choose_computing("cpu", backend))
    assert relative(features, eager((pictures, pictures), network)) < 1e-5


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_gpu_keeps_the_features_or_float32_takes_over(precision, films):
    computing = choose_computing("cuda", precision=precision, batch_size=4)
    features = compute_features(films[0], None, NETWORK, computing=computing)
    assert relative(features, eager(films, NETWORK)) < (1e-4 if precision == "float32" else 1e-3)
