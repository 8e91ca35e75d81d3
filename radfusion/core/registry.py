"""One registry for every kind of part that can be named in a study file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from radfusion.errors import UnknownNameError

Item = TypeVar("Item")

__all__ = ["Registry"]


class Registry(Generic[Item]):
    """Names of one kind of part, in the order they were added.

    Parameters
    ----------
    kind : str
        What the names stand for, in the singular: ``"classifier"``.

    Examples
    --------
    >>> colours: Registry[str] = Registry("colour")
    >>> colours.add("red", "#f00")
    '#f00'
    >>> colours["red"]
    '#f00'
    >>> colours["rad"]
    Traceback (most recent call last):
    radfusion.errors.UnknownNameError: no colour is named 'rad'; did you mean 'red'? known: red
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, Item] = {}

    def add(self, name: str, item: Item) -> Item:
        """Register `item` and return it.

        Raises
        ------
        ValueError
            When the name is taken.
        """
        if name in self._items:
            raise ValueError(f"the {self.kind} {name!r} is registered twice")
        self._items[name] = item
        return item

    def register(self, name: str) -> Callable[[Item], Item]:
        """Decorate a function or class to register it under `name`."""
        return lambda item: self.add(name, item)

    def __getitem__(self, name: str) -> Item:
        if name in self._items:
            return self._items[name]
        raise UnknownNameError(self.unknown(name))

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> Mapping[str, Item]:
        """Names and parts, in the order they were added."""
        return dict(self._items)

    def unknown(self, name: str) -> str:
        """Sentence that answers an unknown name with the nearest known ones."""
        return f"no {self.kind} is named {name!r}; {nearest(name, list(self._items))}"


def nearest(name: str, known: list[str]) -> str:
    """End of a sentence that proposes the nearest of the `known` names.

    Examples
    --------
    >>> nearest("lasoo", ["lasso", "none"])
    "did you mean 'lasso'? known: lasso, none"
    """
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}known: {', '.join(known)}"
