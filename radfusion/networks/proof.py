"""Proving tensors against a network: every name, every shape, finite numbers, statistics that were learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from radfusion.errors import WeightsError
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.graphs import empty_network
from radfusion.networks.layouts import Layout, normalisation_after
from radfusion.networks.sources import WEIGHTS, Pretrained

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Proved", "prove"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Proved:
    """Tensors of which every one is accounted for.

    Attributes
    ----------
    tensors : dict of str to torch.Tensor
        Those of the network, without its head.
    head : bool
        Whether the file holds the head, too.
    """

    tensors: dict[str, Tensor]
    head: bool


def prove(tensors: Mapping[str, Tensor], chosen: Pretrained, layout: Layout) -> Proved:
    """Hold the tensors of a file against the network that a study chose.

    Parameters
    ----------
    tensors : mapping of str to torch.Tensor
        Under torchvision's names, with the biases of convolutions where the layout has them.
    chosen : Pretrained
        Source and network.
    layout : Layout
        How the file is laid out.

    Raises
    ------
    WeightsError
        When a tensor is missing, strange, of another shape or type, not finite, or was never learned.
    """
    template = empty_network(chosen).state_dict()
    expected = _expected(template, layout)
    heads = NETWORKS[chosen.network].head if chosen.source.deepest is None else ()
    head = [name for name in tensors if heads and name.startswith(heads) and name not in expected]
    body = {name: tensor for name, tensor in tensors.items() if name not in head}
    if head and not body:
        raise WeightsError(f"it holds the classifier's head alone ({', '.join(head[:2])}), not the network")
    if expected.keys() != body.keys():
        raise WeightsError(_names_differ(body, expected, chosen=chosen, layout=layout))
    wrong = [name for name, tensor in body.items() if tuple(tensor.shape) != expected[name]]
    if wrong:
        told = _told_as_another(body, chosen, layout)
        raise WeightsError(_shapes_differ(wrong[0], body, expected, told=told))
    for name, tensor in tensors.items():
        counts = not template[name].is_floating_point() if name in template else name.endswith("num_batches_tracked")
        _prove_numbers(name, tensor, whole=counts)
    _prove_learned(body)
    return Proved(body, bool(head))


def _expected(template: Mapping[str, Tensor], layout: Layout) -> dict[str, tuple[int, ...]]:
    expected = {name: tuple(tensor.shape) for name, tensor in template.items()}
    return {**expected, **_biases(expected)} if layout.biased else expected


@cache
def _template_of(network: str) -> dict[str, Tensor]:
    """Tensors of a whole network without storage, whatever its weights."""
    return dict(empty_network(Pretrained(WEIGHTS["random"], network)).state_dict())


def _biases(expected: Shapes) -> dict[str, tuple[int, ...]]:
    """Biases of the convolutions that a batch normalisation follows."""
    weights = {name: shape for name, shape in expected.items() if name.endswith(".weight") and len(shape) == 4}
    return {
        f"{name.removesuffix('weight')}bias": shape[:1]
        for name, shape in weights.items()
        if f"{normalisation_after(name)}.running_mean" in expected
    }


def _names_differ(body: Mapping[str, Tensor], expected: Shapes, *, chosen: Pretrained, layout: Layout) -> str:
    """What to say of tensors of other names: the most telling thing that is true."""
    missing, strange = [name for name in expected if name not in body], [name for name in body if name not in expected]
    biases = set(_biases(expected)) if layout.biased else set()
    lost = [name for name in missing if name in biases]
    if lost and len(lost) == len(missing) and not strange:
        return (
            f"half-converted: {len(biases) - len(lost)} of {len(biases)} convolutions have their bias, the others "
            f"lost it (first {lost[0]}); without the biases it is another network"
        )
    if told := _told_as_another(body, chosen, layout):
        return told
    stages = [stage for stage in NETWORKS[chosen.network].layers if _is_absent(stage, body, expected)]
    counts = (
        f"{len(missing)} of {len(expected)} tensors are missing{_first(missing)}, "
        f"{len(strange)} are strange{_first(strange)}"
    )
    if stages and len(stages) < len(NETWORKS[chosen.network].layers) and not strange:
        return f"it is a part of the network, without {', '.join(stages)}: {counts}"
    return f"not the network of this source: {counts}"


def _is_absent(stage: str, body: Mapping[str, Tensor], expected: Shapes) -> bool:
    names = [name for name in expected if name.startswith(f"{stage}.")]
    return bool(names) and not any(name in body for name in names)


def _told_as_another(body: Mapping[str, Tensor], chosen: Pretrained, layout: Layout) -> str | None:
    """Name the network that has exactly these tensors, if one does."""
    shapes = {name: tuple(tensor.shape) for name, tensor in body.items()}
    for name in NETWORKS:
        expected, heads = _expected(_template_of(name), layout), NETWORKS[name].head
        if name != chosen.network and expected == _without_head(shapes, heads, expected):
            title = NETWORKS[chosen.network].title
            return f"it is {NETWORKS[name].title}, not {title}: write `network: {name}`"
    return None


def _without_head(shapes: Shapes, heads: tuple[str, ...], expected: Shapes) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name in expected or not name.startswith(heads)}


def _shapes_differ(name: str, body: Mapping[str, Tensor], expected: Shapes, *, told: str | None) -> str:
    """What to say of a tensor of another shape."""
    shape = tuple(body[name].shape)
    untransposed = len(shape) == 4 and tuple(shape[axis] for axis in (3, 2, 0, 1)) == expected[name]
    why = ": its axes still lie as Keras has them (rows, columns, in, out)" if untransposed else ""
    return told or f"not the network of this source: {name} has shape {shape}, not {expected[name]}{why}"


def _prove_numbers(name: str, tensor: Tensor, *, whole: bool) -> None:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise WeightsError(f"{name} is no plain tensor of numbers: only those are read")
    if whole:
        sound = not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype != torch.bool
    else:
        sound = tensor.is_floating_point() and tensor.dtype.itemsize > 1
    if not sound:
        kind, usual = str(tensor.dtype).removeprefix("torch."), "whole ones" if whole else "float16 to float64"
        raise WeightsError(f"{name} has numbers of type {kind}, not {usual}")
    if not bool(tensor.float().isfinite().all()):
        raise WeightsError(f"{name} holds numbers that are not finite")
    if name.endswith("running_var") and bool((tensor < 0).any()):
        raise WeightsError(f"{name} holds negative variances")


def _prove_learned(body: Mapping[str, Tensor]) -> None:
    blank = list(_blank(body))
    if blank:
        raise WeightsError(
            f"{len(blank)} batch normalisations stand at mean 0 and variance 1, first {blank[0]}: their statistics "
            "were never learned or were lost in a conversion"
        )


def _blank(body: Mapping[str, Tensor]) -> Iterator[str]:
    for name, mean in body.items():
        module = name.removesuffix(".running_mean")
        if module != name and not mean.any() and bool((body[f"{module}.running_var"] == 1).all()):
            yield module


def _first(names: Sequence[str]) -> str:
    return f" (first {names[0]})" if names else ""
