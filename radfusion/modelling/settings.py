"""What a study file may say of modelling."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from radfusion.core.settings import Settings
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.choice import ChoiceSettings
from radfusion.modelling.classifiers import CLASSIFIERS, DEFAULT_CLASSIFIERS, stated_hyperparameters
from radfusion.modelling.folds import FoldPlan
from radfusion.modelling.fusion import LATE_RULES
from radfusion.modelling.named_arms import NamedArms
from radfusion.modelling.steps import AnyStep
from radfusion.modelling.steps.correlation import Correlation
from radfusion.modelling.steps.lasso import Lasso
from radfusion.modelling.steps.missing import Missing
from radfusion.modelling.steps.scale import Scale
from radfusion.modelling.steps.stability import Stability
from radfusion.modelling.steps.univariate import Univariate
from radfusion.modelling.steps.variance import Variance
from radfusion.modelling.tuning import TuningSettings

__all__ = ["DEFAULT_STEPS", "ModellingSettings"]

Fusion = Literal["early", "late"]
DEFAULT_STEPS = (Missing(), Stability(), Variance(), Univariate(), Correlation(), Scale(), Lasso())


class ModellingSettings(Settings):
    """From features to models, on the training set."""

    steps: tuple[AnyStep, ...] = Field(
        DEFAULT_STEPS, description="cleaning and selection, in this order, fitted anew in every fold"
    )
    classifiers: tuple[str, ...] = Field(
        DEFAULT_CLASSIFIERS, min_length=1, description="classifiers to fit on every arm"
    )
    hyperparameters: dict[str, dict[str, Any]] = Field(
        {}, description="classifier to hyperparameters that replace its defaults"
    )
    tuning: TuningSettings = Field(TuningSettings(), description="search for hyperparameters, nested in every fold")
    balance: BalanceSettings = Field(BalanceSettings(), description="what is done about classes of unequal size")
    fusion: tuple[Fusion, ...] = Field(
        ("early", "late"), description="early joins feature tables, late combines probabilities"
    )
    late_rule: str = Field(
        "mean",
        description="how late fusion combines probabilities; a rule with weights fits them inside every fold",
        json_schema_extra={"enum": list(LATE_RULES)},
    )
    arms: NamedArms = Field(
        {}, description="further arms by name: a list of sources to join, or {late: [arms], rule: stacking}"
    )
    default_arms: bool = Field(
        default=True,
        description="fit every source alone, and radiomics fused with each deep source; "
        "false: only the arms named under arms, and the arms that these fuse",
    )
    folds: int = Field(5, ge=2, description="training folds, by patient, of the out-of-fold predictions")
    inner_folds: int = Field(5, ge=2, description="folds inside each, for tuning and for fitted late fusion")
    choice: ChoiceSettings = Field(ChoiceSettings(), description="how the final model is chosen")
    null_runs: int = Field(20, ge=0, description="repeats of the chain with shuffled labels; 0 for none")
    repeated_splits: int = Field(
        20, ge=0, description="random splits on which the chain of the final model is repeated; 0 for none"
    )

    @property
    def inner(self) -> bool:
        """Whether anything is fitted on probabilities inside training parts: a search, or late fusion with weights."""
        return self.tuning.trials > 0 or any(LATE_RULES[rule].fit is not None for rule in self.late_rules)

    @property
    def late_rules(self) -> tuple[str, ...]:
        """Rules of late fusion that are in use."""
        usual = [self.late_rule] if "late" in self.fusion and self.default_arms else []
        named = [arm.rule or self.late_rule for arm in self.arms.values() if arm.late]
        return tuple(dict.fromkeys(usual + named))

    @property
    def fold_plan(self) -> FoldPlan:
        """How often training cases are dealt to folds, in all."""
        numbers = {f"modelling.steps: {step.step}.folds": getattr(step, "folds", None) for step in self.steps}
        steps = {key: number for key, number in numbers.items() if number is not None}
        return FoldPlan(self.folds, self.inner_folds if self.inner else None, steps)

    @field_validator("classifiers")
    @classmethod
    def _known_classifiers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CLASSIFIERS:
                raise ValueError(CLASSIFIERS.unknown(name))
            if names.count(name) > 1:
                raise ValueError(f"the classifier {name!r} is listed twice")
        return names

    @field_validator("hyperparameters")
    @classmethod
    def _known_hyperparameters(
        cls, stated: dict[str, dict[str, Any]], info: ValidationInfo
    ) -> dict[str, dict[str, Any]]:
        for name in stated:
            if name not in CLASSIFIERS:
                raise ValueError(CLASSIFIERS.unknown(name))
        checked = {name: stated_hyperparameters(name, values) for name, values in stated.items()}
        fitted = info.data.get("classifiers", tuple(stated))
        for name in checked:
            if name not in fitted:
                raise ValueError(f"{name} is not fitted: add it to classifiers ({', '.join(fitted)}), or leave it out")
        return checked

    @field_validator("late_rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        if name not in LATE_RULES:
            raise ValueError(LATE_RULES.unknown(name))
        return name
