"""What every step of a chain has: settings from the study file, and a fit on training rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from radfusion.core.registry import Registry
from radfusion.core.settings import Settings
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.rows import Rows
from radfusion.modelling.transforms import Keep, Transform

__all__ = ["STEPS", "FittedStep", "Signature", "Step", "Training", "keeping"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Training:
    """What a step is fitted on: training cases, or those outside a fold.

    Attributes
    ----------
    rows : Rows
        Features that are left at this step, without missing values unless the step fills them in.
    labels : TrainingLabels
        Of the cases.
    unstable : frozenset of str or None
        Features whose readings do not agree on these very cases; None where that was not measured.
    seed : int
        Seed of what is random in a step.
    """

    rows: Rows
    labels: TrainingLabels
    unstable: frozenset[str] | None
    seed: int


@dataclass(frozen=True, eq=False)
class Signature:
    """What a penalised model says of the features that it selected.

    Attributes
    ----------
    names : tuple of str
        The k features; none is allowed, the model then predicts the shares of the classes.
    coefficients : mapping of str to (k,) array
        Per class (two classes: the second only), of (x - mean) / scale.
    intercepts : mapping of str to float
        Per class: the score of a class is intercept + sum of coefficient (x - mean) / scale.
    lambdas : mapping of str to float
        ``min``, ``1se`` and ``chosen``.
    deviance : tuple of dict
        Cross-validated deviance per lambda: ``lambda``, ``mean``, ``se``, ``n_nonzero``. The folds share the steps
        before, so the curve flatters; what the model is worth is measured with all steps repeated in every outer fold.
        Empty where another measure chose lambda.
    path : tuple of dict
        Curves to plot, of the selected features and of the first 20 to enter: ``feature``, ``class``, ``selected``,
        ``lambda`` and ``coefficient`` (lists).
    frequency : mapping of str to float
        Share of bootstrap samples that select the feature; empty where none were drawn.
    means, scales : (k,) arrays
        Mean and 1/n standard deviation of the training cases. A step gives those of the features that it was given;
        in a :class:`Preparation` x is the value of the feature table (filled in where missing) or, after PCA or ComBat,
        the value that came of these.
    """

    names: tuple[str, ...]
    coefficients: dict[str, Floats]
    intercepts: dict[str, float]
    lambdas: dict[str, float]
    deviance: tuple[dict[str, float], ...]
    path: tuple[dict[str, Any], ...]
    frequency: Mapping[str, float] = field(default_factory=dict)
    means: Floats = field(default_factory=lambda: np.empty(0))
    scales: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, eq=False)
class FittedStep:
    """What came of a step.

    Attributes
    ----------
    transform : Transform
        What it does to rows.
    told : mapping
        What was found, to be printed with the settings.
    signature : Signature or None
        Of steps that fit a model.
    """

    transform: Transform
    told: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature | None = None


class Step(Settings, ABC):
    """One step: its settings are the entry of the study file, ``step`` is its name.

    A new step is a module of this folder with a class that is registered in ``STEPS``. One that can be fitted on
    missing values says so with ``takes_missing``; the others are never shown any.
    """

    takes_missing: ClassVar[bool] = False

    step: str
    sources: tuple[str, ...] | None = Field(
        None, description="only features of these sources take part, others pass; null for all"
    )

    def require_classes(self, count: int) -> None:
        """Check that the step can be had of so many classes, before anything is computed.

        Raises
        ------
        UserError
            When it cannot, saying what is allowed.
        """

    @abstractmethod
    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows.

        Raises
        ------
        UserError
            When the step cannot be fitted on them, saying what to change.
        """


STEPS: Registry[type[Step]] = Registry("step")


def keeping(training: Training, kept: NDArray[np.bool_], **told: Any) -> FittedStep:
    """A step that keeps some of the features."""
    names = np.array(training.rows.names, dtype=object)[kept]
    return FittedStep(Keep(tuple(names)), told)
