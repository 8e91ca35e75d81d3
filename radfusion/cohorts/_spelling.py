"""Identifiers that may be those of one person."""

from __future__ import annotations

import re

__all__ = ["plain_spelling"]

#: A decimal nought of a spreadsheet, leading zeros, and separators but those between digits: 1-2 is not 12.
_SPELLING = re.compile(r"(?<=[0-9])[.]0+$|(?<![0-9])0+(?=[0-9])|(?<![0-9])[\W_]+|[\W_]+(?![0-9])")


def plain_spelling(patient: object) -> str:
    """Identifier without capitals, leading zeros and separators.

    Examples
    --------
    >>> plain_spelling("P-007") == plain_spelling("p7"), plain_spelling("1-2") == plain_spelling("12")
    (True, False)
    """
    return _SPELLING.sub("", str(patient)).casefold()
