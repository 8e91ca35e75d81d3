"""Checks of samples, groups and tables of counts; everything after them may trust its arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats, Integers, _codes, _floats

# A spread smaller than this share of the values is rounding error: they are one value.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Samples:
    """Values of several groups.

    Attributes
    ----------
    names : tuple of k str
        The groups in order of appearance.
    parts : tuple of k (n_i,) arrays
        Their values.
    """

    names: tuple[str, ...]
    parts: tuple[Floats, ...]

    @property
    def sizes(self) -> Floats:
        """Number of values of each group, (k,) array."""
        return np.array([len(part) for part in self.parts], dtype=np.float64)

    @property
    def means(self) -> Floats:
        """Mean of each group, (k,) array."""
        return np.array([mean(part) for part in self.parts])

    @property
    def squares(self) -> Floats:
        """Sum of squared deviations from the mean in each group, (k,) array."""
        return np.array([0.0 if is_one_value(part) else ((part - part.mean()) ** 2).sum() for part in self.parts])


def sample(values: ArrayLike, name: str = "values") -> Floats:
    """Check one sample: (n,) finite numbers, n >= 1."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise EvaluationError(f"{name} have shape {array.shape}; allowed is one dimension with at least one value")
    return _floats(array, name, array.shape)


def paired_samples(values_a: ArrayLike, values_b: ArrayLike) -> tuple[Floats, Floats]:
    """Check two measurements of the same cases."""
    a, b = sample(values_a, "values_a"), sample(values_b, "values_b")
    if len(a) != len(b):
        raise EvaluationError(
            f"values_b has {len(b)} entries where values_a has {len(a)}; allowed are pairs, one of each per case"
        )
    return a, b


def samples(values: ArrayLike, groups: ArrayLike) -> Samples:
    """Check values and the group of each."""
    found = sample(values)
    codes, known = _codes(groups, "groups")
    if len(codes) != len(found):
        raise EvaluationError(
            f"groups has {len(codes)} entries where the values have {len(found)}; allowed is one each"
        )
    return Samples(tuple(map(str, known)), tuple(found[codes == k] for k in range(len(known))))


def counts(table: ArrayLike) -> Integers:
    """Check a table of counts, two or more rows (groups) by two or more columns (categories)."""
    try:
        array = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"table does not hold numbers: {error}") from error
    if array.ndim != 2 or min(array.shape) < 2:
        raise EvaluationError(f"table has shape {array.shape}; allowed are two or more rows and columns")
    if not (np.isfinite(array) & (array >= 0) & (array == np.round(array))).all():
        raise EvaluationError("table does not hold counts; allowed are whole numbers from 0")
    if not array.any():
        raise EvaluationError("table holds no case; allowed are tables of one or more cases")
    return array.astype(np.int64)


def mean(values: Floats) -> float:
    """Mean without the rounding error of the sum, as in R: the mean of what a first mean leaves is added."""
    first = values.mean()
    return float(first + (values - first).mean())


def is_one_value(values: Floats) -> bool:
    """Whether the values are all the same, apart from rounding."""
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())
