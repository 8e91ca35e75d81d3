"""Weights learned from medical images. RadImageNet is two networks that share no tensor, so it is two sources."""

from __future__ import annotations

from radfusion.networks.sources.base import WEIGHTS, Graph, InputFormat, WeightsFile, WeightsSource

__all__: list[str] = []

_RADIMAGENET = (
    "Mei X, et al. RadImageNet: an open radiologic deep learning research dataset for effective transfer learning. "
    "Radiol Artif Intell 2022;4(5):e210315. doi:10.1148/ryai.210315"
)
_MODALITIES = ("CT", "MR", "US")
_TERMS = "not stated for the weights (code MIT, dataset card CC BY 4.0)"

WEIGHTS.add(
    "radimagenet",
    WeightsSource(
        name="radimagenet",
        title="RadImageNet (PyTorch lineage)",
        # The source publishes no hash; the one of ResNet50.pt is what many users report.
        files=(
            WeightsFile(
                name="ResNet50.pt",
                layout="backbone",
                sha256=("08629f7e7bd3e29b8ee9522ca3f65ce4d010a7ddf74f0ea3c7e3f3d0bbab0734",),
            ),
            WeightsFile(name="DenseNet121.pt", layout="backbone-densenet", network="densenet121"),
        ),
        input=InputFormat(1.0, "RGB", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        modalities=_MODALITIES,
        licence=_TERMS,
        reference=_RADIMAGENET,
        obtain="take ResNet50.pt (or DenseNet121.pt) out of RadImageNet_pytorch.zip, which "
        "github.com/BMEII-AI/RadImageNet links to, or from Lab-Rasool/RadImageNet on Hugging Face",
    ),
)
WEIGHTS.add(
    "radimagenet-keras",
    WeightsSource(
        name="radimagenet-keras",
        title="RadImageNet (Keras lineage)",
        files=(
            WeightsFile(
                name="RadImageNet-ResNet50_notop.h5",
                layout="keras",
                size=94_852_768,
                sha256=("1f1d1c9fe6ab6980daa5e528145fe0db249c55415f8b3e1f3e3b1624d184f159",),
            ),
            WeightsFile(
                name="RadImageNet-ResNet50_notop.pth",
                layout="keras-port",
                sha256=("2457479b254569e5a81ba48fee6c5b2b84b7a729e507aaa2466101aedb8e5c37",),
            ),
        ),
        input=InputFormat(1.0, "BGR", (0.4076, 0.4580, 0.4850), (1.0, 1.0, 1.0)),
        modalities=_MODALITIES,
        licence=_TERMS,
        reference=_RADIMAGENET,
        obtain="take RadImageNet-ResNet50_notop.h5 out of the TensorFlow models that github.com/BMEII-AI/RadImageNet "
        "links to, or RadImageNet-ResNet50_notop.pth, which github.com/Warvito/radimagenet-models links to (MONAI "
        "uses it)",
        graph=Graph(stride="v1", epsilon=1.001e-5),
    ),
)
WEIGHTS.add(
    "chest-xray",
    WeightsSource(
        name="chest-xray",
        title="chest radiographs (TorchXRayVision resnet50-res512-all)",
        files=(
            WeightsFile(
                name="pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt",
                layout="grey-stem",
                url="https://github.com/mlmed/torchxrayvision/releases/download/v1/"
                "pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt",
            ),
        ),
        input=InputFormat(2048.0, "RGB", (1024.0, 1024.0, 1024.0), (1.0, 1.0, 1.0)),
        modalities=("CR", "DX"),
        licence="Apache-2.0 (mlmed/torchxrayvision); the films of PadChest, NIH, RSNA, SIIM and VinDr have their own",
        reference="Cohen JP, et al. TorchXRayVision: a library of chest X-ray datasets and models. MIDL 2022. "
        "arXiv:2111.00595",
        obtain="radfusion weights fetch {name}",
        size=512,
    ),
)
