"""Sentences on how features were extracted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from radfusion.core.deep_features import is_control
from radfusion.core.results import FeatureSource
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.report.deep_sentences import TOLD_OF_PICTURES, shown_sentence
from radfusion.report.wording import author, count, flat, join, percent, plain, sentence, significant

__all__ = ["absent_sources", "feature_paragraphs", "source_sentences", "weights_hash"]

#: Parameters that the sentences on radiomics tell in words, where they matter.
_TOLD = {
    "bin_count", "bin_width", "feature_classes", "image_types", "interpolator", "log_sigma", "normalise",
    "normalise_scale", "resampled_spacing",
}  # fmt: skip


def weights_hash(source: FeatureSource) -> str | None:
    """SHA-256 of the weights that were used, or of those that the source is known by."""
    found = source.settings.get("weights_sha256") or (source.weights or {}).get("sha256")
    return str(found) if found else None


def feature_paragraphs(sources: Sequence[FeatureSource]) -> list[str]:
    """Paragraphs of a Methods section on all sources; what is absent is told once for each reason, without remedies."""
    told = [text for each in sources if each.available for text in source_sentences(each)]
    absent = absent_sources(sources, remedies=False)
    return told + [f"{which} planned and could not be used: {sentence(why)}" for which, why in absent]


def absent_sources(sources: Sequence[FeatureSource], *, remedies: bool) -> list[tuple[str, str]]:
    """Sources that are absent for one reason, as the beginning of a sentence, with the reason.

    Parameters
    ----------
    sources : sequence of FeatureSource
        All sources of a study.
    remedies : bool
        Whether the reasons say what to do as well.
    """
    absent: dict[str, list[str]] = {}
    for each in sources:
        if not each.available:
            reason = each.reason or "no reason recorded"
            absent.setdefault(reason if remedies else re.split(r": |; ", reason)[0], []).append(each.name)
    return [
        (f"Source {names[0]} was" if len(names) == 1 else f"Sources {join(names)} were", why)
        for why, names in absent.items()
    ]


def source_sentences(source: FeatureSource) -> list[str]:
    """Paragraphs of a Methods section on one source that is there."""
    if source.imported:
        return [_imported(source)]
    if source.kind == "radiomics":
        return [_radiomics(source)]
    if source.kind == "deep":
        return [_deep(source)]
    if source.kind == "clinical":
        return [_clinical(source)]
    return [f"The source {source.name} ({source.kind}) gave {count(source.n_features, 'feature')} per case."]


def _clinical(source: FeatureSource) -> str:
    coding = source.settings.get("settings", {}).get("covariates", {})
    words = [f"{name}{_told_of_covariate(each)}" for name, each in coding.items()]
    named = f": {join(words)}" if words else ""
    return f"{count(source.n_features, 'clinical feature')} per case came from the cohort table{named}."


def _told_of_covariate(coded: Mapping[str, Any]) -> str:
    levels = [str(level) for level in coded.get("levels") or ()]
    told = str(coded["unit"]) if coded.get("unit") else (" < " if coded["type"] == "ordinal" else ", ").join(levels)
    return f" ({told})" if told else ""


def _imported(source: FeatureSource) -> str:
    told = source.settings
    files = join([f"{each['name']} (SHA-256 {each['sha256'][:8]})" for each in told["imported"]])
    kind = {"radiomics": "radiomic ", "deep": "deep "}.get(source.kind, "")
    program = "" if told["format"] == "plain" else f", a table of {told['program']}"
    left = sum(each["count"] for each in told["dropped_columns"].values())
    tail = f"; {count(left, 'column')} of it {'was' if left == 1 else 'were'} not used" if left else ""
    return (
        f"{count(source.n_features, f'{kind}feature')} per case ({source.name}) were imported from {files}{program}"
        f"{tail}. Extraction: {author(f'software, version and settings behind {source.name}')}. The table was searched "
        "for scaling, principal components and repeated rows over more than its training cases, and none was found."
    )


def _radiomics(source: FeatureSource) -> str:
    settings = source.settings.get("settings", source.settings)
    versions = source.settings.get("versions", {})
    software = f" ({', '.join(f'{name} {version}' for name, version in versions.items())})" if versions else ""
    parts = [_resampling(settings), _normalisation(settings), _grey_levels(settings)]
    prepared = "; ".join(part for part in parts if part)
    families = f" of the families {_listed(settings['feature_classes'])}" if "feature_classes" in settings else ""
    types = f" from the image types {_listed(settings['image_types'])}" if "image_types" in settings else ""
    sigma = ""
    if "log" in settings.get("image_types", ()) and settings.get("log_sigma"):
        sigma = f" (Laplacian of Gaussian with sigma {_listed(settings['log_sigma'])} {_unit(source)})"
    return (
        f"{prepared + '. ' if prepared else ''}{count(source.n_features, 'radiomic feature')} per case{families} were "
        f"extracted{types}{sigma} with PyRadiomics{software}; it differs from the IBSI reference as its documentation "
        f"says.{_further(settings)} All other parameters kept their defaults."
    )


def _further(settings: Mapping[str, Any]) -> str:
    """Parameters beside the told ones that are not at their defaults."""
    usual = Radiomics().model_dump(mode="json")
    changed = {
        name: value
        for name, value in settings.items()
        if name not in _TOLD and value not in (None, {}, usual.get(name)) and name in usual
    }
    words = "; ".join(f"{name}: {value}" for name, value in flat(changed).items())
    return f" Further parameters: {words}." if words else ""


def _unit(source: FeatureSource) -> str:
    """Unit of lengths: without a pixel spacing one pixel counts as 1 mm, whatever the features are called."""
    spacing = source.settings.get("spacing") or {}
    known, unknown = spacing.get("known", 0), spacing.get("unknown", 0)
    if not known and not unknown:
        return "mm, or pixels where the file states no spacing"
    if not unknown:
        return "mm"
    if not known:
        return "pixels, as no file states a spacing; names of features say mm all the same"
    return f"mm where the file states a spacing ({count(known, 'case')}), pixels elsewhere ({count(unknown, 'case')})"


def _listed(values: Any) -> str:
    return join([plain(value) for value in values])


def _resampling(settings: Mapping[str, Any]) -> str:
    if "resampled_spacing" not in settings:
        return ""
    spacing = settings["resampled_spacing"]
    if not spacing:
        return "Images were not resampled"
    size = " × ".join(plain(each) for each in spacing) if isinstance(spacing, list | tuple) else plain(spacing)
    how = {"b-spline": "B-spline", "sitkBSpline": "B-spline"}.get(settings.get("interpolator", "b-spline"))
    return f"Images were resampled to {size} mm ({how or plain(settings['interpolator'])})"


def _normalisation(settings: Mapping[str, Any]) -> str:
    if "normalise" not in settings:
        return ""
    if not settings["normalise"]:
        return "intensities were not normalised"
    return f"intensities were normalised to a standard deviation of {plain(settings.get('normalise_scale'))}"


def _grey_levels(settings: Mapping[str, Any]) -> str:
    if settings.get("bin_width"):
        return f"grey levels had a fixed width of {plain(settings['bin_width'])}"
    if settings.get("bin_count"):
        return f"grey levels were a fixed number of {plain(settings['bin_count'])} per region"
    return ""


def _deep(source: FeatureSource) -> str:
    weights = source.weights or {}
    title, learned = weights.get("title") or source.name, weights.get("modalities")
    origin = f"the weights {title}" + (f", learned from {plain(learned)}" if learned else "")
    if is_control(source):
        origin = "random weights as an untrained control, which have learned nothing"
    known = weights_hash(source)
    doubt = ", not one that they are known by" if weights.get("hash_known") is False else ""
    sha = f" ({f'SHA-256 {known[:8]}{doubt}' if len(known) == 64 else known})" if known else ""
    network = source.settings.get("network", "network")
    layer = f" at {source.settings['layer']}" if source.settings.get("layer") else ""
    return (
        f"{count(source.n_features, 'deep feature')} per case were computed by a frozen {network}{layer} with "
        f"{origin}{sha}.{_health(source)}{_inputs(source)}"
    )


def _health(source: FeatureSource) -> str:
    share, rank = source.health.get("first_component_share"), source.health.get("effective_rank")
    if share is None:
        return ""
    tail = "" if rank is None else f" and their effective rank is {significant(rank)}"
    return f" Their first principal component holds {percent(share)} of the variance{tail}.{_tested(source)}"


def _tested(source: FeatureSource) -> str:
    """How the preparation of the pictures agrees with the statistics that the weights were learned with."""
    test = source.self_test
    if test is None or test.own is None:
        return ""
    rank = [fit.own for fit in test.profiles].index(True) + 1
    better = next((f"; '{fit.title}' fits clearly better" for fit in test.profiles if fit.profile == test.better), "")
    return (
        f" Of {len(test.profiles)} preparations of the pictures, this one ranked number {rank} by its agreement with "
        f"the statistics stored in batch normalisation{better}."
    )


def _inputs(source: FeatureSource) -> str:
    told = {"kind", "revision", "network", "weights", "weights_sha256", "layer", "spacing", "batch_size", "equality"}
    shown = shown_sentence(source.settings)
    left = {key: value for key, value in source.settings.items() if key not in told and value not in (None, {})}
    words = flat({key: value for key, value in left.items() if not shown or key not in TOLD_OF_PICTURES})
    settings = f" Settings: {'; '.join(f'{key}: {value}' for key, value in words.items())}." if words else ""
    return f"{' ' if shown else ''}{shown}{settings}"
