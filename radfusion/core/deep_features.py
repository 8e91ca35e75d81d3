"""What is worth worrying about in deep features, as sentences: collapsed, prepared wrongly, as good as random."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from radfusion.core.results import FeatureSource
from radfusion.core.selftest import SelfTest

__all__ = [
    "COLLAPSED_SHARE",
    "collapsed",
    "concerns",
    "health_concerns",
    "is_control",
    "learned_from",
    "only_controls",
    "self_test_concerns",
]

#: Share of variance in the first principal component above which features are nearly copies of each other.
COLLAPSED_SHARE = 0.9
#: Effective rank below which features say nearly the same thing; of few cases, a quarter of the rank they can have.
FEW_DIMENSIONS = 5.0
#: Share of units that never change above which most of the network is silent.
STILL_SHARE = 0.5
#: Similarity to the untrained control (debiased CKA) above which weights may not be loaded: real ones 0.0 to 0.4.
LIKE_CONTROL = 0.7

#: Names of modalities in studies and tables of weights, by what they mean.
_MODALITIES = {
    "radiograph": {"radiograph", "radiographs", "radiography", "x-ray", "x-rays", "xray", "cr", "dx", "dr", "rg"},
    "mammogram": {"mammogram", "mammograms", "mammography", "mg"},
    "ct": {"ct", "computed tomography"},
    "mr": {"mr", "mri", "magnetic resonance", "magnetic resonance imaging"},
    "us": {"us", "ultrasound", "sonography"},
}


def is_control(source: FeatureSource) -> bool:
    """Whether a source is a network with random weights."""
    return source.kind == "deep" and not source.imported and source.settings.get("weights", source.name) == "random"


def only_controls(sources: Iterable[FeatureSource]) -> bool:
    """Whether there are deep features, and all of them come from networks with random weights."""
    deep = [each for each in sources if each.kind == "deep" and each.available]
    return bool(deep) and all(map(is_control, deep))


def collapsed(health: Mapping[str, float]) -> bool:
    """Whether one component carries nearly everything, as in networks whose weights did not load."""
    return health.get("first_component_share", 0.0) > COLLAPSED_SHARE


def health_concerns(health: Mapping[str, float]) -> list[str]:
    """Sentences on the spread of a feature table; none for healthy features.

    Parameters
    ----------
    health : mapping
        Of ``feature_health``.

    Examples
    --------
    >>> health_concerns({"first_component_share": 0.97, "effective_rank": 1.2, "constant_share": 0.0})
    ['the first principal component holds 97.0% of the variance, as where no weights were loaded',
     'the effective rank is 1.2, below 5: the features say nearly the same thing']
    """
    found = []
    if collapsed(health):
        share = f"{health['first_component_share']:.1%} of the variance"
        found.append(f"the first principal component holds {share}, as where no weights were loaded")
    few = min(FEW_DIMENSIONS, (health.get("cases", math.inf) - 1) / 4)
    if health.get("effective_rank", few) < few:
        rank = f"{health['effective_rank']:.1f}, below {few:g}"
        found.append(f"the effective rank is {rank}: the features say nearly the same thing")
    if health.get("constant_share", 0.0) > STILL_SHARE:
        found.append(f"{health['constant_share']:.0%} of the units never change")
    return found


def self_test_concerns(found: SelfTest | None) -> list[str]:
    """Sentences on the self-test of a source; none when nothing is wrong or none was made."""
    if found is None:
        return []
    told = []
    own, better = found.own, next((fit for fit in found.profiles if fit.profile == found.better), None)
    if own and better:
        told.append(
            f"the weights were learned on pictures prepared as '{better.title}' rather than as '{own.title}': distance "
            f"{better.distance:.3f} against {own.distance:.3f}, mean |z| {better.mean_shift:.2f} against "
            f"{own.mean_shift:.2f}"
        )
    like = found.control_similarity
    if like is not None and like > LIKE_CONTROL:
        told.append(f"the features are those of a random network (CKA {like:.2f}), as where no weights were loaded")
    return told


def concerns(source: FeatureSource) -> list[str]:
    """All sentences on one source."""
    return [*self_test_concerns(source.self_test), *health_concerns(source.health)]


def learned_from(modalities: tuple[str, ...], modality: str) -> bool:
    """Whether weights were learned from the modality that a study declares.

    Examples
    --------
    >>> learned_from(("CR", "DX"), "radiograph"), learned_from(("CT", "MR", "US"), "Radiograph")
    (True, False)
    """
    return bool(_meant(modality) & {kind for each in modalities for kind in _meant(each)})


def _meant(words: str) -> set[str]:
    plain = words.lower().strip()
    parts = {plain, *plain.replace(",", " ").replace("/", " ").split()}
    return {plain, *(kind for kind, names in _MODALITIES.items() if names & parts)}
