"""Performance on every set: discrimination, operating points, accuracy and Brier score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from radfusion.core.results import Curve, FittedModel, SetSummary
from radfusion.report.blocks import Block, Cell, Data, Heading, Note, Picture, Table, Text
from radfusion.report.drawings.roc import Panel, Row, Trace, draw_roc
from radfusion.report.estimates import estimates_data
from radfusion.report.index import ACCURACY, AUC, BRIER, MACRO_AUC, NO_INFORMATION, Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.thresholds import threshold_rule
from radfusion.report.wording import estimate, interval_methods, join, p_value, percent, significant

__all__ = ["build"]

Curves: TypeAlias = Mapping[tuple[str, str, str | None], Curve]

OPERATING = (("sensitivity", "Sensitivity"), ("specificity", "Specificity"), ("ppv", "PPV"), ("npv", "NPV"))


def build(index: Index) -> list[Block]:
    """Estimates of the best model of each arm, then of all models."""
    if not index.results.estimates or not index.tests or not index.best:
        return []
    blocks: list[Block] = [Text(_opening(index)), _discrimination(index)]
    if any(curve.kind == "roc" for curve in index.results.curves):
        blocks.append(_roc(index))
    blocks += [Heading("Operating points"), *_operating(index), Heading("Accuracy and Brier score"), _accuracy(index)]
    return [*blocks, Heading("All models on all sets"), _everything(index)]


def _opening(index: Index) -> str:
    methods = sorted({each.method for each in index.results.estimates if each.metric in (AUC, MACRO_AUC)})
    words = f" {interval_methods(methods)}" if methods else ""
    macro = " The macro AUC is the unweighted mean of the one-against-rest AUCs." if len(index.classes) > 2 else ""
    return (
        "For each arm the classifier chosen on training folds is shown; all candidates are at the end of this section."
        f"{macro}{words}"
    )


def _columns(index: Index) -> tuple[tuple[str, str | None], ...]:
    """Metric and class of the columns of discrimination."""
    if len(index.classes) == 2:
        has_class = any(each.metric == AUC and each.class_ == index.classes[-1] for each in index.results.estimates)
        return ((AUC, index.classes[-1]),) if has_class else ((MACRO_AUC, None),)
    return (*((AUC, name) for name in index.classes), (MACRO_AUC, None))


def _discrimination(index: Index) -> Table:
    columns = _columns(index)
    rows = []
    for each in index.tests:
        for model in index.best:
            values = [index.cell(metric, model.model, each.name, class_=name) for metric, name in columns]
            rows.append((Cell(index.set_words(each)), Cell(model.arm), Cell(model.classifier), *values))
    titles = [index.label(name) for _, name in columns] if len(index.classes) > 2 else [_binary_title(index)]
    return Table(
        name="auc_best",
        caption=f"Area under the ROC curve of the best model of each arm, with {index.interval_words}.",
        columns=("Set", "Arm", "Classifier", *titles),
        rows=tuple(rows),
        notes=(_interval_note(index),),
        data=estimates_data(index, {model.model for model in index.best}, {AUC, MACRO_AUC}),
        group=True,
    )


def _binary_title(index: Index) -> str:
    first, second = index.classes
    return f"AUC ({index.label(second)} against {index.label(first)})"


def _interval_note(index: Index) -> str:
    several = any(each.n_patients < each.n_cases for each in index.tests)
    clustered = " Patients have several cases; intervals are clustered by patient." if several else ""
    return f"AUC ({index.interval_words}). n is the number of cases.{clustered}"


def _roc(index: Index) -> Picture:
    curves = {(each.model, each.set, each.class_): each for each in index.results.curves if each.kind == "roc"}
    arms = tuple(model.arm for model in index.best)
    rows = _roc_rows(index, curves)
    chosen = {model.model: model.arm for model in index.best}
    data = tuple(
        (each.set, each.class_ or "macro", chosen[each.model], each.model, x, y)
        for each in curves.values()
        if each.model in chosen and each.set in {one.name for one in index.tests}
        for x, y in zip(each.x, each.y, strict=True)
    )
    macro = (
        " The macro curve is the mean sensitivity of the classes at equal 1 − specificity; the macro AUC printed is "
        "the "
        "mean of the class AUCs."
        if len(index.classes) > 2
        else ""
    )
    return Picture(
        name="roc",
        caption="ROC curves of the best model of each arm, by set and class against the rest, with AUC "
        f"({index.interval_words}).{macro} The thin line is chance.",
        alt="ROC curves by set and class",
        data=Data(("set", "class", "arm", "model", "one_minus_specificity", "sensitivity"), data),
        draw=partial(draw_roc, rows, arms),
    )


def _roc_rows(index: Index, curves: Curves) -> tuple[Row, ...]:
    """One row per set with a panel per class; with two classes one row with a panel per set."""
    if len(index.classes) == 2:
        column = _columns(index)[0]
        panels = tuple(
            replace(_panel(index, each, column=column, curves=curves), title=f"{index.set_title(each.name)} set")
            for each in index.tests
        )
        return (Row(_binary_title(index), panels),)
    return tuple(
        Row(
            f"{index.set_title(each.name)} set",
            tuple(_panel(index, each, column=column, curves=curves) for column in _columns(index)),
        )
        for each in index.tests
    )


def _panel(index: Index, each: SetSummary, *, column: tuple[str, str | None], curves: Curves) -> Panel:
    metric, name = column
    traces = []
    for model in index.best:
        curve = curves.get((model.model, each.name, name))
        found = index.find(metric, model.model, each.name, class_=name)
        bare = None if found is None else found.model_copy(update={"reason": None})  # the tables say why
        words = "not estimable" if bare is None or bare.value is None else estimate(bare, brief=True)
        x, y = ((), ()) if curve is None else (curve.x, curve.y)
        traces.append(Trace(model.arm, x, y, words))
    n = each.n_cases
    counts = f"n = {n:,}" if name is None else f"{each.n_by_class.get(name, 0):,} of {n:,} cases"
    return Panel(index.label(name), counts, tuple(traces))


def _operating(index: Index) -> list[Block]:
    if index.final is None or not index.has(name for name, _ in OPERATING):
        return [Note("info", "No operating points were computed.")]
    model = index.final
    rows = []
    for each in index.tests:
        for name in index.outcome_classes:
            values = [index.cell(metric, model.model, each.name, class_=name, share=True) for metric, _ in OPERATING]
            rows.append((Cell(index.set_words(each)), Cell(index.label(name)), _threshold(index, model, name), *values))
    own = [each for each in index.results.thresholds if each.model == model.model]
    origins = {f"{threshold_rule(each.rule)} on {each.fitted_on}" for each in own}
    return [
        Table(
            name="operating_points",
            caption=f"Operating points of the final model ({model.model}), one class against the rest.",
            columns=("Set", "Class", "Threshold", *(title for _, title in OPERATING)),
            rows=tuple(rows),
            notes=(
                f"Percentage (n/N; {index.interval_words}). PPV and NPV: positive and negative predictive value. "
                f"Thresholds were fixed by {join(sorted(origins)) or 'no rule'} and only applied to the sets shown.",
            ),
            data=estimates_data(index, {each.model for each in index.results.models}, {name for name, _ in OPERATING}),
            group=True,
        )
    ]


def _threshold(index: Index, model: FittedModel, name: str) -> Cell:
    for at, each in enumerate(index.results.thresholds):
        if (each.model, each.class_) == (model.model, name):
            words = f"none ({each.reason})" if each.value is None else significant(each.value)
            return Cell(words, f"/thresholds/{at}/value", numeric=True)
    return Cell("–", numeric=True)


def _no_information(index: Index, model: FittedModel, set_: str) -> tuple[Cell, Cell]:
    """No-information rate and P value of the accuracy against it."""
    for at, each in enumerate(index.results.comparisons):
        if each.models != (model.model, NO_INFORMATION) or each.set != set_:
            continue
        rate = each.values[1]
        words = "–" if rate is None else percent(rate)
        p = p_value(each.p, each.reason).removeprefix("= ")
        return Cell(words, f"/comparisons/{at}/values/1", numeric=True), Cell(p, f"/comparisons/{at}/p", numeric=True)
    return Cell("–", numeric=True), Cell("–", numeric=True)


def _accuracy(index: Index) -> Table:
    rows = tuple(
        (
            Cell(index.set_words(each)),
            Cell(model.arm),
            index.cell(ACCURACY, model.model, each.name, share=True),
            *_no_information(index, model, each.name),
            index.cell(BRIER, model.model, each.name),
        )
        for each in index.tests
        for model in index.best
    )
    scale = "0 to 1" if len(index.classes) == 2 else "0 to 2, summed over the classes"
    return Table(
        name="accuracy",
        caption="Accuracy of the best model of each arm against always answering the commonest class, and Brier score.",
        columns=("Set", "Arm", "Accuracy", "No-information rate", "P", "Brier score"),
        rows=rows,
        notes=(
            f"Accuracy: percentage (n/N; {index.interval_words}). P: exact one-sided test of the accuracy against the "
            f"no-information rate, not adjusted. Brier score ({index.interval_words}): {scale}; lower is better.",
        ),
        data=estimates_data(index, {each.model for each in index.results.models}, {ACCURACY, BRIER}),
        group=True,
    )


def _everything(index: Index) -> Table:
    metric, name = _columns(index)[-1]
    rows = []
    for model in index.results.models:
        mark = "**" if model.final else "*" if model.best_of_arm else ""
        values = [index.cell(metric, model.model, each.name, class_=name) for each in index.tests]
        rows.append((Cell(model.arm), Cell(model.classifier + mark), *values))
    what = "Macro AUC" if len(index.classes) > 2 else "AUC"
    return Table(
        name="auc_all",
        caption=f"{what} of every model on every set, with {index.interval_words}.",
        columns=("Arm", "Classifier", *(index.set_words(each) for each in index.tests)),
        rows=tuple(rows),
        notes=("* best of its arm on training folds; ** final model. No choice used the sets shown here.",),
        data=estimates_data(index, {each.model for each in index.results.models}, {AUC, MACRO_AUC}),
        group=True,
    )


SECTIONS.add("performance", Section("Performance", 60, build))
