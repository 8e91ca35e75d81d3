"""What PyRadiomics is asked to compute, in its own words."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from radfusion.core.registry import nearest

__all__ = [
    "DEFAULTS",
    "FAMILIES",
    "IMAGE_TYPES",
    "NAMES",
    "READING",
    "Parameters",
    "feature_names",
    "in_words",
    "known_wavelet",
    "translated",
]

#: Image types as a study names them, and PyRadiomics' names.
IMAGE_TYPES = {
    "original": "Original",
    "log": "LoG",
    "wavelet": "Wavelet",
    "square": "Square",
    "squareroot": "SquareRoot",
    "logarithm": "Logarithm",
    "exponential": "Exponential",
    "gradient": "Gradient",
    "lbp-2d": "LBP2D",
    "lbp-3d": "LBP3D",
}

#: Feature classes in the order in which PyRadiomics computes them when none is named.
FAMILIES = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape", "shape2D")

#: What PyRadiomics takes where a parameter file is silent; other settings default in the code that reads them.
DEFAULTS: Mapping[str, Any] = {
    "minimumROIDimensions": 2,
    "normalize": False,
    "normalizeScale": 1,
    "interpolator": "sitkBSpline",
    "padDistance": 5,
    "distances": [1],
    "force2D": False,
    "force2Ddimension": 0,
}

#: Settings of a study that hold for all image types, and what PyRadiomics calls them.
NAMES = {
    "bin_width": "binWidth",
    "bin_count": "binCount",
    "normalise": "normalize",
    "normalise_scale": "normalizeScale",
    "remove_outliers": "removeOutliers",
    "resampled_spacing": "resampledPixelSpacing",
    "interpolator": "interpolator",
    "padding": "padDistance",
    "resegment_range": "resegmentRange",
    "resegment_mode": "resegmentMode",
    "resegment_shape": "resegmentShape",
    "force_2d": "force2D",
    "force_2d_dimension": "force2Ddimension",
    "distances": "distances",
    "weighting_norm": "weightingNorm",
    "array_shift": "voxelArrayShift",
    "minimum_roi_dimensions": "minimumROIDimensions",
    "minimum_roi_size": "minimumROISize",
}

#: Settings that say how files are read and matched, which `imaging` and the cohort table decide.
READING = ("label", "label_channel", "geometryTolerance", "correctMask", "additionalInfo")

_INTERPOLATORS = {
    "b-spline": "sitkBSpline",
    "linear": "sitkLinear",
    "nearest": "sitkNearestNeighbor",
    "gaussian": "sitkGaussian",
}


@dataclass(frozen=True)
class Parameters:
    """A parameter set of PyRadiomics, as its parameter files have it.

    Attributes
    ----------
    image_types : mapping of str to mapping
        PyRadiomics' names of filters with their own settings: ``{"Original": {}, "LoG": {"sigma": [1.0, 2.0]}}``.
    feature_classes : mapping of str to tuple of str
        Names of feature classes with the wanted features; an empty tuple takes all that are on by default.
    settings : mapping of str to Any
        Settings that hold for all filters: ``{"binWidth": 25, "normalize": True}``.
    """

    image_types: Mapping[str, Mapping[str, Any]]
    feature_classes: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_file(self) -> dict[str, Any]:
        """Content of a parameter file of PyRadiomics that asks for the same.

        Examples
        --------
        >>> Parameters({"Original": {}}, {"glcm": ("Contrast",)}, {"binWidth": 25}).as_file()
        {'imageType': {'Original': {}}, 'featureClass': {'glcm': ['Contrast']}, 'setting': {'binWidth': 25}}
        """
        return {
            "imageType": {name: dict(own) for name, own in self.image_types.items()},
            "featureClass": {name: list(features) for name, features in self.feature_classes.items()},
            "setting": dict(self.settings),
        }


@functools.cache
def feature_names(family: str) -> tuple[str, ...]:
    """Names of the features of a class, deprecated ones included; none where PyRadiomics cannot be imported."""
    try:
        import radiomics
    except ImportError:
        return ()
    return tuple(radiomics.getFeatureClasses()[family].getFeatureNames())


def known_wavelet(name: str) -> str:
    """The name, when PyWavelets has such a discrete wavelet.

    Raises
    ------
    ValueError
        With the nearest known names.

    Examples
    --------
    >>> known_wavelet("coif1")
    'coif1'
    """
    try:
        known = importlib.import_module("pywt").wavelist(kind="discrete")
    except ImportError:
        return name  # no filter can run either, and the extractor says so
    if name not in known:
        raise ValueError(f"no wavelet is named {name!r}; {nearest(name, known)}")
    return name


def translated(said: Mapping[str, Any], axes: int) -> dict[str, Any]:
    """Settings of a study in PyRadiomics' words; None is left out.

    Parameters
    ----------
    said : mapping of str to Any
        Settings by their names in a study, spacing in array order.
    axes : int
        Axes of the image, for a spacing that is one number.

    Examples
    --------
    >>> translated({"resampled_spacing": [3.0, 0.5, 0.7], "interpolator": "linear", "padding": None}, 3)
    {'resampledPixelSpacing': [0.7, 0.5, 3.0], 'interpolator': 'sitkLinear'}
    """
    found = {NAMES[name]: value for name, value in said.items() if value is not None}
    if "interpolator" in found:
        found["interpolator"] = _INTERPOLATORS[found["interpolator"]]
    spacing = found.get("resampledPixelSpacing")
    if spacing is not None:
        found["resampledPixelSpacing"] = [spacing] * axes if isinstance(spacing, float) else list(spacing[::-1])
    return found


def in_words(asked: Parameters) -> dict[str, Any]:
    """Parameters in a study's words, as far as it has words for them; for reports.

    Examples
    --------
    >>> asked = Parameters({"LoG": {"sigma": [2]}}, {"glcm": ()}, {"binWidth": 10})
    >>> {name: value for name, value in in_words(asked).items() if value}
    {'bin_width': 10, 'image_types': ['log'], 'feature_classes': ['glcm'], 'log_sigma': [2]}
    """
    theirs = asked.settings
    words = {ours: theirs.get(name) for ours, name in NAMES.items()}
    if words["bin_count"] is not None:
        words["bin_width"] = None
    elif words["bin_width"] is None:
        words["bin_width"] = 25
    spacing = words["resampled_spacing"] if theirs.get("interpolator") is not None else None
    types = {theirs: ours for ours, theirs in IMAGE_TYPES.items()}
    return {
        **words,
        "normalise": bool(words["normalise"]),
        "resampled_spacing": spacing and list(spacing[::-1]),
        "image_types": [types[name] for name in asked.image_types],
        "feature_classes": list(asked.feature_classes),
        "log_sigma": list(asked.image_types.get("LoG", {}).get("sigma", theirs.get("sigma", ()))),
    }
