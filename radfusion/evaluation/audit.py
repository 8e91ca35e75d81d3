"""The study's audit of itself: rules over results, one function per rule.

Codes are those of the error table in the guide (``docs/audit.md``). Rules on cohort tables are in
:mod:`radfusion.cohorts.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from radfusion.core.deep_features import collapsed, concerns, is_control, learned_from
from radfusion.core.registry import Registry
from radfusion.core.results import AuditFinding, FeatureSource, FittedModel, ModelChoice, Selection, StudyResults

__all__ = ["AUDIT_RULES", "audit_results"]

Verdict = Literal["pass", "warn", "fail"]
Rule = Callable[[StudyResults], Iterator[AuditFinding]]
AUDIT_RULES: Registry[Rule] = Registry("audit rule")

#: Events per selected feature below which a model is likely to be overfitted, and strongly so.
FEW_EVENTS, VERY_FEW_EVENTS = 10.0, 5.0
#: Repeats of the shuffled-label run below which it proves little.
FEW_REPEATS = 10
#: Shuffled labels that are still predicted this well mean a leak.
LEAK_AUC = 0.55
#: Random splits below which a percentile says little, and percentiles beyond which the study's split was a rare one.
FEW_SPLITS, RARE = 10, (5.0, 95.0)


def audit_results(results: StudyResults) -> list[AuditFinding]:
    """Apply every rule, in the order of registration.

    Parameters
    ----------
    results : StudyResults
        Results before the audit.

    Returns
    -------
    list of AuditFinding
        At least one finding per rule.
    """
    return [finding for rule in AUDIT_RULES.items().values() for finding in rule(results)]


@AUDIT_RULES.register("shuffled labels")
def shuffled_labels(results: StudyResults) -> Iterator[AuditFinding]:
    """RF01: with labels shuffled over training patients the whole chain must find nothing."""
    null = next((item for item in results.estimates if item.metric == "null_macro_auc"), None)
    if null is None or null.value is None:
        message = "The shuffled-label run was switched off, so the absence of leakage was not measured."
        yield AuditFinding(code="RF01", verdict="warn", message=message)
        return
    interval = "" if null.low is None else f"; {null.level:.0%} CI of the mean {null.low:.3f} to {null.high:.3f}"
    message = (
        f"With {null.model}: all steps of the study and logistic regression, repeated in every fold, reach an "
        f"out-of-fold macro AUC of {null.value:.3f} ({null.n} repeats{interval}). Tuning and choice of model are left "
        "out."
    )
    above = null.low is not None and null.low > 0.5
    verdict: Verdict = "fail" if null.value > LEAK_AUC else "warn" if above or null.n < FEW_REPEATS else "pass"
    message += f" Fewer than {FEW_REPEATS} repeats prove little." if null.n < FEW_REPEATS else ""
    yield AuditFinding(code="RF01", verdict=verdict, message=message, evidence={"mean": null.value, "repeats": null.n})


@AUDIT_RULES.register("fitted on training")
def fitted_on_training(results: StudyResults) -> Iterator[AuditFinding]:
    """RF02: every step and every classifier is fitted on training cases, none of which it predicts."""
    rows = {item.name: item for item in results.fitted_rows}
    if not rows:
        message = "The results do not say which cases steps and models were fitted on."
        yield AuditFinding(code="RF02", verdict="warn", message=message)
        return
    n_training = next(item.n_cases for item in results.sets if item.name == "training")
    hashes = {item.sha256 for item in rows.values()}
    steps = [step for item in results.selections for step in item.steps if step.fitted_on]
    named = {item.fitted_on for item in results.selections} | {name for m in results.models for name in m.fitted_on}
    wrong = sorted(named - set(rows)) or [step.name for step in steps if step.fitted_on not in hashes]
    wrong += [item.name for item in rows.values() if item.n_cases > n_training]
    message = (
        f"Steps and classifiers of {len(results.models)} models were fitted on {len(rows)} lists of cases, none of "
        f"more than the {n_training} training cases (fitted_rows). The run held every list against what was predicted: "
        "no case was predicted by a fit that knew it, or another case of its patient."
    )
    if wrong:
        message = f"What these were fitted on is not among the fitted rows of training cases: {', '.join(wrong)}."
    evidence = {"lists": len(rows), "training": rows["training"].sha256 if "training" in rows else None}
    yield AuditFinding(code="RF02", verdict="fail" if wrong else "pass", message=message, evidence=evidence)


@AUDIT_RULES.register("balanced classes")
def balanced_classes(results: StudyResults) -> Iterator[AuditFinding]:
    """RF05: models fitted on balanced classes give probabilities for balanced classes."""
    settings = results.study.settings.get("modelling", {}).get("balance", {})
    used = [f"{key}: {value}" for key, value in settings.items() if isinstance(value, str) and value != "none"]
    if not used:
        message = "Classes were neither weighted nor resampled."
        yield AuditFinding(code="RF05", verdict="pass", message=message)
        return
    message = (
        f"Classes were balanced in training parts ({', '.join(used)}). Balancing seldom raises an AUC and spoils "
        "probabilities, so these were brought back to the class shares of the training cases; look at calibration."
    )
    yield AuditFinding(code="RF05", verdict="warn", message=message, evidence=dict(settings))


@AUDIT_RULES.register("thresholds")
def thresholds(results: StudyResults) -> Iterator[AuditFinding]:
    """RF06: decision thresholds come from training out-of-fold predictions."""
    rules = sorted({item.rule for item in results.thresholds})
    if not rules:
        yield AuditFinding(code="RF06", verdict="not_applicable", message="No decision threshold was used.")
        return
    origins = sorted({item.fitted_on for item in results.thresholds})
    right = origins == ["training out-of-fold predictions"]
    message = f"Decision thresholds ({', '.join(rules)}) were fixed on {', '.join(origins)}."
    yield AuditFinding(code="RF06", verdict="pass" if right else "fail", message=message)


@AUDIT_RULES.register("choice of model")
def choice_of_model(results: StudyResults) -> Iterator[AuditFinding]:
    """RF07: models are chosen on training folds, and all candidates are reported on all sets."""
    final, choice = _final(results), results.choice
    best = max(model.cv_macro_auc for model in results.models)
    judged = {(item.model, item.set) for item in results.estimates if item.metric in {"macro_auc", "auc"}}
    silent = [m.model for m in results.models if not {(m.model, one.name) for one in results.sets} <= judged]
    highest = choice is None or choice.rule == "highest"
    wrong = final.cv_macro_auc < best if highest else choice is not None and final.model not in choice.within
    message = (
        f"Models were compared by macro AUC on training out-of-fold predictions ({len(results.models)} of them); "
        f"{final.model} was chosen there ({_rule(choice)}). Reported on every set: {len(results.models) - len(silent)}."
    )
    verdict: Verdict = "fail" if silent or wrong else "pass"
    evidence = {"final": final.model, "rule": "highest" if choice is None else choice.rule}
    yield AuditFinding(code="RF07", verdict=verdict, message=message, evidence=evidence)


def _rule(choice: ModelChoice | None) -> str:
    if choice is None or choice.rule == "highest":
        return "the highest"
    if choice.rule == "named":
        return f"named in the study file; the highest was {choice.best}"
    return (
        f"fewest features, then simplest classifier, of {len(choice.within)} models within one standard error of the "
        f"highest, {choice.best}"
    )


@AUDIT_RULES.register("test-set ledger")
def scored_sets(results: StudyResults) -> Iterator[AuditFinding]:
    """RF07: a validation set that many configurations were scored on is no longer new to any of them."""
    again = [item for item in results.ledger if item.earlier]
    if not results.ledger:
        message = "No validation set was registered in the ledger of the cohort."
        yield AuditFinding(code="RF07", verdict="not_applicable", message=message)
        return
    message = "In the ledger of this cohort, no validation set was scored under an earlier configuration."
    if again:
        counts = ", ".join(f"{item.set} under {item.earlier}" for item in again)
        message = (
            f"Validation sets had been scored under earlier configurations: {counts}. What was changed after seeing "
            "those scores fits the set a little, too; state the number, or confirm on a new set."
        )
    evidence = {item.set: item.ordinal for item in results.ledger}
    yield AuditFinding(code="RF07", verdict="warn" if again else "pass", message=message, evidence=evidence)


@AUDIT_RULES.register("repeated splits")
def repeated_splits(results: StudyResults) -> Iterator[AuditFinding]:
    """RF08: one random split of a small set may flatter or belittle a model."""
    found = results.repeated_splits
    if found is None or found.median is None:
        reason = "was switched off" if found is None else f"could not be made: {found.reason}"
        message = f"The repeated-split analysis {reason}, so it is not known how much the one split decides."
        yield AuditFinding(code="RF08", verdict="warn", message=message)
        return
    message = (
        f"On {len(found.values)} random splits of the {' and '.join(found.sets)} cases the chain of {found.model} "
        f"reaches a median macro AUC of {found.median:.3f} (2.5th to 97.5th percentile {found.low:.3f} to "
        f"{found.high:.3f})."
    )
    rare = found.percentile is not None and not RARE[0] <= found.percentile <= RARE[1]
    if found.used is not None:
        message += f" The split of this study gives {found.used:.3f}, at percentile {found.percentile:.0f}."
    few = len(found.values) < FEW_SPLITS
    message += f" Fewer than {FEW_SPLITS} splits say little." if few else ""
    evidence = {"percentile": found.percentile, "splits": len(found.values), "failed": found.n_failed}
    yield AuditFinding(code="RF08", verdict="warn" if rare or few else "pass", message=message, evidence=evidence)


@AUDIT_RULES.register("calibration")
def calibration(results: StudyResults) -> Iterator[AuditFinding]:
    """RF09: calibration beyond the Brier score."""
    if any(item.metric == "calibration_slope" for item in results.estimates):
        yield AuditFinding(code="RF09", verdict="pass", message="Calibration slopes and intercepts are reported.")
        return
    message = "Calibration is summarised by the Brier score only; slopes and curves are not part of this report."
    yield AuditFinding(code="RF09", verdict="warn", message=message)


@AUDIT_RULES.register("no-information rate")
def no_information_rate(results: StudyResults) -> Iterator[AuditFinding]:
    """RF10: accuracy is judged against always answering the commonest class."""
    versus = (_final(results).model, "no_information_rate")
    tests = [item for item in results.comparisons if item.models == versus and None not in item.values]
    if not tests:
        yield AuditFinding(code="RF10", verdict="not_applicable", message="There is no validation set.")
    for test in tests:
        accuracy, rate = test.values
        better = test.low is not None and test.low > 0
        message = f"{test.set}: accuracy {accuracy:.3f} against a no-information rate of {rate:.3f}."
        yield AuditFinding(code="RF10", verdict="pass" if better else "warn", message=message)


@AUDIT_RULES.register("multiplicity")
def multiplicity(results: StudyResults) -> Iterator[AuditFinding]:
    """RF16: one declared primary comparison, the rest adjusted."""
    tests = [item for item in results.comparisons if item.role != "exploratory" and item.p is not None]
    primary = [item for item in tests if item.role == "primary"]
    others = sum(item.role == "exploratory" and item.p is not None for item in results.comparisons)
    tail = (
        f" {len(tests)} tests of arms ({0.05 * len(tests):.1f} would be below .05 by chance alone without adjustment) "
        f"and {others} exploratory ones."
    )
    adjustments = sorted({item.adjustment for item in tests if item.role == "secondary"})
    evidence = {"tests": len(tests), "exploratory": others, "primary": len(primary), "adjustment": adjustments}
    if not primary:
        message = "No primary comparison was declared or could be tested; every P value is secondary." + tail
        yield AuditFinding(code="RF16", verdict="warn", message=message, evidence=evidence)
        return
    adjusted = "none" not in adjustments
    words = f"adjusted ({', '.join(adjustments)})" if adjusted else "not adjusted"
    message = f"One primary comparison was declared in the study file; the others are {words}." + tail
    yield AuditFinding(code="RF16", verdict="pass" if adjusted else "warn", message=message, evidence=evidence)


@AUDIT_RULES.register("events per feature")
def events_per_feature(results: StudyResults) -> Iterator[AuditFinding]:
    """RF17: cases of the rarest training class per selected feature, of the final model and the primary comparison."""
    training = next(item for item in results.sets if item.name == "training")
    events = min(training.n_by_class.values())
    selections = {item.arm: item for item in results.selections}
    compared = [name for item in results.comparisons if item.role == "primary" for name in item.models]
    models = [_final(results), *(item for item in results.models if item.model in compared)]
    for arm in dict.fromkeys(arm for model in models for arm in _arms_of(model, results)):
        selection = selections[arm]
        size = len(selection.signature)
        if size == 0:
            message = (
                f"{arm}: no feature was selected; its models predict training class shares, and a comparison with it "
                "says nothing about its features. Relax modelling.steps, or leave the arm out."
            )
            yield AuditFinding(code="RF17", verdict="fail", message=message)
            continue
        ratio = events / size
        verdict: Verdict = "pass" if ratio >= FEW_EVENTS else "warn" if ratio >= VERY_FEW_EVENTS else "fail"
        message = f"{arm}: {ratio:.1f} cases of the rarest class per selected feature ({events} for {size})."
        yield AuditFinding(code="RF17", verdict=verdict, message=message, evidence={"ratio": ratio})


@AUDIT_RULES.register("deep features")
def deep_features(results: StudyResults) -> Iterator[AuditFinding]:
    """RF20: deep features that are collapsed, prepared wrongly or as a random network's; sources that are absent."""
    deep = [item for item in results.sources if item.kind == "deep"]
    if not deep:
        yield AuditFinding(code="RF20", verdict="not_applicable", message="The study asked for no deep features.")
    for source in deep:
        if not source.available:
            message = f"The weights source {source.name} was asked for but left out: {source.reason}"
            yield AuditFinding(code="RF20", verdict="warn", message=message)
        elif source.health:
            yield _alive(source)
        elif source.imported:
            message = f"{source.name} was imported and has too few features to measure their spread."
            yield AuditFinding(code="RF20", verdict="not_applicable", message=message)
    there = [item for item in deep if item.available]
    real = [item for item in there if not is_control(item)]
    if deep and not real:
        control, none = (
            "every deep feature of this study comes from the untrained control",
            "there are no deep features",
        )
        message = f"No pretrained network was available: {control if there else none}."
        yield AuditFinding(code="RF20", verdict="fail", message=message)
    here = [item for item in real if not item.imported]
    if len(here) > 1 and len(real) == len(there):
        message = (
            f"{len(here)} pretrained sources are compared without an untrained control (weights: random), so what "
            "pretraining adds is not measured."
        )
        yield AuditFinding(code="RF20", verdict="warn", message=message, evidence={"sources": [s.name for s in here]})


