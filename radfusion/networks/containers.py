"""What can hold tensors: files of torch.save, HDF5 and safetensors, read from their bytes without running anything."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from radfusion.errors import WeightsError
from radfusion.networks.devices import require_packages

if TYPE_CHECKING:
    import h5py
    from torch import Tensor

__all__ = ["Content", "DamagedFileError", "metadata_of", "read_content"]

Container = Literal["torch", "hdf5", "safetensors"]

_LARGEST = 1 << 30
_PICKLE, _ZIP, _HDF5 = b"\x80", b"PK\x03\x04", b"\x89HDF"
_WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", re.IGNORECASE)
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_OBJECTS = "it holds Python objects or code, perhaps a whole network"
_PLAIN = "only a dictionary of tensors is read: save `network.state_dict()` instead"
_KERAS_WEIGHTS = {"0": "kernel", "1": "bias"}
_KERAS_STATISTICS = {"0": "gamma", "1": "beta", "2": "moving_mean", "3": "moving_variance"}


class DamagedFileError(WeightsError):
    """A file that ends too early or contradicts itself; another copy of it may be sound."""


@dataclass(frozen=True)
class Content:
    """Tensors of a file under the names that they have there.

    Attributes
    ----------
    container : {"torch", "hdf5", "safetensors"}
        Kind of file.
    tensors : dict of str to torch.Tensor
        In the order of the file; those of HDF5 are named ``layer/weight``.
    wrapper : str or None
        Name under which the dictionary of tensors lay in an outer one, beside the state of a training.
    metadata : mapping of str to str
        Texts that a safetensors file carries.
    """

    container: Container
    tensors: dict[str, Tensor]
    wrapper: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_content(data: bytes) -> Content:
    """Tensors of a weights file, from its bytes.

    Raises
    ------
    DamagedFileError
        When the file is cut short or contradicts itself.
    WeightsError
        When it is no weights file, or holds more than tensors.
    """
    require_packages()
    if not data:
        raise DamagedFileError("the file is empty")
    if _WEB_PAGE.match(data[:512]):
        raise DamagedFileError("a web page saved as a file, not weights")
    if _is_safetensors(data):
        return _read_safetensors(data)
    if data.startswith(_HDF5):
        return Content("hdf5", _read_hdf5(data))
    if data.startswith((_ZIP, _PICKLE)):
        return _read_torch(data)
    raise WeightsError("not a weights file: neither of torch.save, nor HDF5 (.h5), nor safetensors")


def metadata_of(start: bytes) -> dict[str, str]:
    """Texts in the head of a safetensors file, given its first bytes; empty for any other file."""
    if not _is_safetensors(start):
        return {}
    try:
        head = json.loads(start[8 : 8 + _head_length(start)])
        return {str(key): str(value) for key, value in head.get("__metadata__", {}).items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _read_torch(data: bytes) -> Content:
    import torch

    if data.startswith(_ZIP):
        _prove_archive(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        doubt = "" if re.search("global", str(error), re.IGNORECASE) else ", or is damaged"
        raise WeightsError(f"{_OBJECTS}{doubt}; {_PLAIN}") from error
    except _DAMAGE as error:
        if "TorchScript" in str(error):
            raise WeightsError(f"a TorchScript program; {_PLAIN}") from error
        if "TORCH_FORCE" in str(error):
            raise WeightsError(f"torch refuses to read: {error}") from error
        raise DamagedFileError("damaged or incomplete") from error
    wrapper, found = _unwrap(content)
    return Content("torch", {str(name): value for name, value in found.items()}, wrapper)


def _prove_archive(data: bytes) -> None:
    """Hold every record of the archive against its checksum, which torch itself does not look at."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records = archive.infolist()
            names = [record.filename for record in records]
            if any(name.endswith("model.weights.h5") for name in names):
                raise WeightsError("a .keras archive: unpack it and bring the model.weights.h5 that is in it")
            if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                raise WeightsError("a compressed archive, not a file that torch.save wrote: unpack it first")
            broken = archive.testzip()
    except _DAMAGE as error:
        raise DamagedFileError("damaged or incomplete") from error
    if broken is not None:
        raise DamagedFileError(f"damaged: {broken.rpartition('/')[2]!r} in it contradicts its own checksum")


