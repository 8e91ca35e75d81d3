"""Folds: parts of the training set that keep the cases of a patient together."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import UserError

__all__ = ["INNER", "OUTER", "STEP_FOLDS", "FoldPlan", "TrainingLabels", "check_folds", "patient_folds"]

#: Keys of the study file that hold numbers of folds.
OUTER, INNER = "modelling.folds", "modelling.inner_folds"
#: Folds that steps deal their cases to, at least.
STEP_FOLDS = 3


@dataclass(frozen=True)
class FoldPlan:
    """How often training cases are dealt to folds.

    Attributes
    ----------
    outer : int
        Folds of the out-of-fold predictions.
    inner : int or None
        Folds inside each; None where nothing asks for them.
    steps : mapping of str to int
        Folds that steps deal their training cases to, by their key of the study file.
    """

    outer: int
    inner: int | None = None
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """Classes and patients of training cases.

    Attributes
    ----------
    codes : (n,) array of int
        Position of each case's class in `classes`.
    patients : (n,) array of int
        Number of each case's patient.
    classes : tuple of str
        Classes in the order of the study.
    """

    codes: NDArray[np.intp]
    patients: NDArray[np.intp]
    classes: tuple[str, ...]

    @classmethod
    def from_rows(cls, rows: pd.DataFrame, classes: tuple[str, ...]) -> TrainingLabels:
        """Labels of cohort rows (``label``, ``patient``); patients are numbered in order of appearance.

        Raises
        ------
        UserError
            When a class has no case, or a case no class.
        """
        codes = np.asarray(pd.Index(classes).get_indexer(pd.Index(rows["label"])), dtype=np.intp)
        strange = rows.index[codes < 0]
        if len(strange):
            raise UserError(
                f"training case {strange[0]!r} has the label {rows['label'][strange[0]]!r}, which is none of the "
                f"classes {', '.join(map(repr, classes))} ({len(strange)} such cases): add the class, or leave them out"
            )
        patients = np.asarray(pd.factorize(rows["patient"])[0], dtype=np.intp)
        labels = cls(codes, patients, tuple(classes))
        absent = [name for name, count in labels.counts().items() if count == 0]
        if absent:
            raise UserError(
                f"no training case of class {', '.join(map(repr, absent))}: {_counted(labels.counts())}; name only "
                "classes with training cases in cohort.classes, or check the set and label of these cases"
            )
        return labels

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> TrainingLabels:
        """The labels of some cases."""
        return TrainingLabels(self.codes[rows], self.patients[rows], self.classes)

    def counts(self) -> dict[str, int]:
        """Number of cases per class."""
        numbers = np.bincount(self.codes, minlength=len(self.classes))
        return dict(zip(self.classes, map(int, numbers), strict=True))

    @property
    def shares(self) -> NDArray[np.float64]:
        """(K,) share of each class among the cases."""
        return np.asarray(np.bincount(self.codes, minlength=len(self.classes)) / len(self.codes))

    @property
    def patients_per_class(self) -> dict[str, int]:
        """Number of patients with a case of each class."""
        pairs = pd.DataFrame({"code": self.codes, "patient": self.patients}).drop_duplicates()
        numbers = np.bincount(pairs["code"], minlength=len(self.classes))
        return dict(zip(self.classes, map(int, numbers), strict=True))

    def folds(self, n_folds: int, *, seed: int, key: str = OUTER) -> NDArray[np.intp]:
        """(n,) fold of each case; see :func:`patient_folds`.

        Raises
        ------
        UserError
            When there are too few patients for so many folds, naming classes, counts and the key of the study file
            that holds the number of folds.
        """
        owners = self.patients_per_class
        lone = [name for name, count in owners.items() if count < 2]
        if lone:
            raise UserError(
                f"class {lone[0]!r} has {owners[lone[0]]} patient among the {len(self.codes)} training cases at hand, "
                f"and a fold may not take the only one: every class needs at least 2 patients, here: "
                f"{_counted(owners)}; merge it with another class or leave it out"
            )
        rarest = min(owners, key=owners.__getitem__)
        if n_folds > owners[rarest]:
            possible = key in (OUTER, INNER) or owners[rarest] >= STEP_FOLDS
            fewer = f"set {key} to {owners[rarest]} or less" if possible else "take the step out"
            raise UserError(
                f"{key}: {n_folds} folds, but class {rarest!r} has {owners[rarest]} patients among the "
                f"{len(self.codes)} training cases at hand (patients: {_counted(owners)}); {fewer}, or "
                "merge classes"
            )
        return patient_folds(self.codes, self.patients, n_folds, seed=seed)


def patient_folds(codes: ArrayLike, patients: ArrayLike, n_folds: int, *, seed: int) -> NDArray[np.intp]:
    """Assign cases to folds: all cases of a patient to one fold, classes spread as evenly as that allows.

    Patients are dealt in random order, those with most cases first, each to the fold where its classes are rarest so
    far. What classes are called, and which of them comes first, changes nothing.

    Parameters
    ----------
    codes : (n,) array of int
        Number of each case's class.
    patients : (n,) array of int
        Number of each case's patient; the seed gives an order of these numbers.
    n_folds : int
        Number of folds, at least 2.
    seed : int
        Seed of the order.

    Returns
    -------
    (n,) array of int from 0 to n_folds - 1; every fold has a case, and what is left when one fold is set aside has
    cases of every class.

    Raises
    ------
    UserError
        When there are fewer patients than folds, or a class has too few patients.

    Examples
    --------
    >>> patient_folds([0, 0, 1, 1, 0, 1], [1, 1, 2, 2, 3, 4], 2, seed=1).tolist()
    [0, 0, 1, 1, 1, 0]
    """
    who = (np.asarray(each, dtype=np.intp).tobytes() for each in (codes, patients))
    return _dealt(*who, n_folds, seed=seed).copy()


@functools.lru_cache(maxsize=512)
def _dealt(codes: bytes, patients: bytes, n_folds: int, *, seed: int) -> NDArray[np.intp]:
    """Folds that were dealt once are not dealt again: every classifier and every setting of it asks for the same."""
    held, of_class = np.unique(np.frombuffer(codes, dtype=np.intp), return_inverse=True)
    names, owner = np.unique(np.frombuffer(patients, dtype=np.intp), return_inverse=True)
    counts = np.zeros((len(names), len(held)))
    np.add.at(counts, (owner, of_class), 1.0)
    if len(names) < n_folds or n_folds < 2:
        raise UserError(f"{n_folds} folds of {len(names)} patients: at least 2 folds, at most as many as patients")
    folds = _deal(counts, n_folds, np.random.default_rng(seed))[owner]
    for fold in range(n_folds):
        if len(np.unique(of_class[folds != fold])) < len(held):
            raise UserError(
                f"{n_folds} folds: a class has so few patients that fold {fold + 1} takes them all; every class needs "
                "cases of at least 2 patients outside every fold: fewer folds, or merge classes"
            )
    return np.asarray(folds, dtype=np.intp)


def check_folds(labels: TrainingLabels, plan: FoldPlan, *, seed: int) -> None:
    """Deal all folds as fitting will: outer ones, inner ones of what is left without each, those of steps in all parts.

    Raises
    ------
    UserError
        When a class has too few patients for them, saying which folds and what to change.
    """
    folds = labels.folds(plan.outer, seed=seed)
    outside = [labels.take(folds != fold) for fold in range(plan.outer)]
    parts = [labels, *outside]
    if plan.inner is not None:
        for part in outside:
            inner = part.folds(plan.inner, seed=seed, key=INNER)
            parts += [part.take(inner != fold) for fold in range(plan.inner)]
    for key, number in plan.steps.items():
        for part in parts:
            part.folds(number, seed=seed, key=key)


def _deal(counts: NDArray[np.float64], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    weight = 1.0 / counts.sum(axis=0) ** 2
    held = np.zeros((n_folds, counts.shape[1]))
    result = np.empty(len(counts), dtype=np.intp)
    for position, patient in enumerate(order):
        empty = np.flatnonzero(held.sum(axis=1) == 0)
        if len(empty) >= len(order) - position:
            fold = int(empty[0])
        else:
            # Growth of the sum of squared class shares; equals go to the smaller, then to the earlier fold.
            growth = (held * counts[patient] * weight).sum(axis=1)
            fold = int(np.lexsort((held.sum(axis=1), growth.round(12)))[0])
        held[fold] += counts[patient]
        result[patient] = fold
    return result


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
