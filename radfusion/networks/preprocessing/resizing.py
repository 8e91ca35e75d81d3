"""Crops brought to the size that a network is shown."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radfusion.errors import CaseError
from radfusion.networks.preprocessing.windows import STAGE

__all__ = ["Resizing"]

#: A strip longer than that, in units of its width, would become an image of gigabytes before its centre is cut out.
_LONGEST = 64

Filter = Literal["bilinear", "area"]
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "area": Image.Resampling.BOX}


class Resizing:
    """A rule that brings a crop of any shape to `size` rows and columns.

    Parameters
    ----------
    rule : {"stretch", "pad", "torchvision"}
        ``"pad"`` keeps the aspect that the crop has in millimetres and centres it; ``"torchvision"`` brings the short
        side to `short_side` pixels and cuts out the centre, pixel for pixel as the transforms that torchvision
        publishes with its weights: equal to them within 1e-4 of white on tensors of floating-point numbers, and within
        one grey level on 8-bit images, which they round twice.
    size : int
        Rows and columns of the result.
    short_side : int
        At least `size`; only for ``"torchvision"``.

    Examples
    --------
    >>> wide = np.ones((10, 40), dtype=np.float32)
    >>> Resizing("pad", 8, 8)(wide, (1.0, 1.0)).sum(axis=1)
    array([0., 0., 0., 8., 8., 0., 0., 0.], dtype=float32)
    """

    def __init__(self, rule: Literal["stretch", "pad", "torchvision"], size: int, short_side: int) -> None:
        self.rule = rule
        self.size = size
        self.short_side = short_side

    def __call__(
        self, picture: NDArray[np.float32], steps: tuple[float, float], *, how: Filter = "bilinear", fill: float = 0.0
    ) -> NDArray[np.float32]:
        """Resize one picture.

        Parameters
        ----------
        picture : (rows, columns) array of float32
            Grey levels, or the share of each pixel that is inside a region.
        steps : tuple of two float
            Distance between rows and between columns.
        how : {"bilinear", "area"}
            Bilinear with antialiasing for grey levels, or the mean over the area of each new pixel for shares.
        fill : float
            What is padded with.

        Raises
        ------
        CaseError
            When a strip is too long for its centre to mean anything.
        """
        if self.rule == "pad":
            return self._padded(picture, steps, how=how, fill=fill)
        if self.rule == "torchvision":
            return self._centre(picture, how)
        return _to(picture, (self.size, self.size), how)

    def _padded(
        self, picture: NDArray[np.float32], steps: tuple[float, float], *, how: Filter, fill: float
    ) -> NDArray[np.float32]:
        sides = [length * step for length, step in zip(picture.shape, steps, strict=True)]
        rows, columns = (max(1, round(self.size * side / max(sides))) for side in sides)
        top, left = (self.size - rows) // 2, (self.size - columns) // 2
        padded = np.full((self.size, self.size), fill, dtype=np.float32)
        padded[top : top + rows, left : left + columns] = _to(picture, (rows, columns), how)
        return padded

    def _centre(self, picture: NDArray[np.float32], how: Filter) -> NDArray[np.float32]:
        short, long = sorted(picture.shape)
        if long > _LONGEST * short:
            raise CaseError(f"the crop has {long} × {short} pixels: resize torchvision has no use for it", stage=STAGE)
        other = int(self.short_side * long / short)
        shape = (self.short_side, other) if picture.shape[0] <= picture.shape[1] else (other, self.short_side)
        top, left = (round((length - self.size) / 2.0) for length in shape)
        return _to(picture, shape, how)[top : top + self.size, left : left + self.size]


def _to(picture: NDArray[np.float32], shape: tuple[int, int], how: Filter) -> NDArray[np.float32]:
    resized = Image.fromarray(picture).resize((shape[1], shape[0]), _FILTERS[how])
    return np.asarray(resized, dtype=np.float32)
