"""Columns of a table as variables: numbers or categories, with what is missing kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Booleans, Floats, Integers, _codes

__all__ = ["Groups", "Variable", "groups_of", "variables_of"]


@dataclass(frozen=True)
class Groups:
    """Groups of the rows of a table.

    Attributes
    ----------
    names : tuple of k str
        Groups in the order of their categories, of their names where they have none.
    codes : (n,) array of int
        Place of each row's group in `names`.
    """

    names: tuple[str, ...]
    codes: Integers


@dataclass(frozen=True)
class Variable:
    """One column of a table.

    Attributes
    ----------
    name : str
        Name of the column.
    known : (n,) array of bool
        False where the value is missing.
    values : (n,) array
        Numbers, NaN where missing; for categories the place in `levels`, -1 where missing.
    levels : tuple of str or None
        Names of the categories; None for numbers.
    """

    name: str
    known: Booleans
    values: Floats
    levels: tuple[str, ...] | None

    def parts(self, groups: Groups) -> list[Floats]:
        """Known values of each group."""
        return [self.values[self.known & (groups.codes == k)] for k in range(len(groups.names))]

    def table(self, groups: Groups) -> Integers:
        """Counts of the categories in each group, (k, levels) array."""
        levels = range(len(self.levels or ()))
        return np.array([[int((part == level).sum()) for level in levels] for part in self.parts(groups)])

    def missing(self, groups: Groups) -> Integers:
        """Number of missing values in each group, (k,) array."""
        return np.bincount(groups.codes[~self.known], minlength=len(groups.names))


def groups_of(groups: ArrayLike, n: int) -> Groups:
    """Check the group of each row."""
    _codes(groups, "groups")
    if len(np.asarray(groups)) != n:
        raise EvaluationError(f"groups has {len(np.asarray(groups))} entries where the table has {n} rows")
    found = pd.Categorical(pd.Series(groups)).remove_unused_categories()
    return Groups(tuple(map(str, found.categories)), found.codes.astype(np.int64))


def variables_of(frame: pd.DataFrame, numbers: Sequence[str] | None) -> list[Variable]:
    """Check the columns of a table."""
    if not len(frame.columns) or not frame.columns.is_unique:
        raise EvaluationError("the table has no column, or two of one name; allowed are columns with different names")
    if strange := [name for name in numbers or () if name not in frame.columns]:
        raise EvaluationError(f"the table has no column {strange[0]!r}; it has {', '.join(map(repr, frame.columns))}")
    return [_variable(str(name), frame[name], None if numbers is None else name in numbers) for name in frame.columns]


def _variable(name: str, column: pd.Series, is_number: bool | None) -> Variable:
    empty = column.map(lambda value: isinstance(value, str) and not value.strip()).to_numpy(dtype=bool)
    known = column.notna().to_numpy(dtype=bool) & ~empty
    if is_number is None:
        numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
        is_number = numeric and column[known].nunique() > 2
    if is_number:
        return Variable(name, known, _numbers(name, column, known), None)
    found = pd.Categorical(column.where(known)).remove_unused_categories()
    return Variable(name, known, found.codes.astype(np.float64), tuple(map(str, found.categories)))


def _numbers(name: str, column: pd.Series, known: Booleans) -> Floats:
    values = np.full(len(column), np.nan)
    try:
        values[known] = column[known].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"column {name!r} does not hold numbers: {error}") from error
    if np.isinf(values).any():
        raise EvaluationError(f"column {name!r} holds infinite values; allowed are finite numbers and missing values")
    return values
