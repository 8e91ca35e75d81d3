"""Where networks run: importing torch with a useful answer when it fails, choosing a device, repeatable arithmetic."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from radfusion.errors import UserError, WeightsError

__all__ = ["Device", "choose_device", "missing_packages", "repeatable", "require_packages"]

Device = Literal["auto", "cpu", "cuda"]


def missing_packages() -> str | None:
    """Why torch and torchvision cannot be used here and what to install, or None when they can."""
    for package in ("torch", "torchvision"):
        try:
            importlib.import_module(package)
        except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: torchvision built for another torch
            return (
                f"{package} cannot be imported ({_first_line(error)}): install torch and torchvision builds that "
                "belong together (`python -m pip install --upgrade torch torchvision`; a CPU-only torch needs the "
                "CPU-only torchvision); studies without deep features run without them"
            )
    return None


def require_packages() -> None:
    """Stop unless torch and torchvision can be used.

    Raises
    ------
    WeightsError
        When one of them cannot be imported; says what to install.
    """
    if reason := missing_packages():
        raise WeightsError(reason)


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """Device that a network runs on; ``"auto"`` takes the GPU when there is one.

    Raises
    ------
    UserError
        When ``"cuda"`` is asked for and torch sees no such device.

    Examples
    --------
    >>> choose_device("cpu")
    'cpu'
    """
    if wanted == "cpu":
        return "cpu"
    require_packages()
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise UserError("device 'cuda': torch sees no CUDA device here; allowed: auto, cpu")


@contextmanager
def repeatable() -> Iterator[None]:
    """One CPU thread, no autotuning and full float32 on the GPU, so that a sum has one order; restored afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
