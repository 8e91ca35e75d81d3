"""Whether a feature table has seen validation cases: scaled, projected or filled up over more than training (RF02).

What a scaler or a principal component analysis leaves behind is exact: means of 0 and standard deviations of 1, or no
correlation at all, over the very rows that it was fitted on. No honest table meets that by chance; the tolerance
follows the digits that the table was printed with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from radfusion.core.registry import Registry

__all__ = ["LEAK_TESTS", "Scope", "TableRows", "already_scaled", "found_leaks", "scopes_of"]

Mask: TypeAlias = NDArray[np.bool_]
#: What rounding of a computation leaves of 0 and 1.
TOLERANCE = 1e-6
#: Tolerance above which a column says too little by itself, so that half of the columns must agree.
COARSE = 1e-4
#: Columns that must agree; all of them in a table with fewer.
ENOUGH = 3
#: Rows below which nothing is concluded, and different values that a scale needs.
FEW_ROWS, FEW_VALUES = 8, 8
#: Chance from which a finding proves nothing.
CHANCE = 1e-6
#: Share of the continuous columns that must run from one end to the other, and how near an end is reached.
NEARLY_ALL, AT_END = 0.9, 1e-9
#: Columns printed so coarsely, in units of the standard deviation, are not looked at.
TOO_COARSE = 0.006


@dataclass(frozen=True)
class TableRows:
    """The rows of a table that has become features.

    Attributes
    ----------
    values : (rows, features) array of float64
        NaN where missing.
    steps : (features,) array of float64
        Difference that the printed digits can show.
    names : tuple of str
        Features.
    cases, patients, sets, files : (rows,) arrays of str
        Set and patient are empty for rows that no case of the cohort uses.
    """

    values: NDArray[np.float64]
    steps: NDArray[np.float64]
    names: tuple[str, ...]
    cases: NDArray[np.str_]
    patients: NDArray[np.str_]
    sets: NDArray[np.str_]
    files: NDArray[np.str_]

    @property
    def used(self) -> Mask:
        """Rows of cases of the cohort."""
        used: Mask = self.sets != ""
        return used

    @property
    def training(self) -> Mask:
        """Rows of training cases."""
        training: Mask = self.sets == "training"
        return training

    def taken(self, mask: Mask) -> TableRows:
        """Some of the rows."""
        own = {name: getattr(self, name)[mask] for name in ("values", "cases", "patients", "sets", "files")}
        return replace(self, **own)


@dataclass(frozen=True)
class Scope:
    """Rows over which something may have been fitted, in words; never the training rows alone."""

    words: str
    mask: Mask
    alone: bool = False


LeakTest: TypeAlias = Callable[[TableRows, Scope], Iterator[str]]
LEAK_TESTS: Registry[LeakTest] = Registry("leak test")


def scopes_of(rows: TableRows) -> list[Scope]:
    """Rows that a study must not fit anything on: all, those of the cohort, of each file and of each later set."""
    named = [Scope("all rows of the table", np.ones(len(rows.sets), dtype=bool))]
    named += [Scope("all cases of the study, training and validation together", rows.used)]
    named += [Scope(f"all rows of {name}", rows.files == name) for name in dict.fromkeys(rows.files.tolist())]
    later = [name for name in dict.fromkeys(rows.sets.tolist()) if name not in ("", "training")]
    named += [Scope(f"the {name} set alone", rows.sets == name, alone=True) for name in later]
    found: list[Scope] = []
    for scope in named:
        foreign = bool((scope.mask & ~rows.training).any()) and scope.mask.sum() >= FEW_ROWS
        if foreign and not any((scope.mask == each.mask).all() for each in found):
            found.append(scope)
    return found


def found_leaks(rows: TableRows) -> list[str]:
    """One sentence for the widest rows that something was fitted on, and one for each set that was scaled alone.

    Parameters
    ----------
    rows : TableRows
        All rows of the table.
    """
    found: list[str] = []
    for scope in scopes_of(rows):
        if not scope.alone and found:
            continue
        sentences = (sentence for test in LEAK_TESTS.items().values() for sentence in test(rows, scope))
        found += list(sentences)[:1]
    return found


def already_scaled(rows: TableRows) -> int:
    """Features whose training rows alone have mean 0 and standard deviation 1: fitted where it may be, but once."""
    training = rows.taken(rows.training)
    return int(_standardised(training).sum()) if len(training.cases) >= FEW_ROWS else 0


@LEAK_TESTS.register("principal components")
def projected(rows: TableRows, scope: Scope) -> Iterator[str]:
    """Components: means of 0 and no correlation between any two over the rows that they were fitted on."""
    inside = rows.taken(scope.mask)
    columns = np.flatnonzero(_centred(inside))
    if not 2 <= len(columns) < len(inside.cases):
        return
    chosen, worst, allowed = _uncorrelated(inside, columns)
    if not chosen or _chance(allowed, len(columns), len(inside.cases)) > CHANCE:
        return
    training = rows.taken(scope.mask & rows.training)
    alone = _largest_correlation(training, columns) if len(training.cases) >= FEW_ROWS else 1.0
    if alone <= allowed:
        return
    yield (
        f"{len(columns)} of {len(rows.names)} features are principal components of {scope.words} ({len(inside.cases)} "
        f"rows): there every mean is 0 and the largest correlation of two is {worst:.1e}"
        f"{f'; over their {len(training.cases)} training rows it is {alone:.2f}' if len(training.cases) else ''}. "
        "The components were turned by the cases that the models are to be judged on"
    )


@LEAK_TESTS.register("z-score")
def standardised(rows: TableRows, scope: Scope) -> Iterator[str]:
    """z-scores: means of 0 and standard deviations of 1 over the rows that the scaler was fitted on."""
    inside, training = rows.taken(scope.mask), rows.taken(scope.mask & rows.training)
    hits = _standardised(inside)
    alone = _standardised(training) & hits if len(training.cases) >= FEW_ROWS else np.zeros_like(hits)
    if not _enough(inside, hits) or alone.sum() * 2 >= hits.sum():
        return
    yield (
        f"{hits.sum()} of {len(rows.names)} features are z-scores of {scope.words} ({len(inside.cases)} rows): there "
        "the mean is 0 and the standard deviation 1"
        f"{f'; over their {len(training.cases)} training rows in {alone.sum()}' if len(training.cases) else ''}. "
        "The scaler has seen the cases that the models are to be judged on"
    )


@LEAK_TESTS.register("range")
def ranged(rows: TableRows, scope: Scope) -> Iterator[str]:
    """Values from 0 to 1 (or -1 to 1), both ends reached, and not by training cases alone."""
    inside, training = rows.taken(scope.mask), rows.taken(scope.mask & rows.training)
    judged = _continuous(inside)
    if judged.sum() * 2 < len(judged):
        return
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        hits, alone = (_spans(each, low, high) & judged for each in (inside, training))
        if hits.sum() < max(ENOUGH, NEARLY_ALL * judged.sum()) or not (hits & ~alone).any():
            continue
        yield (
            f"{hits.sum()} of {len(rows.names)} features run from {low:g} to {high:g} over {scope.words} "
            f"({len(inside.cases)} rows), both ends reached; by their training rows in {(hits & alone).sum()} only. "
            "The scaler has seen the cases that the models are to be judged on"
        )


def _moments(rows: TableRows) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int_]]:
    """Mean, standard deviation (n) and number of the known values of each column; 0 where there are too few."""
    known = np.isfinite(rows.values)
    count = known.sum(axis=0)
    filled = np.where(known, rows.values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (filled - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count, 1))
    enough = count >= FEW_ROWS
    return np.where(enough, mean, 0.0), np.where(enough, spread, 0.0), count


def _tolerance(rows: TableRows) -> NDArray[np.float64]:
    """What the digits of a column leave open of its mean: half a step, if they were cut rather than rounded."""
    return TOLERANCE + rows.steps / 2


def _standardised(rows: TableRows) -> Mask:
    mean, spread, count = _moments(rows)
    allowed = _tolerance(rows)
    by_n = np.abs(spread - 1) <= allowed
    by_less = np.abs(spread * np.sqrt(count / np.maximum(count - 1, 1)) - 1) <= allowed
    hits: Mask = (np.abs(mean) <= allowed) & (by_n | by_less) & (allowed <= TOO_COARSE)
    return hits


def _enough(rows: TableRows, hits: Mask) -> bool:
    """Whether so many columns cannot be met by chance: few of many digits, or half of those with few."""
    _, spread, _ = _moments(rows)
    judged = (spread > 0) & (_tolerance(rows) <= TOO_COARSE)
    fine = hits & (_tolerance(rows) <= COARSE)
    return bool(fine.sum() >= min(ENOUGH, max(judged.sum(), 1)) or hits.sum() >= max(ENOUGH, judged.sum() / 2))


def _centred(rows: TableRows) -> Mask:
    """Columns without gaps whose mean is 0 as far as their digits tell."""
    mean, spread, count = _moments(rows)
    whole = (count == len(rows.cases)) & (spread > 0)
    relative = np.divide(rows.steps, 2 * spread, out=np.ones_like(spread), where=spread > 0)
    centred: Mask = whole & (relative <= TOO_COARSE) & (np.abs(mean) <= TOLERANCE * spread + rows.steps / 2)
    return centred


def _uncorrelated(rows: TableRows, columns: NDArray[np.intp]) -> tuple[bool, float, float]:
    """Whether the columns have no correlation, the largest that they have, and what their digits allow."""
    _, spread, _ = _moments(rows)
    allowed = TOLERANCE + 2 * float((rows.steps[columns] / 2 / spread[columns]).max())
    worst = _largest_correlation(rows, columns)
    return worst <= allowed, worst, allowed


def _chance(allowed: float, columns: int, rows: int) -> float:
    """Chance that means and correlations of independent columns are all within what is allowed."""
    conditions = columns + columns * (columns - 1) / 2
    return float(min(allowed * math.sqrt(rows), 1.0) ** conditions)


def _largest_correlation(rows: TableRows, columns: Sequence[int] | NDArray[np.intp]) -> float:
    values = rows.values[:, columns]
    values = values - values.mean(axis=0)
    norms = np.sqrt((values**2).sum(axis=0))
    scaled = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    matrix = np.abs(scaled.T @ scaled)
    np.fill_diagonal(matrix, 0.0)
    return float(matrix.max())


def _continuous(rows: TableRows) -> Mask:
    """Columns with more than a few values, most of them different."""
    return np.array([_varied(column[np.isfinite(column)]) for column in rows.values.T], dtype=bool)


def _varied(values: NDArray[np.float64]) -> bool:
    return len(np.unique(values)) > max(FEW_VALUES, len(values) / 2)


def _spans(rows: TableRows, low: float, high: float) -> Mask:
    """Columns that reach both ends and pass none, each end in one row: a scaled extreme has no company, a limit has."""
    known = np.isfinite(rows.values)
    outside = known & ((rows.values < low - AT_END) | (rows.values > high + AT_END))
    ends = [(known & (np.abs(rows.values - end) <= AT_END)).sum(axis=0) == 1 for end in (low, high)]
    spans: Mask = ends[0] & ends[1] & ~outside.any(axis=0)
    return spans
