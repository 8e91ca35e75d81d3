"""Weights learned from labelled photographs: torchvision's two generations and the authors' own Caffe network."""

from __future__ import annotations

from radfusion.networks.sources.base import (
    PHOTOGRAPHS,
    TORCHVISION_INPUT,
    WEIGHTS,
    Graph,
    InputFormat,
    WeightsFile,
    WeightsSource,
)

__all__: list[str] = []

_IMAGENET = (
    "Russakovsky O, et al. ImageNet Large Scale Visual Recognition Challenge. Int J Comput Vis 2015;115:211-252. "
    "doi:10.1007/s11263-015-0816-y"
)
_RESNET = "He K, et al. Deep residual learning for image recognition. CVPR 2016. doi:10.1109/CVPR.2016.90"
_PLACE = "https://download.pytorch.org/models/"

# Network, stem of the file's name with the first digits of its hash, and MiB, as torchvision states them.
_V1 = (
    ("resnet50", "resnet50-0676ba61", 97.781),
    ("resnet18", "resnet18-f37072fd", 44.661),
    ("resnet34", "resnet34-b627a593", 83.275),
    ("resnet101", "resnet101-63fe2227", 170.511),
    ("resnet152", "resnet152-394f9c45", 230.434),
    ("resnext50_32x4d", "resnext50_32x4d-7cdf4587", 95.789),
    ("wide_resnet50_2", "wide_resnet50_2-95faca4d", 131.82),
    ("densenet121", "densenet121-a639ec97", 30.845),
    ("densenet169", "densenet169-b2777c0a", 54.708),
    ("inception_v3", "inception_v3_google-0cc3c7bd", 103.903),
    ("efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc", 20.451),
    ("convnext_tiny", "convnext_tiny-983f1562", 109.119),
    ("mobilenet_v3_large", "mobilenet_v3_large-8738ca79", 21.114),
    ("vgg16", "vgg16-397923af", 527.796),
    ("swin_t", "swin_t-704ceda3", 108.19),
    ("vit_b_16", "vit_b_16-c867db91", 330.285),
)
_V2 = (
    ("resnet50", "resnet50-11ad3fa6", 97.79),
    ("resnet101", "resnet101-cd907fc2", 170.53),
    ("resnet152", "resnet152-f82ba261", 230.474),
    ("resnext50_32x4d", "resnext50_32x4d-1a0047aa", 95.833),
    ("wide_resnet50_2", "wide_resnet50_2-9ba9bcbe", 263.124),
    ("mobilenet_v3_large", "mobilenet_v3_large-5c1a4163", 21.107),
)
# Bytes and whole hashes that are known to us; of the other files the name gives the hash's first eight digits.
_MEASURED = {
    "resnet50-0676ba61": (102_530_333, "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"),
    "resnet50-11ad3fa6": (102_540_417, "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"),
}


def _file(network: str, stem: str, mebibytes: float) -> WeightsFile:
    size, digest = _MEASURED.get(stem, (None, stem.rpartition("-")[2]))
    return WeightsFile(
        name=f"{stem}.pth",
        layout="torchvision",
        network=network,
        url=f"{_PLACE}{stem}.pth",
        size=size,
        sha256=(digest,),
        hash_required=True,
        mebibytes=mebibytes,
    )


def _torchvision(name: str, generation: str, table: tuple[tuple[str, str, float], ...]) -> WeightsSource:
    return WeightsSource(
        name=name,
        title=f"ImageNet (torchvision {generation})",
        files=tuple(_file(*row) for row in table),
        input=TORCHVISION_INPUT,
        modalities=PHOTOGRAPHS,
        licence="BSD-3-Clause (torchvision); the ImageNet photographs themselves are for research only",
        reference=_IMAGENET,
        obtain="radfusion weights fetch {name}",
    )


WEIGHTS.add("imagenet", _torchvision("imagenet", "IMAGENET1K_V1", _V1))
WEIGHTS.add("imagenet-v2", _torchvision("imagenet-v2", "IMAGENET1K_V2", _V2))
WEIGHTS.add(
    "imagenet-caffe",
    WeightsSource(
        name="imagenet-caffe",
        title="ImageNet (He et al., Caffe ResNet-50), stem to layer3",
        files=(
            WeightsFile(
                name="resnet50_caffe_imagenet_stem_layer1-3.pt",
                layout="torchvision",
                size=34_380_587,
                sha256=("a46c8ec9c6722ac1d382693005ebd0f4289105c0f030076fecd0d8319d976e1f",),
                hash_required=True,
            ),
        ),
        input=InputFormat(255.0, "BGR", (103.06, 115.90, 123.15), (1.0, 1.0, 1.0)),
        modalities=PHOTOGRAPHS,
        licence="MIT (KaimingHe/deep-residual-networks)",
        reference=_RESNET,
        obtain="convert the stem and layer1 to layer3 of the authors' ResNet-50 to torchvision's names",
        graph=Graph(stride="v1", stem="ceil"),
        deepest="layer3",
    ),
)
