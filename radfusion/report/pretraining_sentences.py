"""Sentences that answer the question of a pretraining benchmark."""

from __future__ import annotations

from collections.abc import Iterator

from radfusion.core.pretraining import BenchmarkSource, Pretraining
from radfusion.core.results import Comparison
from radfusion.extraction.grids import UNTRAINED
from radfusion.report.index import Index
from radfusion.report.sections.comparisons import between_models, verdict
from radfusion.report.wording import count, flat, join, p_value

__all__ = ["absent_reference", "against", "answers", "centre_words", "nothing_pretrained", "opening"]

#: What networks are shown, and how they answer: the same for all sources where only weights are compared.
_SHOWN = ("crop", "pooling", "flips", "precision")
#: Sentences that are printed; the tables hold all comparisons.
PRINTED = 8


def opening(index: Index, found: Pretraining) -> str:
    """What was compared, and how alike everything else was."""
    weights = list(dict.fromkeys(each.weights for each in found.sources))
    places = dict.fromkeys((each.network, each.layer) for each in found.sources)
    where = join([f"{layer} of {network}" for network, layer in places])
    varied = _varied(index, found)
    also = f"; what the networks are shown differs, too ({join(varied)})" if varied else ""
    return (
        f"{count(len(found.sources), 'source')} of deep features ({join(weights)}; {where}) were compared on the same "
        "cases, with the same folds and seeds and the same chain from features to models. Differences are those of "
        f"weights, network and layer{also}."
    )


def _varied(index: Index, found: Pretraining) -> list[str]:
    """Settings of what the networks are shown that are not the same for all sources."""
    settings = {each.name: each.settings for each in index.results.sources}
    shown = [flat({name: settings[each.source].get(name) for name in _SHOWN}) for each in found.sources]
    names = dict.fromkeys(name for each in shown for name in each)
    varied = [name for name in names if len({each.get(name) for each in shown}) > 1]
    return [name.removeprefix("crop.").replace("_", " ") for name in varied]


def absent_reference(found: Pretraining) -> bool:
    """Whether the study names a reference that no source of the run has."""
    return found.reference is not None and all(each.weights != found.reference for each in found.sources)


def nothing_pretrained(found: Pretraining) -> bool:
    """Whether every source is an untrained control."""
    return all(each.weights == UNTRAINED for each in found.sources)


def against(found: Pretraining, each: BenchmarkSource) -> BenchmarkSource | None:
    """Source that another is held against: the reference of the same network and layer, else the untrained control."""
    same = [other for other in found.sources if (other.network, other.layer) == (each.network, each.layer)]
    ranked = [other for wanted in (found.reference, UNTRAINED) for other in same if other.weights == wanted]
    return next((other for other in ranked if other.weights != each.weights), None)


def answers(index: Index, found: Pretraining) -> list[str]:
    """Verdicts on pretrained sources, primary first, then between them, then against their untrained controls.

    One set is spoken of: that of the primary comparison, else the first that no model was fitted on.
    """
    if index.primary is not None:
        shown = index.primary[1].set
    elif index.tests:
        shown = index.tests[0].name
    else:
        return []
    weights = {each.arm: each.weights for each in found.sources}
    tests = [test for test in _overall(index) if test.set == shown]
    ranked = sorted(tests, key=lambda test: (test.role != "primary", _controls(test, weights)))
    spoken = [f"{verdict(index, test)}{_adjusted(test)}" for test in ranked[:PRINTED]]
    left = len(ranked) - len(spoken)
    return [*spoken, *([f"{count(left, 'comparison')} more stand in the tables."] if left else [])]


def _overall(index: Index) -> Iterator[Comparison]:
    return (each for _, each in between_models(index) if each.class_ is None and each.role != "exploratory")


def _controls(test: Comparison, weights: dict[str, str]) -> int:
    """Number of untrained controls in a comparison."""
    return sum(weights.get(model.split("/")[0]) == UNTRAINED for model in test.models)


def _adjusted(test: Comparison) -> str:
    if test.role == "primary" or test.p_adjusted is None:
        return ""
    return f" Adjusted P {p_value(test.p_adjusted)}."


def centre_words(found: Pretraining) -> str:
    """What was asked of the centres, or why nothing was."""
    if not found.centres:
        return f"Whether features show the centre was not measured: {found.centre_reason or 'nothing was asked for'}."
    first = found.centres[0]
    cases = "training cases" if first.estimate.set == "training" else "cases of all sets"
    return (
        f"A logistic classifier was asked to tell {count(len(first.centres), 'centre')} apart from the features of "
        f"{first.estimate.n:,} {cases}, out of fold, with the cases of a patient together. An AUC of 0.5 is chance, "
        "and so is a lower one: where features do not show the centre, out-of-fold areas often lie below 0.5. Features "
        "that show the centre let a model learn the centre instead of the disease; but centres that treat other "
        "patients can also be told apart."
    )
