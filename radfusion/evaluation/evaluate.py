"""Whole predictions: every metric of a set, its curves, and the right test between two models."""

from __future__ import annotations

from collections.abc import Iterable

from radfusion.core.predictions import Predictions
from radfusion.core.results import Comparison, Curve, Estimate, Threshold
from radfusion.errors import EvaluationError
from radfusion.evaluation.comparisons import COMPARISONS, ScoredPair
from radfusion.evaluation.comparisons.no_information import no_information_rate_test
from radfusion.evaluation.curves import macro_roc_curve, roc_curve
from radfusion.evaluation.metrics import METRICS, ScoredSet

__all__ = [
    "class_comparisons",
    "compare_models",
    "compare_with_no_information",
    "evaluate_set",
    "roc_curves",
]


def evaluate_set(
    predictions: Predictions, thresholds: Iterable[Threshold] = (), *, level: float = 0.95
) -> list[Estimate]:
    """Every registered metric of one model on one set.

    Parameters
    ----------
    predictions : Predictions
        Cases of one set.
    thresholds : iterable of Threshold
        Thresholds fixed on other data; those of other models are passed over.
    level : float
        Confidence level.

    Raises
    ------
    EvaluationError
        When there is no case, cases are of several sets, a label is missing, or a class has two thresholds.
    """
    own = [each for each in thresholds if each.model == predictions.model]
    cuts = {each.class_: each.value for each in own}
    if len(cuts) < len(own):
        raise EvaluationError(f"{predictions.model}: a class has two thresholds; allowed is one per class")
    scored = _scored(predictions, level, cuts)
    filled = {"model": predictions.model, "set": _set_of(predictions)}
    return [each.model_copy(update=filled) for metric in METRICS.items().values() for each in metric(scored)]


def roc_curves(predictions: Predictions) -> list[Curve]:
    """ROC curve of each class and, where every class has one, the macro curve (its ``class_`` is None).

    A class without cases, or without others, has no curve; its AUC says why.
    """
    _set_of(predictions)
    labels, probabilities = predictions.labels, predictions.probabilities
    present = [name for name in predictions.classes if 0 < (labels == name).sum() < len(labels)]
    places = [predictions.classes.index(name) for name in present]
    found = [
        roc_curve(labels, probabilities[:, k], name).model_copy(update={"class_": name})
        for k, name in zip(places, present, strict=True)
    ]
    if len(present) == len(predictions.classes):
        found.append(macro_roc_curve(labels, probabilities, predictions.classes))
    filled = {"model": predictions.model, "set": _set_of(predictions)}
    return [each.model_copy(update=filled) for each in found]


def compare_with_no_information(predictions: Predictions, *, level: float = 0.95) -> Comparison:
    """Accuracy of one model against always answering the commonest class."""
    found = no_information_rate_test(
        predictions.labels, predictions.predicted, level=level, patients=predictions.patients
    )
    return found.model_copy(update={"models": (predictions.model, "no_information_rate"), "set": _set_of(predictions)})


def compare_models(a: Predictions, b: Predictions, *, level: float = 0.95) -> Comparison:
    """Test of the macro AUCs of two models; whether it is paired follows from the case identifiers.

    The same cases: paired. No case in common: unpaired, for which no patient may be in common either. Some in common:
    paired on those, and `reason` says so. With two classes this is DeLong's test.

    Parameters
    ----------
    a, b : Predictions
        Predictions of the two models, each on one set; the difference is a minus b.
    level : float
        Confidence level of the interval of the difference.

    Raises
    ------
    EvaluationError
        When the classes differ, a case occurs twice, or a case has two labels or two patients.
    """
    return _compare(a, b, "macro_auc", level=level)[0]


def class_comparisons(a: Predictions, b: Predictions, *, level: float = 0.95) -> list[Comparison]:
    """DeLong's test of each class against the rest, chosen as by :func:`compare_models`.

    Parameters
    ----------
    a, b : Predictions
        Predictions of the two models, each on one set; the difference is a minus b.
    level : float
        Confidence level of the intervals.
    """
    return _compare(a, b, "class_auc", level=level)


def _compare(a: Predictions, b: Predictions, name: str, *, level: float) -> list[Comparison]:
    _check_alike(a, b)
    b = Predictions(b.frame, a.classes, b.model)
    common = a.frame.index.intersection(b.frame.index, sort=False)
    paired = len(common) > 0
    shared = set() if paired else set(a.patients) & set(b.patients)
    if paired and not len(common) == len(a.frame) == len(b.frame):
        note = f"paired on the {len(common)} cases that both models have, of {len(a.frame)} and {len(b.frame)}"
    else:
        note = f"no case but {len(shared)} patients are in both sets: neither paired nor independent" if shared else ""
    first, second = (
        _scored(Predictions(each.frame.loc[common], a.classes, each.model) if paired else each, level)
        for each in (a, b)
    )
    found = COMPARISONS[name](ScoredPair(first, second, paired=paired))
    untested: dict[str, object] = dict.fromkeys(("low", "high", "statistic", "df", "p")) if shared else {}
    filled = {"models": (a.model, b.model), "set": " and ".join(dict.fromkeys([_set_of(a), _set_of(b)])), **untested}
    return [
        each.model_copy(update={**filled, "reason": "; ".join(filter(None, (note, each.reason))) or None})
        for each in found
    ]


def _scored(predictions: Predictions, level: float, thresholds: dict[str, float | None] | None = None) -> ScoredSet:
    return ScoredSet(
        labels=predictions.labels,
        probabilities=predictions.probabilities,
        classes=predictions.classes,
        patients=predictions.patients,
        level=level,
        thresholds=thresholds or {},
    )


def _set_of(predictions: Predictions) -> str:
    names = sorted(map(str, predictions.frame["set"].unique()))
    if len(names) != 1:
        listed = ", ".join(names) or "none (no case)"
        raise EvaluationError(f"{predictions.model}: sets {listed}; allowed are the cases of one set at a time")
    return names[0]


def _check_alike(a: Predictions, b: Predictions) -> None:
    if set(a.classes) != set(b.classes):
        raise EvaluationError(
            f"{a.model} has the classes {', '.join(a.classes)}, {b.model} {', '.join(b.classes)}; allowed are the same"
        )
    for each in (a, b):
        if (twice := each.frame.index[each.frame.index.duplicated()]).size:
            raise EvaluationError(f"{each.model}: case {twice[0]} occurs twice; allowed is once")
    common = a.frame.index.intersection(b.frame.index)
    for column in ("label", "patient"):
        differs = common[(a.frame.loc[common, column] != b.frame.loc[common, column]).to_numpy()]
        if len(differs):
            raise EvaluationError(
                f"case {differs[0]}: {column} is {a.frame.loc[differs[0], column]!r} for {a.model} and "
                f"{b.frame.loc[differs[0], column]!r} for {b.model}; allowed is the same"
            )
