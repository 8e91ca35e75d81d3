"""PCA: the directions in which the features of a source vary most take their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from radfusion.modelling.rows import Rows
from radfusion.modelling.steps.base import STEPS, FittedStep, Step, Training
from radfusion.modelling.transforms import TRANSFORMS, Arrays, Transform, positions

__all__ = ["Components", "PrincipalComponents"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Components(Transform):
    """Weighted sums of centred features.

    Attributes
    ----------
    names : tuple of str
        The p features.
    components : tuple of str
        Names of the k sums.
    mean : (p,) array
        Of the training cases.
    loadings : (p, k) array
        Weights; 0 where a feature has no part in a sum.
    """

    kind: ClassVar[str] = "components"
    names: tuple[str, ...]
    components: tuple[str, ...]
    mean: Floats
    loadings: Floats

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features."""
        return self.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """The sums."""
        return self.components

    def change(self, values: Floats, facts: pd.DataFrame) -> Floats:  # noqa: ARG002 - as every transform
        """The sums."""
        return np.asarray((values - self.mean) @ self.loadings)

    def restrict(self, outputs: Sequence[str]) -> Components:
        """Some of the sums, of the features that have a part in them."""
        loadings = self.loadings[:, positions(self.components, outputs)]
        used = (loadings != 0).any(axis=1)
        names = tuple(name for name, part in zip(self.names, used, strict=True) if part)
        return Components(names, tuple(outputs), self.mean[used], np.ascontiguousarray(loadings[used]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``mean`` and ``loadings``."""
        return {"mean": self.mean, "loadings": self.loadings}

    def told(self) -> dict[str, Any]:
        """Names of features and sums."""
        return {"names": list(self.names), "components": list(self.components)}

    @classmethod
    def kept(cls, arrays: Arrays, told: Mapping[str, Any]) -> Components:
        """As it was."""
        names, components = tuple(told["names"]), tuple(told["components"])
        # A list of no rows knows nothing of its columns.
        return cls(names, components, arrays["mean"], arrays["loadings"].reshape(len(names), len(components)))


TRANSFORMS.add("components", Components)


@STEPS.register("pca")
class PrincipalComponents(Step):
    """Principal components of every source by itself take the place of its features.

    Meant for deep features; ``sources`` says of which. Components are named ``SOURCE:pca_001`` and so on, by falling
    variance. The feature with the largest weight has a positive one. There are no more of them than features, or than
    cases less one. Features are centred, not scaled: a ``scale`` step before makes them count alike. Components are put
    on the scale of other features by a ``scale`` step after; a chain that has none ends with it.

    References
    ----------
    1. Jolliffe IT, Cadima J. Principal component analysis: a review and recent developments. Phil Trans R Soc A
       2016;374:20150202. doi:10.1098/rsta.2015.0202
    """

    step: Literal["pca"] = "pca"
    n_components: int | None = Field(None, ge=1, description="components of each source at most; null: by variance")
    variance: float = Field(
        0.95, gt=0, le=1, description="without n_components, as many as explain this share of a source's variance"
    )

    def fit(self, training: Training) -> FittedStep:
        """Fit on training rows."""
        rows = training.rows
        sources = list(dict.fromkeys(name.split(":", 1)[0] for name in rows.names))
        found = [self._of_source(source, rows.of_sources([source])[0]) for source in sources]
        names = [name for each in found for name in each.components]
        loadings = np.zeros((len(rows.names), len(names)))
        for each in found:
            loadings[np.ix_(positions(rows.names, each.names), positions(names, each.components))] = each.loadings
        told = {"components": {source: len(each.components) for source, each in zip(sources, found, strict=True)}}
        return FittedStep(Components(rows.names, tuple(names), rows.values.mean(axis=0), loadings), told)

    def _of_source(self, source: str, rows: Rows) -> Components:
        mean = rows.values.mean(axis=0)
        _, sizes, directions = np.linalg.svd(rows.values - mean, full_matrices=False)
        count = self._count(sizes, max(rows.values.shape))
        weights = directions[:count]
        largest = weights[np.arange(count), np.abs(weights).argmax(axis=1)]
        weights = weights * np.sign(largest)[:, None]
        names = tuple(f"{source}:pca_{number:03d}" for number in range(1, count + 1))
        return Components(rows.names, names, mean, weights.T)

    def _count(self, sizes: Floats, longest: int) -> int:
        """Components to keep of those that are more than rounding."""
        real = int((sizes > sizes.max(initial=0.0) * longest * np.finfo(float).eps).sum())
        if self.n_components is not None:
            return min(self.n_components, real)
        explained = np.cumsum(sizes[:real] ** 2)
        enough = np.flatnonzero(explained >= (self.variance - 1e-12) * explained[-1:].sum())
        return int(enough[0]) + 1 if enough.size else real
