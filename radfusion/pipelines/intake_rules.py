"""What is unusual about a case, beside its set; and what will fail when it is extracted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from radfusion.core.cohort import Cohort
from radfusion.core.results import AuditFinding
from radfusion.extraction.engine import MAX_GREY_LEVELS
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.grey_levels import FEW_LEVELS, MANY_LEVELS, advise_bin_width
from radfusion.extraction.parameters import Parameters
from radfusion.imaging.geometry import size_text
from radfusion.imaging.inspection import CaseFacts, Fault
from radfusion.study import Study

__all__ = ["RULES", "acquisition_of", "case_warnings", "grey_levels", "predicted_fault", "warning_findings"]

#: Codes of the intake's own rules.
RULES = {
    "IN01": "pixel spacing",
    "IN02": "image size",
    "IN03": "grey values",
    "IN04": "region",
    "IN05": "inverted-looking film",
    "IN06": "probable burnt-in text",
}
_SPACING_FACTOR, _SIZE_FACTOR, _DEVIATIONS, _SATURATED = 1.5, 2.5, 5.0, 0.25
_BRIGHT_CORNERS, _DARK_CORNERS = 0.6, 0.3
_SEVERAL = 5  # cases that a set must have before one of them can be unlike the others
_OUTSIDE = 0.01
_NEARLY = 1.1  # the spread of an image is that of every third row and column
_MAD = 1.4826  # makes the median absolute deviation a standard deviation in normal data
Warned = Mapping[str, list[tuple[str, str]]]


def grey_levels(facts: CaseFacts, study: Study) -> int | None:
    """Grey levels of the unfiltered region for the study's bins: their number, or the range over their width.

    Resampling and resegmentation are left out; None where the study extracts no radiomics.
    """
    if study.features.radiomics is None:
        return None
    asked = _asked(study.features.radiomics, facts)
    settings = {**asked.settings, **asked.image_types.get("Original", {})}
    if settings.get("binCount"):
        return int(settings["binCount"])
    low, high = _ends(facts, asked.settings)
    width = float(settings.get("binWidth", 25))
    return int(high // width - low // width) + 1


def predicted_fault(facts: CaseFacts, study: Study) -> Fault | None:
    """Why the extraction of radiomics is sure to refuse the case, or None."""
    if study.features.radiomics is None:
        return None
    asked = _asked(study.features.radiomics, facts)
    settings = asked.settings
    resampled = bool(settings.get("resampledPixelSpacing") and settings.get("interpolator"))
    wide, wanted = sum(side > 1 for side in facts.roi_box), max(int(settings.get("minimumROIDimensions", 2)), 1)
    if resampled and facts.spacing is None:
        reason = "has no pixel spacing, which resampled_spacing needs; see imaging.spacing"
    elif wide < wanted and not resampled:
        reason = (
            f"the region is {size_text(facts.roi_box)}: longer than one pixel along {wide} axes; {wanted} are needed"
        )
    elif settings.get("normalize") and facts.range[0] == facts.range[1]:
        reason = "all pixels are equal, so the image cannot be normalised"
    else:
        return _too_many_levels(facts, study, asked)
    return Fault(facts.case, "radiomics", reason)


def _too_many_levels(facts: CaseFacts, study: Study, asked: Parameters) -> Fault | None:
    """Refused are grey levels of a measured image; what resampling or a range of intensities takes out is unknown."""
    unsure = ("resampledPixelSpacing", "resegmentRange", "removeOutliers")
    texture = any(not family.startswith("shape") for family in asked.feature_classes)
    levels = grey_levels(facts, study) or 0
    if "Original" not in asked.image_types or not texture or any(asked.settings.get(name) for name in unsure):
        return None
    if levels <= MAX_GREY_LEVELS * (_NEARLY if asked.settings.get("normalize") else 1):
        return None
    low, high = facts.roi_range
    advised = advise_bin_width(*_ends(facts, asked.settings))
    reason = (
        f"the bins give some {levels} grey levels (values {low:g} to {high:g}), at most {MAX_GREY_LEVELS} "
        f"are allowed: set bin_width near {advised:g}, or bin_count"
    )
    return Fault(facts.case, "radiomics", reason)


def _asked(radiomics: Radiomics, facts: CaseFacts) -> Parameters:
    return radiomics.asked(2 if len(facts.size) == 3 and facts.size[0] == 1 else len(facts.size))


def _ends(facts: CaseFacts, settings: Mapping[str, Any]) -> tuple[float, float]:
    """Lowest and highest value of the region on the scale of the bins; normalisation also moves both, by the same."""
    scale = float(settings.get("normalizeScale", 1)) / (facts.spread or 1.0) if settings.get("normalize") else 1.0
    return scale * facts.roi_range[0], scale * facts.roi_range[1]


def case_warnings(facts: Mapping[str, CaseFacts], cohort: Cohort, study: Study) -> Warned:
    """Case to rule and sentence of everything unusual; outliers are those of the case's own set."""
    warned: dict[str, list[tuple[str, str]]] = {case: [] for case in facts}
    for name in cohort.sets:
        cases = [str(case) for case in cohort.of_set(name).frame.index if str(case) in facts]
        for case, code, text in _unlike_the_set([facts[case] for case in cases]):
            warned[case].append((code, text))
    for case, each in facts.items():
        warned[case] += [*_of_the_case(each), *_of_grey_levels(each, study)]
        warned[case].sort()
    return warned


