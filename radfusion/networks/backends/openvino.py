"""OpenVINO on the CPU, in full float32."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from radfusion.execution.executors.processes import available_processors
from radfusion.networks.backends.base import BACKENDS, Backend, Computing, Lane, Precision
from radfusion.networks.devices import import_problem, missing_packages

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OpenVINO"]


class OpenVINO(Backend):
    """The traced network compiled by OpenVINO: one stream and one thread for each processor."""

    name: ClassVar[str] = "openvino"
    title: ClassVar[str] = "OpenVINO"
    precisions: ClassVar[Mapping[str, tuple[Precision, ...]]] = {"cpu": ("float32",)}
    batch_sizes: ClassVar[Mapping[str, int]] = {"cpu": 8}

    def missing(self) -> str | None:
        """Why openvino cannot be imported, or None."""
        _tell_nobody()
        if reason := missing_packages():
            return reason
        reason = import_problem("openvino")
        return reason and f"openvino cannot be imported ({reason}): `python -m pip install openvino`"

    def versions(self) -> dict[str, str]:
        """Version of openvino, and of torch, whose network it converts."""
        return {"openvino": version("openvino"), "torch": version("torch")}

    def open(self, network: nn.Module, computing: Computing, examples: Sequence[NDArray[np.float32]]) -> list[Lane]:
        """Convert, compile, one lane per processor."""
        import torch

        del computing
        _tell_nobody()
        import openvino

        lanes = available_processors()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing, which is deprecated and still the exact way
            model = openvino.convert_model(network, example_input=tuple(map(torch.from_numpy, examples)))
        model.reshape({port: openvino.PartialShape([-1, *examples[0].shape[1:]]) for port in model.inputs})
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # its own choice is bfloat16 on processors that have it
            "NUM_STREAMS": lanes,
            "INFERENCE_NUM_THREADS": lanes,
            "ENABLE_CPU_PINNING": False,  # several runs on a machine would all sit on its first processors
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        return [_lane(compiled.create_infer_request()) for _ in range(lanes)]


def _tell_nobody() -> None:
    """Keep openvino from reporting its use to its maker over the internet, which it does by default at import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _lane(request: Any) -> Lane:
    lock = Lock()

    def lane(pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> NDArray[np.float32]:
        inputs = [np.ascontiguousarray(array) for array in (pictures, regions) if array is not None]
        with lock:
            features: NDArray[np.float32] = request.infer(inputs, share_inputs=True)[0]
        return features

    return lane


BACKENDS.add(OpenVINO.name, OpenVINO())
