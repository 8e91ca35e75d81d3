"""Where networks run: importing torch with a useful answer when it fails, choosing a device, repeatable arithmetic."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Annotated

from pydantic import StringConstraints

from radfusion.errors import UserError, WeightsError

__all__ = [
    "Device",
    "choose_device",
    "devices_here",
    "first_line",
    "gpu_numbers",
    "gpu_titles",
    "import_problem",
    "missing_packages",
    "repeatable",
    "require_packages",
]

#: ``auto``, ``cpu``, ``cuda`` (all GPUs), ``cuda:1`` (one of them, counted from 0), ``mps`` (Apple).
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")]

_FOLDERS = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\"()]+[\\/])+")
_BROKEN = (ImportError, OSError, RuntimeError)  # RuntimeError: torchvision built for another torch


def import_problem(package: str) -> str | None:
    """First line of why a package cannot be imported, or None when it can."""
    try:
        importlib.import_module(package)
    except _BROKEN as error:
        return first_line(error)
    return None


def first_line(error: BaseException) -> str:
    """First line of what an error says, without the folders of this machine, or its kind where it says nothing.

    Examples
    --------
    >>> first_line(ValueError())
    'ValueError'
    >>> first_line(ImportError("cannot import name 'nn' from 'torch' (/home/anna/torch/__init__.py)"))
    "cannot import name 'nn' from 'torch' (__init__.py)"
    """
    return _FOLDERS.sub("", str(error).partition("\n")[0]) or type(error).__name__


def missing_packages() -> str | None:
    """Why torch and torchvision cannot be used here and what to install, or None when they can."""
    for package in ("torch", "torchvision"):
        if reason := import_problem(package):
            return (
                f"{package} cannot be imported ({reason}): install torch and torchvision builds that "
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


def devices_here() -> tuple[str, ...]:
    """Devices that networks can run on here, the fastest first; each of several GPUs also by its number.

    Returns
    -------
    tuple of str
        ``cuda``, ``cuda:0``, ... and ``mps`` where they are; ``cpu`` is last and always there.
    """
    require_packages()
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = ["cuda", *(f"cuda:{index}" for index in range(gpus))] if gpus else []
    return (*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu")


def choose_device(wanted: str) -> str:
    """Device that a network runs on; ``"auto"`` takes the GPU when there is one.

    Parameters
    ----------
    wanted : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:0``, ``cuda:1``, ..., ``mps``.

    Returns
    -------
    str
        One of :func:`devices_here`.

    Raises
    ------
    UserError
        When a device is asked for that is not there; says what there is and what may be missing.

    Examples
    --------
    >>> choose_device("cpu")
    'cpu'
    """
    if wanted == "cpu":
        return "cpu"
    here = devices_here()
    if wanted == "auto":
        return here[0]
    if wanted in here:
        return wanted
    raise UserError(f"device {wanted!r}: {_why_not(wanted, here)}; allowed here: auto, {', '.join(here)}")


def gpu_titles(device: str) -> list[str]:
    """Names of the GPUs behind a device, for the record; empty for the CPU.

    Examples
    --------
    >>> gpu_titles("cpu")
    []
    """
    if not device.startswith("cuda"):
        return ["Apple GPU"] if device == "mps" else []
    import torch

    return [torch.cuda.get_device_name(index) for index in gpu_numbers(device)]


def gpu_numbers(device: str) -> list[int]:
    """Numbers of the GPUs that a device stands for: all for ``cuda``, one for ``cuda:1``.

    Examples
    --------
    >>> gpu_numbers("cuda:1")
    [1]
    """
    if ":" in device:
        return [int(device.partition(":")[2])]
    import torch

    return list(range(torch.cuda.device_count()))


class _Repeatable:
    """How many threads are inside, and what was before the first of them."""

    def __init__(self) -> None:
        self.lock, self.inside, self.threads, self.flags = Lock(), 0, 1, ExitStack()

    def enter(self) -> None:
        import torch

        with self.lock:
            threads = torch.get_num_threads()  # a thread that never asked would take over what others set later
            if self.inside == 0:
                self.threads = threads
                flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
                self.flags.enter_context(flags)
            self.inside += 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        import torch

        with self.lock:
            self.inside -= 1
            torch.set_num_threads(self.threads)
            if self.inside == 0:
                self.flags.close()


_repeatable = _Repeatable()


@contextmanager
def repeatable() -> Iterator[None]:
    """One CPU thread, no autotuning and full float32 on the GPU, so that a sum has one order; restored afterwards.

    Threads may be inside at the same time: the last one out restores what was before the first.
    """
    _repeatable.enter()
    try:
        yield
    finally:
        _repeatable.leave()


def _why_not(wanted: str, here: tuple[str, ...]) -> str:
    import torch

    if wanted == "mps":
        return "torch sees no Apple GPU here"
    if "cuda" in here:
        return f"torch sees {sum(':' in each for each in here)} CUDA device(s) here, counted from 0"
    if torch.version.cuda is None:
        return "torch sees no CUDA device here, and was built without CUDA: install a CUDA build of torch"
    return "torch sees no CUDA device here: is a GPU there, and its driver (`nvidia-smi` shows both)?"
