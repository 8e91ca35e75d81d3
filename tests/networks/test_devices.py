import sys
import threading

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from radfusion.errors import UserError, WeightsError
from radfusion.networks.devices import (
    Device,
    choose_device,
    devices_here,
    gpu_titles,
    missing_packages,
    repeatable,
    require_packages,
)

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
    here = devices_here()
    assert here[-1] == "cpu"
    assert [choose_device(name) for name in here] == [*here]
    assert choose_device("auto") == here[0]
    assert has_gpu == ("cuda" in here)


@pytest.mark.parametrize(("name", "why"), [("cuda", "no CUDA device"), ("cuda:1", "no CUDA"), ("mps", "no Apple GPU")])
def test_a_gpu_that_is_not_there_is_refused(name, why):
    if name in devices_here():
        pytest.skip(f"has {name}")
    if has_gpu and name == "cuda:1":
        why = "sees 1 CUDA"
    with pytest.raises(UserError, match=rf"device '{name}': torch sees {why}.*allowed here: auto, .*cpu$"):
        choose_device(name)


def test_a_gpu_has_a_name_and_the_cpu_needs_none():
    assert gpu_titles("cpu") == []
    if not has_gpu:
        pytest.skip("torch sees no CUDA device here")
    assert len(gpu_titles("cuda")) == torch.cuda.device_count()
    assert all(gpu_titles("cuda:0"))


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:15", "mps"])
def test_a_study_may_name_these_devices(name):
    assert TypeAdapter(Device).validate_python(name) == name


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:a", "cuda0", "CPU", ""])
def test_a_study_may_name_no_other_device(name):
    with pytest.raises(ValidationError, match="should match pattern"):
        TypeAdapter(Device).validate_python(name)


def test_one_thread_and_only_for_as_long_as_needed():
    torch.set_num_threads(2)
    with repeatable():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_threads_that_overlap_restore_what_was_before_all_of_them():
    """The second enters while the first is inside and leaves after it: what it found is not what was before."""
    torch.set_num_threads(2)
    tf32 = torch.backends.cudnn.allow_tf32
    inside, outside, found = threading.Barrier(2, timeout=30), threading.Event(), []

    def second():
        inside.wait()
        with repeatable():
            inside.wait()
            assert outside.wait(30)
            found.append((torch.get_num_threads(), torch.backends.cudnn.allow_tf32))

    thread = threading.Thread(target=second)
    thread.start()
    with repeatable():
        inside.wait()
        inside.wait()
    outside.set()
    thread.join()
    assert found == [(1, False)]
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == (2, tf32)