@AUDIT_RULES.register("pixel spacing")
def pixel_spacing(results: StudyResults) -> Iterator[AuditFinding]:
    """RF29: sizes in mm for some cases and in pixels for others are not comparable."""
    counts = [
        source.settings["spacing"]
        for source in results.sources
        if source.available and source.kind == "radiomics" and not source.imported
    ]
    if not counts:
        yield AuditFinding(code="RF29", verdict="not_applicable", message="No radiomic features were extracted.")
    for count in counts:
        known, unknown = count["known"], count["unknown"]
        if known and unknown:
            message = (
                f"{known} cases have a pixel spacing and {unknown} have none: shape and LoG features are in mm for the "
                "former and in pixels for the latter, and cannot be compared. State imaging.spacing."
            )
        elif unknown:
            message = "No case has a pixel spacing: shape and LoG features are in pixels and depend on the image size."
        else:
            message = f"All {known} cases have a pixel spacing."
        verdict: Verdict = "fail" if known and unknown else "warn" if unknown else "pass"
        yield AuditFinding(code="RF29", verdict=verdict, message=message, evidence=dict(count))


@AUDIT_RULES.register("modality of weights")
def modality_of_weights(results: StudyResults) -> Iterator[AuditFinding]:
    """RF21: weights learned on another modality than the study's."""
    modality = results.study.statements.get("modality")
    learned = {
        source.name: tuple(map(str, (source.weights or {}).get("modalities", ())))
        for source in results.sources
        if source.available and (source.weights or {}).get("modalities")
    }
    foreign = [source.name for source in results.sources if source.kind == "deep" and source.imported]
    if foreign:
        message = f"What the networks behind the imported features {', '.join(foreign)} learned from is not known."
        yield AuditFinding(code="RF21", verdict="warn", message=message)
    elif not learned:
        message = "No pretrained network was used."
        yield AuditFinding(code="RF21", verdict="not_applicable", message=message)
    images = modality or "images of an undeclared modality (statements.modality)"
    for name, modalities in learned.items():
        known = bool(modality) and learned_from(modalities, str(modality))
        message = f"{name} was learned from {', '.join(modalities)}; this study uses {images}."
        evidence = {"learned_from": list(modalities), "study": modality}
        yield AuditFinding(code="RF21", verdict="pass" if known else "warn", message=message, evidence=evidence)


