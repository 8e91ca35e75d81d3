"""What an image format is."""

from __future__ import annotations

import logging
import re
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from radfusion.core.registry import Registry
from radfusion.errors import CaseError
from radfusion.imaging.geometry import Grid
from radfusion.imaging.settings import STANDARD, ImagingSettings

__all__ = ["FORMATS", "Format", "Pixels", "decoding"]


@dataclass(frozen=True)
class Pixels:
    """What a file holds, before a study's settings are applied.

    Attributes
    ----------
    values : (rows, columns) or (slices, rows, columns) array, with a last axis of 3 when `colour`
        Intensities, higher is brighter.
    spacing : tuple of float or None
        Distance between pixel centres in mm, in array order; None when the file does not say.
    modality : str or None
        DICOM modality code.
    origin, direction : tuple of float
        Position of the first pixel in mm and direction cosines (matrix by rows) in array order, in the patient's
        LPS frame reversed likewise; empty for a plain raster.
    facts : mapping of str to str
        Acquisition facts that identify nobody, and what reading did to the pixels.
    colour : bool
        Whether the last axis is red, green, blue.
    """

    values: NDArray[Any]
    spacing: tuple[float, ...] | None = None
    modality: str | None = None
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    colour: bool = False

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        shape = self.values.shape[:-1] if self.colour else self.values.shape
        return Grid(shape, self.spacing, self.origin, self.direction)


class Format(ABC):
    """Reads one family of files.

    A subclass defines :attr:`title`, :attr:`suffixes` and the three methods, and is added to ``FORMATS``;
    :attr:`folders` says that a folder of files may be one image.
    """

    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    folders: ClassVar[bool] = False

    @abstractmethod
    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes is of this format."""

    @abstractmethod
    def shape(self, path: Path, settings: ImagingSettings = STANDARD) -> tuple[int, ...]:
        """Size in array order, from the header alone.

        Parameters
        ----------
        path : path
            File, or folder where the format has :attr:`folders`.
        settings : ImagingSettings, optional
            What the study says of frames, windows and magnification.

        Raises
        ------
        CaseError
            When the header cannot be read or the file holds something else than one image.
        """

    @abstractmethod
    def read(self, path: Path, settings: ImagingSettings = STANDARD) -> Pixels:
        """Intensities and geometry.

        Parameters
        ----------
        path : path
            File, or folder where the format has :attr:`folders`.
        settings : ImagingSettings, optional
            What the study says of frames, windows and magnification.

        Raises
        ------
        CaseError
            When the file is damaged or holds something else than one image.
        """

    def read_labels(self, path: Path) -> Pixels:
        """Values of a segmentation as stored; a format overrides this where reading would change them."""
        return self.read(path)


FORMATS: Registry[Format] = Registry("image format")

# What decoders raise on damaged files. RuntimeError covers recursion, ValueError covers Unicode, OSError covers Pillow.
_DAMAGE: tuple[type[Exception], ...] = (
    OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError, AssertionError,
    EOFError, MemoryError, SyntaxError, BufferError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def decoding(path: Path, title: str, *, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into a CaseError.

    Decoders' warnings and log lines are not passed on: they quote header values, names of patients among them. Only
    calls into third-party decoders belong inside.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _DAMAGE + also as error:
        raise CaseError(f"{path.name}: cannot be read as {title}: {_words(error, path)}") from error
    finally:
        logger.setLevel(level)


def _words(error: BaseException, path: Path) -> str:
    """Message of an error on one line, without the folder of the file and ITK's source lines and addresses."""
    text = " ".join(str(error).replace(str(path), path.name).split())
    text = re.split(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?", text)[-1]
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:200] or type(error).__name__
