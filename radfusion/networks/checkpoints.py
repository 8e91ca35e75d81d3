"""Reading weights files: only tensors, only of the layout that the source promises, every tensor accounted for.

A wrong file seldom announces itself: tensors of other names leave a network at its random start, another graph takes
the same tensors and computes something else. So nothing is loaded before names, shapes and statistics are proved.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from radfusion.core.hashing import file_hash
from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.resnet import empty_resnet50
from radfusion.networks.sources import Pretrained

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Checkpoint", "read_checkpoint"]

_KERAS = {
    "1f1d1c9fe6ab6980daa5e528145fe0db249c55415f8b3e1f3e3b1624d184f159": "RadImageNet-ResNet50_notop.h5",
    "2457479b254569e5a81ba48fee6c5b2b84b7a729e507aaa2466101aedb8e5c37": "torch port of RadImageNet-ResNet50_notop.h5",
}
_KERAS_REFUSAL = (
    "this is the Keras lineage of ResNet-50 weights ({what}): another network (stride on the 1x1, biased "
    "convolutions), which radfusion cannot read yet; RadImageNet is read in its PyTorch lineage (ResNet50.pt, names "
    "backbone.*)"
)
_BACKBONE = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_HEAD = {"fc.weight": (1000, 2048), "fc.bias": (1000,)}
_DAMAGE = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, struct.error)


@dataclass(frozen=True)
class Checkpoint:
    """Proved tensors of a weights file.

    Attributes
    ----------
    tensors : mapping of str to torch.Tensor
        torchvision's names, without the head, complete for the source's stages.
    facts : mapping
        ``chosen, sha256, hash_known, bytes, tensors, head, layers, batchnorm_layers``.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def read_checkpoint(chosen: Pretrained) -> Checkpoint:
    """Read and prove a weights file; never runs what is in it.

    Raises
    ------
    WeightsError
        When the file is no weights file, is damaged, holds code, another layout, a network without learned statistics,
        or other bytes than the source is known by.
    """
    source, file, forms = chosen.source, _file(chosen), chosen.source.files_of(chosen.network)
    digest = _refuse_by_its_bytes(chosen)
    found = _only_tensors(_load(chosen), chosen)
    tensors = _rename(found, chosen)
    head = [name for name in tensors if name in _HEAD]
    _prove(tensors, chosen)
    hashes = [each for form in forms for each in form.sha256]
    known = any(digest.startswith(each) for each in hashes)
    if not known and any(form.hash_required for form in forms):
        raise _refusal(chosen, f"its SHA-256 is {digest}, not {' or '.join(hashes)}; {_again(chosen)}")
    facts = {
        "source": source.name,
        "file": str(file),
        "sha256": digest,
        "hash_known": known,
        "bytes": file.stat().st_size,
        "tensors": len(found),
        "head": bool(head),
        "layers": list(NETWORKS[chosen.network].layers_to(source.deepest)),
        "batchnorm_layers": sum(name.endswith("running_mean") for name in tensors),
    }
    return Checkpoint({name: _single(tensor) for name, tensor in tensors.items() if name not in head}, facts)


def _file(chosen: Pretrained) -> Path:
    if chosen.file is None:
        raise WeightsError(f"weights {chosen.source.name!r} are drawn with a fixed seed: there is no file")
    return chosen.file


def _refusal(chosen: Pretrained, what: str) -> WeightsError:
    name = chosen.file.name if chosen.file else "drawn"
    return WeightsError(f"weights {chosen.source.name!r}, {name}: {what}")


def _again(chosen: Pretrained) -> str:
    return f"get the file again: {chosen.source.obtain.format(name=chosen.source.name)}"


def _refuse_by_its_bytes(chosen: Pretrained) -> str:
    """Stop at files that are no PyTorch file; SHA-256 of the others."""
    try:
        file = _file(chosen)
        with file.open("rb") as opened:
            start = opened.read(512)
        digest = file_hash(file)
    except OSError as error:
        raise _refusal(chosen, f"cannot be read ({error.strerror})") from error
    if digest in _KERAS:
        raise _refusal(chosen, _KERAS_REFUSAL.format(what=_KERAS[digest]))
    if start.startswith(b"\x89HDF"):
        raise _refusal(chosen, _KERAS_REFUSAL.format(what="an HDF5 file"))
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", start, re.IGNORECASE):
        raise _refusal(chosen, f"a web page saved as a file, not weights; {_again(chosen)}")
    if not start:
        raise _refusal(chosen, f"the file is empty; {_again(chosen)}")
    if not start.startswith((b"PK\x03\x04", b"\x80")):
        raise _refusal(chosen, "not a file that torch.save wrote")
    return digest


