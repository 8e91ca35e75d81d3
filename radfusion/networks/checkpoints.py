"""Reading weights files: only tensors, only of a layout that the source promises, every tensor accounted for.

A wrong file seldom announces itself: tensors of other names leave a network at its random start, another graph takes
the same tensors and computes something else. So nothing is loaded before names, shapes and statistics are proved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.containers import Content, DamagedFileError, read_content
from radfusion.networks.layouts import LAYOUTS, Layout, absorb_biases, convert, recognise
from radfusion.networks.proof import prove
from radfusion.networks.sources import WEIGHTS, Pretrained, WeightsFile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LAYOUTS", "Checkpoint", "read_checkpoint"]

_LARGEST = 4 << 30
_DROPPED = (
    "; its convolutions have no biases, so either they were dropped in a conversion, which changes every feature, or "
    "it is another network"
)


@dataclass(frozen=True)
class Checkpoint:
    """Proved tensors of a weights file.

    Attributes
    ----------
    tensors : mapping of str to torch.Tensor
        torchvision's names, float32, without the head, complete for the source's stages.
    facts : mapping
        ``source, network, file, form, layout, sha256, hash_known, bytes, tensors, head, layers, batchnorm_layers``;
        `form` is the public name of the file, None for a file of the user's own.
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
    source, file = chosen.source, chosen.file
    if file is None:
        why = "are drawn with a fixed seed: there is no file" if source.drawn else f"need a file; {_again(chosen)}"
        raise WeightsError(f"weights {source.name!r} {why}")
    with _told_of(chosen, file):
        data = _read(file)
        digest = hashlib.sha256(data).hexdigest()
        _refuse_known_as_another(digest, chosen)
        content = read_content(data)
        layout = recognise(content)
        forms = _forms(content, layout, chosen)
        proved = prove(convert(content, layout), chosen, layout)
        form = _vouched(digest, forms, chosen)
        tensors = absorb_biases(proved.tensors) if layout.biased else proved.tensors
    facts = {
        "source": source.name,
        "network": chosen.network,
        "file": file.name,
        "form": None if form is None else form.name,
        "layout": layout.name,
        "sha256": digest,
        "hash_known": form is not None and form.is_known_as(digest),
        "bytes": len(data),
        "tensors": len(content.tensors),
        "head": proved.head,
        "layers": list(NETWORKS[chosen.network].layers_to(source.deepest)),
        "batchnorm_layers": sum(name.endswith("running_mean") for name in tensors),
    }
    return Checkpoint({name: _single(tensor) for name, tensor in tensors.items()}, facts)


@contextmanager
def _told_of(chosen: Pretrained, file: Path) -> Iterator[None]:
    """Put the names of source and file before what is wrong, and what to do behind it."""
    where = f"weights {chosen.source.name!r}, {file.name}"
    try:
        yield
    except DamagedFileError as error:
        size = file.stat().st_size
        usual = next((form.size for form in chosen.source.files_of(chosen.network) if form.size), None)
        whole = f" of {usual:,}" if usual and size != usual else ""
        raise WeightsError(f"{where}: {error} ({size:,}{whole} bytes); {_again(chosen)}") from error
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error


def _again(chosen: Pretrained) -> str:
    return f"get the file again: {chosen.source.obtain.format(name=chosen.source.name)}"


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LARGEST:
            raise WeightsError(f"larger than {_LARGEST >> 30} GiB: no network that radfusion reads")
        return file.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror})") from error


def _refuse_known_as_another(digest: str, chosen: Pretrained) -> None:
    """Stop at a file that the table knows by its hash, but for another source or network."""
    if not chosen.source.files or any(form.is_known_as(digest) for form in chosen.source.files_of(chosen.network)):
        return
    for source in WEIGHTS.items().values():
        for form in source.files:
            if form.is_known_as(digest):
                raise WeightsError(
                    f"this is {form.name} of {source.title}: write `weights: {source.name}`, `network: {form.network}`"
                )


def _forms(content: Content, layout: Layout, chosen: Pretrained) -> list[WeightsFile]:
    """Public forms that the file can be; none for a file of the user's own, whose contract must fit its layout."""
    source = chosen.source
    promised = source.files_of(chosen.network)
    if layout.graph and not promised and source.graph != layout.graph:
        graph = layout.graph
        raise WeightsError(
            f"a network of Keras ({layout.title}), which computes with stride {graph.stride}, stem {graph.stem} and "
            f"epsilon {graph.epsilon}: state these, not {source.graph.stride}, {source.graph.stem} and "
            f"{source.graph.epsilon}"
        )
    forms = [form for form in promised if form.layout == layout.name and _is_safe(form) == _is_safe(content)]
    if promised and not forms:
        raise WeightsError(_of_another_layout(content, layout, chosen))
    return forms


def _is_safe(kind: WeightsFile | Content) -> bool:
    if isinstance(kind, Content):
        return kind.container == "safetensors"
    return kind.name.endswith(".safetensors")


def _of_another_layout(content: Content, layout: Layout, chosen: Pretrained) -> str:
    promised = chosen.source.files_of(chosen.network)
    titles = " or ".join(dict.fromkeys(LAYOUTS[form.layout].title for form in promised))
    owners = [name for name, source in WEIGHTS.items().items() if _promises(source.files_of(chosen.network), layout)]
    dropped = layout.name == "torchvision" and any(LAYOUTS[form.layout].biased for form in promised)
    owner = f"; {layout.title} are those of weights {' or '.join(repr(name) for name in owners)}" if owners else ""
    return (
        f"layout {layout.name!r} in a {content.container} file, first name {next(iter(content.tensors), 'none')!r}; "
        f"{chosen.source.name} has {titles}. It is of another source, or was converted"
        f"{_DROPPED if dropped else owner}"
    )


def _promises(forms: tuple[WeightsFile, ...], layout: Layout) -> bool:
    return any(form.layout == layout.name for form in forms)


def _vouched(digest: str, forms: list[WeightsFile], chosen: Pretrained) -> WeightsFile | None:
    """Form that the file is, by its hash where that is known."""
    known = next((form for form in forms if form.is_known_as(digest)), None)
    if known is None and any(form.hash_required for form in forms):
        hashes = " or ".join(each for form in forms for each in form.sha256)
        raise WeightsError(f"its SHA-256 is {digest}, not {hashes}; {_again(chosen)}")
    return known or next(iter(forms), None)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float().contiguous() if tensor.is_floating_point() else tensor
