"""Rules that choose a decision threshold from labels and scores.

A rule gets the sensitivity and specificity of every candidate threshold and says which candidates are best. Candidates
are the midpoints between neighbouring distinct scores, and minus and plus infinity, as in pROC; a score at or above the
threshold is called positive. Of several that are equally good the lowest is taken, the first that pROC lists.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, GetJsonSchemaHandler, field_validator, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from radfusion.core.registry import Registry
from radfusion.core.settings import Settings
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, Integers, Ranked, binary

__all__ = [
    "THRESHOLD_RULES",
    "ThresholdRule",
    "ThresholdSettings",
    "best_thresholds",
    "operating_counts",
    "youden_threshold",
]


@dataclass(frozen=True)
class ThresholdRule:
    """How the best of the candidate thresholds are found.

    Attributes
    ----------
    best : function of (sensitivity, specificity, **numbers)
        Positions of the best of the candidates, given the (m,) sensitivities and specificities at rising thresholds.
    needs, takes : tuple of str
        Numbers of :class:`ThresholdSettings` that the function must and may be given.
    """

    best: Callable[..., Integers]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    def mistake(self, name: str, numbers: dict[str, float]) -> str | None:
        """What is wrong with the numbers that were given to the rule called `name`, or None."""
        known = (*self.needs, *self.takes)
        if strange := [each for each in numbers if each not in known]:
            return f"the rule {name!r} takes no {strange[0]}; it takes {', '.join(known) or 'no number'}"
        missing = [each for each in self.needs if each not in numbers]
        return f"the rule {name!r} needs {' and '.join(missing)}" if missing else None


#: Rules by name.
THRESHOLD_RULES: Registry[ThresholdRule] = Registry("threshold rule")


class ThresholdSettings(Settings):
    """A threshold rule with its numbers; a name alone stands for a rule without numbers.

    Attributes
    ----------
    rule : str
        Name of the rule: one of ``THRESHOLD_RULES``.
    value : float or None
        Sensitivity or specificity that is asked for.
    cost : float or None
        Cost of a false negative, that of a false positive being 1.
    prevalence : float or None
        Share of positive cases where the threshold will be used.

    Examples
    --------
    >>> ThresholdSettings.model_validate("youden").words
    'youden'
    >>> ThresholdSettings(rule="sensitivity", value=0.9).words
    'sensitivity (value 0.9)'
    """

    rule: str = Field("youden", description="name of the rule")
    value: float | None = Field(None, gt=0, le=1, description="sensitivity or specificity that is asked for")
    cost: float | None = Field(None, gt=0, description="cost of a false negative, that of a false positive being 1")
    prevalence: float | None = Field(None, gt=0, lt=1, description="share of positive cases where it will be used")

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers that were given, by name."""
        return {name: given for name, given in self if name != "rule" and given is not None}

    @property
    def words(self) -> str:
        """The rule with its numbers."""
        numbers = ", ".join(f"{name} {given:g}" for name, given in self.numbers.items())
        return f"{self.rule} ({numbers})" if numbers else self.rule

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"rule": given} if isinstance(given, str) else given

    @field_validator("rule")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in THRESHOLD_RULES:
            raise ValueError(THRESHOLD_RULES.unknown(name))
        return name

    @model_validator(mode="after")
    def _numbers_fit(self) -> ThresholdSettings:
        if mistake := THRESHOLD_RULES[self.rule].mistake(self.rule, self.numbers):
            raise ValueError(mistake)
        return self

    @model_serializer
    def _short(self) -> str | dict[str, str | float]:
        return {"rule": self.rule, **self.numbers} if self.numbers else self.rule

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A name alone, or a mapping."""
        mapping = handler.resolve_ref_schema(handler(schema))
        if "properties" not in mapping:
            return mapping
        mapping["properties"]["rule"]["enum"] = list(THRESHOLD_RULES)
        alone = [name for name, rule in THRESHOLD_RULES.items().items() if not rule.needs]
        return {"anyOf": [{"type": "string", "enum": alone}, mapping]}


def youden_threshold(labels: ArrayLike, scores: ArrayLike, *, positive: Hashable = 1) -> float:
    """Threshold of the highest sensitivity + specificity; a score at or above it is called positive.

    Candidates are the midpoints between neighbouring distinct scores, and minus and plus infinity, as in pROC. Of
    several that are equally good the lowest is taken (the first that pROC lists; :func:`best_thresholds` lists all).
    Minus infinity, which calls every case positive, is the answer for scores that separate nothing.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When there is no positive or no negative case.

    References
    ----------
    .. [1] Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.
       doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3

    Examples
    --------
    >>> youden_threshold([0, 0, 1, 1], [0.125, 0.5, 0.25, 0.75])
    0.1875
    """
    return best_thresholds(labels, scores, positive=positive)[0]


def best_thresholds(
    labels: ArrayLike, scores: ArrayLike, rule: str | ThresholdSettings = "youden", *, positive: Hashable = 1
) -> tuple[float, ...]:
    """All equally good thresholds by a rule, rising; the first is the one that a study uses.

    With sensitivity Se, specificity Sp and r = (1 - prevalence) / (cost * prevalence), the rules are::

        youden            highest Se + Sp
        closest_top_left  lowest (1 - Se)^2 + r (1 - Sp)^2, with r = 1 unless cost and prevalence are given
        cost              highest Se + r Sp, that is the lowest expected cost
        sensitivity       highest Sp among those with Se >= value
        specificity       highest Se among those with Sp >= value

    Equally good are those whose criterion is the same floating-point number, as in pROC.

    Parameters
    ----------
    labels : (n,) array
        Reference class of each case.
    scores : (n,) array
        Scores; higher means more likely positive.
    rule : str or ThresholdSettings
        Name of a rule, or a rule with its numbers.
    positive : object
        The label of the positive class; the others are the rest.

    Raises
    ------
    EvaluationError
        When there is no positive or no negative case, or the rule needs a number.
    UnknownNameError
        When there is no such rule.

    References
    ----------
    .. [1] Perkins NJ, Schisterman EF. The inconsistency of "optimal" cutpoints obtained using two criteria based on the
       receiver operating characteristic curve. Am J Epidemiol 2006;163:670-675. doi:10.1093/aje/kwj063

    Examples
    --------
    >>> best_thresholds([0, 1, 0, 1], [1, 2, 3, 4])
    (1.5, 3.5)
    >>> best_thresholds([0, 1, 0, 1], [1, 2, 3, 4], ThresholdSettings(rule="sensitivity", value=0.9))
    (1.5,)
    """
    name, numbers = (rule, {}) if isinstance(rule, str) else (rule.rule, rule.numbers)
    if mistake := THRESHOLD_RULES[name].mistake(name, numbers):
        raise EvaluationError(mistake)
    cut, true_positive, false_positive = operating_counts(binary(labels, scores, positive))
    sensitivity = true_positive / true_positive[0]
    specificity = (false_positive[0] - false_positive) / false_positive[0]
    return tuple(cut[THRESHOLD_RULES[name].best(sensitivity, specificity, **numbers)].tolist())


def operating_counts(ranked: Ranked) -> tuple[Floats, Integers, Integers]:
    """Rising thresholds from -inf to inf, and the true and false positives at each, of one class against the rest."""
    positive, scores = ranked.positive[:, 0], ranked.scores[:, 0]
    n_pos = int(positive.sum())
    if n_pos in (0, len(scores)):
        raise EvaluationError(
            f"{n_pos} of {len(scores)} cases are of class {ranked.names[0]}; at least one must be, and one not"
        )
    values, ranks = np.unique(scores, return_inverse=True)
    found = np.bincount(ranks.reshape(-1)[positive], minlength=len(values))
    every = np.bincount(ranks.reshape(-1), minlength=len(values))
    true_positive = n_pos - np.concatenate([[0], np.cumsum(found)])
    false_positive = len(scores) - n_pos - np.concatenate([[0], np.cumsum(every - found)])
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    # Between neighbouring floating-point numbers there is none: the upper one separates them.
    middle = np.where(middle > low, middle, high)
    return np.concatenate([[-np.inf], middle, [np.inf]]), true_positive, false_positive


def _highest(worth: Floats) -> Integers:
    return np.flatnonzero(worth == worth.max())


def _weight(cost: float, prevalence: float) -> float:
    return (1 - prevalence) / (cost * prevalence)


def _youden(sensitivity: Floats, specificity: Floats) -> Integers:
    return _highest(sensitivity + specificity)


def _closest_top_left(
    sensitivity: Floats, specificity: Floats, *, cost: float = 1.0, prevalence: float = 0.5
) -> Integers:
    return _highest(-((1 - sensitivity) ** 2 + _weight(cost, prevalence) * (1 - specificity) ** 2))


def _cost(sensitivity: Floats, specificity: Floats, *, cost: float, prevalence: float) -> Integers:
    return _highest(sensitivity + _weight(cost, prevalence) * specificity)


def _sensitivity(sensitivity: Floats, specificity: Floats, *, value: float) -> Integers:
    # Of equal specificities the first has the highest sensitivity.
    return _highest(np.where(sensitivity >= value, specificity, -1.0))[:1]


def _specificity(sensitivity: Floats, specificity: Floats, *, value: float) -> Integers:
    # Of equal sensitivities the last has the highest specificity.
    return _highest(np.where(specificity >= value, sensitivity, -1.0))[-1:]


THRESHOLD_RULES.add("youden", ThresholdRule(_youden))
THRESHOLD_RULES.add("closest_top_left", ThresholdRule(_closest_top_left, takes=("cost", "prevalence")))
THRESHOLD_RULES.add("cost", ThresholdRule(_cost, needs=("cost", "prevalence")))
THRESHOLD_RULES.add("sensitivity", ThresholdRule(_sensitivity, needs=("value",)))
THRESHOLD_RULES.add("specificity", ThresholdRule(_specificity, needs=("value",)))