def warning_findings(warned: Warned, facts: Mapping[str, CaseFacts], cohort: Cohort) -> list[AuditFinding]:
    """One finding per rule: how many cases it warns of, in which sets, and the first of them."""
    found = []
    for code, title in RULES.items():
        cases = [case for case, warnings in warned.items() if any(rule == code for rule, _ in warnings)]
        if not cases:
            message = f"Nothing unusual: {title}, {len(facts)} cases."
            found.append(AuditFinding(code=code, verdict="pass", message=message))
            continue
        sets = cohort.frame.loc[cases, "set"].value_counts(sort=False)
        where = ", ".join(
            f"{name} {sets[name]} of {len(cohort.of_set(name).frame)}" for name in cohort.sets if name in sets
        )
        first = next(text for rule, text in warned[cases[0]] if rule == code)
        message = f"{title[0].upper()}{title[1:]}: {len(cases)} cases ({where}), for example {cases[0]}: {first}."
        found.append(AuditFinding(code=code, verdict="warn", message=message, evidence={"cases": cases}))
    return found


def acquisition_of(facts: CaseFacts) -> dict[str, str]:
    """Acquisition facts of a case with size, spacing and burnt-in text, as words."""
    text = {} if len(facts.size) > 2 else {"burnt_in_text": "yes" if facts.text else "no"}
    spacing = {"spacing_mm": f"{facts.spacing[-1]:.4g}"} if facts.spacing else {}
    size = {"rows": str(facts.size[-2]), "columns": str(facts.size[-1])}
    return {**facts.facts, "modality": facts.modality, **spacing, **size, **text}


def _of_the_case(facts: CaseFacts) -> Iterator[tuple[str, str]]:
    stated = facts.facts
    if facts.text:
        count = len(facts.text)
        yield "IN06", f"probable burnt-in text: {count} box{'es' if count > 1 else ''}"
    if stated.get("burned_in_annotation") == "YES":
        yield "IN06", "the header says that annotation is burnt in"
    if stated.get("drawn_on"):
        yield "IN04", f"the annotations name {stated['drawn_on']}: is the segmentation this film's?"
    if stated.get("roi_touches_border", "no") != "no":
        yield "IN04", f"the region touches the border of the image ({stated['roi_touches_border']})"
    if float(stated.get("roi_outside_field_share", 0)) > _OUTSIDE:
        yield "IN04", f"{float(stated['roi_outside_field_share']):.0%} of the region lie outside the image"
    if stated.get("spacing_refused"):
        yield "IN01", f"spacing of the header refused: {stated['spacing_refused']}"
    if facts.range[0] == facts.range[1]:
        yield "IN03", "all pixels are equal"
    elif facts.saturated > _SATURATED:
        yield "IN03", f"{facts.saturated:.0%} of the pixels have the brightest value"


