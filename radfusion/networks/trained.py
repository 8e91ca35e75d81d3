"""Networks of the user's own: what nothing in a state dict tells, stated in the study or carried by the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from radfusion.core.hashing import canonical_json
from radfusion.core.settings import Settings
from radfusion.errors import WeightsError
from radfusion.execution.cache import write_atomically
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.containers import metadata_of
from radfusion.networks.layouts import LAYOUTS
from radfusion.networks.proof import prove
from radfusion.networks.sources import Graph, InputFormat, Pretrained, WeightsSource

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Contract", "own_source", "read_contract", "write_trained"]

_KEY = "radfusion"
_HEAD_BYTES = 4 << 20
_HDF5 = b"\x89HDF"
_WHAT_TO_WRITE = (
    "nothing in the file says what the network expects: state it, for example `contract: {white: 1.0, order: RGB, "
    "mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], stride: v1.5}`; "
    "the numbers must be those of its training, and a wrong one goes unnoticed"
)


class Contract(Settings):
    """What a network expects at its input and which variant it is; a study states it for a file of its own."""

    white: float = Field(gt=0, description="Value of white at the network's input before centring; black is 0.")
    order: Literal["RGB", "BGR"] = Field(description="Order of the channels, in which mean and std are written.")
    mean: tuple[float, float, float] = Field(description="Subtracted from each channel.")
    std: tuple[float, float, float] = Field(description="Divided into each channel after that; none is 0.")
    stride: Literal["v1", "v1.5"] | None = Field(
        default=None,
        description="Where a stage of a ResNet halves its grid: in its first 1x1 convolution (v1: Caffe, Keras) or in "
        "the 3x3 one (v1.5: torchvision). To be stated for networks of the ResNet family.",
    )
    stem: Literal["padded", "ceil"] = Field(
        default="padded", description="Max pooling of a ResNet's stem: padded (torchvision, Keras) or ceil (Caffe)."
    )
    epsilon: float = Field(default=1e-5, gt=0, description="Added to the variance in batch normalisation.")
    deepest: str | None = Field(default=None, description="Last stage in the file, where it holds a part only.")
    network: str | None = Field(default=None, description="Name of the network; files that radfusion wrote carry it.")
    title: str | None = Field(default=None, description="Words for the report; the name of the file by default.")
    modalities: tuple[str, ...] = Field(default=(), description="Kinds of image that it learned from.")
    trained: str = Field(default="not stated", description="On what data it was trained, and how.")
    licence: str = Field(default="not stated", description="Terms of use of the weights.")
    reference: str = Field(default="not stated", description="Publication to cite.")


def own_source(file: Path, network: str, contract: Contract | None = None) -> WeightsSource:
    """Weights source for a file of the user's own; reads no more of it than its head.

    Parameters
    ----------
    file : pathlib.Path
        Weights file of any layout that radfusion knows.
    network : str
        Name of the network that the study chose.
    contract : Contract, optional
        As the study states it; not needed for files that :func:`write_trained` wrote.

    Raises
    ------
    WeightsError
        When the contract is missing, incomplete or another one than the file carries, or the file holds another
        network.
    """
    try:
        carried, start = _read_head(file)
        stated = _agreed(carried, contract)
        if stated.network not in (None, network):
            raise WeightsError(f"the file holds {stated.network}, not {network}: write `network: {stated.network}`")
        return _source(file, network, stated, in_keras=start.startswith(_HDF5))
    except WeightsError as error:
        raise WeightsError(f"weights 'file', {file.name}: {error}") from error


def read_contract(file: Path) -> Contract | None:
    """Contract that a file of :func:`write_trained` carries; None for any other file.

    Raises
    ------
    WeightsError
        When the file cannot be read, or what it carries is no contract.
    """
    return _read_head(file)[0]


def write_trained(path: Path, tensors: Mapping[str, Tensor], contract: Contract) -> None:
    """Keep a network that was trained here: safetensors with torchvision's names, and its contract.

    Parameters
    ----------
    path : pathlib.Path
        Written whole or not at all; equal tensors and contracts give equal bytes.
    tensors : mapping of str to torch.Tensor
        State dict of the network, with or without head.
    contract : Contract
        Names the network; what is stated here is what every study that uses the file computes with.

    Raises
    ------
    WeightsError
        When the contract names no network, or the tensors are not those of the network it names.
    """
    from safetensors.torch import save

    if contract.network is None:
        raise WeightsError("the contract of a trained network must name the network")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    source = _source(path, contract.network, contract, in_keras=False)
    prove(plain, Pretrained(source, contract.network, path), LAYOUTS["torchvision"])
    metadata = {_KEY: canonical_json(contract)}
    write_atomically(path, save({name: plain[name].clone() for name in sorted(plain)}, metadata))


def _read_head(file: Path) -> tuple[Contract | None, bytes]:
    try:
        with file.open("rb") as opened:
            start = opened.read(_HEAD_BYTES)
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror})") from error
    carried = metadata_of(start).get(_KEY)
    if carried is None:
        return None, start
    try:
        return Contract.model_validate_json(carried), start
    except ValidationError as error:
        raise WeightsError(f"the contract in the file cannot be read: {error.errors()[0]['msg']}") from error


def _agreed(carried: Contract | None, stated: Contract | None) -> Contract:
    """Contract of the file, or of the study where the file has none."""
    contract = carried or stated
    if contract is None:
        raise WeightsError(_WHAT_TO_WRITE)
    if carried and stated:
        given = stated.model_dump(exclude_unset=True)
        other = [name for name, value in given.items() if value != getattr(carried, name)]
        if other:
            was = f"{getattr(carried, other[0])}, not {given[other[0]]}"
            raise WeightsError(f"the file was trained with {other[0]} {was}: leave out the contract in the study")
    return contract


def _source(file: Path, network: str, contract: Contract, *, in_keras: bool) -> WeightsSource:
    if 0 in contract.std:
        raise WeightsError("std in the contract holds a 0, which cannot be divided by")
    layers = NETWORKS[network].layers
    if contract.deepest is not None and contract.deepest not in layers:
        raise WeightsError(f"{NETWORKS[network].title} has no {contract.deepest!r}; allowed: {', '.join(layers)}")
    return WeightsSource(
        name="file",
        title=contract.title or f"own weights ({file.name})",
        files=(),
        input=InputFormat(contract.white, contract.order, contract.mean, contract.std),
        modalities=contract.modalities,
        licence=contract.licence,
        reference=contract.reference,
        obtain="it is a file of your own: make or copy it again",
        graph=_graph(network, contract, in_keras=in_keras),
        deepest=contract.deepest,
    )


def _graph(network: str, contract: Contract, *, in_keras: bool) -> Graph:
    """Variant as it is stated, or as the layout of the file tells it."""
    keras = LAYOUTS["keras"].graph
    if in_keras and keras is not None and not {"stride", "stem", "epsilon"} & contract.model_fields_set:
        return keras
    if contract.stride is None and NETWORKS[network].variants:
        raise WeightsError(
            "the contract does not state the stride: v1.5 for networks of torchvision, v1 for those of Caffe and Keras"
        )
    return Graph(contract.stride or "v1.5", contract.stem, contract.epsilon)
