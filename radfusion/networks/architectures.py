"""Networks that features can be taken from, as data: names of their stages and of their heads."""

from __future__ import annotations

from dataclasses import dataclass

from radfusion.core.registry import Registry

__all__ = ["NETWORKS", "Network"]


@dataclass(frozen=True)
class Network:
    """One kind of network.

    Attributes
    ----------
    name, title : str
        Name in study files (torchvision's), and words for the report.
    layers : tuple of str
        Stages that features can be taken from, the deepest last.
    head : tuple of str
        How the names of the classifier's tensors begin; they are not needed.
    size : int
        Rows and columns of the images that it was made for.
    """

    name: str
    title: str
    layers: tuple[str, ...]
    head: tuple[str, ...]
    size: int = 224

    def layers_to(self, deepest: str | None) -> tuple[str, ...]:
        """Stages down to `deepest`; all of them for None."""
        return self.layers if deepest is None else self.layers[: self.layers.index(deepest) + 1]


NETWORKS: Registry[Network] = Registry("network")

for _network in (Network("resnet50", "ResNet-50", ("layer1", "layer2", "layer3", "layer4"), ("fc.",)),):
    NETWORKS.add(_network.name, _network)
