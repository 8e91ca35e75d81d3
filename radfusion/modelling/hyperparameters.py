"""Hyperparameters as data: a default, what may stand in a study file, and the range that a search covers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["Choice", "Hyperparameter", "Integer", "Number", "Share"]


@dataclass(frozen=True)
class Hyperparameter(ABC):
    """One hyperparameter of a classifier.

    Attributes
    ----------
    default : object
        Good without a search.
    """

    default: Any

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What may be stated, in words."""

    @property
    @abstractmethod
    def searched(self) -> str:
        """What a search covers, in words; empty where it leaves the default."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether the value may be stated."""

    @abstractmethod
    def suggest(self, trial: Trial, name: str) -> Any:
        """A value for a trial of the search."""


@dataclass(frozen=True)
class Number(Hyperparameter):
    """A positive number, searched on a logarithmic scale.

    Examples
    --------
    >>> penalty = Number(0.1, (0.001, 10.0))
    >>> penalty.searched, penalty.accepts(100), penalty.accepts(0)
    ('0.001 to 10, logarithmic', True, False)
    """

    search: tuple[float, float] | None = None

    @property
    def allowed(self) -> str:
        """A number above 0."""
        return "a number above 0"

    @property
    def searched(self) -> str:
        """Both ends."""
        return f"{self.search[0]:g} to {self.search[1]:g}, logarithmic" if self.search else ""

    def accepts(self, value: Any) -> bool:
        """Whether it is a number above 0."""
        return _is_number(value) and 0 < value < float("inf")

    def suggest(self, trial: Trial, name: str) -> float:
        """Log-uniform."""
        low, high = self.search or (self.default, self.default)
        return trial.suggest_float(name, low, high, log=True)


@dataclass(frozen=True)
class Share(Hyperparameter):
    """A share, above 0 and at most 1, searched uniformly."""

    search: tuple[float, float] | None = None

    @property
    def allowed(self) -> str:
        """Above 0 and at most 1."""
        return "a number above 0 and at most 1"

    @property
    def searched(self) -> str:
        """Both ends."""
        return f"{self.search[0]:g} to {self.search[1]:g}" if self.search else ""

    def accepts(self, value: Any) -> bool:
        """Whether it is a share."""
        return _is_number(value) and 0 < value <= 1

    def suggest(self, trial: Trial, name: str) -> float:
        """Uniform."""
        low, high = self.search or (self.default, self.default)
        return trial.suggest_float(name, low, high)


@dataclass(frozen=True)
class Integer(Hyperparameter):
    """A whole number of at least `least`, searched uniformly."""

    search: tuple[int, int] | None = None
    least: int = 1

    @property
    def allowed(self) -> str:
        """The least."""
        return f"a whole number of at least {self.least}"

    @property
    def searched(self) -> str:
        """Both ends."""
        return f"{self.search[0]} to {self.search[1]}" if self.search else ""

    def accepts(self, value: Any) -> bool:
        """Whether it is whole and large enough."""
        return isinstance(value, int) and not isinstance(value, bool) and value >= self.least

    def suggest(self, trial: Trial, name: str) -> int:
        """Uniform, with both ends."""
        low, high = self.search or (self.default, self.default)
        return trial.suggest_int(name, low, high)


@dataclass(frozen=True)
class Choice(Hyperparameter):
    """One of some values, all of them searched."""

    values: tuple[str | int | float, ...]

    @property
    def allowed(self) -> str:
        """The values."""
        return f"one of {', '.join(map(str, self.values))}"

    @property
    def searched(self) -> str:
        """The values."""
        return " or ".join(map(str, self.values))

    def accepts(self, value: Any) -> bool:
        """Whether it is one of them."""
        return value in self.values

    def suggest(self, trial: Trial, name: str) -> Any:
        """Any of them."""
        return trial.suggest_categorical(name, self.values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
