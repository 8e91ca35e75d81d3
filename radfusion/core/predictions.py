"""Predictions: probabilities per case and class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Predictions"]


@dataclass(frozen=True)
class Predictions:
    """Class probabilities of one model.

    Attributes
    ----------
    frame : pandas.DataFrame
        Indexed by case; columns ``patient``, ``set``, ``label`` (None for new patients), then one probability column
        per class, named by :meth:`column`.
    classes : tuple of str
        Class names, in the order of the probability columns.
    model : str
        Identifier of the model: ``arm/classifier``.
    """

    frame: pd.DataFrame
    classes: tuple[str, ...]
    model: str

    @staticmethod
    def column(name: str) -> str:
        """Name of the probability column of a class."""
        return f"p_{name}"

    @classmethod
    def from_arrays(  # noqa: PLR0917 - the parts of the noun, in its own order
        cls, rows: pd.DataFrame, probabilities: NDArray[np.float64], classes: tuple[str, ...], model: str
    ) -> Predictions:
        """Predictions from cohort rows (``patient``, ``set``, ``label``) and a (cases, classes) array."""
        frame = rows[["patient", "set", "label"]].copy()
        for position, name in enumerate(classes):
            frame[cls.column(name)] = probabilities[:, position]
        return cls(frame, classes, model)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(cases, classes) array."""
        return self.frame[[self.column(name) for name in self.classes]].to_numpy(dtype=np.float64)

    @property
    def labels(self) -> NDArray[np.object_]:
        """(cases,) array of reference classes."""
        return self.frame["label"].to_numpy(dtype=object)

    @property
    def patients(self) -> NDArray[np.object_]:
        """(cases,) array of patient identifiers."""
        return self.frame["patient"].to_numpy(dtype=object)

    @property
    def predicted(self) -> NDArray[np.object_]:
        """(cases,) array: the class of the highest probability, the first of equals."""
        chosen = self.probabilities.argmax(axis=1)
        return np.array([self.classes[position] for position in chosen], dtype=object)

    def of_set(self, name: str) -> Predictions:
        """The cases of one set."""
        return Predictions(self.frame[self.frame["set"] == name], self.classes, self.model)
