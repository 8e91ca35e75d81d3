import sys

import pytest
import torch

from radfusion.errors import UserError, WeightsError
from radfusion.networks.devices import choose_device, missing_packages, repeatable, require_packages

has_gpu = torch.cuda.is_available()


def test_packages_are_here():
    assert missing_packages() is None


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_an_absent_package_is_named_with_what_to_install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(WeightsError, match=rf"^{package} cannot be imported .*pip install --upgrade torch torchvision"):
        require_packages()


def test_builds_that_do_not_belong_together_are_explained(tmp_path, monkeypatch):
    """A CPU-only torch beside a CUDA torchvision raises a RuntimeError at import."""
    broken = tmp_path / "torchvision.py"
    broken.write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision")
    assert "torchvision cannot be imported (operator torchvision::nms does not exist)" in missing_packages()


def test_the_device_is_what_is_there():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if has_gpu else "cpu")


@pytest.mark.skipif(has_gpu, reason="has a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="'cuda': torch sees no CUDA device here; allowed: auto, cpu"):
        choose_device("cuda")


def test_one_thread_and_only_for_as_long_as_needed():
    torch.set_num_threads(2)
    with repeatable():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
