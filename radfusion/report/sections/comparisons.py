"""Comparisons between models: difference, test, P and adjusted P."""

from __future__ import annotations

from functools import partial

from radfusion.core.results import Comparison
from radfusion.report.blocks import Block, Cell, Data, Picture, Table, Text
from radfusion.report.drawings.forest import Effect, draw_forest, fitting
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import (
    ADJUSTMENTS,
    TESTS,
    alpha_words,
    count,
    difference,
    fixed,
    not_estimable,
    p_value,
    spoken,
)

__all__ = ["between_models", "build", "verdict"]

_COLUMNS = (
    "role", "set", "metric", "class", "model_a", "model_b", "value_a", "value_b", "difference", "low", "high", "level",
    "test", "statistic", "df", "p", "p_adjusted", "adjustment", "family", "paired", "n", "n_patients", "reason",
)  # fmt: skip


def between_models(index: Index) -> list[tuple[int, Comparison]]:
    """Comparisons of two models of the study with their positions: primary, then secondary, then exploratory."""
    models = {name for each in index.results.models for name in (each.model, each.arm)}
    found = [(at, each) for at, each in enumerate(index.results.comparisons) if models.issuperset(each.models)]
    order = ("primary", "secondary", "exploratory")
    return sorted(found, key=lambda item: order.index(item[1].role))


def verdict(index: Index, found: Comparison) -> str:
    """Sentence on one comparison, by its adjusted P where it has one; never calls the absence of a proof equality."""
    a, b = found.models
    where = f"in the {found.set} set (n = {found.n:,})"
    if found.difference is None:
        return f"{a} against {b} {where}: {not_estimable(found.reason)}."
    p = f"P {p_value(found.p, found.reason)}"
    numbers = f"{difference(found)}; {p}"
    what = _what(index, found)
    decisive = found.p if found.role == "primary" or found.p_adjusted is None else found.p_adjusted
    if found.low is None or found.high is None or decisive is None or decisive >= index.alpha:
        bound = "" if found.low is None or found.high is None else _bound(found.low, found.high)
        return f"No difference in {what} between {a} and {b} was shown {where}: {numbers}.{bound}"
    direction = "higher" if found.difference > 0 else "lower"
    return f"The {what} of {a} was {direction} than that of {b} {where}: {numbers}."


def _bound(low: float, high: float) -> str:
    return f" Differences larger than {fixed(max(abs(low), abs(high)))} are unlikely."


def _what(index: Index, found: Comparison) -> str:
    name = index.metric_name(found.metric)
    return name if found.class_ is None else f"{name} ({index.label(found.class_)})"


def build(index: Index) -> list[Block]:
    """Every comparison as a table, those of the declared family as a forest plot."""
    found = between_models(index)
    if not found:
        return [Text("No models were compared.")]
    tested = [each for _, each in found if each.p is not None]
    declared = [each for each in tested if each.role != "exploratory"]
    tests = sorted({each.test for _, each in found})
    adjusted = sorted({each.adjustment for _, each in found if each.adjustment != "none"})
    family = f" Secondary P values were adjusted ({spoken(adjusted, ADJUSTMENTS)})." if adjusted else ""
    opening = (
        f"{count(len(tested), 'test')} between models gave a P value ({spoken(tests, TESTS)}); {len(declared)} of them "
        f"belong to the declared primary and secondary comparisons.{family} By chance alone "
        f"{fixed(index.alpha * len(tested), 1)} of them would fall below {alpha_words(index.alpha)} without adjustment."
    )
    blocks: list[Block] = [Text(opening)]
    if index.primary is not None:
        blocks.append(Text(f"Primary comparison. {verdict(index, index.primary[1])}"))
    if effects := _effects(index, [each for _, each in found]):
        blocks.append(_forest(index, effects))
    return [*blocks, _table(index, found)]


def _effects(index: Index, found: list[Comparison]) -> list[tuple[Effect, Comparison]]:
    """Macro differences of the declared comparisons, primary first, by set; all of them where none is declared."""
    declared = [each for each in found if each.role != "exploratory"] or found
    overall = [each for each in declared if each.class_ is None] or declared
    order = [each.name for each in index.results.sets]
    place = {name: at for at, name in enumerate(order)}
    ranked = sorted(overall, key=lambda each: (each.role != "primary", place.get(each.set, len(place))))
    return [(_effect(index, each), each) for each in ranked]


