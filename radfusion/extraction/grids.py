"""Pretraining benchmarks in a study file: which weights, networks and layers are compared, and under what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, ValidationError, field_validator, model_validator

from radfusion.core.registry import Registry
from radfusion.core.settings import Settings
from radfusion.extraction.controls import CONTROLS
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.perturbations import PERTURBATIONS
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.weights import WEIGHTS

__all__ = ["UNTRAINED", "Grid", "PretrainingSettings", "matched", "with_untrained"]

#: Weights of the control that has learned nothing.
UNTRAINED = "random"
#: Settings of an entry that a grid gives it.
AXES = ("name", "weights", "network", "file", "layer")
#: What features are taken from, beside the weights: sources that agree in it are compared like with like.
Place: TypeAlias = tuple[str, str]


class Grid(Settings):
    """Every combination of weights sources, networks and layers; the untrained control joins each network and layer.

    Attributes
    ----------
    weights : tuple of str
        Weights sources.
    networks : tuple of str
        Networks.
    layers : tuple of str or None
        Layers; None is the deepest that a source has.
    shared : Deep
        Settings that all combinations share.

    Examples
    --------
    >>> grid = Grid(weights=("imagenet-caffe",), layers=("layer2", "layer3"))
    >>> [entry.source for entry in grid.entries()]
    ['imagenet-caffe-layer2', 'random-layer2', 'imagenet-caffe-layer3', 'random-layer3']
    >>> Grid(weights=("imagenet", "imagenet-caffe"), layers=("layer3", "layer4")).left_out()
    {'imagenet-caffe-layer4': "weights 'imagenet-caffe' have no 'layer4'; allowed: layer1, layer2, layer3"}
    """

    weights: tuple[str, ...] = Field(min_length=1, description="weights sources; see `radfusion weights list`")
    networks: tuple[str, ...] = Field(("resnet50",), min_length=1, description="see `radfusion names network`")
    layers: tuple[str | None, ...] = Field(
        (None,), min_length=1, description="layers that features are taken from; null: the deepest that a source has"
    )
    shared: Deep = Field(
        Deep(), description="settings of all combinations, those of an entry of deep: size, crop, margin, device, ..."
    )

    @field_validator("weights", "networks", "layers")
    @classmethod
    def _once(cls, names: tuple[str | None, ...]) -> tuple[str | None, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is listed twice")
        return names

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, WEIGHTS)

    @field_validator("networks")
    @classmethod
    def _known_networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, NETWORKS)

    @field_validator("shared")
    @classmethod
    def _no_axis(cls, shared: Deep) -> Deep:
        given = [name for name in AXES if getattr(shared, name) != Deep.model_fields[name].default]
        if given:
            raise ValueError(f"{given[0]!r} differs between the combinations; here stand settings that all share")
        return shared

    @model_validator(mode="after")
    def _layers_somewhere(self) -> Self:
        found, left_out = self._tried()
        for layer in self.layers:
            if not any(entry.layer == layer for entry in found):
                reason = next(reason for (_, _, of_layer), reason in left_out.items() if of_layer == layer)
                raise ValueError(f"no combination has the layer {layer!r}: {reason}")
        return self

    def entries(self) -> tuple[Deep, ...]:
        """The combinations that exist, by network and layer, each with the untrained control last and a unique name."""
        found = with_untrained(self._tried()[0])
        ranked = sorted(found, key=lambda entry: entry.weights == UNTRAINED)
        places = dict.fromkeys(map(matched, found))
        ordered = [entry for place in places for entry in ranked if matched(entry) == place]
        varied = self._varied(places)
        names = [_name((entry.weights, *matched(entry)), varied) for entry in ordered]
        return tuple(entry.model_copy(update={"name": name}) for entry, name in zip(ordered, names, strict=True))

    def left_out(self) -> dict[str, str]:
        """Names of the combinations that do not exist, with the reason."""
        found, left_out = self._tried()
        varied = self._varied(map(matched, with_untrained(found)))
        return {
            _name((weights, network, layer or "deepest"), varied): reason
            for (weights, network, layer), reason in left_out.items()
        }

    def _tried(self) -> tuple[list[Deep], dict[tuple[str, str, str | None], str]]:
        shared = self.shared.model_dump(exclude=set(AXES))
        found: list[Deep] = []
        left_out: dict[tuple[str, str, str | None], str] = {}
        for network, layer, weights in product(self.networks, self.layers, self.weights):
            try:
                entry = Deep.model_validate({**shared, "weights": weights, "network": network, "layer": layer})
            except ValidationError as error:
                left_out[weights, network, layer] = error.errors()[0]["msg"].removeprefix("Value error, ")
            else:
                found.append(entry)
        return found, left_out

    def _varied(self, places: Iterable[Place]) -> tuple[bool, bool, bool]:
        """Which of weights, network and layer belong into names; weights always do: the control has its own."""
        networks, layers = zip(*places, strict=True) if (places := list(places)) else ((), ())
        several = len({*networks, *self.networks}) > 1
        return True, several, len({*layers}) > 1 or len(self.layers) > 1


class PretrainingSettings(Settings):
    """What a pretraining benchmark compares its sources on, beside the macro AUC of every set."""

    reference: str | None = Field(
        None, description="weights source that the others are compared with; null: all pairs of sources"
    )
    pairs: Literal["matched", "all"] = Field(
        "matched", description="compare sources of the same network and layer, or across networks and layers, too"
    )
    robustness: tuple[str, ...] = Field(
        ("noise",),
        description="perturbations (several in turn joined by +) and negative controls that fitted models are shown on "
        "the validation images, each a second extraction of them: " + ", ".join((*PERTURBATIONS, *CONTROLS)),
    )
    centre: bool = Field(default=True, description="measure how well features tell the centres apart")

    @field_validator("reference")
    @classmethod
    def _known_reference(cls, name: str | None) -> str | None:
        return name if name is None else _known((name,), WEIGHTS)[0]

    @field_validator("robustness")
    @classmethod
    def _known_changes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is listed twice")
            if name not in CONTROLS:
                _known(name.split("+"), PERTURBATIONS, CONTROLS)
        return names


def matched(entry: Deep) -> Place:
    """Network and layer of an entry.

    Examples
    --------
    >>> matched(Deep(weights="imagenet-caffe"))
    ('resnet50', 'layer3')
    """
    return entry.network, entry.layer_name


def with_untrained(entries: Sequence[Deep]) -> list[Deep]:
    """Entries and, behind them, an untrained control for every network and layer that has none.

    Parameters
    ----------
    entries : sequence of Deep
        Entries of a study.

    Examples
    --------
    >>> [entry.source for entry in with_untrained([Deep(weights="imagenet-caffe")])]
    ['imagenet-caffe', 'random']
    """
    found = list(entries)
    there = {matched(entry) for entry in entries if entry.weights == UNTRAINED}
    for entry in entries:
        place = matched(entry)
        if place in there:
            continue
        there.add(place)
        name = UNTRAINED if all(other.source != UNTRAINED for other in found) else "-".join((UNTRAINED, *place))
        own = {"weights": UNTRAINED, "file": None, "contract": None, "layer": entry.layer_name, "name": name}
        size = entry.size or WEIGHTS[entry.weights].size
        found.append(entry.model_copy(update={**own, "size": size, "short_side": entry.crop_settings.short_side}))
    return found


def _known(names: Sequence[str], table: Registry[Any], other: Registry[Any] | None = None) -> tuple[str, ...]:
    for name in names:
        if name not in table:
            more = f"; or a control: {', '.join(other)}" if other is not None else ""
            raise ValueError(table.unknown(name) + more)
    return tuple(names)


def _name(parts: tuple[str, str, str], varied: tuple[bool, bool, bool]) -> str:
    """Name of a combination from the parts that vary; a dotted layer is written with hyphens."""
    chosen = [part.replace(".", "-") for part, varies in zip(parts, varied, strict=True) if varies]
    return "-".join(chosen)
