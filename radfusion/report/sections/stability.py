"""Feature stability: which features two readers, or a perturbed image, agree on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from statistics import median

from radfusion.core.results import FeatureStability, Stability
from radfusion.report.blocks import Block, Cell, Data, Note, Picture, Table, Text
from radfusion.report.drawings.stability import Distribution, draw_distributions
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.stability_sentences import NOT_ASSESSED, change_words, perturbation_words, stability_sentence
from radfusion.report.wording import count, estimate, fixed, interval, plain

__all__ = ["build"]

#: Faults that are printed; results.json holds all.
PRINTED = 10


def build(index: Index) -> list[Block]:
    """What was read again, how many features agree, their distribution, and negative controls."""
    found = index.results.stability
    if not index.results.sources:
        return []
    blocks: list[Block] = []
    if not any(each.kind == "readers" for each in found):
        blocks.append(Text(NOT_ASSESSED))
    blocks += [Text(stability_sentence(index, each)) for each in found]
    if found:
        blocks += _faults(found)
        blocks += [_picture(found), _classes(index), *_perturbations(index), _features(index)]
    return [*blocks, *_controls(index)]


def _title(each: Stability) -> str:
    what = "readers" if each.kind == "readers" else "perturbations"
    return f"{each.source}, {what}"


def _held(each: Stability, feature: FeatureStability) -> float | None:
    """The number that was held against the minimum."""
    return feature.low if each.use == "lower" and feature.low is not None else feature.value


def _faults(found: Iterable[Stability]) -> list[Block]:
    faults = list(dict.fromkeys(fault for each in found for fault in each.faults))
    if not faults:
        return []
    named = "; ".join(f"{fault.case} ({fault.stage}): {fault.reason}" for fault in faults[:PRINTED])
    more = f"; and {len(faults) - PRINTED:,} more in results.json" if len(faults) > PRINTED else ""
    return [Note("warn", f"{count(len(faults), 'reading')} could not be made: {named}{more}.")]


def _picture(found: tuple[Stability, ...]) -> Picture:
    panels, rows = [], []
    for each in found:
        values = tuple(value for value in (_held(each, feature) for feature in each.features) if value is not None)
        kept = sum(feature.kept for feature in each.features)
        counts = f"{kept:,} of {len(each.features):,} kept; {each.n_cases:,} cases, {each.n_ratings} readings each"
        panels.append(Distribution(_title(each), counts, each.form, values, each.minimum))
        rows += [(each.source, each.kind, value, each.minimum) for value in values]
    words = ", lower limit" if found[0].use == "lower" else ""
    cut = plain(found[0].minimum)
    return Picture(
        name="stability",
        caption=f"Distribution of the intraclass correlation of features{words}. The dashed line is the minimum, "
        f"{cut}; features in grey lie below it. Features without an estimate are not drawn.",
        alt="Histograms of intraclass correlation coefficients",
        data=Data(("source", "kind", "icc", "minimum"), tuple(rows)),
        draw=partial(draw_distributions, tuple(panels), words),
    )


def _group(feature: str) -> tuple[str, str]:
    """Image type and class of a feature; of a deep one, its layer and pooling.

    Examples
    --------
    >>> _group("radiomics:wavelet-LH_glcm_Contrast")
    ('wavelet-LH', 'glcm')
    """
    image, class_ = [*feature.split(":", 1)[-1].rsplit("_", 2), "–"][:2]
    return image, class_


def _classes(index: Index) -> Table:
    """One row per source and image type, one column per class."""
    found = index.results.stability
    groups: dict[tuple[int, str], dict[str, list[FeatureStability]]] = {}
    for at, each in enumerate(found):
        for feature in each.features:
            image, class_ = _group(feature.feature)
            groups.setdefault((at, image), {}).setdefault(class_, []).append(feature)
    classes = tuple(dict.fromkeys(class_ for members in groups.values() for class_ in members))
    rows, data = [], []
    for (at, image), members in groups.items():
        numbers = (_kept(members.get(class_, ()), f"/stability/{at}/features") for class_ in classes)
        rows.append((Cell(_title(found[at])), Cell(image), *numbers))
        for class_, features in members.items():
            values = [feature.value for feature in features if feature.value is not None]
            kept = sum(feature.kept for feature in features)
            middle = median(values) if values else None
            data.append((found[at].source, found[at].kind, image, class_, len(features), kept, middle))
    return Table(
        name="stability_classes",
        caption="Stable features of all features, by image type (network layer) and class.",
        columns=("Source, assessment", "Image type", *classes),
        rows=tuple(rows),
        data=Data(("source", "kind", "image_type", "class", "n_features", "n_kept", "median_icc"), tuple(data)),
        group=True,
    )


def _kept(features: Sequence[FeatureStability], pointer: str) -> Cell:
    if not features:
        return Cell("–", numeric=True)
    return Cell(f"{sum(feature.kept for feature in features):,}/{len(features):,}", pointer, numeric=True)


def _perturbations(index: Index) -> list[Block]:
    rows, data = [], []
    for at, each in enumerate(index.results.stability):
        for place, part in enumerate(each.parts):
            pointer = f"/stability/{at}/parts/{place}"
            rows.append((
                Cell(each.source), Cell(perturbation_words(part.name)),
                Cell(f"{part.n_stable:,}/{len(each.features):,}", f"{pointer}/n_stable", numeric=True),
                Cell("–" if part.median is None else fixed(part.median, 2), f"{pointer}/median", numeric=True),
            ))  # fmt: skip
            data.append((each.source, part.name, part.n_ratings, part.n_stable, len(each.features), part.median))
    if not rows:
        return []
    table = Table(
        name="stability_perturbations",
        caption="Each perturbation alone against the unperturbed cases.",
        columns=("Source", "Perturbation", "Reach the minimum", "Median ICC"),
        rows=tuple(rows),
        notes=("Features are dropped by the ICC over all perturbations together, not by these.",),
        data=Data(("source", "perturbation", "n_ratings", "n_stable", "n_features", "median_icc"), tuple(data)),
        group=True,
    )
    return [table]


def _features(index: Index) -> Table:
    """Printed: features of the signatures. In the CSV file: all."""
    chosen = {item.feature for each in index.results.selections for item in each.signature}
    rows, data = [], []
    for at, each in enumerate(index.results.stability):
        for place, item in enumerate(each.features):
            data.append((
                each.source, each.kind, each.form, item.feature, item.value, item.low, item.high, item.n_cases,
                each.n_ratings, str(item.kept), item.reason,
            ))  # fmt: skip
            if item.feature in chosen:
                pointer = f"/stability/{at}/features/{place}"
                value = "–" if item.value is None else fixed(item.value, 2)
                limits = interval(item.low, item.high, 2, level=each.level) or (item.reason or "no interval")
                words = f"{each.form} between readers" if each.kind == "readers" else f"{each.form} under perturbations"
                cells = (Cell(item.feature), Cell(words), Cell(value, f"{pointer}/value", numeric=True), Cell(limits))
                rows.append(cells)
    columns = (
        "source", "kind", "form", "feature", "value", "low", "high", "n_cases", "n_ratings", "kept", "reason",
    )  # fmt: skip
    return Table(
        name="stability",
        caption="Stability of the features of the signatures; the CSV file holds all features.",
        columns=("Feature", "Coefficient", "ICC", "Interval"),
        rows=tuple(rows),
        data=Data(columns, tuple(data)),
    )


def _controls(index: Index) -> list[Block]:
    controls = index.results.controls
    if not controls:
        return []
    rows, data = [], []
    for at, each in enumerate(controls):
        a, b = each.original, each.controlled
        like = f"{each.n_like_original:,}/{each.n_features:,}"
        pair = (Cell(estimate(a), f"/controls/{at}/original"), Cell(estimate(b), f"/controls/{at}/controlled"))
        rows.append((Cell(change_words(each.control)), Cell(a.set), *pair, Cell(like, numeric=True)))
        data.append((each.control, each.model, a.set, a.value, a.low, a.high, b.value, b.low, b.high, like))
    name = index.metric_name("macro_auc")
    table = Table(
        name="negative_controls",
        caption=f"Negative controls: {name} of {controls[0].model}, on the images and fitted anew on images whose "
        "texture was destroyed.",
        columns=("Control", "Set", "Images", "Control images", "Like themselves"),
        rows=tuple(rows),
        notes=(
            "Region, size and shape are those of the images. A control that is predicted as well means that the model "
            "need not read the texture. Training values are out of fold. Like themselves: features whose absolute "
            f"Spearman correlation with their value on the unchanged training images is at least {controls[0].like:g}.",
        ),
        data=Data(
            ("control", "model", "set", "value", "low", "high", "control_value", "control_low", "control_high",
             "like_themselves"),
            tuple(data),
        ),
        group=True,
    )  # fmt: skip
    return [table]


SECTIONS.add("stability", Section("Feature stability", 35, build))
