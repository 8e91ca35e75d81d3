"""Stability of features in sentences."""

from __future__ import annotations

from radfusion.core.results import Stability
from radfusion.report.index import Index
from radfusion.report.wording import count, interval_name, join, plain

__all__ = [
    "NOT_ASSESSED",
    "change_words",
    "perturbation_words",
    "stability_sentence",
    "stability_sentences",
    "threshold_words",
]

NOT_ASSESSED = "Segmentation reproducibility was not assessed."
_TIMES = {2: "twice", 3: "three times", 4: "four times"}
_PERTURBATIONS = {
    "rotate": "rotation",
    "translate": "translation by less than a pixel",
    "noise": "noise addition",
    "dilate": "dilation",
    "erode": "erosion",
    "contour": "contour randomisation",
    "supervoxel": "supervoxel reassignment",
}


_CONTROLS = {
    "roi_shuffle": "region shuffled",
    "background_shuffle": "background shuffled",
    "full_shuffle": "image shuffled",
    "roi_noise": "region replaced by noise",
}


def change_words(name: str) -> str:
    """Words for a negative control, a perturbation or a chain of these.

    Examples
    --------
    >>> change_words("roi_shuffle"), change_words("noise")
    ('region shuffled', 'noise addition')
    """
    return _CONTROLS.get(name) or perturbation_words(name)


def perturbation_words(name: str) -> str:
    """Words for a perturbation or a chain of them.

    Examples
    --------
    >>> perturbation_words("noise+dilate")
    'noise addition with dilation'
    """
    return " with ".join(_PERTURBATIONS.get(part, part.replace("_", " ")) for part in name.split("+"))


def threshold_words(each: Stability) -> str:
    """What was held against the minimum.

    Examples
    --------
    >>> facts = {"source": "radiomics", "kind": "readers", "n_cases": 9, "n_ratings": 2, "level": 0.95, "features": ()}
    >>> threshold_words(Stability(form="ICC(A,1)", minimum=0.75, use="lower", **facts))
    'ICC(A,1) below 0.75 (lower limit of its 95% CI)'
    """
    lower = f" (lower limit of its {interval_name(each.level)})" if each.use == "lower" else ""
    return f"{each.form} below {plain(each.minimum)}{lower}"


def stability_sentence(index: Index, each: Stability) -> str:
    """What was read again, what was dropped, and how many features stayed."""
    kept = sum(feature.kept for feature in each.features)
    flow = f"{len(each.features):,} to {kept:,}"
    cases = f"training {index.results.study.unit}"
    if each.kind == "readers":
        often = _TIMES.get(each.n_ratings, f"{each.n_ratings} times")
        verb = "was" if each.n_cases == 1 else "were"
        done = f"{count(each.n_cases, cases, _plural(cases))} {verb} segmented {often}"
    else:
        changes = join([perturbation_words(part.name) for part in each.parts])
        done = f"{count(each.n_cases, cases, _plural(cases))} were measured again under {changes}"
    return f"{done}; {each.source} features with {threshold_words(each)} were removed ({flow})."


def _plural(noun: str) -> str:
    return f"{noun}e" if noun.endswith("vertebra") else f"{noun}s"


def stability_sentences(index: Index) -> str:
    """The sentences of a Methods section on the reproducibility of segmentations."""
    found = index.results.stability
    texts = [stability_sentence(index, each) for each in found]
    if not any(each.kind == "readers" for each in found):
        instead = f" Features were instead screened under {_number(found)}." if found else ""
        texts.insert(0, f"{NOT_ASSESSED}{instead}")
    return " ".join(texts)


def _number(found: tuple[Stability, ...]) -> str:
    return count(len({part.name for each in found for part in each.parts}), "perturbation of image and region",
                 "perturbations of image and region")  # fmt: skip