def _load(chosen: Pretrained) -> object:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(_file(chosen), map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        doubt = "" if re.search("global", str(error), re.IGNORECASE) else ", or is damaged"
        what = f"it holds Python objects or code, perhaps a whole network{doubt}; only a dictionary of tensors is read"
        raise _refusal(chosen, f"{what}: save `network.state_dict()` instead") from error
    except _DAMAGE as error:
        if "TorchScript" in str(error):
            raise _refusal(chosen, "a TorchScript program; only a dictionary of tensors is read") from error
        raise _refusal(chosen, _damaged(chosen)) from error


def _damaged(chosen: Pretrained) -> str:
    size = _file(chosen).stat().st_size
    usual = next((form.size for form in chosen.source.files_of(chosen.network) if form.size), None)
    whole = f" of {usual:,}" if usual and size != usual else ""
    return f"damaged or incomplete ({size:,}{whole} bytes); {_again(chosen)}"


def _only_tensors(content: object, chosen: Pretrained) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping):
        raise _refusal(chosen, f"holds a {type(content).__name__}, not a dictionary of tensors")
    others = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others or not content:
        what = f"{', '.join(others[:3])} is no tensor" if others else "the dictionary is empty"
        raise _refusal(chosen, f"not a plain dictionary of tensors: {what}; save `network.state_dict()` alone")
    return {str(name): value for name, value in content.items()}


def _rename(found: Mapping[str, Tensor], chosen: Pretrained) -> dict[str, Tensor]:
    """Tensors under torchvision's names, with the batch counters that files of before 2018 lack."""
    import torch

    if any(re.search(r"conv\d?\.bias$|^conv\d_block", name) for name in found):
        raise _refusal(chosen, _KERAS_REFUSAL.format(what="its convolutions have biases"))
    layout = "backbone" if all(name.startswith("backbone.") for name in found) else "torchvision"
    promised = [form.layout for form in chosen.source.files_of(chosen.network)]
    if promised and layout not in promised:
        usual = {"backbone": "names like backbone.0.weight", "torchvision": "names like conv1.weight"}
        what = f"layout {layout!r}, first name {next(iter(found))!r}; {chosen.source.name} has {usual[promised[0]]}"
        raise _refusal(chosen, f"{what}. It is of another source, or was converted")
    tensors = {_torchvision_name(name): tensor for name, tensor in found.items()}
    if not any(name.endswith("num_batches_tracked") for name in tensors):
        means = [name for name in tensors if name.endswith("running_mean")]
        tensors |= {name.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for name in means}
    return tensors


def _torchvision_name(name: str) -> str:
    stage, _, rest = name.removeprefix("backbone.").partition(".")
    return f"{_BACKBONE[stage]}.{rest}" if name.startswith("backbone.") and stage in _BACKBONE else name


def _prove(tensors: Mapping[str, Tensor], chosen: Pretrained) -> None:
    """Every name, every shape, finite numbers, and batch statistics that were learned."""
    expected = {name: tuple(tensor.shape) for name, tensor in empty_resnet50(chosen).state_dict().items()}
    allowed = {**expected, **_HEAD} if chosen.source.deepest is None else expected
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - allowed.keys())
    if missing or extra:
        what = f"{len(missing)} of {len(expected)} tensors are missing{_first(missing)}"
        what = f"{what}, {len(extra)} are strange{_first(extra)}"
        raise _refusal(chosen, f"not the network of this source: {what}")
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != allowed[name]:
            what = f"{name} has shape {tuple(tensor.shape)}, not {allowed[name]}"
            raise _refusal(chosen, f"not the network of this source: {what}")
        if not bool(tensor.isfinite().all()):
            raise _refusal(chosen, f"{name} holds numbers that are not finite")
    blank = [
        name.removesuffix(".running_mean")
        for name, mean in tensors.items()
        if name.endswith("running_mean") and not mean.any() and bool((_variance(tensors, name) == 1).all())
    ]
    if blank:
        what = f"{len(blank)} batch normalisations stand at mean 0 and variance 1, first {blank[0]}"
        raise _refusal(chosen, f"{what}: their statistics were never learned or were lost in a conversion")


def _variance(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    return tensors[name.replace("running_mean", "running_var")]


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _first(names: list[str]) -> str:
    return f" (first {names[0]})" if names else ""
