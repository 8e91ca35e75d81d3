"""Choosing a backend, and every backend that is installed against eager torch."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from radfusion.errors import UnknownNameError, UserError
from radfusion.execution.executors.processes import available_processors
from radfusion.networks.backends import BACKENDS, Computing
from radfusion.networks.backends.base import grey_network
from radfusion.networks.backends.choice import choose_computing, others
from radfusion.networks.backends.equality import EXACT, HALF, compare, probe
from radfusion.networks.devices import devices_here
from radfusion.networks.preprocessing import network_input
from radfusion.networks.sources import WEIGHTS

has_gpu = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not has_gpu, reason="torch sees no CUDA device here")


@pytest.fixture(params=[*BACKENDS])
def backend(request):
    if reason := BACKENDS[request.param].missing():
        pytest.skip(reason)
    return request.param


@pytest.fixture
def small():
    """A network of two layers that pools over regions when it is given some."""

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 5, 3)

        def forward(self, pixels, regions=None):
            values = self.second(self.first(pixels).relu())
            if regions is None:
                return values.mean(dim=(2, 3))
            return (values * regions[:, :, 2:44:2, 2:44:2]).sum(dim=(2, 3))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return grey_network(Small(), WEIGHTS["imagenet"].input)


def eager(network, *arrays):
    with torch.inference_mode():
        return network(*map(torch.from_numpy, arrays)).numpy()


@pytest.mark.parametrize("source", [*WEIGHTS])
def test_grey_pictures_reach_the_network_as_its_source_expects_them(source):
    grey = np.random.default_rng(1).random((2, 5, 7), dtype=np.float32)
    network = grey_network(nn.Identity(), WEIGHTS[source].input)
    assert np.array_equal(eager(network, grey), network_input(grey, WEIGHTS[source].input))


@pytest.mark.parametrize("regions", [False, True])
def test_every_lane_gives_the_features_of_eager_torch(backend, small, regions):
    examples = probe(48, regions=regions)
    expected = eager(small, *examples)
    lanes = BACKENDS[backend].open(small, choose_computing("cpu", backend), examples)
    assert len(lanes) == available_processors()
    for count in (4, 1, 9):
        rows = np.arange(count) % 4
        inputs = [array[rows] for array in examples]
        for lane in lanes:
            features = lane(inputs[0], inputs[1] if regions else None)
            assert features.dtype == np.float32
            np.testing.assert_allclose(features, expected[rows], rtol=1e-5, atol=1e-5)


def test_attention_is_taken_over(backend):
    """torch computes it in one fused step, which ONNX does not know."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(12, 2, batch_first=True)

        def forward(self, pixels):
            tokens = pixels.unfold(2, 2, 24).unfold(3, 2, 24).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
            return self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1)

    network = grey_network(Attention(), WEIGHTS["imagenet"].input)
    examples = probe(48, regions=False)
    expected, fused = eager(network, *examples), torch.backends.mha.get_fastpath_enabled()
    lane = BACKENDS[backend].open(network, choose_computing("cpu", backend), examples)[0]
    np.testing.assert_allclose(lane(examples[0][:3], None), expected[:3], rtol=1e-5, atol=1e-5)
    assert torch.backends.mha.get_fastpath_enabled() == fused


def test_features_outlive_the_next_batch(backend, small):
    """A lane that hands out its own memory would change what it gave before."""
    pictures = probe(48, regions=False)[0]
    lane = BACKENDS[backend].open(small, choose_computing("cpu", backend), [pictures])[0]
    first = lane(pictures[:1], None)
    kept = first.copy()
    lane(pictures[1:2], None)
    assert np.array_equal(first, kept)


def test_every_backend_says_its_versions(backend):
    told = BACKENDS[backend].versions()
    assert "torch" in told
    assert all(text[0].isdigit() for text in told.values())
    assert BACKENDS[backend].title in str(choose_computing("cpu", backend))


