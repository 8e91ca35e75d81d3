"""Rows that cannot be those of different patients: copies, and points between two others (SMOTE)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from radfusion.extraction.imported.leaks import FEW_ROWS, TableRows

__all__ = ["MOST_ROWS", "between_rows", "equal_rows"]

#: Chance of equal rows from which they prove nothing.
CHANCE = 1e-3
#: Rows up to which points between two others are looked for: the work grows with their third power.
MOST_ROWS = 1_000
#: Directions that rows are looked at in first, and the angle (1 - cosine) within which two are opposite there.
_DIRECTIONS, _OPPOSITE = 6, 1e-6
#: Share of the largest singular value that counts as a direction of its own.
_RANK = 1e-3
_SHOWN = 3
#: Neighbours that tell how dense the values of a feature lie; copies are none of them.
_COPIES, _NEAREST = 2, 5
#: How near values lie to multiples of their least difference where they are counts.
_COUNTS = 1e-3


def equal_rows(rows: TableRows) -> Iterator[str]:
    """Cases of different patients with the same value in every feature.

    A feature at the end of its range says nothing: silent units are 0 in many cases. Of the others, at most as many
    count as the table has independent directions, each by how likely another case has the same printed value there.

    Parameters
    ----------
    rows : TableRows
        Rows of the cohort.
    """
    found = [
        " = ".join(f"{rows.cases[place]} ({rows.sets[place]})" for place in places[:_SHOWN])
        for places in _groups(rows)
        if len(set(rows.patients[places])) > 1 and _chance(rows, int(places[0])) < CHANCE
    ]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield (
            f"different patients have the same values in all {len(rows.names)} features: {'; '.join(found[:_SHOWN])}"
            f"{more}. Rows were repeated (oversampling before the split), or one patient has two names"
        )


def between_rows(rows: TableRows) -> Iterator[str]:
    """Cases whose features all lie at one point of the line between two other cases, as SMOTE makes them.

    Rows are first compared along a few random directions, on which a point between two others stays between them.

    Parameters
    ----------
    rows : TableRows
        Rows of the cohort.
    """
    whole = np.isfinite(rows.values).all(axis=0) & (np.ptp(rows.values, axis=0) > 0)
    values = rows.values[:, whole]
    if not _DIRECTIONS < len(values) <= MOST_ROWS or values.shape[1] < _DIRECTIONS:
        return
    scale = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / scale
    if _rank(scaled) < _DIRECTIONS:
        return
    allowed = 2 * rows.steps[whole] / scale + 1e-7
    turned = scaled @ np.random.default_rng(0).standard_normal((scaled.shape[1], _DIRECTIONS))
    found = [each for place in range(len(scaled)) for each in _neighbours(scaled, turned, allowed, place=place)]
    if found:
        named = [f"{rows.cases[a]} between {rows.cases[b]} and {rows.cases[c]}" for a, b, c in found[:_SHOWN]]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield (
            f"cases lie exactly between two others in all {values.shape[1]} features: {'; '.join(named)}{more}. They "
            "are synthetic (SMOTE before the split), not patients"
        )


def _groups(rows: TableRows) -> list[NDArray[np.intp]]:
    """Places of rows that are equal in every known value."""
    if len(rows.cases) < FEW_ROWS:
        return []
    plain = np.where(np.isfinite(rows.values), rows.values + 0.0, np.inf)
    _, group, count = np.unique(plain, axis=0, return_inverse=True, return_counts=True)
    return [np.flatnonzero(group.ravel() == each) for each in np.flatnonzero(count > 1)]


def _chance(rows: TableRows, place: int) -> float:
    """Expected number of pairs of rows that agree as this one does, if features were independent of each other."""
    row = rows.values[place]
    known = np.isfinite(rows.values).sum(axis=0) >= len(rows.cases) / 2
    known &= np.isfinite(row)
    low = np.where(np.isfinite(rows.values), rows.values, np.inf).min(axis=0)
    high = np.where(np.isfinite(rows.values), rows.values, -np.inf).max(axis=0)
    telling = known & (row > low) & (row < high)
    if not telling.any():
        return float(len(rows.cases))
    columns = rows.values[:, telling]
    mean = np.nanmean(columns, axis=0)
    filled = np.where(np.isfinite(columns), columns, mean) - mean
    directions = _rank(filled / filled.std(axis=0))
    steps = np.array([_step(*each) for each in zip(columns.T, rows.steps[telling], strict=True)])
    shares = np.sort(_share_alike(columns, row[telling], steps))
    pairs = len(rows.cases) * (len(rows.cases) - 1) / 2
    return float(pairs * np.prod(shares[-directions:]))


def _step(column: NDArray[np.float64], printed: float) -> float:
    """Difference that a column can show: that of counts, however many decimals they are printed with."""
    values = np.unique(column[np.isfinite(column)])
    least = float(np.diff(values).min()) if len(values) > 1 else printed
    places = (values - values[0]) / least if least > printed else np.array([0.5])
    return least if (np.abs(places - np.round(places)) < _COUNTS).all() else printed


def _share_alike(
    columns: NDArray[np.float64], row: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of other cases that have the printed value of a row, by how dense values lie around it."""
    apart = np.sort(np.abs(columns - row), axis=0)[_COPIES : _COPIES + _NEAREST]  # missing ones come last
    width = np.maximum(np.nan_to_num(apart[-1], nan=0.0), steps)
    alike: NDArray[np.float64] = np.minimum(_NEAREST / len(columns) * steps / width, 1.0)
    return alike


def _rank(scaled: NDArray[np.float64]) -> int:
    sizes = np.linalg.svd(scaled, compute_uv=False)
    return int((sizes > _RANK * sizes[0]).sum())


def _neighbours(
    scaled: NDArray[np.float64], turned: NDArray[np.float64], allowed: NDArray[np.float64], *, place: int
) -> list[tuple[int, int, int]]:
    """The two rows that one row lies between, if there are such."""
    away = turned - turned[place]
    length = np.sqrt((away**2).sum(axis=1))
    apart = np.flatnonzero(length > 1e-9)
    unit = away[apart] / length[apart, None]
    first, second = np.nonzero(np.triu(unit @ unit.T < -1 + _OPPOSITE))
    for a, b in zip(apart[first], apart[second], strict=True):
        line = scaled[b] - scaled[a]
        share = float((scaled[place] - scaled[a]) @ line / (line @ line))
        on_it = (np.abs(scaled[place] - scaled[a] - share * line) <= allowed).all()
        # Of rows that are mostly silent, three lie on a line soon.
        if on_it and (np.abs(line) > allowed).sum() >= max(_DIRECTIONS, len(line) / 2):
            return [(place, int(a), int(b))]
    return []
