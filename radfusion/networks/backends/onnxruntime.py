"""ONNX Runtime on the CPU."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from radfusion.execution.executors.processes import available_processors
from radfusion.networks.backends.base import BACKENDS, Backend, Computing, Lane, Precision
from radfusion.networks.devices import import_problem, missing_packages

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OnnxRuntime"]


class OnnxRuntime(Backend):
    """The network exported to ONNX: one session, called with one thread from each processor's lane."""

    name: ClassVar[str] = "onnxruntime"
    title: ClassVar[str] = "ONNX Runtime"
    precisions: ClassVar[Mapping[str, tuple[Precision, ...]]] = {"cpu": ("float32",)}
    batch_sizes: ClassVar[Mapping[str, int]] = {"cpu": 8}

    def missing(self) -> str | None:
        """Why onnxruntime or onnx, which writes what it reads, cannot be imported, or None."""
        if reason := missing_packages():
            return reason
        for package in ("onnxruntime", "onnx"):
            if reason := import_problem(package):
                return f"{package} cannot be imported ({reason}): `python -m pip install onnx onnxruntime`"
        return None

    def versions(self) -> dict[str, str]:
        """Versions of onnxruntime and onnx, and of torch, whose network they take over."""
        return {name: version(name) for name in ("onnxruntime", "onnx", "torch")}

    def open(self, network: nn.Module, computing: Computing, examples: Sequence[NDArray[np.float32]]) -> list[Lane]:
        """Export, open a session, one lane per processor."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # measured: 4% faster at 8 pictures; at 32 no faster, and 0.2 GB more
        options.enable_cpu_mem_arena = computing.batch_size <= self.batch_sizes["cpu"]
        session = onnxruntime.InferenceSession(_exported(network, examples), options, ["CPUExecutionProvider"])
        return [_lane(session)] * available_processors()


def _exported(network: nn.Module, examples: Sequence[NDArray[np.float32]]) -> bytes:
    import torch

    names = ["pictures", "regions"][: len(examples)]
    file = io.BytesIO()
    with warnings.catch_warnings(), _plain_attention():
        warnings.simplefilter("ignore")  # the exporter by tracing is deprecated; it needs no further package
        torch.onnx.export(
            network,
            tuple(map(torch.from_numpy, examples)),
            file,  # type: ignore[arg-type]  # a buffer is taken all the same
            dynamo=False,
            input_names=names,
            dynamic_axes={name: {0: "pictures"} for name in names},
        )
    return file.getvalue()


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention in steps that can be exported; torch's fused one cannot."""
    from torch.backends import mha

    fused = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(fused)


def _lane(session: Any) -> Lane:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    failures = (state.Fail, state.RuntimeException, state.EPFail)
    names = [each.name for each in session.get_inputs()]

    def lane(pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> NDArray[np.float32]:
        try:
            features: NDArray[np.float32] = session.run(None, dict(zip(names, (pictures, regions), strict=False)))[0]
        except failures as error:
            raise RuntimeError(str(error)) from error
        return features

    return lane


BACKENDS.add(OnnxRuntime.name, OnnxRuntime())
