"""The pretraining benchmark: what weights, networks and layers are worth on the same cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from radfusion.core.deep_features import COLLAPSED_SHARE
from radfusion.core.pretraining import BenchmarkSource, Pretraining, Robustness
from radfusion.core.results import Comparison, FittedModel
from radfusion.core.selftest import SelfTest
from radfusion.report.blocks import Block, Cell, Data, Heading, Note, Picture, Table, Text, Value
from radfusion.report.drawings.intervals import Chart, Mark, Panel, draw_intervals
from radfusion.report.drawings.matrix import draw_matrix
from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.pretraining_sentences import (
    absent_reference,
    against,
    answers,
    centre_words,
    nothing_pretrained,
    opening,
)
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.stability_sentences import change_words
from radfusion.report.wording import count, estimate, fixed, p_value, percent, significant

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """The answer first, then every source on every set, what the features are like, and what they cost."""
    found = index.results.pretraining
    if found is None:
        return []
    blocks: list[Block] = [Text(opening(index, found))]
    if nothing_pretrained(found):
        words = (
            "No pretrained weights were at hand, so this report does not answer the question of the study: every "
            "source in it is an untrained control."
        )
        blocks.append(Note("fail", words))
    if absent_reference(found):
        words = f"The reference of the study, {found.reference}, was left out; untrained controls stand in its place."
        blocks.append(Note("warn", words))
    blocks += [Text(words) for words in answers(index, found)]
    blocks += [_areas(index, found), _forest(index, found), _features(index, found)]
    if found.similarities:
        blocks += [Heading("Similarity of sources"), _similarity(found)]
    if found.robustness:
        blocks += [Heading("Robustness"), *_robustness(index, found)]
    blocks += [Heading("Centre"), Text(centre_words(found)), *_centres(index, found)]
    return [*blocks, Heading("Cost"), _cost(found)]


def _named(index: Index, found: Pretraining) -> list[tuple[str, FittedModel, BenchmarkSource | None]]:
    """Sources with the best model of their arm, in the order of the arms."""
    of_arm = {each.arm: each for each in found.sources}
    return [(model.sources[0], model, of_arm.get(model.arm)) for model in index.best]


def _test(index: Index, pair: tuple[str, str], set_: str) -> tuple[str, Comparison] | None:
    """Comparison of the macro AUCs of two arms, the first minus the second, with its place in the results."""
    for at, each in enumerate(index.results.comparisons):
        arms = tuple(name.split("/")[0] for name in each.models)
        if each.set == set_ and each.class_ is None and sorted(arms) == sorted(pair):
            return f"/comparisons/{at}", each if arms == pair else _turned(each)
    return None


def _turned(test: Comparison) -> Comparison:
    """The same comparison with the models exchanged."""
    negative = [None if each is None else -each for each in (test.difference, test.high, test.low)]
    ends = dict(zip(("difference", "low", "high"), negative, strict=True))
    return test.model_copy(update={**ends, "models": test.models[::-1], "values": test.values[::-1]})


def _areas(index: Index, found: Pretraining) -> Table:
    rows, data = [], []
    for source, model, entry in _named(index, found):
        other = against(found, entry) if entry is not None else None
        for one in index.tests:
            test = _test(index, (entry.arm, other.arm), one.name) if entry and other else None
            area = index.cell(MACRO_AUC, model.model, one.name)
            rows.append((Cell(source), Cell(index.set_words(one)), area, *_difference(index, other, test)))
            value = index.find(MACRO_AUC, model.model, one.name)
            numbers = (value.value, value.low, value.high) if value else (None, None, None)
            tested = (test[1].difference, test[1].low, test[1].high, test[1].p, test[1].p_adjusted) if test else ()
            data.append(
                (source, model.model, one.name, *numbers, other.source if other else None, *(tested or (None,) * 5))
            )
    name = index.metric_name(MACRO_AUC)
    words = index.interval_words
    return Table(
        name="pretraining",
        caption=f"Sources on every set: {name} ({words}) of the best model of each, and its difference to the source "
        "it is held against.",
        columns=("Source", "Set", f"{name} ({words})", "Held against", f"Difference ({words})", "P", "Adjusted P"),
        rows=tuple(rows),
        notes=(
            "Held against: the reference of the study, else the untrained control, of the same network and layer. "
            "All comparisons, tests and families stand under Comparisons.",
        ),
        data=Data(
            ("source", "model", "set", "value", "low", "high", "against", "difference", "difference_low",
             "difference_high", "p", "p_adjusted"),
            tuple(data),
        ),
        group=True,
    )  # fmt: skip


def _difference(
    index: Index, other: BenchmarkSource | None, test: tuple[str, Comparison] | None
) -> tuple[Cell, Cell, Cell, Cell]:
    if other is None or test is None:
        dash = Cell("–", numeric=True)
        return Cell("–"), dash, dash, dash
    place, found = test
    p = Cell(p_value(found.p, found.reason).removeprefix("= "), f"{place}/p", numeric=True)
    adjusted = "–" if found.p_adjusted is None else p_value(found.p_adjusted).removeprefix("= ")
    exact = f"{place}/difference" if found in index.results.comparisons else place  # not where the sign is turned
    difference = Cell(index.difference(found), exact, numeric=True)
    return Cell(other.source), difference, p, Cell(adjusted, f"{place}/p_adjusted", numeric=True)


def _forest(index: Index, found: Pretraining) -> Picture:
    named = _named(index, found)
    weights = list(dict.fromkeys(entry.weights if entry else source for source, _, entry in named))
    panels, data = [], []
    for one in index.tests:
        marks = []
        for source, model, entry in named:
            value = index.find(MACRO_AUC, model.model, one.name)
            ends = (value.value, value.low, value.high) if value else (None, None, None)
            marks.append(Mark(*ends, weights.index(entry.weights if entry else source)))
            data.append((one.name, source, *ends))
        panels.append(Panel(index.set_words(one), tuple(marks)))
    name = index.metric_name(MACRO_AUC)
    axis = name[:1].upper() + name[1:]
    labels = tuple(source for source, _, _ in named)
    chart = Chart(tuple(panels), labels, axis, 0.5, key=tuple(weights) if len(weights) > 1 else ())
    return Picture(
        name="pretraining_areas",
        caption=f"{axis} of each source on every set, with {index.interval_words}. The thin line is chance.",
        alt="Macro AUC by source and set",
        data=Data(("set", "source", "value", "low", "high"), tuple(data)),
        draw=partial(draw_intervals, chart),
    )


def _features(index: Index, found: Pretraining) -> Table:
    places = {each.name: at for at, each in enumerate(index.results.sources)}
    selected = {each.arm: (at, len(each.signature)) for at, each in enumerate(index.results.selections)}
    rows, data = [], []
    for each in found.sources:
        at = places[each.source]
        health, tested = index.results.sources[at].health, index.results.sources[at].self_test
        like = tested.control_similarity if tested else None
        share, rank, ninety = (health.get(key) for key in ("first_component_share", "effective_rank", "components_90"))
        place, chosen = selected[each.arm]
        rows.append((
            Cell(each.source), Cell(each.weights), Cell(each.network), Cell(each.layer),
            Cell(f"{chosen:,}/{each.n_features:,}", f"/selections/{place}/signature", numeric=True),
            _number(rank, partial(fixed, digits=1), f"/sources/{at}/health/effective_rank"),
            _number(share, percent, f"/sources/{at}/health/first_component_share", warn=COLLAPSED_SHARE),
            _number(ninety, partial(fixed, digits=0), f"/sources/{at}/health/components_90"),
            _number(like, partial(fixed, digits=2), f"/sources/{at}/self_test/control_similarity"),
            _verdict_of(tested),
        ))  # fmt: skip
        facts = (each.source, each.weights, each.network, each.layer, each.n_features, chosen)
        data.append((*facts, rank, share, ninety, like, tested.better if tested else None))
    notes = (
        "First component: share of the variance in the first principal component; For 90%: components that hold 90% of "
        f"it. Above {percent(COLLAPSED_SHARE, 0)} the features are nearly one number, as where weights were not loaded "
        "or were shown another input than they learned from; untrained networks often lie there. Like untrained: "
        "similarity to the same network with random weights. Input: whether another preparation of the pictures fits "
        "the network clearly better."
    )
    return Table(
        name="pretraining_features",
        caption="Features of each source on training cases.",
        columns=("Source", "Weights", "Network", "Layer", "Selected", "Effective rank", "First component", "For 90%",
                 "Like untrained", "Input"),
        rows=tuple(rows),
        notes=(notes,),
        data=Data(
            ("source", "weights", "network", "layer", "n_features", "n_selected", "effective_rank",
             "first_component_share", "components_90", "control_similarity", "better_profile"),
            tuple(data),
        ),
    )  # fmt: skip


def _verdict_of(tested: SelfTest | None) -> Cell:
    """Whether the self-test found a preparation of the pictures that fits the network better."""
    if tested is None or not tested.profiles:
        return Cell("not tested")
    if tested.better is None:
        return Cell("fits", level="pass")
    return Cell(f"{tested.better} fits better", level="warn")


def _number(value: float | None, words: Callable[[float], str], pointer: str, *, warn: float | None = None) -> Cell:
    if value is None:
        return Cell("–", numeric=True)
    return Cell(words(value), pointer, level="warn" if warn is not None and value > warn else None, numeric=True)


def _similarity(found: Pretraining) -> Picture:
    names = tuple(each.source for each in found.sources)
    values = {frozenset(each.sources): each.value for each in found.similarities}
    shares = tuple(tuple(1.0 if a == b else values.get(frozenset((a, b))) for b in names) for a in names)
    return Picture(
        name="pretraining_similarity",
        caption="Debiased linear centred kernel alignment of the features of two sources on the same "
        f"{count(found.similarities[0].n_cases, 'training case')}: 1 says that both see the same differences between "
        "cases, up to rotation and scale; about 0 that they share nothing.",
        alt="Heat map of the similarity of sources",
        data=Data(
            ("source_a", "source_b", "debiased_cka", "n_cases", "reason"),
            tuple((*each.sources, each.value, each.n_cases, each.reason) for each in found.similarities),
        ),
        draw=partial(draw_matrix, names, shares),
    )


def _robustness(index: Index, found: Pretraining) -> list[Block]:
    sources = list(dict.fromkeys(each.source for each in found.robustness))
    changes = list(dict.fromkeys(each.change for each in found.robustness))
    cells = {(each.source, each.change, each.set): (at, each) for at, each in enumerate(found.robustness)}
    keys = [(source, change, one.name) for change in changes for source in sources for one in index.tests]
    rows = [_robust_row(index, *cells[key]) for key in keys if key in cells]
    faults = [fault for each in found.robustness for fault in each.faults]
    name = index.metric_name(MACRO_AUC)
    note = (
        "The fitted models were shown changed validation images; nothing was fitted anew. Correlation: median over "
        "features of the absolute Spearman correlation with themselves. Shift: median over cases of how far a case "
        "moves, in units of the distance between two cases. A negative control such as a shuffled region should cost "
        "a model that reads it its discrimination."
    )
    lost = f" {count(len(set(faults)), 'changed image')} could not be used; results.json names them." if faults else ""
    table = Table(
        name="pretraining_robustness",
        caption=f"Sources under changed images: difference in {name} to unchanged images ({index.interval_words}).",
        columns=("Change", "Source", "Set", f"Difference ({index.interval_words})", "P", "Adjusted P", "Correlation",
                 "Shift"),
        rows=tuple(rows),
        notes=(note + lost,),
        data=Data(
            ("change", "source", "set", "n", "value_changed", "value", "difference", "low", "high", "p", "p_adjusted",
             "correlation", "shift"),
            tuple(_robust_data(each) for each in found.robustness),
        ),
        group=True,
    )  # fmt: skip
    return [_robust_picture(index, found, sources, changes=changes), table]


def _robust_row(index: Index, at: int, each: Robustness) -> tuple[Cell, ...]:
    test, pointer = each.comparison, f"/pretraining/robustness/{at}"
    adjusted = "–" if test.p_adjusted is None else p_value(test.p_adjusted).removeprefix("= ")
    return (
        Cell(change_words(each.change)), Cell(each.source), Cell(index.set_title(each.set)),
        Cell(index.difference(test), f"{pointer}/comparison/difference", numeric=True),
        Cell(p_value(test.p, test.reason).removeprefix("= "), f"{pointer}/comparison/p", numeric=True),
        Cell(adjusted, f"{pointer}/comparison/p_adjusted", numeric=True),
        _number(each.correlation, partial(fixed, digits=2), f"{pointer}/correlation"),
        _number(each.shift, partial(fixed, digits=2), f"{pointer}/shift"),
    )  # fmt: skip


def _robust_data(each: Robustness) -> tuple[Value, ...]:
    test = each.comparison
    numbers = (*test.values, test.difference, test.low, test.high, test.p, test.p_adjusted)
    return (each.change, each.source, each.set, test.n, *numbers, each.correlation, each.shift)


def _robust_picture(index: Index, found: Pretraining, sources: list[str], *, changes: list[str]) -> Picture:
    tests = {(each.change, each.set, each.source): each.comparison for each in found.robustness}
    panels = []
    for change in changes:
        for one in index.tests:
            row = [tests.get((change, one.name, source)) for source in sources]
            marks = tuple(
                Mark(test.difference, test.low, test.high) if test else Mark(None, None, None) for test in row
            )
            panels.append(Panel(f"{change_words(change)}\n{index.set_title(one.name)}", marks))
    name = index.metric_name(MACRO_AUC)
    columns = ("change", "set", "source", "difference", "low", "high")
    chart = Chart(tuple(panels), tuple(sources), f"Difference in {name}", 0.0, columns=len(index.tests))
    data = tuple((*key, test.difference, test.low, test.high) for key, test in tests.items())
    return Picture(
        name="pretraining_robustness",
        caption=f"Change of the {name} of the fitted models on changed validation images, with {index.interval_words}. "
        "Left of the thin line the model reads changed images worse.",
        alt="Difference in macro AUC under changed images, by source and set",
        data=Data(columns, data),
        draw=partial(draw_intervals, chart),
    )


def _centres(index: Index, found: Pretraining) -> list[Block]:
    if not found.centres:
        return []
    rows, data = [], []
    for at, each in enumerate(found.centres):
        got = each.estimate
        rows.append((Cell(each.source), Cell(estimate(got, brief=True), f"/pretraining/centres/{at}", numeric=True)))
        data.append((each.source, got.set, got.n, len(each.centres), got.value, got.low, got.high))
    table = Table(
        name="pretraining_centres",
        caption=f"How well features tell the centres apart: macro AUC ({index.interval_words}), out of fold.",
        columns=("Source", f"AUC of the centre ({index.interval_words})"),
        rows=tuple(rows),
        data=Data(("source", "set", "n", "n_centres", "value", "low", "high"), tuple(data)),
    )
    return [table]


def _cost(found: Pretraining) -> Table:
    rows, data = [], []
    for at, each in enumerate(found.sources):
        pointer = f"/pretraining/sources/{at}"
        rows.append((
            Cell(each.source), Cell(f"{each.n_features:,}", f"{pointer}/n_features", numeric=True),
            Cell(significant(each.parameters / 1e6), f"{pointer}/parameters", numeric=True),
            Cell(significant(each.multiply_adds / 1e9), f"{pointer}/multiply_adds", numeric=True),
            _number(each.bytes, lambda size: significant(size / 1e6), f"{pointer}/bytes"),
        ))  # fmt: skip
        data.append((each.source, each.n_features, each.parameters, each.multiply_adds, each.bytes))
    return Table(
        name="pretraining_cost",
        caption="What each source costs, counted down to its layer.",
        columns=("Source", "Features", "Parameters (millions)", "Multiply-adds per picture (thousand millions)",
                 "Weights file (MB)"),
        rows=tuple(rows),
        notes=("Seconds depend on the machine and stand in log.txt of the run directory, stage by stage. "
            "Untrained networks are drawn from a seed and have no file.",),
        data=Data(("source", "n_features", "parameters", "multiply_adds", "bytes"), tuple(data)),
    )  # fmt: skip


SECTIONS.add("pretraining", Section("Pretrained weights compared", 55, build))
