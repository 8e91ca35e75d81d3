"""Self-test of a deep source: what reached its network, and whether its features are more than a random network's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radfusion.core.selftest import SelfTest
from radfusion.errors import FeatureError
from radfusion.execution.progress import Progress
from radfusion.extraction.extractors.base import Extracted, Shown
from radfusion.extraction.extractors.deep import Deep
from radfusion.networks.selfcheck import clearly_better, profile_fits, ranges, without_statistics
from radfusion.networks.similarity import debiased_cka
from radfusion.networks.sources import WEIGHTS

__all__ = ["N_PICTURES", "features_of", "self_test", "untrained_twin"]

#: Pictures that every profile is tried on: 8, 16 and 30 of them give the same ranks (see docs/self-test.md).
N_PICTURES = 8


def self_test(extractor: Deep, shown: Sequence[Shown], features: ArrayLike) -> SelfTest:
    """Look at some cases of a deep source.

    Parameters
    ----------
    extractor : Deep
        The source.
    shown : sequence of Shown
        What its network is shown of each case.
    features : (cases, features) array
        What it answered.

    Raises
    ------
    FeatureError
        When there is no case.
    WeightsError
        When the weights are absent or not what their source promises.
    """
    if not shown:
        raise FeatureError(f"self-test of {extractor.source}: there is no case that its network could be shown")
    chosen, pictures = extractor.pretrained(), np.concatenate([each.pictures for each in shown])
    reason = without_statistics(chosen)
    fits = () if reason else profile_fits(pictures[:N_PICTURES], chosen)
    similarity, why_none = _control_similarity(extractor, shown, np.asarray(features, dtype=np.float64))
    return SelfTest(
        n_cases=len(shown),
        n_pictures=len(pictures),
        profiles=fits,
        profiles_reason=reason,
        better=clearly_better(fits),
        channels=ranges(pictures, chosen.source.input),
        black=float(np.mean(pictures <= 0)),
        white=float(np.mean(pictures >= 1)),
        control_similarity=similarity,
        control_reason=why_none,
    )


def untrained_twin(extractor: Deep) -> Deep:
    """The same network, layer and pictures with random weights.

    Examples
    --------
    >>> untrained_twin(Deep(weights="imagenet-caffe")).layer_name
    'layer3'
    """
    crop = extractor.crop_settings
    own = {"weights": "random", "file": None, "contract": None, "name": None, "layer": extractor.layer_name}
    return extractor.model_copy(update={**own, "size": crop.size, "short_side": crop.short_side})


def features_of(extractor: Deep, shown: Sequence[Shown]) -> NDArray[np.float64]:
    """Features of some cases, in this process.

    Returns
    -------
    (cases, features) array of float64

    Raises
    ------
    FeatureError
        When the network cannot answer a case.
    """
    coming = [Extracted(str(at), {}, shown=each) for at, each in enumerate(shown)]
    found = list(extractor.complete(coming, Progress()))
    failed = [each.reason for each in found if each.reason]
    if failed:
        raise FeatureError(f"self-test of {extractor.source}: {failed[0]}")
    return np.array([list(each.features.values()) for each in found])


def _control_similarity(
    extractor: Deep, shown: Sequence[Shown], features: NDArray[np.float64]
) -> tuple[float | None, str | None]:
    if WEIGHTS[extractor.weights].drawn:
        return None, "the source is the untrained control itself"
    try:
        return debiased_cka(features, features_of(untrained_twin(extractor), shown)), None
    except FeatureError as error:
        return None, str(error)