def _effect(index: Index, each: Comparison) -> Effect:
    words = "not estimable" if each.difference is None else index.difference(each)
    what = _what(index, each)
    head = "Primary comparison" if each.role == "primary" else f"{each.role.capitalize()} comparisons"
    group = f"{head}: {index.set_title(each.set)} set, n = {each.n:,}, {what}"
    return Effect(
        group=group,
        label=_pair(each),
        value=each.difference,
        low=each.low,
        high=each.high,
        words=words,
        p="–" if each.p is None else p_value(each.p).removeprefix("= "),
        adjusted="–" if each.p_adjusted is None else p_value(each.p_adjusted).removeprefix("= "),
        strong=each.role == "primary",
    )


def _pair(each: Comparison) -> str:
    """Models without their classifiers where the arms alone tell them apart."""
    a, b = (name.split("/")[0] for name in each.models)
    return f"{a} \N{MINUS SIGN} {b}" if a != b else " \N{MINUS SIGN} ".join(each.models)


def _forest(index: Index, effects: list[tuple[Effect, Comparison]]) -> Picture:
    drawn = fitting(tuple(effect for effect, _ in effects))
    short = len(effects) - len(drawn)
    more = f" {count(short, 'comparison')} more did not fit and stand in the CSV file." if short else ""
    return Picture(
        name="differences",
        caption=f"Differences between the best models of the arms, with {index.interval_words}. Values right of zero "
        f"favour the model named first; the diamond is the primary comparison.{more}",
        alt="Forest plot of differences between models",
        data=Data(_COLUMNS, tuple(_row(each) for _, each in effects)),
        draw=partial(draw_forest, drawn, "Difference", words=f"Difference ({index.interval_words})"),
    )


def _row(each: Comparison) -> tuple[str | float | int | None, ...]:
    return (
        each.role, each.set, each.metric, each.class_, *each.models, *each.values, each.difference, each.low, each.high,
        each.level, each.test, each.statistic, each.df, each.p, each.p_adjusted, each.adjustment, each.family,
        str(each.paired), each.n, each.n_patients, each.reason,
    )  # fmt: skip


def _p_cell(p: float | None, reason: str | None, ref: str) -> Cell:
    return Cell(p_value(p, reason).removeprefix("= "), ref, numeric=True)


def _table(index: Index, found: list[tuple[int, Comparison]]) -> Table:
    declared = [(at, each) for at, each in found if each.role != "exploratory"]
    place = {each.name: at for at, each in enumerate(index.results.sets)}
    printed = sorted(
        declared or found, key=lambda item: (item[1].role != "primary", place.get(item[1].set, len(place)))
    )
    rows = []
    for at, each in printed:
        pointer = f"/comparisons/{at}"
        reason = each.reason if each.p is None else "not part of a family"
        adjusted = Cell("–", numeric=True) if each.p_adjusted is None else _p_cell(
            each.p_adjusted, reason, f"{pointer}/p_adjusted"
        )  # fmt: skip
        rows.append(
            (
                Cell(f"{each.role.capitalize()}, {each.set} set"),
                Cell(_pair(each)),
                Cell(_what(index, each)),
                Cell(index.difference(each), f"{pointer}/difference", numeric=True),
                Cell("–" if each.statistic is None else fixed(each.statistic, 2), f"{pointer}/statistic", numeric=True),
                _p_cell(each.p, each.reason, f"{pointer}/p"),
                adjusted,
            )
        )
    return Table(
        name="comparisons",
        caption=f"Comparisons between models: difference ({index.interval_words}), test statistic and P value.",
        columns=("Role", "Models", "Metric", f"Difference ({index.interval_words})", "Statistic", "P", "Adjusted P"),
        rows=tuple(rows),
        notes=(
            "Tests, degrees of freedom, families, the classifiers compared and exploratory comparisons, such as those "
            f"of single classes, are in the CSV file ({count(len(found), 'comparison')}).",
        ),
        data=Data(_COLUMNS, tuple(_row(each) for _, each in found)),
        group=True,
    )


SECTIONS.add("comparisons", Section("Comparisons", 70, build))
