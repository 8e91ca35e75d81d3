"""Settings to start from for radiographs, CT, MR and PET, each with its reason and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["PRESETS", "Choice", "PresetName", "preset_values"]

PresetName = Literal["radiograph", "ct", "mr", "pet"]

_IBSI = "IBSI reference manual, doi:10.1148/radiol.2020191145"
_EXAMPLES = "PyRadiomics, examples/exampleSettings"


@dataclass(frozen=True)
class Choice:
    """One value of a preset.

    Attributes
    ----------
    value : Any
        Of the setting of :class:`~radfusion.extraction.extractors.radiomics.Radiomics`.
    reason : str
        Why this value.
    source : str
        Where the reason can be read; empty for what follows from the code.
    """

    value: Any
    reason: str
    source: str = ""


_FILTERS = Choice(
    ("original", "log", "wavelet"),
    "intensities as they are, edges and blobs of several sizes, and fine against coarse structure",
    _EXAMPLES,
)
_ALL = Choice(
    ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"),
    "selection decides what is of use; leaving out families beforehand would be a choice without a reason",
)

#: Preset to setting to choice. A key that the study gives goes before the preset's.
PRESETS: Mapping[PresetName, Mapping[str, Choice]] = {
    "radiograph": {
        "image_types": _FILTERS,
        "feature_classes": _ALL,
        "log_sigma": Choice(
            (1.0, 2.0, 3.0), "fine to middling structure; in mm where films state a spacing, else in pixels"
        ),
        "bin_count": Choice(
            32,
            "pixel values of films have no unit and their scale changes with the detector's processing, and for "
            "arbitrary units a fixed number of grey levels is advised; texture then ignores brightness and contrast",
            _IBSI,
        ),
        "normalise": Choice(
            False,
            "a fixed number of grey levels does it for texture, region by region; the mean of a whole film follows "
            "collimation and markers",
        ),
        "resampled_spacing": Choice(
            None,
            "many films state no spacing, or that at the detector, and one axis is no thicker than the other; give a "
            "number where spacings are known and differ",
        ),
    },
    "ct": {
        "image_types": _FILTERS,
        "feature_classes": _ALL,
        "log_sigma": Choice((1.0, 2.0, 3.0, 4.0, 5.0), "one to five voxels of 1 mm", f"{_EXAMPLES}/exampleCT.yaml"),
        "bin_width": Choice(
            25.0,
            "HU are calibrated, so a grey level should mean the same in every patient; 25 HU gives soft tissue 16 "
            "to 40 levels",
            f"{_EXAMPLES}/exampleCT.yaml; {_IBSI}: fixed width for calibrated units, 25 HU in configurations A and C",
        ),
        "normalise": Choice(False, "HU are comparable between scanners as they are", f"{_EXAMPLES}/exampleCT.yaml"),
        "resampled_spacing": Choice(
            1.0,
            "texture in three dimensions wants cubic voxels, of one size in all patients; most scans have 0.6 to 1 mm "
            "within the slice. With slices of 3 mm and more take 2 or 3",
            f"{_EXAMPLES}/exampleCT.yaml; {_IBSI}",
        ),
        "array_shift": Choice(
            1000, "air is -1000 HU: no negative value is squared in Energy and RMS", f"{_EXAMPLES}/exampleCT.yaml"
        ),
    },
    "mr": {
        "image_types": _FILTERS,
        "feature_classes": _ALL,
        "log_sigma": Choice(
            (2.0, 3.0, 4.0, 5.0), "not finer than the voxels of 2 mm", f"{_EXAMPLES}/exampleMR_3mm.yaml"
        ),
        "normalise": Choice(
            True,
            "the MR signal has no unit and changes with scanner and coil; not for maps (ADC, T1, T2), which are "
            "calibrated",
            f"{_EXAMPLES}/exampleMR_3mm.yaml",
        ),
        "normalise_scale": Choice(100.0, "one standard deviation is 100", f"{_EXAMPLES}/exampleMR_3mm.yaml"),
        "bin_width": Choice(5.0, "a twentieth of the image's standard deviation", f"{_EXAMPLES}/exampleMR_3mm.yaml"),
        "array_shift": Choice(
            300,
            "three standard deviations: hardly a negative value is squared in Energy and RMS",
            f"{_EXAMPLES}/exampleMR_3mm.yaml",
        ),
        "resampled_spacing": Choice(
            2.0,
            "cubic voxels of one size in all patients, for slices of about 3 mm; 1 for isotropic scans, force_2d for "
            "slices of 5 mm and more",
            f"{_EXAMPLES}/exampleMR_3mm.yaml; {_IBSI}",
        ),
    },
    "pet": {
        "image_types": _FILTERS,
        "feature_classes": _ALL,
        "log_sigma": Choice((4.0, 6.0), "one voxel and more; the scanner resolves some 5 mm"),
        "bin_width": Choice(
            0.25,
            "SUV are calibrated, and a fixed width makes texture comparable between patients and repeats; 0.25 gives a "
            "lesion of SUV 4 to 20 some 16 to 80 levels. Images must be in SUV",
            "Leijenaar RTH, et al. Sci Rep 2015;5:11075, doi:10.1038/srep11075; 0.25 as in Pfaehler E, et al. Med Phys "
            "2019;46:665-78, doi:10.1002/mp.13322",
        ),
        "normalise": Choice(False, "SUV are comparable as they are"),
        "resegment_range": Choice(
            (0.0,), "reconstruction can leave negative values, which mean nothing as uptake", _IBSI
        ),
        "resampled_spacing": Choice(
            4.0, "cubic voxels of one size in all patients, about that of usual scans: no detail is invented", _IBSI
        ),
    },
}


def preset_values(name: PresetName) -> dict[str, Any]:
    """Setting to value.

    Examples
    --------
    >>> preset_values("ct")["bin_width"]
    25.0
    """
    return {setting: choice.value for setting, choice in PRESETS[name].items()}
