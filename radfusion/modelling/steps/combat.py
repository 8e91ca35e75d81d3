"""ComBat: what features owe to the centre (or scanner) is taken out of them, as estimated on training cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from radfusion.core.cohort_columns import UNKNOWN
from radfusion.errors import FeatureError, UserError
from radfusion.modelling.harmonisation import ComBat, Harmonisation
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training
from radfusion.modelling.transforms import TRANSFORMS, Arrays, Columnwise, Keep

__all__ = ["Combat", "Harmonised", "Preserved", "fact_of_cases"]

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

_ARRAYS = ("means", "scales", "slopes", "shifts", "spreads", "harmonised")
_UNKNOWN = frozenset(UNKNOWN)


class Preserved(NamedTuple):
    """A covariate whose effect on features stays; without categories it is a number."""

    name: str
    categories: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Harmonised(Columnwise):
    """Features without the effects of batches that training cases had.

    Attributes
    ----------
    names : tuple of str
        The p features.
    batch : str
        What tells batches apart: ``centre`` or a covariate.
    preserved : tuple of Preserved
        Covariates whose effects stay.
    unchanged : bool
        Whether cases of other batches pass as they are; otherwise they are refused.
    fitted : Harmonisation
        Effects of the batches.
    """

    kind: ClassVar[str] = "combat"
    batch: str
    preserved: tuple[Preserved, ...]
    unchanged: bool
    fitted: Harmonisation

    @property
    def batches(self) -> tuple[str, ...]:
        """Batches of the training cases."""
        return tuple(map(str, self.fitted.batches))

    @property
    def asks(self) -> Mapping[str, tuple[str, ...]]:
        """The batch, and the covariates."""
        return {self.batch: () if self.unchanged else self.batches} | dict(self.preserved)

    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:
        """The values without the effects of their batches.

        Raises
        ------
        FeatureError
            When a case has no batch, one that no training case had, or a covariate that is absent or unknown.
        """
        batches = fact_of_cases(facts, self.batch)
        known = np.isin(batches, self.batches)
        if not (known.all() or self.unchanged):
            first = int((~known).argmax())
            raise FeatureError(
                f"step combat: case {facts.index[first]!r} has the {self.batch} {batches[first]!r}, which no training "
                f"case at hand has (known: {', '.join(self.batches)}): leave such cases out, have the {self.batch} "
                "among the training cases, or set unseen: unchanged in the step, so that they pass as they are"
            )
        result = values.copy()
        if known.any():
            columns = _coded(facts[known], self.preserved)
            result[known] = self.fitted.transform(values[known], batches[known], columns)
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of the :class:`Harmonisation`."""
        return {name: np.ascontiguousarray(getattr(self.fitted, name)) for name in _ARRAYS}

    def told(self) -> dict[str, Any]:
        """Names of features and batches, covariates, and the rule for unseen batches."""
        return {
            "names": list(self.names),
            "batch": self.batch,
            "batches": list(self.batches),
            "preserved": [[each.name, list(each.categories)] for each in self.preserved],
            "unchanged": self.unchanged,
            "mean_only": self.fitted.mean_only,
        }

    @classmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Harmonised:
        """As it was."""
        names, batches = tuple(told["names"]), tuple(told["batches"])
        preserved = tuple(Preserved(name, tuple(categories)) for name, categories in told["preserved"])
        fitted = Harmonisation(batches, **{name: arrays[name] for name in _ARRAYS}, mean_only=told["mean_only"])
        return cls(names, told["batch"], preserved, told["unchanged"], fitted)


TRANSFORMS.add("combat", Harmonised)


