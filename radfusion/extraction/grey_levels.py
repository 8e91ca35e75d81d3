"""How many grey levels a bin width gives, and which width would give a usual number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from radfusion.extraction.extractors.radiomics import Radiomics

__all__ = ["FEW_LEVELS", "MANY_LEVELS", "advise_bin_width", "grey_level_count", "grey_level_warning"]

#: PyRadiomics' example parameter files advise a bin width that gives 16 to 128 levels.
_ADVISED = 64
#: Below this, texture has next to nothing to count; above, most cells of its matrices are empty.
FEW_LEVELS, MANY_LEVELS = 8, 256


def advise_bin_width(low: float, high: float) -> float:
    """Width that gives values from `low` to `high` some 64 grey levels, rounded to two digits.

    References
    ----------
    .. [1] PyRadiomics, examples/exampleSettings/exampleCT.yaml: "the ideal number of bins is somewhere in the order of
       16-128 bins".

    Examples
    --------
    >>> advise_bin_width(-150, 250)
    6.2
    """
    return float(f"{(high - low) / _ADVISED:.2g}")


def grey_level_count(image: NDArray[np.float64], roi: NDArray[np.bool_], settings: Radiomics) -> int:
    """Grey levels that the unfiltered region will have, after normalisation and resegmentation.

    Resampling is left out: it moves the extremes a little. Filtered images have a range of their own.

    Parameters
    ----------
    image : array of float64
        The whole image, which normalisation needs.
    roi : array of bool, same shape
        The region, with at least one pixel.
    settings : Radiomics
        What will be extracted.

    Examples
    --------
    >>> from radfusion.extraction.extractors.radiomics import Radiomics
    >>> film = np.arange(100.0).reshape(10, 10)
    >>> grey_level_count(film, film > 49, Radiomics(bin_width=10.0))
    5
    """
    asked = settings.asked(image.ndim).settings
    if asked.get("binCount"):
        return int(asked["binCount"])
    low, high = _ends(image, roi, settings)
    width = float(asked.get("binWidth", 25))
    return int(high // width - low // width) + 1


def grey_level_warning(image: NDArray[np.float64], roi: NDArray[np.bool_], settings: Radiomics) -> str | None:
    """One sentence when the bin width gives fewer than 8 or more than 256 grey levels, else None. Changes nothing.

    Examples
    --------
    >>> from radfusion.extraction.extractors.radiomics import Radiomics
    >>> film = np.arange(100.0).reshape(10, 10)
    >>> grey_level_warning(film, film > 49, Radiomics(bin_width=25.0))
    'bin_width 25 gives 2 grey levels (values 50 to 99), fewer than 8: near 0.77 there would be 64'
    """
    levels = grey_level_count(image, roi, settings)
    asked = settings.asked(image.ndim).settings
    if asked.get("binCount") or FEW_LEVELS <= levels <= MANY_LEVELS:
        return None
    low, high = _ends(image, roi, settings)
    if low == high:
        return f"all pixels of the region are {low:g}: texture cannot be measured"
    many = f"more than {MANY_LEVELS}" if levels > MANY_LEVELS else f"fewer than {FEW_LEVELS}"
    return (
        f"bin_width {asked.get('binWidth', 25):g} gives {levels} grey levels (values {low:g} to {high:g}), {many}: "
        f"near {advise_bin_width(low, high):g} there would be {_ADVISED}"
    )


def _ends(image: NDArray[np.float64], roi: NDArray[np.bool_], settings: Radiomics) -> tuple[float, float]:
    """Lowest and highest value of the region as it is discretised."""
    asked = settings.asked(image.ndim).settings
    values = image[roi]
    if asked.get("normalize"):
        values = (values - image.mean()) / image.std(ddof=1)
        most = asked.get("removeOutliers")
        values = (values if most is None else values.clip(-most, most)) * asked.get("normalizeScale", 1)
    kept = _resegmented(values, asked.get("resegmentRange"), asked.get("resegmentMode", "absolute"))
    values = kept if kept.size else values
    return float(values.min()), float(values.max())


def _resegmented(values: NDArray[np.float64], limits: list[float] | None, mode: str) -> NDArray[np.float64]:
    if not limits:
        return values
    scale, shift = {"relative": (values.max(), 0.0), "sigma": (values.std(), values.mean())}.get(mode, (1.0, 0.0))
    low, *high = (shift + scale * limit for limit in sorted(limits))
    kept = (values >= low) & (values <= (high[0] if high else np.inf))
    return np.asarray(values[kept])
