"""Deep features: activations of a pretrained network around the region of interest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radfusion.core.scan import Scan
from radfusion.errors import CaseError, FeatureError, WeightsError
from radfusion.execution.progress import Progress
from radfusion.extraction.engine import Measured
from radfusion.extraction.extractors.base import Extracted, Extractor, Shown
from radfusion.extraction.network_settings import NetworkSettings
from radfusion.networks.backbones import resolve_layer
from radfusion.networks.devices import missing_packages
from radfusion.networks.inference import (
    Computing,
    FrozenNetwork,
    choose_computing,
    computed_by,
    stream_features,
    unusable,
    weights_hash,
)
from radfusion.networks.preprocessing import Crop, contact_sheet, crops_of, flipped
from radfusion.networks.trained import own_source
from radfusion.networks.weights import WEIGHTS, Pretrained, find_weights, how_to_get

__all__ = ["Deep"]

#: Scans that a worker holds in memory at a time.
_SCANS = 8


class Deep(NetworkSettings, Extractor):
    """Pooled activations of a pretrained network, weights frozen.

    Examples
    --------
    >>> Deep(weights="imagenet-caffe").layer_name
    'layer3'
    >>> Deep(weights="imagenet", name="imagenet-boxes", crop="box").source
    'imagenet-boxes'
    """

    kind: ClassVar[str] = "deep"

    @property
    def batch(self) -> int:
        """Number of scans that a worker reads and prepares together; the network's batches span them."""
        return min(self.batch_size or _SCANS, _SCANS)

    @property
    def source(self) -> str:
        """Name of the source in features and arms."""
        return self.name or self.weights

    def unavailable(self) -> str | None:
        """Why weights or packages are absent or unfit here and what to do, or None. Downloads nothing.

        Raises
        ------
        FeatureError
            When the network has no such layer, which no file can mend.
        """
        if reason := missing_packages():
            return reason
        try:
            chosen = self.pretrained()
        except WeightsError as error:
            return str(error)
        try:
            resolve_layer(chosen, self.layer_name)
        except WeightsError as error:
            raise FeatureError(f"features.deep, {self.source}: {error}") from error
        return unusable(chosen)

    def identity(self) -> Mapping[str, Any]:
        """Hash of the weights, network, layer, what it is shown, how it is computed, versions.

        Raises
        ------
        WeightsError
            When the weights are absent.
        """
        chosen = self.pretrained()
        return {
            "kind": self.kind,
            "revision": 2,
            "network": self.network,
            "weights": self.weights,
            "weights_sha256": weights_hash(chosen),
            "layer": self.layer_name,
            "pooling": self.pooling,
            "crop": self.crop_settings.model_dump(mode="json"),
            "flips": self.flips,
            "interpolation": "bilinear, antialiased",
            "channels": "grey repeated to 3",
            "input": asdict(chosen.source.input),
            "graph": asdict(chosen.source.graph),
            **self.computing().facts(),
        }

    def prepare(self, scans: Sequence[Scan]) -> list[Measured | Shown | CaseError]:
        """Pictures of each scan, or why it gives none; needs no torch."""
        return [self._pictures_or_why_not(scan) for scan in scans]

    def complete(self, results: Iterable[Extracted], progress: Progress) -> Iterator[Extracted]:
        """Features ``{network}.{layer}_{pooling}_{index}`` of what was prepared, in the same order, as it comes.

        Parameters
        ----------
        results : iterable of Extracted
            As they come from the workers; those without pictures pass unchanged.
        progress : Progress
            Told what the network is computed with.

        Raises
        ------
        WeightsError
            When the weights are absent or not what their source promises.
        """
        coming = iter(results)
        first = next(coming, None)
        if first is None:
            return
        waiting: deque[Extracted] = deque()
        network, computing = self.frozen_network(), self.computing()
        views = self._views(chain([first], coming), waiting)
        for features in stream_features(views, network, computing, progress=progress):
            while waiting[0].shown is None:
                yield waiting.popleft()
            done = replace(waiting.popleft(), computed=computed_by(network, computing))
            yield self._featured(done, features)
        yield from waiting

    def measure(self, scans: Sequence[Scan]) -> list[Measured | CaseError]:
        """Features of each scan, or why it gives none; all of it in this process.

        Raises
        ------
        WeightsError
            When the weights are absent or not what their source promises.
        """
        prepared = zip(scans, self.prepare(scans), strict=True)
        results = [
            Extracted(scan.case, {}, stage=each.stage, reason=each.reason)
            if isinstance(each, CaseError)
            else Extracted(scan.case, {}, shown=each if isinstance(each, Shown) else None)
            for scan, each in prepared
        ]
        return [
            CaseError(result.reason, stage=result.stage) if result.reason else Measured(dict(result.features), {})
            for result in self.complete(results, Progress())
        ]

    def extract(self, scans: Sequence[Scan]) -> list[dict[str, float]]:
        """Features of each scan.

        Raises
        ------
        CaseError
            When a scan's ROI is empty, or what would be shown of it holds no contrast or no finite numbers.
        WeightsError
            When the weights are absent or not what their source promises.
        """
        features = []
        for answer in self.measure(scans):
            if isinstance(answer, CaseError):
                raise answer
            features.append(dict(answer.values))
        return features

    def crops(self, scan: Scan) -> tuple[Crop, ...]:
        """What the network is shown of a scan, picture by picture.

        Raises
        ------
        CaseError
            When there is nothing to show.
        """
        return crops_of(scan, self.crop_settings, regions=self.pooling == "roi")

    def pictures(self, scan: Scan) -> Shown:
        """Pictures of a scan as they travel to the network, with the regions where features are pooled over them.

        Raises
        ------
        CaseError
            When there is nothing to show.
        """
        crops = self.crops(scan)
        regions = [crop.region for crop in crops if crop.region is not None]
        return Shown(np.stack([crop.grey for crop in crops]), np.stack(regions) if regions else None)

    def describe(self, scan: Scan) -> list[dict[str, Any]]:
        """What was done for each picture of a scan: plane, box, window and the rule that it comes from."""
        return [crop.facts for crop in self.crops(scan)]

    def contact_sheet(self, scans: Sequence[Scan]) -> Image.Image:
        """All pictures of some scans in one image, to look at.

        Raises
        ------
        CaseError
            When there is nothing to show of one of them.
        """
        return contact_sheet([crop.grey for scan in scans for crop in self.crops(scan)])

    def weights_facts(self) -> dict[str, Any]:
        """What a report says of the weights, with the hash of the file that was read.

        Returns
        -------
        dict
            ``hash_known`` says whether the source's file is known by that hash; None for drawn weights and own files.
        """
        chosen = self.pretrained()
        digest, forms = weights_hash(chosen), chosen.source.files_of(chosen.network)
        known = any(form.is_known_as(digest) for form in forms) if forms else None
        return {**chosen.source.facts(), "sha256": digest, "hash_known": known}

    def frozen_network(self) -> FrozenNetwork:
        """Network, layer and pooling.

        Raises
        ------
        WeightsError
            When the weights are absent.
        """
        return FrozenNetwork(self.pretrained(), self.layer_name, self.pooling, self.shown_size)

    def computing(self) -> Computing:
        """Device, library, precision and batch size, chosen for this machine where the study leaves them open.

        Raises
        ------
        UserError
            When what the study asks for is not here.
        """
        return choose_computing(self.device, self.backend, self.precision, batch_size=self.batch_size)

    def pretrained(self) -> Pretrained:
        """Weights, network and file.

        Raises
        ------
        WeightsError
            When the file is nowhere; says what to do.
        """
        source = WEIGHTS[self.weights]
        file = find_weights(source, self.network, file=self.file)
        if self.weights == "file" and file is not None:
            return Pretrained(own_source(file, self.network, self.contract), self.network, file)
        if file is None and not source.drawn:
            how = how_to_get(source, self.network)
            raise WeightsError(f"weights {source.name!r} are not here: {how}; or name the file in the study")
        return Pretrained(source, self.network, file)

    def _pictures_or_why_not(self, scan: Scan) -> Shown | CaseError:
        try:
            return self.pictures(scan)
        except CaseError as error:
            return error

    def _views(
        self, results: Iterable[Extracted], waiting: deque[Extracted]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
        """Pictures and regions of each result, mirrored as well; every result is noted in `waiting`."""
        for result in results:
            waiting.append(result)
            if result.shown is not None:
                regions = result.shown.regions
                pictures = flipped(result.shown.pictures, self.flips)
                yield pictures, None if regions is None else flipped(regions, self.flips)

    def _featured(self, result: Extracted, features: NDArray[np.float32] | CaseError) -> Extracted:
        if isinstance(features, CaseError):
            return replace(result, shown=None, stage=features.stage, reason=features.reason)
        values = features.astype(np.float64).mean(axis=0)
        if not np.isfinite(values).all():
            return replace(result, shown=None, stage=self.kind, reason="the network answers with numbers not finite")
        names = _feature_names(f"{self.network}.{self.layer_name}_{self.pooling}", len(values))
        return replace(result, features=dict(zip(names, values.tolist(), strict=True)), shown=None)


@lru_cache(maxsize=8)
def _feature_names(stem: str, count: int) -> tuple[str, ...]:
    return tuple(f"{stem}_{index:04d}" for index in range(count))
