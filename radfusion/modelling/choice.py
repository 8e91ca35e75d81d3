"""Choice of the final model: a rule that the study states, on out-of-fold predictions of the training set alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from radfusion.core.registry import nearest
from radfusion.core.results import ModelChoice
from radfusion.core.settings import Settings
from radfusion.errors import UserError

__all__ = ["Candidate", "ChoiceSettings", "choose"]


class ChoiceSettings(Settings):
    """How the final model is chosen, on out-of-fold predictions of the training set.

    References
    ----------
    1. Breiman L, Friedman JH, Olshen RA, Stone CJ. Classification and regression trees. Wadsworth, 1984, section 3.4.3
       (the rule of one standard error).
    """

    rule: Literal["highest", "one-standard-error", "named"] = Field(
        "highest",
        description="highest: macro AUC; one-standard-error: fewest features, then the first classifier of the study, "
        "among models within one standard error of the highest; named: the one that `model` names",
    )
    model: str | None = Field(None, description="for the rule named: arm/classifier, decided before any result is seen")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.rule == "named") != (self.model is not None):
            wanted = (
                "the rule named needs `model`: arm/classifier" if self.model is None else "`model` needs rule: named"
            )
            raise ValueError(wanted)
        return self


@dataclass(frozen=True)
class Candidate:
    """A model that may be chosen.

    Attributes
    ----------
    model : str
        ``arm/classifier``.
    value : float
        Macro AUC of its out-of-fold predictions.
    n_features : int
        Features handed to its classifier; of both parts after late fusion.
    place : int
        Place of its classifier in the study's list, which begins with the simplest.
    """

    model: str
    value: float
    n_features: int
    place: int


def choose(
    candidates: Sequence[Candidate], settings: ChoiceSettings, standard_error: Callable[[str], float | None]
) -> ModelChoice:
    """Choose one of the models.

    Parameters
    ----------
    candidates : sequence of Candidate
        In the order of the study: the first of equals is chosen.
    settings : ChoiceSettings
        The rule.
    standard_error : callable
        Standard error of the macro AUC of a model, by its name; None where it cannot be estimated.

    Returns
    -------
    ModelChoice

    Raises
    ------
    UserError
        When the named model is not there.

    Examples
    --------
    >>> models = [Candidate("a/svm", 0.80, 12, 1), Candidate("a/logistic", 0.79, 12, 0), Candidate("b/svm", 0.7, 3, 1)]
    >>> choose(models, ChoiceSettings(rule="one-standard-error"), lambda model: 0.02).model
    'a/logistic'
    """
    best = max(candidates, key=lambda each: each.value)
    error = standard_error(best.model)
    within = _allowed(candidates, settings, best.value - (error or 0.0))
    chosen = min(within, key=lambda each: (each.n_features, each.place, -each.value))
    if settings.rule == "highest":
        within, chosen = [best], best
    return ModelChoice(
        rule=settings.rule,
        model=chosen.model,
        best=best.model,
        value=best.value,
        se=error,
        within=tuple(each.model for each in within),
        n_features=chosen.n_features,
    )


def _allowed(candidates: Sequence[Candidate], settings: ChoiceSettings, least: float) -> list[Candidate]:
    if settings.rule != "named":
        return [each for each in candidates if each.value >= least]
    names = [each.model for each in candidates]
    if settings.model not in names:
        raise UserError(
            f"modelling.choice: no model is named {settings.model!r}; {nearest(str(settings.model), names)}"
        )
    return [each for each in candidates if each.model == settings.model]