def _alive(source: FeatureSource) -> AuditFinding:
    """Verdict on one deep source: an untrained control is expected to be collapsed, another one must not be."""
    found, share = concerns(source), source.health["first_component_share"]
    wrong = collapsed(source.health) or (source.self_test is not None and source.self_test.better is not None)
    verdict: Literal["pass", "warn", "fail", "acknowledged"] = "fail" if wrong else "warn" if found else "pass"
    told = "; ".join(found)
    message = f"{source.name}: {told}."
    if not found:
        message = f"{source.name}: the first principal component holds {share:.1%} of the variance of its features."
    if is_control(source):
        verdict = "acknowledged" if found else "pass"
        message += " It is the untrained control, which has learned nothing."
    evidence: dict[str, Any] = dict(source.health)
    if source.self_test is not None:
        evidence["self_test"] = source.self_test.model_dump(include={"better", "control_similarity", "black", "white"})
    return AuditFinding(code="RF20", verdict=verdict, message=message, evidence=evidence)


def _final(results: StudyResults) -> FittedModel:
    return next(item for item in results.models if item.final)


def _arms_of(model: FittedModel, results: StudyResults) -> list[str]:
    """The fitted arms of a model: itself, or the parts of late fusion."""
    parts = {part.split("/")[0] for part in model.parts}
    fitted: list[Selection] = [item for item in results.selections if item.arm == model.arm or item.arm in parts]
    return [item.arm for item in fitted]
