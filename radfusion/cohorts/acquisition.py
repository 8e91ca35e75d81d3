"""How images were acquired, by set and centre, and what of it separates classes or sets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.results import AuditFinding

__all__ = ["ACQUISITION", "AcquisitionFact", "acquisition_table", "confounding_findings"]

#: Facts of a header that the table tells, and their words.
ACQUISITION: Mapping[str, str] = {
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "Model",
    "body_part": "Body part",
    "view": "View",
    "kVp": "Tube voltage, kVp",
    "exposure_mAs": "Exposure, mAs",
    "tube_current_mA": "Tube current, mA",
    "exposure_time_ms": "Exposure time, ms",
    "source_to_detector_mm": "Source to detector, mm",
    "magnification": "Magnification",
    "slice_thickness_mm": "Slice thickness, mm",
    "kernel": "Kernel",
    "field_strength_T": "Field strength, T",
    "repetition_time_ms": "Repetition time, ms",
    "echo_time_ms": "Echo time, ms",
    "spacing_mm": "Pixel spacing, mm",
    "spacing": "Spacing taken from",
    "rows": "Rows",
    "columns": "Columns",
    "bits_stored": "Bits stored",
    "photometric": "Photometric interpretation",
    "format": "File format",
    "lossy_compression": "Lossy compression",
    "burnt_in_text": "Probable burnt-in text",
}
#: Fewer cases than this separate by chance too often to be worth a word.
_FEW = 10
_AREA, _SHARE, _CHANCE = 0.9, 0.5, 1e-3
_SHOWN = 4


@dataclass(frozen=True)
class AcquisitionFact:
    """One fact of the images of a set at a centre.

    Attributes
    ----------
    set : str
        Set of the cohort.
    centre : str
        Hospital; ``""`` where it is unknown.
    fact : str
        Key of :data:`ACQUISITION`.
    images : int
        Images of the set and centre.
    known : int
        Images whose fact is known.
    median, low, high : float or None
        Of facts that are numbers.
    counts : mapping of str to int
        Of facts that are words, the most frequent first.
    """

    set: str
    centre: str
    fact: str
    images: int
    known: int
    median: float | None = None
    low: float | None = None
    high: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """Median (range), or counts."""
        if self.median is not None:
            if self.low == self.high:
                return f"{self.median:g}"
            return f"{self.median:g} ({self.low:g} to {self.high:g})"
        shown = [f"{value}: {count}" for value, count in list(self.counts.items())[:_SHOWN]]
        more = len(self.counts) - _SHOWN
        return "; ".join(shown) + (f"; {more} more" if more > 0 else "")


def acquisition_table(cohort: Cohort, facts: Mapping[str, Mapping[str, str]]) -> tuple[AcquisitionFact, ...]:
    """Summarise the acquisition by set and centre; every image counts once.

    Parameters
    ----------
    cohort : Cohort
        Cases.
    facts : mapping of str to mapping
        Case to its facts; cases without an entry are left out.

    Returns
    -------
    tuple of AcquisitionFact
        Facts that at least one image states, in the order of :data:`ACQUISITION`.
    """
    frame = cohort.frame.loc[[case for case in cohort.frame.index if case in facts]]
    images = frame[~frame.duplicated(["set", "centre", "image"])]
    table = []
    for fact in ACQUISITION:
        if not any(fact in facts[case] for case in images.index):
            continue
        for name in cohort.sets:
            rows = images[images["set"] == name]
            for centre, part in rows.groupby(rows["centre"].fillna(""), sort=True):
                values = [facts[case][fact] for case in part.index if fact in facts[case]]
                table.append(_summarised(AcquisitionFact(name, str(centre), fact, len(part), len(values)), values))
    return tuple(table)


def _summarised(fact: AcquisitionFact, values: Sequence[str]) -> AcquisitionFact:
    numbers = _numbers(values)
    where = (fact.set, fact.centre, fact.fact, fact.images, fact.known)
    if numbers is not None:
        return AcquisitionFact(*where, float(np.median(numbers)), float(numbers.min()), float(numbers.max()))
    counts = dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
    return AcquisitionFact(*where, counts=counts)


def _numbers(values: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    try:
        numbers = np.array([float(value) for value in values], dtype=np.float64)
    except ValueError:
        return None
    return numbers if numbers.size and all(math.isfinite(number) for number in numbers) else None


def confounding_findings(cohort: Cohort, facts: Mapping[str, Mapping[str, str]]) -> list[AuditFinding]:
    """Say which acquisition facts separate classes within the training set, and sets from the training set.

    A fact that is a number separates when one class (or set) lies above the others in more than 90% of all pairs
    (area under the curve); one that is a word when a value occurs in one class only though chance would do that less
    than once in 1,000, or its share differs by more than one half. Groups of fewer than ten cases are passed over.

    Parameters
    ----------
    cohort : Cohort
        Cases.
    facts : mapping of str to mapping
        Case to its facts.

    Returns
    -------
    list of AuditFinding
        Two findings of RF19: classes, sets.
    """
    frame = cohort.frame.loc[[case for case in cohort.frame.index if case in facts]]
    table = pd.DataFrame({fact: [facts[case].get(fact) for case in frame.index] for fact in ACQUISITION}, frame.index)
    training = frame["set"] == "training"
    classes = list(_separating(table[training], frame.loc[training, "label"]))
    found = [
        _finding("classes of the training set", classes, "a model may learn the acquisition instead of the disease")
    ]
    sets: list[str] = []
    for name in cohort.sets:
        if name != "training":
            part = training | (frame["set"] == name)
            sets += [f"{words} [{name}]" for words in _separating(table[part], frame.loc[part, "set"])]
    found.append(_finding("sets", list(dict.fromkeys(sets)), "results of these sets differ for more than one reason"))
    return found


def _finding(groups: str, hints: Sequence[str], why: str) -> AuditFinding:
    if not hints:
        return AuditFinding(code="RF19", verdict="pass", message=f"No acquisition fact separates {groups}.")
    message = f"Acquisition separates {groups}, so {why}: {'; '.join(hints)}."
    return AuditFinding(code="RF19", verdict="warn", message=message, evidence={"hints": list(hints)})


def _separating(table: pd.DataFrame, groups: pd.Series[str]) -> Iterator[str]:
    for fact in table.columns:
        known = table[fact].notna()
        values, labels = table.loc[known, fact], groups[known]
        big = [str(label) for label, count in labels.value_counts(sort=False).items() if count >= _FEW]
        if len(big) < 2 or values.nunique() < 2:
            continue
        kept = labels.isin(big)
        numbers = _numbers(values[kept].tolist())
        hint = (
            _of_words(values[kept], labels[kept], big) if numbers is None else _of_numbers(numbers, labels[kept], big)
        )
        if hint:
            yield f"{ACQUISITION[str(fact)]}: {hint}"


def _of_numbers(numbers: np.ndarray[tuple[int], np.dtype[np.float64]], labels: pd.Series[str], big: list[str]) -> str:
    ranks = pd.Series(numbers).rank().to_numpy()
    for label in big[: 1 if len(big) == 2 else None]:
        own = (labels == label).to_numpy()
        n, m = int(own.sum()), int((~own).sum())
        area = float((ranks[own].sum() - n * (n + 1) / 2) / (n * m))
        if max(area, 1 - area) > _AREA:
            ends = [f"{np.median(part):g}" for part in (numbers[own], numbers[~own])]
            return f"median {ends[0]} in {label}, {ends[1]} in the others (AUC {max(area, 1 - area):.2f})"
    return ""


def _of_words(values: pd.Series[str], labels: pd.Series[str], big: list[str]) -> str:
    for value, count in values.value_counts().items():
        for label in big:
            own = labels == label
            inside = int((values[own] == value).sum())
            within, elsewhere = inside / int(own.sum()), (int(count) - inside) / int((~own).sum())
            alone = inside == count and float(own.mean()) ** int(count) < _CHANCE
            if alone or within - elsewhere > _SHARE:
                return f"{value} in {within:.0%} of {label}, {elsewhere:.0%} of the others"
    return ""
