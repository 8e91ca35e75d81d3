"""Page 1: what was found, and what must not be missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radfusion.core.deep_features import is_control, only_controls
from radfusion.report.blocks import Block, Cell, Facts, Heading, Note, Table
from radfusion.report.feature_sentences import absent_sources
from radfusion.report.index import AUC, MACRO_AUC, Index
from radfusion.report.sections.audit import LEVELS, tally
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.sections.comparisons import verdict
from radfusion.report.sentences import unfilled
from radfusion.report.wording import count, difference, fixed, join, p_value, sentence

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """Warnings first, then the primary comparison and the final model."""
    blocks: list[Block] = [*_warnings(index), _key_numbers(index)]
    if index.final is not None and index.tests:
        blocks += [Heading("Final model"), _final(index)]
    if index.results.audit:
        blocks += [Heading("Audit"), _audit(index)]
    return blocks


def _warnings(index: Index) -> list[Note]:
    """What would make a reader misread the numbers."""
    deep = [each for each in index.results.sources if each.kind == "deep"]
    usable = [each for each in deep if each.available]
    data_note = index.results.study.statements.get("data_note")
    notes = [Note("warn", sentence(data_note))] if data_note else []
    if only_controls(deep):
        words = (
            "No real weights source was available; all deep features are those of untrained controls. Nothing in this "
            "report says what pretrained deep features are worth."
        )
        notes.append(Note("fail", words))
    elif deep and not usable:
        notes.append(Note("fail", "No real weights source was available; this study has no deep arm."))
    notes += [
        Note("warn", f"{which} left out: {sentence(why)} Features tells more.")
        for which, why in absent_sources(index.results.sources, remedies=False)
    ]
    if index.primary is None or index.primary[1].p is None:
        notes.append(Note("fail", _no_primary(index)))
    final = () if index.final is None else index.final.sources
    if any(is_control(each) and each.name in final for each in usable) and not only_controls(deep):
        notes.append(Note("warn", "The final model uses features of the untrained control network."))
    if index.results.exclusions:
        cases = len({each.case for each in index.results.exclusions})
        notes.append(
            Note("info", f"{count(cases, 'case was', 'cases were')} left out; Participants lists each with its reason.")
        )
    return notes


def _declared(index: Index) -> Mapping[str, Any]:
    evaluation = index.results.study.settings.get("evaluation")
    found = evaluation.get("primary") if isinstance(evaluation, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _no_primary(index: Index) -> str:
    if index.primary is not None:
        return f"The primary comparison could not be tested. {verdict(index, index.primary[1])}"
    declared = _declared(index)
    if not declared:
        return "No primary comparison was declared; every P value of this report is secondary."
    models = [str(name) for name in declared.get("models", ())]
    of_models = {name.partition("-")[2] for name in models}
    gone = ", ".join(each.name for each in index.missing_sources if each.name in of_models)
    why = f" (missing sources: {gone})" if gone else ""
    return (
        f"The declared primary comparison, {join(models)} on the {declared.get('set')} set, could not be tested{why}."
    )


def _key_numbers(index: Index) -> Facts:
    results = index.results
    sets = ", ".join(f"{each.name} {each.n_cases:,}" for each in results.sets)
    cases, patients = sum(each.n_cases for each in results.sets), sum(each.n_patients for each in results.sets)
    pairs = [("Cases", Cell(f"{cases:,} from {count(patients, 'patient')} ({sets})", "/sets"))]
    if index.primary is not None:
        at, found = index.primary
        a, b = found.models
        pairs.append(("Primary comparison", Cell(f"{a} against {b}, {found.set} set", f"/comparisons/{at}")))
        if found.difference is not None:
            pairs.append(
                (
                    f"Difference in {index.metric_name(found.metric)}",
                    Cell(difference(found), f"/comparisons/{at}/difference"),
                )
            )
        if found.p is not None:
            pairs.append(("P of the primary comparison", Cell(f"P {p_value(found.p)}", f"/comparisons/{at}/p")))
            pairs.append(("In words", Cell(verdict(index, found))))
    if index.final is not None:
        score = f"out-of-fold {index.metric_name(MACRO_AUC)} on training {fixed(index.final.cv_macro_auc)}"
        pairs.append(("Final model", Cell(f"{index.final.model} ({score})", "/final_model")))
    open_ = unfilled(index)
    words = f"{len(open_)} open: {'; '.join(open_)}" if open_ else "none open"
    return Facts((*pairs, ("Facts that the authors must give", Cell(words, "/study/statements"))))


def _final(index: Index) -> Table:
    model = "" if index.final is None else index.final.model
    several = len(index.classes) > 2
    columns: list[tuple[str, str | None]] = [(AUC, name) for name in index.outcome_classes]
    columns += [(MACRO_AUC, None)] if several else []
    rows = []
    for each in index.tests:
        values = [index.cell(metric, model, each.name, class_=name) for metric, name in columns]
        rows.append((Cell(index.set_title(each.name)), Cell(f"{each.n_cases:,}", numeric=True), *values))
    titles = [index.label(name) if several else f"AUC ({index.label(name)})" for _, name in columns]
    return Table(
        name="final_model",
        caption=f"Area under the ROC curve of the final model ({model}) on the sets it was not fitted on.",
        columns=("Set", "n", *titles),
        rows=tuple(rows),
        notes=(f"AUC of the class against the rest ({index.interval_words}).",),
    )


def _audit(index: Index) -> Table:
    """What failed or warns, in words; the rest as numbers."""
    rows = tuple(
        (Cell(name, level=LEVELS[name]), Cell(each.code, f"/audit/{at}"), Cell(each.message))
        for name in ("fail", "warn")
        for at, each in enumerate(index.results.audit)
        if each.verdict == name
    )
    numbers = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in tally(index))
    return Table(
        "audit_summary",
        "What the study's audit of itself objects to.",
        ("Verdict", "Code", "Finding"),
        rows,
        notes=(f"All findings are in the section Audit: {numbers}.",),
    )


SECTIONS.add("summary", Section("Summary", 10, build))
