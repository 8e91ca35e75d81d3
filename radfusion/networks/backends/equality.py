"""Whether two ways of computing give the same features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXACT", "HALF", "Equality", "Tolerance", "compare", "probe"]

#: A feature whose SD is below this share of the largest feature does not vary: what it does is rounding.
_FLAT = 1e-4


@dataclass(frozen=True)
class Tolerance:
    """How far features may lie from those of eager float32: largest relative error, smallest correlation."""

    error: float
    correlation: float


#: What another library in float32 has to keep.
EXACT = Tolerance(1e-4, 0.9999)
#: What half precision has to keep.
HALF = Tolerance(1e-3, 0.999)


@dataclass(frozen=True)
class Equality:
    """How equal two tables of features are.

    Attributes
    ----------
    error : float
        Largest difference, in units of the largest feature.
    correlation : float
        Smallest correlation over the pictures of any feature that varies.
    pictures : int
        Number of pictures compared.
    """

    error: float
    correlation: float
    pictures: int

    def within(self, tolerance: Tolerance) -> bool:
        """Whether both hold."""
        return self.error <= tolerance.error and self.correlation >= tolerance.correlation

    def facts(self) -> dict[str, Any]:
        """What goes into provenance."""
        return {"relative_error": self.error, "correlation": self.correlation, "pictures": self.pictures}

    def __str__(self) -> str:
        """Words for the log."""
        return f"relative error {self.error:.1e}, correlation {self.correlation:.5f} on {self.pictures} pictures"


def compare(features: NDArray[np.float32], expected: NDArray[np.float32]) -> Equality:
    """Compare features of the same pictures.

    Parameters
    ----------
    features, expected : (n, channels) array of float32
        What was computed, and by eager float32.

    Returns
    -------
    Equality
        With an infinite error where features are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> expected = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 3.0]], dtype=np.float32)
    >>> compare(expected + np.float32(0.01), expected).error
    0.0025...
    """
    if features.shape != expected.shape or not np.isfinite(features).all():
        return Equality(float("inf"), -1.0, len(expected))
    a, b = features.astype(np.float64), expected.astype(np.float64)
    largest = float(np.abs(b).max())
    error = float(np.abs(a - b).max()) / (largest or 1.0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    varies = b.std(axis=0) > _FLAT * largest
    norms = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))[varies]
    products = (a * b).sum(axis=0)[varies]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.where(norms > 0, products / norms, 0.0)
    return Equality(error, float(correlations.min(initial=1.0)), len(expected))


def probe(size: int, *, regions: bool) -> list[NDArray[np.float32]]:
    """Four pictures, always the same, that light up a network as films do; with regions, of which one is empty.

    Parameters
    ----------
    size : int
        Rows and columns.
    regions : bool
        Whether to give regions too.

    Returns
    -------
    list of (4, size, size) array of float32
        Pictures from 0 to 1, and regions of 0 and 1 if asked.
    """
    generator = np.random.default_rng(5)
    steps = np.linspace(0, 1, size)
    pictures = []
    for _ in range(4):
        rows, columns, waves = generator.uniform(0.5, 8, 3)
        smooth = np.sin(rows * 6 * steps)[:, None] * np.cos(columns * 6 * steps) + np.sin(waves * steps) / 2
        pictures.append(smooth + 0.1 * generator.normal(size=(size, size)))
    stack = np.stack(pictures)
    grey = ((stack - stack.min()) / np.ptp(stack)).astype(np.float32)
    inside = np.zeros_like(grey)
    for index, end in enumerate((size, size // 2, size // 5 + 1)):
        inside[index, :end, : end // 2 + 1] = 1
    return [grey, inside] if regions else [grey]
