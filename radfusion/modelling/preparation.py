"""Preparation: the steps of a study fitted one after the other; all classifiers of an arm share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.results import SelectionStep
from radfusion.execution.work import Stage
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.rows import Rows, cases_hash, require_columns
from radfusion.modelling.steps.base import FittedStep, Signature, Step, Training
from radfusion.modelling.steps.missing import Missing
from radfusion.modelling.steps.pca import PrincipalComponents
from radfusion.modelling.steps.scale import Scale
from radfusion.modelling.steps.stability import Stability
from radfusion.modelling.transforms import TRANSFORMS, Affine, Impute, Keep, Transform, positions

__all__ = ["PREPARATION", "Preparation", "PreparationTask", "completed", "packed", "prepare", "unpacked"]

Floats = NDArray[np.float64]
Packed = tuple[dict[str, NDArray[Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Preparation:
    """A fitted chain of steps.

    Attributes
    ----------
    names : tuple of str
        Features handed to the classifier, sorted.
    transforms : tuple of Transform
        What is done to rows, restricted to what these features need.
    steps : tuple of SelectionStep
        What every step was given and left, to be printed.
    signature : Signature or None
        Of the last step that fitted a model.
    """

    names: tuple[str, ...]
    transforms: tuple[Transform, ...]
    steps: tuple[SelectionStep, ...] = ()
    signature: Signature | None = None

    @property
    def fitted_on(self) -> frozenset[str]:
        """:func:`cases_hash` of the cases that each step was fitted on."""
        return frozenset(step.fitted_on for step in self.steps)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Features of the table that are needed, sorted."""
        wanted = set(self.names)
        for transform in reversed(self.transforms):
            wanted = wanted - set(transform.outputs) | set(transform.inputs)
        return tuple(sorted(wanted))

    @property
    def asks(self) -> dict[str, tuple[str, ...]]:
        """What must be told of every case beside its features: ``centre`` or covariates, with the known values."""
        return {name: known for transform in self.transforms for name, known in transform.asks.items()}

    @property
    def score(self) -> Signature | None:
        """The signature, unless a later step took some of its features out."""
        whole = self.signature is not None and set(self.signature.names) <= set(self.names)
        return self.signature if whole else None

    @property
    def standard(self) -> tuple[Floats, Floats]:
        """(k,) arrays: means and scales of the signature, elsewhere of the last scaling; 0 and 1 where there is none.

        They are of values of the feature table, filled in where missing; after PCA or ComBat of what came of these.
        """
        centre, scale = _standardised(self.names, self.transforms)
        if self.score is not None:
            at = positions(self.score.names, self.names)
            here = at >= 0
            centre[here], scale[here] = self.score.means[at[here]], self.score.scales[at[here]]
        return centre, scale

    def transform(self, frame: pd.DataFrame, facts: pd.DataFrame | None = None) -> Floats:
        """(n, k) array of a feature frame; facts of its cases where a step asks for them.

        Raises
        ------
        FeatureError
            When features are absent from the frame, or a case has facts that no training case had.
        """
        inputs = list(self.inputs)
        require_columns([str(name) for name in frame.columns], inputs)
        return self.of_rows(Rows.from_frame(frame[inputs], facts))

    def of_rows(self, rows: Rows) -> Floats:
        """(n, k) array of rows with at least the inputs."""
        rows = rows.select(self.inputs)
        for transform in self.transforms:
            rows = transform.apply(rows)
        return rows.select(self.names).values


@dataclass(frozen=True, eq=False)
class PreparationTask:
    """Training rows of an arm and those of them to fit on (all but one fold, or all).

    Attributes
    ----------
    rows : Rows
        The training cases of the arm.
    labels : TrainingLabels
        Of the n cases.
    within : (n,) array of bool
        Rows to fit on.
    steps : tuple of Step
        What to do, in this order.
    unstable : frozenset of str or None
        Features that are unstable on the rows to fit on; None where that was not measured.
    seed : int
        Seed of the folds inside of steps.
    """

    rows: Rows
    labels: TrainingLabels
    within: NDArray[np.bool_]
    steps: tuple[Step, ...]
    unstable: frozenset[str] | None
    seed: int


