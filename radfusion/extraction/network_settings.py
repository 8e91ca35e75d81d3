"""Settings of deep features: which network with which weights, what it is shown, how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from radfusion.networks.architectures import NETWORKS
from radfusion.networks.backends import BACKENDS, Precision
from radfusion.networks.devices import Device
from radfusion.networks.preprocessing import CropSettings, Flips
from radfusion.networks.sources import WEIGHTS
from radfusion.networks.trained import Contract

__all__ = ["NetworkSettings"]

#: torchvision's short side for a picture of 224 pixels, by weights and network, where it is not 256.
_SHORT_SIDES = {
    ("imagenet", "convnext_tiny"): 236,
    ("imagenet", "swin_t"): 232,
    **{("imagenet-v2", network): 232 for network in WEIGHTS["imagenet-v2"].networks},
}
#: Names of sources are names of files and parts of names of arms.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"


class NetworkSettings(CropSettings):
    """A network, what it is shown and how it is computed.

    Attributes
    ----------
    name : str or None
        Name of the source in features and arms; None is the name of the weights.
    weights : str
        Weights source, a name of the table ``radfusion names weights``.
    network : str
        A name of ``radfusion names network``.
    file : path or None
        Weights file, when it lies in none of the usual places.
    contract : Contract or None
        What the network in a file of the user's own expects at its input.
    layer : str or None
        Stage that features are taken from, or a module by its dotted name; None and ``"avgpool"`` are the deepest stage
        that the source has.
    pooling : {"global", "roi"}
        Mean over the picture, or over the ROI with the share of each place of the layer's grid as weight.
    flips : {"none", "horizontal", "vertical", "both"}
        Mirrored views that features are averaged over, together with the picture itself.
    batch_size : int or None
        Pictures computed together; None is chosen. Part of the identity: other sizes give other last digits.
    device, backend, precision : str
        Where, with which library and in which numbers the network is computed.
    """

    name: str | None = Field(
        None, pattern=_NAME, description="name of this source in features and arms; null: the name of the weights"
    )
    weights: str = Field("imagenet", description="weights source; see `radfusion weights list`")
    network: str = Field("resnet50", description="network; see `radfusion names network`")
    file: Path | None = Field(None, description="its file, relative to the study, when it is in no usual place")
    contract: Contract | None = Field(
        None, description="what a network of your own expects, with weights: file; files of radfusion carry it"
    )
    layer: str | None = Field(
        None,
        description="stage that features are taken from, or a module by its dotted name (layer3.5.conv2); null or "
        "avgpool: the deepest that the source has",
    )
    pooling: Literal["global", "roi"] = Field(
        "global", description="mean over the picture, or over the places of the layer's grid that lie in the ROI"
    )
    flips: Flips = Field(
        "none", description="mirrored views that features are averaged over, with the picture itself; both: four views"
    )
    batch_size: int | None = Field(
        default=None, ge=1, le=512, description="pictures computed together; null: what is fast where it runs"
    )
    device: Device = Field("auto", description="where the network runs: auto, cpu, cuda, cuda:0, ..., mps")
    backend: str = Field("auto", description="library that computes it: auto, " + ", ".join(BACKENDS))
    precision: Precision = Field("float32", description="numbers that it computes in; the halves change features")

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, name: str) -> str:
        if name not in WEIGHTS:
            raise ValueError(WEIGHTS.unknown(name))
        return name

    @field_validator("network")
    @classmethod
    def _known_network(cls, name: str) -> str:
        if name not in NETWORKS:
            raise ValueError(NETWORKS.unknown(name))
        return name

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, name: str) -> str:
        if name != "auto" and name not in BACKENDS:
            raise ValueError(f"{BACKENDS.unknown(name)}; or auto")
        return name

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        source = WEIGHTS[self.weights]
        if self.weights == "file" and self.file is None:
            raise ValueError("weights: file needs `file`, the path of a weights file")
        if self.contract is not None and self.weights != "file":
            raise ValueError(f"contract belongs to weights: file; what {self.weights!r} expect is known")
        if source.networks and self.network not in source.networks:
            allowed = ", ".join(source.networks)
            raise ValueError(f"weights {self.weights!r} have no file for {self.network!r}; allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _layer_and_size(self) -> Self:
        network = NETWORKS[self.network]
        if self.deepest is not None and self.deepest not in network.layers:
            allowed = ", ".join(network.layers)
            raise ValueError(f"contract: {self.network!r} has no {self.deepest!r}; allowed: {allowed}")
        stages = network.layers_to(self.deepest)
        others = network.layers[len(stages) :]
        unknown = self.layer is not None and "." not in self.layer and self.layer not in (*stages, "avgpool")
        if self.layer in others or unknown:
            raise ValueError(f"weights {self.weights!r} have no {self.layer!r}; allowed: {', '.join(stages)}")
        if reason := network.refused_size(self.shown_size):
            raise ValueError(f"size: {reason}")
        if self.resize == "torchvision" and self._short_side < self.shown_size:
            raise ValueError(f"short_side {self._short_side} is below the size {self.shown_size} that is cut out of it")
        return self

    @property
    def layer_name(self) -> str:
        """Layer that features are taken from."""
        if self.layer is None or self.layer == "avgpool":
            return NETWORKS[self.network].layers_to(self.deepest)[-1]
        return self.layer

    @property
    def deepest(self) -> str | None:
        """Last stage that the weights are known to hold, where it is not the network's."""
        return WEIGHTS[self.weights].deepest if self.contract is None else self.contract.deepest

    @property
    def shown_size(self) -> int:
        """Rows and columns that the network is shown."""
        return self.size or WEIGHTS[self.weights].size or NETWORKS[self.network].size

    @property
    def crop_settings(self) -> CropSettings:
        """How the ROI is shown to the network, with the numbers that follow from network and weights."""
        chosen = {name: getattr(self, name) for name in CropSettings.model_fields}
        short_side = self._short_side if self.resize == "torchvision" else None
        return CropSettings(**{**chosen, "size": self.shown_size, "short_side": short_side})

    @property
    def _short_side(self) -> int:
        usual = _SHORT_SIDES.get((self.weights, self.network), 256)
        return self.short_side or round(self.shown_size * usual / 224)
