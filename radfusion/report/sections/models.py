"""Models: arms by classifiers, scored on training folds only, and how one was chosen."""

from __future__ import annotations

from radfusion.core.results import FittedModel
from radfusion.report.blocks import Block, Cell, Data, Heading, Table, Text
from radfusion.report.index import MACRO_AUC, Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import count, estimate, fixed, join, plain

__all__ = ["build", "choice"]


_FUSION = {"none": "none", "early": "early (features joined)", "late": "late (probabilities combined)"}


def choice(index: Index) -> str:
    """Sentence on how the final model was chosen."""
    final = index.final
    if final is None:
        return "No final model was chosen."
    return f"The final model is {final.model}: {_reason(index, final)}. No test set took part in the choice."


def _reason(index: Index, final: FittedModel) -> str:
    """Why the final model was chosen, by the rule of the study."""
    choice, metric = index.results.choice, f"{index.metric_name(MACRO_AUC)} on training out-of-fold predictions"
    own, models = fixed(final.cv_macro_auc), count(len(index.results.models), "model")
    if choice is None or choice.rule == "highest":
        return f"of {models} it has the highest {metric} ({own})"
    highest = f"{choice.best} ({fixed(choice.value)})"
    if choice.rule == "named":
        return f"the study file names it; its {metric} is {own}, the highest of {models} is that of {highest}"
    error = "" if choice.se is None else f" of {fixed(choice.se)}"
    near = "it is" if len(choice.within) == 1 else f"{len(choice.within)} are"
    return (
        f"of {models}, {near} within one standard error{error} of the highest {metric}, that of {highest}; among these "
        f"it has the fewest features ({choice.n_features}) and then the simplest classifier; its own is {own}"
    )


def build(index: Index) -> list[Block]:
    """Out-of-fold scores of all models, the choice and the hyperparameters."""
    models = index.results.models
    if not models:
        return []
    classifiers = tuple(dict.fromkeys(each.classifier for each in models))
    opening = (
        f"{count(len(index.arms), 'arm')} and {count(len(classifiers), 'classifier')} gave "
        f"{count(len(models), 'model')}. {choice(index)}"
    )
    return [
        Text(opening),
        *_shuffled(index),
        _arms(index),
        _scores(index, classifiers),
        Heading("Hyperparameters"),
        _settings(index),
    ]


def _shuffled(index: Index) -> list[Text]:
    """What the whole chain finds in shuffled labels."""
    return [
        Text(
            "With the labels of the training patients shuffled, all steps of the study and logistic "
            f"regression{_of_arm(each.model)} reached a mean out-of-fold {index.metric_name(MACRO_AUC)} of "
            f"{estimate(each)} over {count(each.n, 'repeat')}; chance is 0.5."
        )
        for each in index.results.estimates
        if each.metric == "null_macro_auc"
    ]


def _of_arm(model: str) -> str:
    """Arm after the colon of ``shuffled labels: ARM``, in a sentence."""
    arm = model.partition(": ")[2]
    return f" of {arm}" if arm else ""


def _arms(index: Index) -> Table:
    rows = []
    for each in index.best:
        parts = f" of {join(_weighted(each))}" if each.parts else ""
        parts += f" by {each.rule}" if each.rule else ""
        fusion = _FUSION[each.fusion]
        pointer = f"/models/{index.results.models.index(each)}/cv_macro_auc"
        score = Cell(fixed(each.cv_macro_auc), pointer, numeric=True)
        mark = Cell("final model", level="pass") if each.final else Cell("–")
        words = (each.arm, join(each.sources), fusion + parts, each.classifier)
        rows.append((*map(Cell, words), score, mark))
    return Table(
        name="arms",
        caption="Arms with their best classifier on training folds.",
        columns=("Arm", "Sources", "Fusion", "Best classifier", "Out-of-fold AUC", "Choice"),
        rows=tuple(rows),
    )


def _weighted(each: FittedModel) -> list[str]:
    """Parts of late fusion, with their weights where the rule has some."""
    weights = each.weights.get("parts")
    if not weights:
        return list(each.parts)
    return [f"{part} (weight {fixed(weight)})" for part, weight in zip(each.parts, weights, strict=True)]


def _scores(index: Index, classifiers: tuple[str, ...]) -> Table:
    """Classifiers in rows, arms in columns."""
    at = {(each.arm, each.classifier): (place, each) for place, each in enumerate(index.results.models)}
    rows = []
    for name in classifiers:
        found = [at.get((arm, name)) for arm in index.arms]
        rows.append((Cell(name), *(Cell("–", numeric=True) if one is None else _score(*one) for one in found)))
    data = tuple(
        (each.model, each.arm, each.classifier, each.fusion, each.cv_macro_auc, str(each.best_of_arm), str(each.final))
        for each in index.results.models
    )
    return Table(
        name="models",
        caption=f"Out-of-fold {index.metric_name(MACRO_AUC)} of every model on the training set.",
        columns=("Classifier", *index.arms),
        rows=tuple(rows),
        notes=("* best of its arm; ** final model. The whole chain was repeated in every fold.",),
        data=Data(("model", "arm", "classifier", "fusion", "cv_macro_auc", "best_of_arm", "final"), data),
    )


def _score(place: int, each: FittedModel) -> Cell:
    mark = "**" if each.final else "*" if each.best_of_arm else ""
    return Cell(fixed(each.cv_macro_auc) + mark, f"/models/{place}/cv_macro_auc", numeric=True)


def _settings(index: Index) -> Table:
    models = index.results.models
    rows = tuple(
        (Cell(each.arm), Cell(each.classifier), Cell(plain(each.hyperparameters), f"/models/{at}/hyperparameters"),
         Cell(f"{len(each.trials):,}" if each.trials else "–", numeric=True))
        for at, each in enumerate(models)
    )  # fmt: skip
    data = tuple(
        (each.model, str(rank), plain(trial.hyperparameters), trial.score, "given up" if trial.pruned else "")
        for each in models
        for rank, trial in enumerate(each.trials, start=1)
    )
    return Table(
        name="tuning",
        caption="Hyperparameters of every model.",
        columns=("Arm", "Classifier", "Hyperparameters", "Settings tried"),
        rows=rows,
        notes=_searches(index),
        data=Data(("model", "trial", "hyperparameters", "score", "pruned"), data) if data else None,
        group=True,
    )


def _searches(index: Index) -> tuple[str, ...]:
    """What was searched per classifier, or that nothing was."""
    spaces = {each.classifier: each.space for each in index.results.models if each.space}
    if not any(each.trials for each in index.results.models):
        return ("No search: the settings are the defaults or those that the study file states.",)
    searched = [f"{name} ({plain(space)})" for name, space in spaces.items()]
    told = [f"Searched: {join(searched)}."] if searched else []
    tried = "Every setting that was tried, with its score over the inner folds, is in the CSV file."
    return (*told, tried, "The search was repeated without each fold for the out-of-fold predictions.")


SECTIONS.add("models", Section("Models", 50, build))
