"""Steps of cleaning and selection in words, from the settings that each was fitted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from radfusion.core.results import Selection, SelectionStep, SetSummary
from radfusion.report.wording import count, join, percent, plain, significant

__all__ = ["named_steps", "selection_paragraphs", "step_words", "unharmonised"]

_TESTS = {
    "kruskal": "the Kruskal-Wallis test",
    "anova": "one-way analysis of variance",
    "welch-anova": "Welch's analysis of variance",
    "student-t": "Student's t test",
    "welch": "Welch's t test",
    "mann-whitney": "the Mann-Whitney test",
}
_ADJUSTED = {"bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli", "bonferroni": "Bonferroni", "holm": "Holm"}
_STAYS = {
    "stronger": "the one that differs more between classes stays",
    "less-correlated": "the one that correlates less with all others stays",
    "first": "the first by name stays",
}
_SCALES = {
    "zscore": "standardising to mean 0 and standard deviation 1",
    "robust": "scaling by median and interquartile range",
    "minmax": "scaling to the training range",
}
_BEST = {"deviance": "least deviance", "class": "least misclassification", "auc": "highest AUC"}
_METHODS = {"spearman": "Spearman", "pearson": "Pearson"}
#: Names of steps as nouns.
_NOUNS = {
    "missing": "imputation",
    "stability": "the stability filter",
    "variance": "the variance filter",
    "univariate": "univariate tests",
    "correlation": "the correlation filter",
    "mrmr": "mRMR",
    "pca": "principal components",
    "scale": "scaling",
    "combat": "ComBat",
    "lasso": "LASSO",
}
Settings = Mapping[str, Any]


def named_steps(selections: Sequence[Selection]) -> str:
    """Steps of some arms as nouns, in their order, each once; those that could do nothing are not named."""
    steps = [step for each in selections for step in each.steps if _did(step)]
    return join(list(dict.fromkeys(_NOUNS.get(step.name, step.name) for step in steps)))


def selection_paragraphs(selections: Sequence[Selection]) -> list[str]:
    """Paragraphs of a Methods section: what every arm went through, with the number of features after each step."""
    if not selections:
        return []
    opening = (
        "All steps were fitted on the training set only, and fitted anew, in the same order, without each "
        "cross-validation fold."
    )
    return [opening, *map(_chain, selections)]


def _chain(each: Selection) -> str:
    told = [step for step in each.steps if _did(step)]
    if not told:
        return f"{each.arm}: {count(len(each.signature), 'feature')} used."
    steps = ", ".join(f"{step.n_out:,} after {step_words(step)}" for step in told)
    chosen = each.lambda_.get("chosen")
    tail = "" if chosen is None else f" The chosen λ was {significant(chosen)}."
    if each.signature:
        ranked = sorted(item.fold_frequency for item in each.signature)
        middle = percent(ranked[len(ranked) // 2], 0)
        tail += f" The median selection frequency of the final features over folds was {middle}."
    return f"{each.arm}: of {count(told[0].n_in, 'feature')}, {steps} remained.{tail}"


def unharmonised(selections: Sequence[Selection], sets: Sequence[SetSummary]) -> list[str]:
    """Whom ComBat left as they are: cases of centres that no training case has.

    Parameters
    ----------
    selections : sequence of Selection
        Of all arms.
    sets : sequence of SetSummary
        Those that nothing was fitted on.
    """
    steps = [step.settings for each in selections for step in each.steps if step.name == "combat"]
    known = {batch for settings in steps for batch in settings.get("batches", {})}
    texts = []
    for each in sets if known and all(settings.get("batch") == "centre" for settings in steps) else ():
        foreign = [centre for centre in each.centres if centre not in known]
        if foreign:
            texts.append(
                f"Cases of {join(foreign)} in the {each.name} set were not harmonised, because no training case is "
                "from there."
            )
    return texts


def _did(step: SelectionStep) -> bool:
    """Whether a step had something to go by."""
    return step.name != "stability" or step.settings.get("measured", True)


def step_words(step: SelectionStep) -> str:
    """What a step did, to follow "after".

    Examples
    --------
    >>> step_words(SelectionStep(name="univariate", n_in=9, n_out=3, settings={"test": "anova", "alpha": 0.05}))
    'one-way analysis of variance (P < 0.05)'
    >>> step_words(SelectionStep(name="rough_sets", n_in=9, n_out=3, settings={"size": 3}))
    'rough sets (size: 3)'
    """
    settings = {name: value for name, value in step.settings.items() if name != "sources"}
    sources = step.settings.get("sources")
    words = _WORDS[step.name](settings) if step.name in _WORDS else _unknown(step.name, settings)
    return f"{words} (only {join([str(each) for each in sources])})" if sources else words


def _unknown(name: str, settings: Settings) -> str:
    words = name.replace("_", " ")
    return f"{words} ({plain(dict(settings))})" if settings else words


def _missing(settings: Settings) -> str:
    share, fill = settings.get("max_share"), settings.get("fill", "median")
    limit = "" if share is None else f" in more than {percent(share, 0)} of cases"
    return f"removing features that were missing{limit} and filling in the {fill} elsewhere"


def _stability(settings: Settings) -> str:  # noqa: ARG001 - as all words
    return "removing features that were not stable on these cases"


def _variance(settings: Settings) -> str:
    share = settings.get("max_equal_share")
    also = "" if share is None else f" and those with one value in more than {percent(share, 0)} of cases"
    return f"removing constant features{also}"


def _univariate(settings: Settings) -> str:
    test = _TESTS.get(settings.get("test", ""), "a univariate test between classes")
    adjusted = _ADJUSTED.get(settings.get("adjustment", "none"))
    told = [f"{adjusted}-adjusted P" if adjusted else "P", f"< {plain(settings.get('alpha', 0.05))}"]
    top = f", at most {settings['top']:,}" if settings.get("top") else ""
    return f"{test} ({' '.join(told)}{top})"


def _correlation(settings: Settings) -> str:
    method = _METHODS.get(settings.get("method", "spearman"), "")
    above = f" above {plain(settings['maximum'])}" if "maximum" in settings else ""
    rule = f" ({_STAYS[settings['stays']]})" if settings.get("stays") in _STAYS else ""
    return f"removing one of each pair with an absolute {method} correlation{above}{rule}"


def _mrmr(settings: Settings) -> str:
    form, method = settings.get("form", "quotient"), _METHODS.get(settings.get("method", "pearson"), "")
    return f"minimum redundancy, maximum relevance ({form} of F and mean absolute {method} correlation)"


def _pca(settings: Settings) -> str:
    number = settings.get("n_components")
    share = percent(settings.get("variance", 0.95), 0)
    rule = f"that explain {share} of the variance" if number is None else f"(at most {number:,})"
    return f"replacing features of each source by principal components {rule}"


def _scale(settings: Settings) -> str:
    return _SCALES.get(settings.get("method", "zscore"), "scaling")


def _combat(settings: Settings) -> str:
    kept = settings.get("preserve") or ()
    preserving = f", preserving {join([str(each) for each in kept])}" if kept else ""
    means = " of the means alone" if settings.get("mean_only") else ""
    return f"ComBat harmonisation{means} by {settings.get('batch', 'centre')}{preserving}"


def _lasso(settings: Settings) -> str:
    if "rule" not in settings:
        return "LASSO"
    best = _BEST.get(settings.get("measure", "deviance"), "best value")
    rule = f"λ of the {best}" if settings["rule"] == "min" else f"largest λ within one standard error of the {best}"
    folds = f" in {settings['folds']}-fold cross-validation" if "folds" in settings else ""
    return f"LASSO ({rule}{folds})"


_WORDS: dict[str, Callable[[Settings], str]] = {
    "missing": _missing,
    "stability": _stability,
    "variance": _variance,
    "univariate": _univariate,
    "correlation": _correlation,
    "mrmr": _mrmr,
    "pca": _pca,
    "scale": _scale,
    "combat": _combat,
    "lasso": _lasso,
}
