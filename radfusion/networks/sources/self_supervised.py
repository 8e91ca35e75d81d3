"""Weights learned from photographs without labels; no publisher here states a SHA-256, users do.

A known hash is required all the same: names and shapes are those of any ResNet-50, and ``resnet50.pth`` is anybody's.
"""

from __future__ import annotations

from radfusion.networks.sources.base import (
    PHOTOGRAPHS,
    TORCHVISION_INPUT,
    WEIGHTS,
    InputFormat,
    WeightsFile,
    WeightsSource,
)

__all__: list[str] = []

_PLACE = "https://dl.fbaipublicfiles.com/"


def _add(
    name: str,
    title: str,
    file: WeightsFile,
    *,
    licence: str,
    reference: str,
    expected: InputFormat = TORCHVISION_INPUT,
) -> None:
    source = WeightsSource(
        name=name,
        title=f"{title}, self-supervised on ImageNet",
        files=(file,),
        input=expected,
        modalities=PHOTOGRAPHS,
        licence=licence,
        reference=reference,
        obtain="radfusion weights fetch {name}",
    )
    WEIGHTS.add(name, source)


_add(
    "dino",
    "DINO",
    WeightsFile(
        name="dino_resnet50_pretrain.pth",
        layout="torchvision",
        url=f"{_PLACE}dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth",
    ),
    licence="Apache-2.0 (facebookresearch/dino)",
    reference="Caron M, et al. Emerging properties in self-supervised vision transformers. ICCV 2021. arXiv:2104.14294",
)
_add(
    "barlow-twins",
    "Barlow Twins",
    WeightsFile(
        name="resnet50.pth",
        layout="torchvision",
        url=f"{_PLACE}barlowtwins/ep1000_bs2048_lrw0.2_lrb0.0048_lambd0.0051/resnet50.pth",
        sha256=("cf015f40cc",),
        hash_required=True,
    ),
    licence="CC BY-NC 4.0: not for commercial use (facebookresearch/barlowtwins)",
    reference="Zbontar J, et al. Barlow Twins: self-supervised learning via redundancy reduction. ICML 2021. "
    "arXiv:2103.03230",
)
_add(
    "vicreg",
    "VICReg",
    WeightsFile(
        name="resnet50.pth",
        layout="torchvision",
        url=f"{_PLACE}vicreg/resnet50.pth",
        size=94_345_885,
        sha256=("c843e7652491ff2f712734619fd74d85e5e92ac902615665ad3fd50dc6ada591",),
        hash_required=True,
    ),
    licence="MIT (facebookresearch/vicreg)",
    reference="Bardes A, et al. VICReg: variance-invariance-covariance regularization for self-supervised learning. "
    "ICLR 2022. arXiv:2105.04906",
)
_add(
    "swav",
    "SwAV",
    WeightsFile(
        name="swav_800ep_pretrain.pth.tar",
        layout="data-parallel",
        url=f"{_PLACE}deepcluster/swav_800ep_pretrain.pth.tar",
    ),
    licence="in the file LICENSE of facebookresearch/swav: read it before use",
    reference="Caron M, et al. Unsupervised learning of visual features by contrasting cluster assignments. "
    "NeurIPS 2020. arXiv:2006.09882",
    # of its src/multicropdataset.py and eval_linear.py; the SD of red is not torchvision's
    expected=InputFormat(1.0, "RGB", (0.485, 0.456, 0.406), (0.228, 0.224, 0.225)),
)
_add(
    "moco-v2",
    "MoCo v2",
    WeightsFile(
        name="moco_v2_800ep_pretrain.pth.tar",
        layout="momentum",
        url=f"{_PLACE}moco/moco_checkpoints/moco_v2_800ep/moco_v2_800ep_pretrain.pth.tar",
    ),
    licence="CC BY-NC 4.0: not for commercial use (facebookresearch/moco)",
    reference="Chen X, et al. Improved baselines with momentum contrastive learning. 2020. arXiv:2003.04297",
)
