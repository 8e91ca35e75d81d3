"""What the Methods say of classifiers: which, with what hyperparameters, and what was done about unequal classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.wording import count, join

__all__ = ["classifier_sentences", "final_sentence"]

_SAMPLERS = {"tpe": "proposed by a tree-structured Parzen estimator", "random": "drawn at random"}
_RESAMPLING = {
    "smote": "SMOTE",
    "borderline-smote": "borderline SMOTE",
    "adasyn": "ADASYN",
    "smote-tomek": "SMOTE and removal of Tomek links",
    "random-over": "random oversampling",
    "random-under": "random undersampling",
}


def classifier_sentences(index: Index) -> str:
    """Sentences on the classifiers, the search for hyperparameters, and balancing."""
    models = index.results.models
    names = list(dict.fromkeys(each.title or each.classifier for each in models))
    settings = index.results.study.settings.get("modelling", {})
    verb = "was" if len(names) == 1 else "were"
    fitted = f"{count(len(names), 'classifier')} ({join(names)}) {verb} fitted on the training set"
    texts = [f"{fitted}; {_search(index, settings)}", *_balance(settings.get("balance", {}))]
    return " ".join(texts)


def final_sentence(index: Index, how: str) -> str:
    """By what rule the final model was chosen; ``how`` says what gave the out-of-fold predictions."""
    results, metric = index.results, index.metric_name(MACRO_AUC)
    rule = results.choice.rule if results.choice else "highest"
    if rule == "named":
        return f"The final model, {results.final_model}, was named in the study file."
    near = "the fewest features within one standard error of " if rule == "one-standard-error" else ""
    return f"The final model, {results.final_model}, was chosen by {near}the highest out-of-fold {metric} in {how}."


def _search(index: Index, settings: Mapping[str, Any]) -> str:
    models = index.results.models
    tuned = list(dict.fromkeys(each.title or each.classifier for each in models if each.trials))
    if not tuned:
        return "their hyperparameters were fixed beforehand, without a search."
    single = [each for each in models if each.fusion != "late"]
    who = "their hyperparameters" if all(each.trials for each in single) else f"the hyperparameters of {join(tuned)}"
    tuning = settings.get("tuning", {})
    log_loss = tuning.get("metric") == "log_loss"
    metric = "minimising the log loss" if log_loss else f"maximising the {index.metric_name(MACRO_AUC)}"
    most = max(len(each.trials) for each in models)
    pruned = any(trial.pruned for each in models for trial in each.trials)
    folds = settings.get("inner_folds")
    inner = f"{folds} inner folds of patients" if folds else "inner folds of patients"
    return (
        f"{who} were chosen inside every training part from at most {count(most, 'setting')} each, the default first"
        f"{', others ' + _SAMPLERS.get(tuning.get('sampler', ''), 'by a search')}, {metric} over {inner}"
        f"{' (settings below the median of the others were given up early)' if pruned else ''}."
    )


def _balance(balance: Mapping[str, Any]) -> list[str]:
    """What was done about classes of unequal size; nothing by default."""
    how = []
    if balance.get("weights", "none") != "none":
        how.append("cases weighed in inverse proportion to the size of their class, where a classifier takes weights")
    if balance.get("resampling", "none") != "none":
        name = str(balance["resampling"])
        how.append(f"classes were balanced by {_RESAMPLING.get(name, name)}")
    restored = "probabilities were brought back to the class shares of the training cases"
    return [f"Inside every training part {each}; {restored}." for each in how]
