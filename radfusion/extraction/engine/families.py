"""Feature families by PyRadiomics' names, and which features each has."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from radfusion.extraction.engine.emphases import gldm, glrlm, glszm
from radfusion.extraction.engine.firstorder import firstorder
from radfusion.extraction.engine.glcm import glcm
from radfusion.extraction.engine.ngtdm import ngtdm
from radfusion.extraction.engine.response import Features, Response, Undefined

__all__ = ["feature_names", "intensity_family", "picked"]

_FAMILIES: Mapping[str, Callable[[Response, tuple[str, ...]], tuple[Features, Undefined]]] = {
    "firstorder": firstorder,
    "glcm": glcm,
    "gldm": gldm,
    "glrlm": glrlm,
    "glszm": glszm,
    "ngtdm": ngtdm,
}


def feature_names(family: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Wanted features of a family, or all that PyRadiomics has on by default.

    Examples
    --------
    >>> feature_names("ngtdm")
    ('Busyness', 'Coarseness', 'Complexity', 'Contrast', 'Strength')
    """
    return tuple(wanted) if wanted else _default_names(family)


@functools.cache
def _default_names(family: str) -> tuple[str, ...]:
    import radiomics

    names: Mapping[str, Any] = radiomics.getFeatureClasses()[family].getFeatureNames()
    return tuple(name for name, deprecated in names.items() if not deprecated)


def intensity_family(family: str, response: Response, wanted: Sequence[str] = ()) -> tuple[Features, Undefined]:
    """Features of a family, and why some are NaN.

    Parameters
    ----------
    family : str
        PyRadiomics' name: ``"glcm"``.
    response : Response
        What is measured.
    wanted : sequence of str
        Names of features; all that are on by default when empty.
    """
    names = feature_names(family, wanted)
    return picked(*_FAMILIES[family](response, names), names)


def picked(values: Features, undefined: Undefined, names: Sequence[str]) -> tuple[Features, Undefined]:
    """Values of the named features in that order, NaN with a reason where there is none."""
    found = {name: float(values.get(name, math.nan)) for name in names}
    found = {name: value if math.isfinite(value) else math.nan for name, value in found.items()}
    reasons = {
        name: undefined.get(name) or ("is not finite" if name in values else "PyRadiomics has no such feature any more")
        for name, value in found.items()
        if math.isnan(value)
    }
    return found, reasons