def completed(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with those that no chain does without: missing values first, then stability, scaling last.

    Missing values are filled in before any other step needs them. Scaling is at the end unless the chain has it, of all
    sources and after the last step that makes features of its own.
    """
    found = list(steps)
    first = next((at for at, step in enumerate(found) if not step.takes_missing), len(found))
    if not any(isinstance(step, Missing) and step.sources is None for step in found[:first]):
        found.insert(first, Missing())
        first += 1
    if not any(isinstance(step, Stability) for step in found):
        found.insert(first, Stability())
    made = max((at for at, step in enumerate(found) if isinstance(step, PrincipalComponents)), default=0)
    if not any(isinstance(step, Scale) and step.sources is None for step in found[made:]):
        found.append(Scale())
    return tuple(found)


def prepare(task: PreparationTask) -> Preparation:
    """Fit all steps on the rows of the task.

    Raises
    ------
    UserError
        When a class has too few patients for the folds of a step, or a step cannot be fitted.
    """
    rows, labels = task.rows.take(task.within), task.labels.take(task.within)
    transforms: list[Transform] = []
    told: list[SelectionStep] = []
    signature = None
    with threadpool_limits(1):
        for step in task.steps:
            concerned, others = (rows, None) if step.sources is None else rows.of_sources(step.sources)
            fitted = step.fit(Training(concerned, labels, task.unstable, task.seed))
            after = fitted.transform.apply(concerned.select(fitted.transform.inputs))
            left = after if others is None else after.beside(others)
            told.append(_told(step, fitted, concerned, sizes=(len(rows.names), len(left.names))))
            rows, signature = left, _of_table(fitted.signature, transforms) or signature
            transforms.append(fitted.transform)
    return Preparation(rows.names, _needed(transforms, rows.names), tuple(told), signature)


def _standardised(names: Sequence[str], transforms: Sequence[Transform]) -> tuple[Floats, Floats]:
    """(k,) centre and scale that the transforms together take from, and divide, each feature by.

    What is neither filling in nor scaling makes new values of its features: they start anew.
    """
    centre, scale = np.zeros(len(names)), np.ones(len(names))
    for transform in transforms:
        at = positions(transform.outputs, names)
        here = at >= 0
        if isinstance(transform, Affine):
            centre[here] += scale[here] * transform.centre[at[here]]
            scale[here] *= transform.scale[at[here]]
        elif not isinstance(transform, Impute | Keep):
            centre[here], scale[here] = 0.0, 1.0
    return centre, scale


def _of_table(signature: Signature | None, before: Sequence[Transform]) -> Signature | None:
    """The signature with means and scales of the features as they were before any scaling."""
    if signature is None:
        return None
    centre, scale = _standardised(signature.names, before)
    return replace(signature, means=centre + scale * signature.means, scales=scale * signature.scales)


def _told(step: Step, fitted: FittedStep, rows: Rows, *, sizes: tuple[int, int]) -> SelectionStep:
    settings = step.model_dump(mode="json", exclude={"step"}, exclude_none=True) | dict(fitted.told)
    seen = cases_hash(rows.cases)
    return SelectionStep(name=step.step, n_in=sizes[0], n_out=sizes[1], settings=settings, fitted_on=seen)


def _needed(transforms: Sequence[Transform], names: Sequence[str]) -> tuple[Transform, ...]:
    """The transforms, restricted to what the named features need."""
    needed: list[Transform] = []
    wanted = set(names)
    for transform in reversed(transforms):
        asked = sorted(wanted & set(transform.outputs))
        restricted = transform.restrict(asked) if asked else None
        if restricted is not None:
            wanted = wanted - set(asked) | set(restricted.inputs)
            needed.append(restricted)
    return tuple(reversed(needed))


def packed(prepared: Preparation) -> Packed:
    """Arrays and JSON values of a preparation, for the cache and for saved models."""
    arrays: dict[str, NDArray[Any]] = {}
    told = []
    for number, transform in enumerate(prepared.transforms):
        arrays |= {f"{number} {name}": array for name, array in transform.arrays().items()}
        told.append({"kind": transform.kind, "told": transform.told()})
    facts = {"names": list(prepared.names), "transforms": told, "steps": [step.model_dump() for step in prepared.steps]}
    signature = prepared.signature
    if signature is not None:
        arrays |= {f"coefficients {name}": row for name, row in signature.coefficients.items()}
        arrays |= {"signature means": signature.means, "signature scales": signature.scales}
        facts["signature"] = {
            "names": list(signature.names),
            "modelled": list(signature.coefficients),
            "intercepts": signature.intercepts,
            "lambdas": signature.lambdas,
            "deviance": list(signature.deviance),
            "path": list(signature.path),
            "frequency": dict(signature.frequency),
        }
    return arrays, facts


def unpacked(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Preparation:
    """The preparation that was packed."""
    transforms = []
    for number, each in enumerate(facts["transforms"]):
        prefix = f"{number} "
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        transforms.append(TRANSFORMS[each["kind"]].kept(own, each["told"]))
    steps = tuple(SelectionStep(**step) for step in facts["steps"])
    signature = _signature(arrays, facts["signature"]) if "signature" in facts else None
    return Preparation(tuple(facts["names"]), tuple(transforms), steps, signature)


def _signature(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Signature:
    return Signature(
        names=tuple(facts["names"]),
        coefficients={name: arrays[f"coefficients {name}"] for name in facts["modelled"]},
        intercepts={name: facts["intercepts"][name] for name in facts["modelled"]},
        lambdas=dict(facts["lambdas"]),
        deviance=tuple(facts["deviance"]),
        path=tuple(facts["path"]),
        frequency=dict(facts["frequency"]),
        means=arrays["signature means"],
        scales=arrays["signature scales"],
    )


def _key(task: PreparationTask) -> list[Any]:
    rows, labels = task.rows.take(task.within), task.labels.take(task.within)
    who = [labels.codes, labels.patients, labels.classes]
    facts = rows.facts.to_dict(orient="list")
    unstable = None if task.unstable is None else sorted(task.unstable)
    steps = [step.model_dump(mode="json") for step in task.steps]
    return [rows.cases, rows.values, rows.names, facts, who, steps, unstable, task.seed]


PREPARATION: Stage[PreparationTask, Preparation] = Stage(
    "clean and select", "modelling", prepare, _key, packed, unpacked
)
