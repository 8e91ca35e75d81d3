"""Results of a pretraining benchmark: cost, similarity and robustness of sources of deep features."""

from __future__ import annotations

from radfusion.core.estimates import Comparison, Estimate, Exclusion, Noun

__all__ = ["BenchmarkSource", "CentreResult", "Pretraining", "Robustness", "Similarity"]


class BenchmarkSource(Noun):
    """One deep source of a pretraining benchmark: what its features come from and what they cost.

    ``untrained`` names the control with the same network and layer. ``parameters`` and ``multiply_adds`` (per picture)
    count the network down to the layer; ``bytes`` is the size of the weights file, None for drawn weights.
    """

    source: str
    arm: str
    weights: str
    network: str
    layer: str
    untrained: str | None = None
    n_features: int
    parameters: int
    multiply_adds: int
    bytes: int | None = None


class Similarity(Noun):
    """Debiased linear centred kernel alignment between the features of two sources on the same training cases."""

    sources: tuple[str, str]
    value: float | None
    n_cases: int
    reason: str | None = None


class Robustness(Noun):
    """What a change of the images of one set does to a source's features and to the model that was fitted on them.

    ``comparison`` is the macro AUC on changed minus that on unchanged images, from the same fitted model.
    ``correlation`` is the median over features of their absolute Spearman correlation with themselves; ``shift`` the
    median over cases of the distance that a case moves, in units of the root mean square distance of two cases.
    """

    change: str
    source: str
    set: str
    comparison: Comparison
    correlation: float | None
    shift: float | None
    faults: tuple[Exclusion, ...] = ()


class CentreResult(Noun):
    """How well a source's features tell the centres apart: macro AUC out of fold, patients kept together."""

    source: str
    centres: tuple[str, ...]
    estimate: Estimate


class Pretraining(Noun):
    """What a pretraining benchmark adds to a study's results.

    ``centre_reason`` says why the centres were not asked for.
    """

    reference: str | None = None
    sources: tuple[BenchmarkSource, ...]
    similarities: tuple[Similarity, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    centres: tuple[CentreResult, ...] = ()
    centre_reason: str | None = None
