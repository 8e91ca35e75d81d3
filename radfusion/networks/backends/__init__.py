"""Backends: what computes a network's features, one seam for CPU libraries and GPUs."""

from radfusion.networks.backends.base import BACKENDS, Backend, Computing, Lane, Precision
from radfusion.networks.backends.onnxruntime import OnnxRuntime
from radfusion.networks.backends.openvino import OpenVINO
from radfusion.networks.backends.torch import Torch

__all__ = ["BACKENDS", "Backend", "Computing", "Lane", "OnnxRuntime", "OpenVINO", "Precision", "Torch"]