@STEPS.register("combat")
class Combat(Step):
    """Takes the effects of centres (or scanners) on location and scale out of features, by ComBat.

    Effects are estimated on the training cases at hand, without their labels, and taken out of any case of the same
    centres. Features that do not vary within every centre pass unchanged. Needs two centres and two features or more;
    where unseen centres pass unchanged, cases of one centre do so, too.

    References
    ----------
    1. Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical Bayes
       methods. Biostatistics 2007;8(1):118-127. doi:10.1093/biostatistics/kxj037
    2. Orlhac F, et al. A guide to ComBat harmonization of imaging biomarkers in multicenter studies. J Nucl Med
       2022;63(2):172-179. doi:10.2967/jnumed.121.262464
    """

    step: Literal["combat"] = "combat"
    batch: str = Field("centre", min_length=1, description="what tells batches apart: centre, or a covariate (scanner)")
    parametric: bool = Field(True, description="parametric priors of the effects; false: those of the other features")
    mean_only: bool = Field(False, description="adjust locations only, not scales")
    reference: str | None = Field(None, description="batch that stays as it is; null: all meet at their mean")
    preserve: tuple[str, ...] = Field(
        (), description="covariates whose effects on features stay (age, sex), known of every case; never the label"
    )
    unseen: Literal["refuse", "unchanged"] = Field(
        "refuse", description="cases of a batch without training cases: refuse them, or let them pass unchanged"
    )

    @field_validator("preserve")
    @classmethod
    def _never_the_label(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "label" in names:
            raise ValueError("the label of a new case is not known, and to preserve it would leak it into the features")
        return names

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows.

        Raises
        ------
        UserError
            When a case has no batch or covariate, there are fewer than two batches, or ComBat cannot be fitted.
        """
        rows = training.rows
        if not rows.names:
            return FittedStep(Keep(()), {"reason": "no feature was left to harmonise"})
        batches = fact_of_cases(rows.facts, self.batch)
        if self.unseen == "unchanged" and len(set(batches)) == 1:
            return FittedStep(Keep(rows.names), {"reason": f"all cases at hand have the {self.batch} {batches[0]}"})
        preserved = tuple(_preserved(rows.facts, name) for name in self.preserve)
        method = ComBat(parametric=self.parametric, mean_only=self.mean_only, reference=self.reference)
        try:
            fitted = method.fit(rows.values, batches, _coded(rows.facts, preserved))
        except FeatureError as error:
            raise UserError(f"modelling.steps: {self.step} by {self.batch}: {error}") from error
        names, counts = np.unique(batches.astype(str), return_counts=True)
        told = {
            "batches": dict(zip(names.tolist(), counts.tolist(), strict=True)),
            "passed_unchanged": int((~fitted.harmonised).sum()),
            "mean_only": fitted.mean_only,
        }
        return FittedStep(Harmonised(rows.names, self.batch, preserved, self.unseen == "unchanged", fitted), told)


def fact_of_cases(facts: pd.DataFrame, name: str) -> Texts:
    """(n,) texts of a column, known of every case.

    Raises
    ------
    FeatureError
        When there is no such column, or a case has no value.
    """
    if name not in facts.columns:
        told = ", ".join(map(str, facts.columns)) or "nothing"
        raise FeatureError(f"step combat: the {name} of the cases is needed; told of them: {told}")
    values = facts[name].astype(object)
    texts = values.where(values.notna(), "").map(str).str.strip()
    absent = texts.str.lower().isin(_UNKNOWN | {""})
    if absent.any():
        raise FeatureError(
            f"step combat: no {name} is known of case {facts.index[absent][0]!r} ({int(absent.sum())} such cases): "
            "fill it in or leave these cases out"
        )
    return np.asarray(texts.to_numpy(dtype=object))


def _preserved(facts: pd.DataFrame, name: str) -> Preserved:
    texts = fact_of_cases(facts, name)
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce")
    return Preserved(name, () if np.isfinite(numbers).all() else tuple(sorted(set(texts))))


def _coded(facts: pd.DataFrame, preserved: Sequence[Preserved]) -> Floats:
    """(n, q) numbers, and indicators of all categories but the first."""
    columns = [np.empty((len(facts), 0))]
    for name, categories in preserved:
        texts = fact_of_cases(facts, name)
        if categories:
            known = np.isin(texts, categories)
            columns.append((texts[:, None] == np.array(categories[1:], dtype=object)).astype(np.float64))
        else:
            numbers = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(dtype=np.float64)
            known = np.isfinite(numbers)
            columns.append(numbers[:, None])
        if not known.all():
            first = int((~known).argmax())
            allowed = f"one of {', '.join(categories)}" if categories else "a number"
            raise FeatureError(
                f"step combat: case {facts.index[first]!r} has the {name} {texts[first]!r}; {allowed} is needed, as "
                "the training cases at hand have"
            )
    return np.hstack(columns)
