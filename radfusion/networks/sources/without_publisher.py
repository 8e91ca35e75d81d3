"""Sources without a publisher: weights that are drawn, and a file of the user's own."""

from __future__ import annotations

from radfusion.networks.sources.base import TORCHVISION_INPUT, WEIGHTS, WeightsSource

__all__: list[str] = []

WEIGHTS.add(
    "random",
    WeightsSource(
        name="random",
        title="random weights (control, nothing learned)",
        files=(),
        input=TORCHVISION_INPUT,
        modalities=(),
        licence="none needed",
        reference="He K, et al. Delving deep into rectifiers. ICCV 2015. doi:10.1109/ICCV.2015.123",
        obtain="nothing to get: drawn with a fixed seed",
        seed=20221107,
    ),
)
WEIGHTS.add(
    "file",
    WeightsSource(
        name="file",
        title="a weights file of your own",
        files=(),
        input=TORCHVISION_INPUT,
        modalities=(),
        licence="yours to know",
        reference="none: cite what the file was trained with",
        obtain="name it in the study: `weights: file` and `file: PATH`",
    ),
)
