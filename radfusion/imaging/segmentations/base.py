"""What a kind of segmentation is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.imaging.geometry import Grid
from radfusion.imaging.settings import ImagingSettings

__all__ = ["KINDS", "Drawn", "Kind", "Segmentation", "Structure", "Target"]


@dataclass(frozen=True)
class Target:
    """The image that a region is wanted for.

    Attributes
    ----------
    path : path
        Its file or folder: annotations name it, DICOM objects refer to it.
    grid : Grid
        Where its pixels lie, as the file states it.
    """

    path: Path
    grid: Grid


@dataclass(frozen=True)
class Drawn:
    """A region as a segmentation file draws it.

    Attributes
    ----------
    roi : array of bool
        On the grid of the image.
    facts : mapping of str to str
        What reading did: geometry within tolerance, resampling, contours that fell away.
    outside : float
        Share of the drawn region that lies outside the image.
    """

    roi: NDArray[np.bool_]
    facts: Mapping[str, str] = field(default_factory=dict)
    outside: float = 0.0


@dataclass(frozen=True)
class Structure:
    """One thing that a segmentation file delineates.

    Attributes
    ----------
    value : int
        Value in a label map, ROI number, segment number, category id.
    names : tuple of str
        What the file, or the study, calls it.
    """

    value: int
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Name and value, for messages."""
        return f"{self.names[0]} ({self.value})" if self.names else str(self.value)


class Segmentation(ABC):
    """An opened segmentation file; its content is decoded once, however many regions are asked of it."""

    @abstractmethod
    def structures(self, target: Target) -> Sequence[Structure]:
        """What the file delineates on an image.

        Raises
        ------
        CaseError
            When the file does not belong to the image, or delineates nothing.
        """

    @abstractmethod
    def draw(self, structure: Structure, target: Target) -> Drawn:
        """Region of one of the :meth:`structures` on the grid of the image.

        Raises
        ------
        CaseError
            When the region cannot be put on the grid.
        """


class Kind(ABC):
    """Opens one kind of segmentation file.

    A subclass defines :attr:`title` and the two methods, and is added to ``KINDS``.
    """

    title: ClassVar[str]

    @abstractmethod
    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes is of this kind."""

    @abstractmethod
    def open(self, path: Path, settings: ImagingSettings) -> Segmentation:
        """Read what there is.

        Raises
        ------
        CaseError
            When the file is damaged or holds something else.
        """


KINDS: Registry[Kind] = Registry("segmentation kind")
