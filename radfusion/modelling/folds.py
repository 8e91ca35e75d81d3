"""Folds: parts of the training set that keep the cases of a patient together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import UserError

__all__ = ["TrainingLabels", "check_folds", "patient_folds"]


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
        """Labels of cohort rows (``label``, ``patient``).

        Raises
        ------
        UserError
            When a class has no case.
        """
        codes = np.asarray(pd.Index(classes).get_indexer(pd.Index(rows["label"])), dtype=np.intp)
        patients = np.asarray(pd.factorize(rows["patient"])[0], dtype=np.intp)
        labels = cls(codes, patients, tuple(classes))
        absent = [name for name, count in labels.counts().items() if count == 0]
        if absent:
            raise UserError(f"no training case of class {', '.join(map(repr, absent))}: {_counted(labels.counts())}")
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

    def folds(self, n_folds: int, *, seed: int) -> NDArray[np.intp]:
        """(n,) fold of each case; see :func:`patient_folds`."""
        return patient_folds(np.asarray(self.classes, dtype=object)[self.codes], self.patients, n_folds, seed=seed)


def patient_folds(labels: ArrayLike, patients: ArrayLike, n_folds: int, *, seed: int) -> NDArray[np.intp]:
    """Assign cases to folds: all cases of a patient to one fold, classes spread as evenly as that allows.

    Patients are dealt in random order, those with most cases first, each to the fold where its classes are rarest so
    far.

    Parameters
    ----------
    labels : (n,) array
        Classes.
    patients : (n,) array
        Patient of each case.
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
    >>> patient_folds(["a", "a", "b", "b", "a", "b"], [1, 1, 2, 2, 3, 4], 2, seed=1).tolist()
    [0, 0, 1, 1, 1, 0]
    """
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (owner, codes), 1.0)
    owners_per_class = (counts > 0).sum(axis=0)
    if len(names) < n_folds or n_folds < 2:
        raise UserError(f"{n_folds} folds of {len(names)} patients: at least 2 folds, at most as many as patients")
    if owners_per_class.min() < 2:
        short = _counted(dict(zip(map(str, classes), map(int, owners_per_class), strict=True)))
        raise UserError(f"every class needs at least 2 patients, or a fold is left without it; patients: {short}")
    fold_of_patient = _deal(counts, n_folds, np.random.default_rng(seed))
    folds = fold_of_patient[owner]
    for fold in range(n_folds):
        absent = np.setdiff1d(np.arange(len(classes)), codes[folds != fold])
        if absent.size:
            raise UserError(f"class {str(classes[absent[0]])!r} has too few patients for {n_folds} folds")
    return np.asarray(folds, dtype=np.intp)


def check_folds(labels: TrainingLabels, n_folds: int, inner: int, *, seed: int) -> None:
    """Deal outer folds, and inner folds of what is left without each, as fitting will.

    Raises
    ------
    UserError
        When a class has too few patients for them.
    """
    folds = labels.folds(n_folds, seed=seed)
    labels.folds(inner, seed=seed)
    for fold in range(n_folds):
        labels.take(folds != fold).folds(inner, seed=seed)


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