def _unwrap(content: object) -> tuple[str | None, Mapping[Any, Tensor]]:
    """Find the dictionary of tensors in what a file holds, at most one level down."""
    if not isinstance(content, Mapping):
        raise WeightsError(f"it holds a {type(content).__name__}, not a dictionary of tensors; {_PLAIN}")
    if not content:
        raise WeightsError("the dictionary in it is empty")
    if _only_tensors(content):
        return None, content
    inner = {str(key): value for key, value in content.items() if isinstance(value, Mapping) and _only_tensors(value)}
    if len(inner) == 1:
        return next(iter(inner.items()))
    if inner:
        raise WeightsError(f"it holds several networks ({', '.join(inner)}): save the one that is meant")
    others = [str(name) for name, value in content.items() if not _is_tensor(value)]
    raise WeightsError(f"not a plain dictionary of tensors: {', '.join(others[:3])} is no tensor; {_PLAIN}")


def _only_tensors(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(_is_tensor(value) for value in content.values())


def _is_tensor(value: object) -> bool:
    import torch

    return type(value) in (torch.Tensor, torch.nn.Parameter)


def _head_length(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def _is_safetensors(data: bytes) -> bool:
    return data[8:9] == b"{" and _head_length(data) < _LARGEST


def _read_safetensors(data: bytes) -> Content:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tensors = load(data)
    except (SafetensorError, *_DAMAGE) as error:
        raise DamagedFileError("damaged or incomplete") from error
    return Content("safetensors", tensors, metadata=metadata_of(data))


def _read_hdf5(data: bytes) -> dict[str, Tensor]:
    import h5py
    import torch

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            datasets = list(_keras_datasets(file))
            twice = [name for name, count in Counter(name for name, _ in datasets).items() if count > 1]
            if twice:
                raise WeightsError(f"it holds several networks: {twice[0]} is there more than once")
            arrays = {name: _read_dataset(name, dataset) for name, dataset in datasets}
    except _DAMAGE as error:
        raise DamagedFileError("damaged or incomplete") from error
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _read_dataset(name: str, dataset: h5py.Dataset) -> np.ndarray[Any, Any]:
    if dataset.is_virtual or dataset.external:
        raise WeightsError(f"{name} lies in another file")
    if dataset.dtype.kind not in "fiu":
        raise WeightsError(f"{name} holds no numbers ({dataset.dtype})")
    if dataset.nbytes > _LARGEST:
        raise WeightsError(f"{name} has shape {dataset.shape}: larger than any network that radfusion reads")
    return np.array(dataset[()], dtype=dataset.dtype.newbyteorder("="))


def _keras_datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Weights of layers as ``layer/weight``: of Keras 2 (whole models too) and of Keras 3, which tells names aside."""
    import h5py

    found: list[tuple[str, h5py.Dataset]] = []

    def collect(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((path, item))

    groups = [name for name in ("model_weights", "layers") if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    (file[groups[0]] if groups else file).visititems(collect)
    for path, dataset in found:
        layer, _, weight = path.rpartition("/")
        if layer.endswith("/vars"):
            yield _keras_3_name(dataset.parent, weight, path), dataset
        else:
            yield f"{layer.rpartition('/')[2]}/{weight.removesuffix(':0')}", dataset


def _keras_3_name(variables: h5py.Group, number: str, path: str) -> str:
    name = variables.attrs["name"] if "name" in variables.attrs and _is_short_text(variables, "name") else None
    if not isinstance(name, str):
        raise WeightsError(f"{path} does not say which layer it belongs to: save the weights with a newer Keras")
    names = _KERAS_STATISTICS if len(variables) == len(_KERAS_STATISTICS) else _KERAS_WEIGHTS
    return f"{name}/{names.get(number, number)}"


def _is_short_text(group: h5py.Group, attribute: str) -> bool:
    """Whether an attribute can be read without harm: HDF5 believes a damaged one to be of any size."""
    import h5py

    found = group.attrs.get_id(attribute)
    return found.shape == () and found.get_storage_size() < 1024 and h5py.check_string_dtype(found.dtype) is not None
