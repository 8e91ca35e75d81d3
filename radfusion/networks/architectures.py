"""Networks that features can be taken from, as data: names of their stages and of their heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from radfusion.core.registry import Registry

__all__ = ["NETWORKS", "Network"]


@dataclass(frozen=True)
class Network:
    """One kind of network, built by torchvision's function of the same name.

    Attributes
    ----------
    name, title : str
        Name in study files (torchvision's), and words for the report.
    layers : tuple of str
        Stages that features can be taken from, the deepest last.
    head : tuple of str
        How the names of the classifier's tensors begin; they are not needed.
    reference : str
        Publication.
    size : int
        Rows and columns of the images that it was made for.
    smallest : int
        Rows and columns of the smallest image that reaches the deepest stage.
    fixed : bool
        Whether it takes images of exactly `size`.
    variants : bool
        Whether it comes in the variants of :class:`radfusion.networks.sources.Graph`.
    rectified : bool
        Whether its classifier sees the deepest stage after a ReLU that is no module of its own.
    patches : int
        For a network of tokens, rows and columns of its grid of patches, which come after one class token; else 0.
    options : tuple of (str, value)
        Further arguments of torchvision's function.
    """

    name: str
    title: str
    layers: tuple[str, ...]
    head: tuple[str, ...]
    reference: str
    size: int = 224
    smallest: int = 32
    fixed: bool = False
    variants: bool = False
    rectified: bool = False
    patches: int = 0
    options: tuple[tuple[str, Any], ...] = ()

    def layers_to(self, deepest: str | None) -> tuple[str, ...]:
        """Stages down to `deepest`; all of them for None."""
        return self.layers if deepest is None else self.layers[: self.layers.index(deepest) + 1]

    def refused_size(self, size: int) -> str | None:
        """Why images of some rows and columns cannot be shown to the network, or None.

        Examples
        --------
        >>> NETWORKS["vit_b_16"].refused_size(256)
        'ViT-B/16 takes images of exactly 224 x 224, not 256 x 256'
        >>> NETWORKS["resnet50"].refused_size(256)
        """
        if self.fixed and size != self.size:
            return f"{self.title} takes images of exactly {self.size} x {self.size}, not {size} x {size}"
        if size < self.smallest:
            return f"{self.title} takes images of {self.smallest} x {self.smallest} or more, not {size} x {size}"
        return None


NETWORKS: Registry[Network] = Registry("network")

_STAGES = ("layer1", "layer2", "layer3", "layer4")
_BLOCKS = ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5")
_RESNET = "He K, et al. Deep residual learning for image recognition. CVPR 2016. doi:10.1109/CVPR.2016.90"
_RESNEXT = "Xie S, et al. Aggregated residual transformations for deep neural networks. CVPR 2017. "
_DENSENET = "Huang G, et al. Densely connected convolutional networks. CVPR 2017. doi:10.1109/CVPR.2017.243"

for _name, _title, _reference in (
    ("resnet18", "ResNet-18", _RESNET),
    ("resnet34", "ResNet-34", _RESNET),
    ("resnet50", "ResNet-50", _RESNET),
    ("resnet101", "ResNet-101", _RESNET),
    ("resnet152", "ResNet-152", _RESNET),
    ("resnext50_32x4d", "ResNeXt-50 (32x4d)", f"{_RESNEXT}doi:10.1109/CVPR.2017.634"),
    (
        "wide_resnet50_2",
        "Wide ResNet-50-2",
        "Zagoruyko S, Komodakis N. Wide residual networks. BMVC 2016. doi:10.5244/C.30.87",
    ),
):
    NETWORKS.add(_name, Network(_name, _title, _STAGES, ("fc.",), _reference, variants=True))

for _network in (
    Network("densenet121", "DenseNet-121", _BLOCKS, ("classifier.",), _DENSENET, rectified=True),
    Network("densenet169", "DenseNet-169", _BLOCKS, ("classifier.",), _DENSENET, rectified=True),
    Network(
        name="inception_v3",
        title="Inception v3",
        layers=("Mixed_5d", "Mixed_6e", "Mixed_7c"),
        head=("fc.", "AuxLogits."),
        reference="Szegedy C, et al. Rethinking the Inception architecture for computer vision. CVPR 2016. "
        "doi:10.1109/CVPR.2016.308",
        size=299,
        smallest=75,
        options=(("init_weights", True),),
    ),
    Network(
        name="efficientnet_b0",
        title="EfficientNet-B0",
        layers=("features.2", "features.3", "features.5", "features.8"),
        head=("classifier.",),
        reference="Tan M, Le Q. EfficientNet: rethinking model scaling for convolutional neural networks. ICML 2019. "
        "doi:10.48550/arXiv.1905.11946",
    ),
    Network(
        name="convnext_tiny",
        title="ConvNeXt-T",
        layers=("features.1", "features.3", "features.5", "features.7"),
        head=("classifier.",),
        reference="Liu Z, et al. A ConvNet for the 2020s. CVPR 2022. doi:10.1109/CVPR52688.2022.01167",
    ),
    Network(
        name="mobilenet_v3_large",
        title="MobileNetV3-Large",
        layers=("features.3", "features.6", "features.12", "features.16"),
        head=("classifier.",),
        reference="Howard A, et al. Searching for MobileNetV3. ICCV 2019. doi:10.1109/ICCV.2019.00140",
    ),
    Network(
        name="vgg16",
        title="VGG-16",
        layers=("features.9", "features.16", "features.23", "features.30"),
        head=("classifier.",),
        reference="Simonyan K, Zisserman A. Very deep convolutional networks for large-scale image recognition. "
        "ICLR 2015. doi:10.48550/arXiv.1409.1556",
    ),
    Network(
        name="swin_t",
        title="Swin-T",
        layers=("features.1", "features.3", "features.5", "norm"),
        head=("head.",),
        reference="Liu Z, et al. Swin transformer: hierarchical vision transformer using shifted windows. ICCV 2021. "
        "doi:10.1109/ICCV48922.2021.00986",
    ),
    Network(
        name="vit_b_16",
        title="ViT-B/16",
        layers=(*(f"encoder.layers.encoder_layer_{block}" for block in (2, 5, 8)), "encoder.ln"),
        head=("heads.",),
        reference="Dosovitskiy A, et al. An image is worth 16x16 words: transformers for image recognition at scale. "
        "ICLR 2021. doi:10.48550/arXiv.2010.11929",
        fixed=True,
        patches=14,
    ),
):
    NETWORKS.add(_network.name, _network)
