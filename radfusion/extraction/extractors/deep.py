"""Deep features: activations of a pretrained network around the region of interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from radfusion.core.scan import Scan
from radfusion.errors import CaseError, WeightsError
from radfusion.extraction.extractors.base import Extractor
from radfusion.networks.architectures import NETWORKS
from radfusion.networks.devices import Device, choose_device
from radfusion.networks.inference import compute_features, unusable, versions, weights_hash
from radfusion.networks.preprocessing import CropSettings, crop_roi, network_input
from radfusion.networks.weights import WEIGHTS, Pretrained, WeightsSource, find_weights

__all__ = ["Deep"]


class Deep(Extractor):
    """Average-pooled activations of ResNet-50, weights frozen.

    Attributes
    ----------
    weights : str
        Weights source, a name of the table ``radfusion names weights``.
    file : path or None
        Its file, when it lies in none of the usual places.
    layer : {"layer1", "layer2", "layer3", "layer4"} or None
        Stage that features are taken from; None is the deepest that the source has.
    size : int
        Rows and columns that the crop is resized to.
    margin : float
        Surroundings of the ROI on every side, in units of its longer side.
    outside : {"keep", "zero"}
        Keep pixels outside the ROI, or make them black.
    batch_size : int
        Images computed together. Part of the identity: features of other batch sizes differ in the last digits.
    device : {"auto", "cpu", "cuda"}
        Where the network runs.

    Examples
    --------
    >>> Deep(weights="imagenet-caffe").layer_name
    'layer3'
    """

    kind: ClassVar[str] = "deep"

    weights: str = Field("imagenet", description="weights source; see `radfusion weights list`")
    file: Path | None = Field(None, description="its file, relative to the study, when it is in no usual place")
    layer: Literal["layer1", "layer2", "layer3", "layer4"] | None = Field(
        None, description="stage that features are taken from; null: the deepest that the source has"
    )
    size: int = Field(default=224, ge=32, le=1024, description="rows and columns that the crop is resized to")
    margin: float = Field(
        default=0.1, ge=0, le=5, description="surroundings of the ROI on every side, in units of its longer side"
    )
    outside: Literal["keep", "zero"] = Field("keep", description="keep pixels outside the ROI, or make them black")
    batch_size: int = Field(default=8, ge=1, le=512, description="images computed together")
    device: Device = Field("auto", description="where the network runs: auto, cpu or cuda")

    @field_validator("weights")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in WEIGHTS:
            raise ValueError(WEIGHTS.unknown(name))
        return name

    @model_validator(mode="after")
    def _has_layer(self) -> Self:
        layers = NETWORKS["resnet50"].layers_to(WEIGHTS[self.weights].deepest)
        if self.layer is not None and self.layer not in layers:
            raise ValueError(f"weights {self.weights!r} have no {self.layer!r}; allowed: {', '.join(layers)}")
        return self

    @property
    def batch(self) -> int:
        """Number of scans that are extracted together."""
        return self.batch_size

    @property
    def source(self) -> str:
        """Name of the weights source."""
        return self.weights

    @property
    def weights_source(self) -> WeightsSource:
        """Entry of the table of weights."""
        return WEIGHTS[self.weights]

    @property
    def layer_name(self) -> str:
        """Stage that features are taken from."""
        return self.layer or NETWORKS["resnet50"].layers_to(self.weights_source.deepest)[-1]

    @property
    def crop_settings(self) -> CropSettings:
        """How the ROI is shown to the network."""
        return CropSettings(size=self.size, margin=self.margin, outside=self.outside)

    def unavailable(self) -> str | None:
        """Why weights or packages are absent or unfit here and what to do, or None. Downloads nothing."""
        try:
            return unusable(self.pretrained())
        except WeightsError as error:
            return str(error)

    def identity(self) -> Mapping[str, Any]:
        """Weights hash, layer, preprocessing, versions, device and batch size.

        Raises
        ------
        WeightsError
            When the weights are absent.
        """
        chosen = self.pretrained()
        expected = self.weights_source.input
        return {
            "kind": self.kind,
            "revision": 1,
            "network": "resnet50",
            "weights": self.weights,
            "weights_sha256": weights_hash(chosen),
            "layer": self.layer_name,
            "pooling": "average",
            "crop": self.crop_settings.model_dump(),
            "window": "8-bit images 0 to 255, others 1st to 99th percentile of the crop",
            "resize": "bilinear, antialiased",
            "channels": "grey repeated to 3",
            "input": {"white": expected.white, "order": expected.order, "mean": expected.mean, "std": expected.std},
            "batch_size": self.batch_size,
            "device": choose_device(self.device),
            "precision": "float32",
            **versions(),
        }

    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Features ``{layer}_pool_{index}`` of each scan.

        Raises
        ------
        CaseError
            When a scan's ROI is empty, or its crop holds no contrast or no finite numbers.
        WeightsError
            When the weights are absent or not what their source promises.
        """
        if not scans:
            return []
        grey = np.stack([crop_roi(scan, self.crop_settings).grey for scan in scans])
        network = (self.pretrained(), self.layer_name, choose_device(self.device))
        features = compute_features(network_input(grey, self.weights_source.input), network, self.batch_size)
        names = [f"{self.layer_name}_pool_{index:04d}" for index in range(features.shape[1])]
        if not np.isfinite(features).all():
            bad = [scan.case for scan, row in zip(scans, features, strict=True) if not np.isfinite(row).all()]
            raise CaseError(f"the network answers {bad[0]!r} with numbers that are not finite", stage="deep")
        return [dict(zip(names, row.tolist(), strict=True)) for row in features.astype(np.float64)]

    def weights_facts(self) -> dict[str, Any]:
        """What a report says of the weights, with the hash of the file that was read."""
        return {**self.weights_source.facts(), "sha256": weights_hash(self.pretrained())}

    def describe(self, scan: Scan) -> dict[str, Any]:
        """What the network is shown of a scan: box, slice, window and where the window comes from."""
        return crop_roi(scan, self.crop_settings).facts

    def pretrained(self) -> Pretrained:
        """Weights, network and file.

        Raises
        ------
        WeightsError
            When the file is nowhere; says what to do.
        """
        source = self.weights_source
        file = find_weights(source, file=self.file)
        if file is None and not source.drawn:
            form = source.files_of("resnet50")[0]
            raise WeightsError(
                f"weights {source.name!r} ({form.name}) are not here: {source.obtain.format(name=source.name)}"
                f"{'' if form.url else f', then `radfusion weights import {source.name} {form.name}`'}; "
                "or name the file in the study, or its folder in RADFUSION_WEIGHTS"
            )
        return Pretrained(source, "resnet50", file)
