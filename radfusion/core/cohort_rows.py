"""How rows of a table are named in a message."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["of_rows"]


def of_rows(rows: Iterable[int], most: int = 5) -> str:
    """Name rows, at most so many by number.

    Examples
    --------
    >>> of_rows([2, 5]), of_rows(range(2, 12))
    ('rows 2, 5', 'rows 2, 3, 4, 5, 6 and 5 more')
    """
    numbers = [str(row) for row in rows]
    shown = ", ".join(numbers[:most]) + (f" and {len(numbers) - most} more" if len(numbers) > most else "")
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"
