"""Methods and results in sentences, every number a slot filled from the results.

A fact that only the authors know prints as ``[AUTHOR: ...]`` and is counted; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

from radfusion.report.feature_sentences import feature_paragraphs
from radfusion.report.index import ACCURACY, AUC, BRIER, MACRO_AUC, Index
from radfusion.report.model_sentences import classifier_sentences, final_sentence
from radfusion.report.split_sentences import splits_sentence
from radfusion.report.stability_sentences import stability_sentences
from radfusion.report.step_sentences import selection_paragraphs, unharmonised
from radfusion.report.thresholds import threshold_rule
from radfusion.report.wording import (
    ADJUSTMENTS,
    METHODS,
    TESTS,
    alpha_words,
    author,
    count,
    difference,
    estimate,
    join,
    p_value,
    proportion,
    spoken,
)

__all__ = ["AUTHOR_FACTS", "methods", "results_paragraph", "unfilled"]

#: Statements of the study file, and what stands in their place while they are missing.
#: More centres than this are counted, not listed.
MANY = 4
AUTHOR_FACTS: dict[str, str] = {
    "objective": "objective of the study",
    "design": "retrospective or prospective",
    "dates": "first and last date of imaging",
    "ethics": "ethics committee and number",
    "consent": "consent",
    "registration": "registration and protocol, or none",
    "eligibility": "inclusion and exclusion criteria",
    "acquisition": "imaging protocol",
    "reference_standard": "reference standard, who read it, and blinding",
    "segmentation": "who segmented, with what, and by which rule",
    "modality": "imaging modality",
    "funding": "funding",
    "conflicts": "conflicts of interest",
    "data_sharing": "data sharing statement",
}


def statement(index: Index, key: str) -> str:
    """What the study file says, or the place that the author must fill."""
    said = index.results.study.statements.get(key)
    return said.strip().rstrip(".") if said and said.strip() else author(AUTHOR_FACTS.get(key, key.replace("_", " ")))


def unfilled(index: Index) -> tuple[str, ...]:
    """Facts that the author has still to give."""
    said = index.results.study.statements
    keys = dict.fromkeys([*AUTHOR_FACTS, *(key for key in said if key != "data_note")])
    return tuple(AUTHOR_FACTS.get(key, key.replace("_", " ")) for key in keys if not (said.get(key) or "").strip())


def methods(index: Index) -> list[tuple[str, list[str]]]:
    """Headings and paragraphs of a Methods draft."""
    parts = [
        ("Study design", _design(index)),
        ("Participants and sets", _partition(index)),
        ("Imaging and segmentation", _imaging(index)),
        ("Feature extraction", feature_paragraphs(index.results.sources)),
        (
            "Feature selection",
            [*selection_paragraphs(index.results.selections), *unharmonised(index.results.selections, index.tests)],
        ),
        ("Fusion and models", _models(index)),
        ("Statistical analysis", _statistics(index)),
        ("Results in short", results_paragraph(index)),
        ("Statements", _statements(index)),
    ]
    return [(heading, paragraphs) for heading, paragraphs in parts if paragraphs]


def _design(index: Index) -> list[str]:
    sets, unit = index.results.sets, index.results.study.unit
    centres = sorted({centre for each in sets for centre in each.centres})
    where = f" from {count(len(centres), 'centre')}" if centres else ""
    patients, cases = sum(each.n_patients for each in sets), sum(each.n_cases for each in sets)
    named = "" if unit == "case" else f" (unit of analysis: {unit})"
    return [
        f"Objective: {statement(index, 'objective')}.",
        f"This {statement(index, 'design')} study included {count(patients, 'patient')} with "
        f"{count(cases, 'case')}{named}{where}, imaged {statement(index, 'dates')}. "
        f"Ethics: {statement(index, 'ethics')}. Consent: {statement(index, 'consent')}. "
        f"Registration: {statement(index, 'registration')}. Eligibility: {statement(index, 'eligibility')}.",
    ]


def _origin_of_sets(index: Index) -> str:
    """Whether the table declared the sets or the study drew them."""
    drawn = [str(each.evidence["drawn"]) for each in index.results.audit if "drawn" in each.evidence]
    return f". {drawn[0]}" if drawn else ", as declared in the cohort table before any processing."


def _partition(index: Index) -> list[str]:
    results = index.results
    words = join([f"{each.name} (n = {each.n_cases:,}; {count(each.n_patients, 'patient')})" for each in results.sets])
    texts = [
        f"Cases belonged to the sets {words}{_origin_of_sets(index)} No patient "
        f"contributed to two sets. All settings stand in one study file (settings hash "
        f"{results.provenance.study_sha256[:8]}; SHA-256); no choice looked at a test set."
    ]
    proved = any(each.code == "RF18" and each.verdict == "pass" for each in results.audit)
    texts += [
        f"The {each.name} set comes only from {_places(each.centres)}, which contributed no training data."
        for each in index.tests
        if each.role == "external" and proved
    ]
    texts += [
        f"The {each.set} set had been scored under {count(each.earlier, 'earlier configuration')} of this study."
        for each in results.ledger
        if each.earlier
    ]
    if results.exclusions:
        cases = len({each.case for each in results.exclusions})
        verb = "was" if cases == 1 else "were"
        texts.append(f"{count(cases, 'case')} could not be used and {verb} left out by name.")
    return texts


def _places(centres: Sequence[str]) -> str:
    return join(centres) if len(centres) <= MANY else f"{len(centres)} centres"


def _imaging(index: Index) -> list[str]:
    return [
        f"Modality: {statement(index, 'modality')}. Acquisition: {statement(index, 'acquisition')}.",
        f"Reference standard: {statement(index, 'reference_standard')}. Segmentation: "
        f"{statement(index, 'segmentation')}. {stability_sentences(index)}",
    ]


def _models(index: Index) -> list[str]:
    results = index.results
    if not results.models:
        return []
    folds = results.study.settings.get("modelling", {}).get("folds")
    how = f"{folds}-fold patient-grouped cross-validation" if folds else "patient-grouped cross-validation"
    fusion = {each.fusion for each in results.models}
    texts = []
    if "early" in fusion:
        texts.append("Early fusion joined the feature tables before selection.")
    if "late" in fusion:
        rules = list(dict.fromkeys(each.rule for each in results.models if each.rule))
        fitted = (
            ", its weights fitted on training probabilities of models that had not seen the case, anew in every fold"
            if any(each.weights for each in results.models)
            else ""
        )
        texts.append(f"Late fusion combined the class probabilities of arms ({join(rules)}){fitted}.")
    texts.append(classifier_sentences(index))
    texts.append(final_sentence(index, how))
    return [" ".join(texts)]


def _statistics(index: Index) -> list[str]:
    results = index.results
    if not results.estimates:
        return []
    several = len(index.classes) > 2
    used = list(dict.fromkeys(each.method for each in results.estimates if each.metric in (AUC, MACRO_AUC)))
    intervals = spoken([name for name in used if name in METHODS and name != "none"], METHODS) or "no method"
    summary = "one-vs-rest AUCs and their unweighted mean (macro AUC)" if several else "the AUC"
    texts = [f"Discrimination was summarised by {summary}; intervals come from {intervals}."]
    tests = list(dict.fromkeys(each.test for each in results.comparisons if each.test in TESTS))
    if tests:
        texts.append(f"Models were compared by {spoken(tests, TESTS)}.")
    texts += [_thresholds(index), _calibration(index), _family(index)]
    if results.repeated_splits is not None:
        texts.append(splits_sentence(index, results.repeated_splits))
    found = results.provenance
    extracted = {each.kind for each in index.results.sources if each.available and not each.imported}
    names = (
        ("pyradiomics-cuda", "pyradiomics-cuda", "radiomics" in extracted),
        ("pyradiomics", "pyradiomics", "radiomics" in extracted),
        ("scikit-learn", "scikit-learn", True),
        ("PyTorch", "torch", "deep" in extracted),
    )
    software = [f"{title} {found.packages[name]}" for title, name, used in names if used and name in found.packages]
    packages = ", ".join([f"Python {found.python}", f"radfusion {found.radfusion}", *software])
    texts.append(f"Two-sided alpha was {alpha_words(index.alpha)}. Software: {packages}.")
    return [" ".join(text for text in texts if text)]


def _thresholds(index: Index) -> str:
    rules = sorted({f"{threshold_rule(each.rule)} on {each.fitted_on}" for each in index.results.thresholds})
    if not rules:
        return ""
    methods = {each.method for each in index.results.estimates if each.metric == "sensitivity"}
    clustered = ", on the effective number of independent cases" if "cluster_wilson" in methods else ""
    return f"Sensitivity and specificity have Wilson intervals{clustered}; thresholds were fixed by {join(rules)}."


def _calibration(index: Index) -> str:
    if not index.has([BRIER]):
        return ""
    words = "The Brier score summarises the accuracy of the probabilities"
    if not index.has(["calibration_slope"]):
        return f"{words}; calibration itself was not assessed."
    return f"{words}; calibration was described by the intercept and slope of logistic recalibration."


def _family(index: Index) -> str:
    found = index.results.comparisons
    secondary = sum(each.role == "secondary" for each in found)
    adjustments = sorted({each.adjustment for each in found if each.role == "secondary" and each.adjustment != "none"})
    adjusted = f" were adjusted ({spoken(adjustments, ADJUSTMENTS)})" if adjustments else " were not adjusted"
    tail = f" {count(secondary, 'secondary comparison')}{adjusted}." if secondary else ""
    if index.primary is None:
        return f"No primary comparison could be tested.{tail}"
    a, b = index.primary[1].models
    return f"The primary comparison was {a} against {b} on the {index.primary[1].set} set.{tail}"


def results_paragraph(index: Index) -> list[str]:
    """The primary comparison, then one paragraph per test set on the final model."""
    texts = [_primary_result(index)]
    if index.final is None:
        return texts
    model = index.final.model
    for each in index.tests:
        macro = index.find(MACRO_AUC, model, each.name)
        areas = [f"{index.label(name)} {estimate(index.find(AUC, model, each.name, class_=name))}"
                 for name in index.outcome_classes]  # fmt: skip
        several = len(index.classes) > 2
        overall = f" reached a macro AUC of {estimate(macro)}; class AUCs were" if several else " had the AUC"
        right = index.find(ACCURACY, model, each.name)
        accuracy = "" if right is None else f" Accuracy was {proportion(right)}."
        texts.append(
            f"In the {each.name} set ({count(each.n_cases, 'case')}; {index.per_class(each.n_by_class)}) the final "
            "model "
            f"{model}{overall} {', '.join(areas)}.{accuracy}"
        )
    return texts


def _primary_result(index: Index) -> str:
    if index.primary is None or index.primary[1].difference is None:
        return "The primary comparison could not be tested."
    found = index.primary[1]
    a, b = found.models
    return (
        f"Primary comparison, {found.set} set: the {index.metric_name(found.metric)} of {a} less that of {b} was "
        f"{difference(found)}" + ("." if found.p is None else f" (P {p_value(found.p)}).")
    )


def _statements(index: Index) -> list[str]:
    pairs = (("Funding", "funding"), ("Conflicts of interest", "conflicts"), ("Data sharing", "data_sharing"))
    return [f"{title}: {statement(index, key)}." for title, key in pairs]