def _of_grey_levels(facts: CaseFacts, study: Study) -> Iterator[tuple[str, str]]:
    levels = grey_levels(facts, study)
    if levels is None:
        return
    low, high = facts.roi_range
    if low == high:
        yield "IN03", f"all pixels of the region are {low:g}: texture cannot be measured"
    elif levels < FEW_LEVELS or levels > MANY_LEVELS:
        few = f"fewer than {FEW_LEVELS}" if levels < FEW_LEVELS else f"more than {MANY_LEVELS}"
        yield "IN03", f"{levels} grey levels, {few} (values {low:g} to {high:g})"
    elif facts.bits and high - low + 1 < levels:
        yield "IN03", f"the region has at most {high - low + 1:g} different values for {levels} grey levels"


def _unlike_the_set(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str, str]]:
    if len(facts) < _SEVERAL:
        return
    known = [each.spacing[-1] for each in facts if each.spacing]
    spacing = float(np.median(known)) if known else 0.0
    sides = float(np.median([max(each.size) for each in facts]))
    parts = float(np.median([int(each.facts.get("roi_components", 1)) for each in facts]))
    corners = float(np.median([each.corners for each in facts]))
    axes = Counter(len(each.size) for each in facts).most_common(1)[0][0]
    for each in facts:
        if len(each.size) != axes:
            yield each.case, "IN02", f"{size_text(each.size)}, as a rule in the set {axes} axes: other features"
        if known and each.spacing is None:
            yield each.case, "IN01", f"no spacing; {len(known)} of {len(facts)} cases of the set have one"
        elif each.spacing and _apart(each.spacing[-1], spacing, _SPACING_FACTOR):
            yield each.case, "IN01", f"spacing {each.spacing[-1]:.4g} mm, median of the set {spacing:.4g} mm"
        if _apart(max(each.size), sides, _SIZE_FACTOR):
            yield each.case, "IN02", f"{size_text(each.size)}, median of the longer side in the set {sides:g}"
        if each.corners > _BRIGHT_CORNERS and corners < _DARK_CORNERS:
            yield (
                each.case,
                "IN05",
                f"corners are bright ({each.corners:.2f} of the range, median {corners:.2f}): inverted?",
            )
        own_parts = int(each.facts.get("roi_components", 1))
        if own_parts > parts:
            yield each.case, "IN04", f"the region has {own_parts} parts, as a rule in the set {parts:g}"
    yield from _areas(facts)


def _areas(facts: Sequence[CaseFacts]) -> Iterator[tuple[str, str, str]]:
    """Regions whose size is far from the others', in mm where all spacings are known, else as a share of the image."""
    measured = all(each.spacing for each in facts)
    unit = math.prod if measured else (lambda _: 1.0)
    sizes = [each.roi_pixels * unit(each.spacing or ()) / (1 if measured else math.prod(each.size)) for each in facts]
    logs = np.log(sizes)
    middle = float(np.median(logs))
    spread = _MAD * float(np.median(np.abs(logs - middle)))
    for each, size, log in zip(facts, sizes, logs.tolist(), strict=True):
        if spread > 0 and abs(log - middle) > _DEVIATIONS * spread:
            axes = len(facts[0].size)
            words = f"{size:.3g} mm{'²' if axes == 2 else '³'}" if measured else f"{size:.2%} of the image"
            usual = f"{math.exp(middle):.3g}" if measured else f"{math.exp(middle):.2%}"
            yield each.case, "IN04", f"the region is {words}, median of the set {usual}"


def _apart(value: float, usual: float, factor: float) -> bool:
    return max(value / usual, usual / value) > factor
