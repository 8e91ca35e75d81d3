"""Transforms: what fitted steps do to rows, as numbers that can be kept, restricted and written to a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.modelling.rows import Rows

__all__ = ["TRANSFORMS", "Affine", "Columnwise", "Impute", "Keep", "Transform", "positions"]

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


class Transform(ABC):
    """A fitted change of features: takes `inputs` out of the rows and puts `outputs` in.

    Each is registered under its ``kind``. Cases never influence each other.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Features that are needed."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Features that come of it."""

    @property
    def asks(self) -> Mapping[str, tuple[str, ...]]:
        """What :meth:`change` must be told of every case: ``centre`` or a covariate, with the values that it knows.

        No values: any will do.
        """
        return {}

    @abstractmethod
    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:
        """(n, outputs) array of an (n, inputs) array."""

    @abstractmethod
    def restrict(self, outputs: Sequence[str]) -> Transform | None:
        """The same for some of the outputs, in the given order; None where that leaves values as they are."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Numbers to keep."""

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """What else to keep, as JSON values."""

    @classmethod
    @abstractmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Self:
        """The transform of :meth:`arrays` and :meth:`told`."""

    def apply(self, rows: Rows) -> Rows:
        """Rows with `outputs` in place of `inputs`; other features pass."""
        inputs = set(self.inputs)
        others = rows.select([name for name in rows.names if name not in inputs])
        values = self.change(rows.select(self.inputs).values, rows.facts)
        return others.beside(Rows(values, self.outputs, rows.facts))


TRANSFORMS: Registry[type[Transform]] = Registry("transform")


def positions(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Where the wanted names stand among the names."""
    return np.asarray(pd.Index(list(names)).get_indexer(pd.Index(list(wanted))), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Keep(Transform):
    """Some features stay, the others go; no number changes."""

    kind: ClassVar[str] = "keep"
    names: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Features that stay."""
        return self.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """Features that stay."""
        return self.names

    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:  # noqa: ARG002 - as every transform
        """The values as they are."""
        return values

    def restrict(self, outputs: Sequence[str]) -> None:  # noqa: ARG002
        """Nothing: whoever needs fewer features takes fewer."""
        return

    def arrays(self) -> dict[str, NDArray[Any]]:
        """None."""
        return {}

    def told(self) -> dict[str, Any]:
        """The names."""
        return {"names": list(self.names)}

    @classmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Keep:  # noqa: ARG003
        """As it was."""
        return cls(tuple(told["names"]))


TRANSFORMS.add("keep", Keep)


@dataclass(frozen=True, eq=False)
class Columnwise(Transform):
    """One number or more per feature: the last axis of every array runs along the features.

    Attributes
    ----------
    names : tuple of str
        The p features.
    """

    names: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features."""
        return self.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """The same features."""
        return self.names

    def restrict(self, outputs: Sequence[str]) -> Transform | None:
        """The same for some of the features."""
        columns = positions(self.names, outputs)
        kept = {name: array[..., columns] for name, array in self.arrays().items()}
        return self.kept(kept, self.told() | {"names": list(outputs)})

    def told(self) -> dict[str, Any]:
        """The names."""
        return {"names": list(self.names)}


@dataclass(frozen=True, eq=False)
class Impute(Columnwise):
    """A missing value becomes a number of the training cases.

    Attributes
    ----------
    fill : (p,) array
        What stands in for a missing value.
    """

    kind: ClassVar[str] = "impute"
    fill: Floats

    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:  # noqa: ARG002
        """The values, filled in."""
        return np.where(np.isfinite(values), values, self.fill)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``fill``."""
        return {"fill": self.fill}

    @classmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Impute:
        """As it was."""
        return cls(tuple(told["names"]), arrays["fill"])


TRANSFORMS.add("impute", Impute)


@dataclass(frozen=True, eq=False)
class Affine(Columnwise):
    """Each feature less its centre, divided by its scale.

    Attributes
    ----------
    centre, scale : (p,) arrays
        Of the training cases.
    """

    kind: ClassVar[str] = "affine"
    centre: Floats
    scale: Floats

    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:  # noqa: ARG002
        """The standardised values."""
        return np.asarray((values - self.centre) / self.scale)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``centre`` and ``scale``."""
        return {"centre": self.centre, "scale": self.scale}

    @classmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Affine:
        """As it was."""
        return cls(tuple(told["names"]), arrays["centre"], arrays["scale"])


TRANSFORMS.add("affine", Affine)