def test_openvino_reports_to_nobody(small):
    """Its package of telemetry sends its use over the internet at import; here it is never imported."""
    if reason := BACKENDS["openvino"].missing():
        pytest.skip(reason)
    BACKENDS["openvino"].open(small, choose_computing("cpu", "openvino"), probe(48, regions=False))
    assert sys.modules["openvino_telemetry"] is None
    assert sys.modules["openvino.tools.ovc.telemetry_stub"]


def test_the_automatic_choice_is_the_best_that_is_there():
    choice = choose_computing()
    installed = [name for name in BACKENDS if BACKENDS[name].missing() is None]
    assert choice.device == devices_here()[0]
    assert choice.backend == ("torch" if choice.place != "cpu" else installed[0])
    assert choose_computing("cpu").backend == installed[0]
    assert choice.precision == "float32"
    assert choice.batch_size == BACKENDS[choice.backend].batch_sizes[choice.place]


def test_what_is_asked_for_is_taken():
    choice = choose_computing("cpu", "torch", "bfloat16", batch_size=3)
    assert choice == Computing("cpu", "torch", "bfloat16", 3, automatic=False)
    assert choose_computing("cpu", precision="bfloat16").backend == "torch"
    facts = choice.facts()
    expected = {"device": "cpu", "backend": "torch", "precision": "bfloat16", "batch_size": 3}
    assert facts == {**expected, **BACKENDS["torch"].versions()}


def test_what_takes_another_place_is_the_next_on_the_same_device():
    first = choose_computing("cpu", batch_size=5)
    assert others(replace(first, automatic=False)) == []
    assert others(replace(first, backend="torch")) == []
    assert [each.batch_size for each in others(first)] == [5] * len(others(first))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (("cpu", "auto", "float16"), "precision 'float16' do not go together:.*torch on cuda in float32 or float16"),
        (("cpu", "openvino", "bfloat16"), "do not go together: openvino on cpu in float32$"),
        (("cuda", "onnxruntime"), "onnxruntime on cpu in float32$" if has_gpu else "torch sees no CUDA device here"),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_does(asked, answer):
    with pytest.raises(UserError, match=answer):
        choose_computing(*asked)


def test_an_unknown_backend_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="no backend is named 'openvin'; did you mean 'openvino'"):
        choose_computing("cpu", "openvin")


@pytest.mark.parametrize(("name", "package"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_an_absent_package_is_passed_over_or_named_with_what_to_install(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    assert choose_computing("cpu").backend != name
    with pytest.raises(UserError, match=rf"backend '{name}': {package} cannot be imported .*pip install.*; here: auto"):
        choose_computing("cpu", name)


def test_equality_is_told_in_units_of_the_largest_feature():
    expected = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 10.0]], dtype=np.float32)
    assert compare(expected, expected).within(EXACT)
    shifted = compare(expected + np.array([0.0, 0.2], dtype=np.float32), expected)
    assert shifted.error == pytest.approx(0.01, rel=1e-5)
    assert shifted.correlation == pytest.approx(1.0)
    assert not shifted.within(HALF)
    turned = compare(expected * np.array([-1.0, 1.0], dtype=np.float32), expected)
    assert turned.correlation == pytest.approx(-1.0)
    assert not compare(expected * np.float32(np.nan), expected).within(HALF)


def test_features_that_do_not_vary_have_no_correlation():
    expected = np.array([[1.0, 5.0], [1.0, 6.0], [1.0, 7.0]], dtype=np.float32)
    noisy = expected + np.array([[1e-6, 0], [-1e-6, 0], [0, 0]], dtype=np.float32)
    assert compare(noisy, expected).within(EXACT)
    assert compare(np.zeros((3, 2), dtype=np.float32), np.zeros((3, 2), dtype=np.float32)).within(EXACT)


@needs_gpu
@pytest.mark.parametrize("regions", [False, True])
def test_a_gpu_gives_the_features_of_the_cpu(small, regions):
    examples = probe(48, regions=regions)
    expected = eager(small, *examples)
    for lane in BACKENDS["torch"].open(small, choose_computing("cuda"), examples):
        features = lane(examples[0], examples[1] if regions else None)
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
