"""Checks of what a statistic is given; everything after them may trust its arrays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import EvaluationError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# Probabilities that were written with two decimals still sum to 1 within this.
_ROUNDED_SUM = 0.02


@dataclass(frozen=True)
class Ranked:
    """Scores to be ranked, one column per class against the rest.

    Attributes
    ----------
    positive : (n, K) array of bool
        True where the case is of the class.
    scores : (n, K) array
        Scores of the class; higher means more likely.
    names : tuple of str
        The classes as messages write them.
    """

    positive: Booleans
    scores: Floats
    names: tuple[str, ...]

    def one(self, k: int) -> Ranked:
        """One of the classes."""
        return Ranked(self.positive[:, k : k + 1], self.scores[:, k : k + 1], self.names[k : k + 1])


@dataclass(frozen=True)
class Clusters:
    """Patients of the cases.

    Attributes
    ----------
    codes : (n,) array of int or None
        Patient number of each case; None where no patient has two cases, or none were given.
    count : int or None
        Number of patients; None where none were given.
    """

    codes: Integers | None = None
    count: int | None = None

    def sums(self, values: Floats) -> Floats:
        """Sums of (n,) values per patient where patients have several cases; else the values themselves."""
        return values if self.codes is None else np.asarray(np.bincount(self.codes, weights=values), dtype=np.float64)

    def where(self, kept: Booleans) -> Clusters:
        """The patients of some of the cases, or of none."""
        if self.codes is None or not kept.any():
            return self
        return clusters(self.codes[kept], int(kept.sum()))


def binary(labels: ArrayLike, scores: ArrayLike, positive: Hashable, *, name: str = "scores") -> Ranked:
    """Check labels and scores of one class against the rest."""
    codes, known = _codes(labels, "labels")
    found = [name == positive for name in known]
    if len(known) > 1 and not any(found):
        raise EvaluationError(f"no label equals positive={positive!r}; the labels are {_listed(known)}")
    values = _floats(scores, name, (len(codes),))
    return Ranked(np.asarray(found, dtype=bool)[codes][:, None], values[:, None], (repr(positive),))


def multiclass(labels: ArrayLike, scores: ArrayLike, classes: Sequence[Hashable], *, name: str = "scores") -> Ranked:
    """Check labels and a (cases, classes) array of scores; one column per class against the rest."""
    codes = class_codes(labels, classes)
    values = _floats(scores, name, (len(codes), len(classes)))
    positive = codes[:, None] == np.arange(len(classes))
    return Ranked(positive, values, tuple(repr(name) for name in classes))


def risks(labels: ArrayLike, probabilities: ArrayLike, positive: Hashable) -> Ranked:
    """Check labels and the (n,) probabilities of one class against the rest."""
    return _within(binary(labels, probabilities, positive, name="probabilities"))


def probability_matrix(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[Hashable]) -> Ranked:
    """Check labels and the probabilities of all classes: (n, K) whose rows sum to 1, or (n,) of the second of two."""
    matrix = np.asarray(probabilities)
    if matrix.ndim == 1 and len(classes) == 2:
        second = _floats(matrix, "probabilities", (len(matrix),))
        matrix = np.stack([1 - second, second], axis=1)
    ranked = _within(multiclass(labels, matrix, classes, name="probabilities"))
    sums = ranked.scores.sum(axis=1)
    strange = np.abs(sums - 1) > _ROUNDED_SUM
    if strange.any():
        raise EvaluationError(
            f"probabilities sum to {sums[strange][0]:.4g}, not 1, {_places(strange)}; allowed are rows that sum to 1"
        )
    return ranked


def class_codes(labels: ArrayLike, classes: Sequence[Hashable], name: str = "labels") -> Integers:
    """Position of each label in `classes`, (n,) array of int."""
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise EvaluationError(f"classes are {_listed(classes)}; allowed are two or more different names")
    codes, known = _codes(labels, name)
    position = {each: index for index, each in enumerate(classes)}
    if strange := [each for each in known if each not in position]:
        raise EvaluationError(f"{name} hold {_listed(strange)}; allowed are the classes {_listed(classes)}")
    return np.asarray([position[each] for each in known], dtype=np.int64)[codes]


def same_length(name: str, values: ArrayLike, n: int) -> None:
    """Refuse a second array of another length than the first."""
    if (found := len(np.asarray(values))) != n:
        raise EvaluationError(f"{name} has {found} entries where the labels have {n}; allowed is one per case")


def clusters(patients: ArrayLike | None, n: int) -> Clusters:
    """Check patient identifiers, one per case."""
    if patients is None:
        return Clusters()
    same_length("patients", patients, n)
    codes, known = _codes(patients, "patients")
    return Clusters(codes if len(known) < n else None, len(known))


def level_of(level: float) -> float:
    """Check a confidence level."""
    if not 0 < level < 1:
        raise EvaluationError(f"level is {level}; allowed are numbers between 0 and 1, such as 0.95")
    return float(level)


def _codes(values: ArrayLike, name: str) -> tuple[Integers, list[Any]]:
    """Numbers standing for the distinct entries, and the entries in order of appearance."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise EvaluationError(f"{name} have shape {array.shape}; allowed is one dimension with at least one case")
    codes, known = pd.factorize(array)
    if (codes < 0).any():
        raise EvaluationError(f"{name} are missing {_places(codes < 0)}; leave such cases out first")
    return codes.astype(np.int64, copy=False), known.tolist()


def _floats(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name} are not numbers: {error}") from error
    if array.shape != shape:
        raise EvaluationError(f"{name} have shape {array.shape}; allowed is {shape}, one row per label")
    finite = np.isfinite(array)
    if not finite.all():
        strange = np.asarray(~finite.reshape(len(array), -1).all(axis=1), dtype=bool)
        raise EvaluationError(f"{name} are missing or infinite {_places(strange)}; allowed are finite numbers")
    return array


def _within(ranked: Ranked) -> Ranked:
    low, high = ranked.scores.min(), ranked.scores.max()
    if low < 0 or high > 1:
        raise EvaluationError(f"probabilities reach from {low:.4g} to {high:.4g}; allowed is 0 to 1")
    return ranked


def _places(found: Booleans) -> str:
    rows = np.flatnonzero(found)
    more = ", ..." if len(rows) > 5 else ""
    return f"in {len(rows)} of {len(found)} cases (positions {', '.join(map(str, rows[:5]))}{more})"


def _listed(names: Sequence[object]) -> str:
    return ", ".join(repr(name) for name in names[:10]) + (", ..." if len(names) > 10 else "")
