"""IBSI's phantoms and image processing configurations, in PyRadiomics' settings.

References
----------
.. [1] Zwanenburg A, Leger S, Vallières M, Löck S. Image biomarker standardisation initiative. Reference manual,
   arXiv:1612.07003v11; sections 5.1 (digital phantom), 5.2 and table 5.1 (configurations A to E).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.core.scan import Scan
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings

__all__ = ["CONFIGURATIONS", "Configuration", "ct_phantom", "digital_phantom", "on_ibsi_grid"]

#: Slices of the digital phantom, row by row; a grey level below 0 lies outside the region.
_LEVELS = (
    ("14411", "14611", "41641", "44641"),
    ("14411", "11611", "-1311", "44611"),
    ("144--", "11111", "11-11", "11611"),
    ("144--", "11111", "11111", "11611"),
)


@dataclass(frozen=True)
class Configuration:
    """How one set of consensus values is obtained.

    Attributes
    ----------
    name : str
        As in the table of reference values: ``dig. phantom``, ``config. A``.
    settings : mapping of str to Any
        PyRadiomics' settings, without those of resampling.
    spacing : tuple of float
        Distance between voxel centres in mm after resampling, array order, 0 for an axis left alone; empty: as is.
    spline : bool
        Whether intensities are interpolated by a cubic spline instead of linearly.
    planes : tuple of bool
        Whether texture is taken within slices (``force2D``).
    outliers : float or None
        Standard deviations beyond which voxels are taken out after the range.
    """

    name: str
    settings: Mapping[str, Any]
    spacing: tuple[float, ...] = ()
    spline: bool = False
    planes: tuple[bool, ...] = (False,)
    outliers: float | None = field(default=None)

    def resampling(self) -> dict[str, Any]:
        """PyRadiomics' settings of resampling."""
        if not self.spacing:
            return {}
        kernel = "sitkBSpline" if self.spline else "sitkLinear"
        return {"resampledPixelSpacing": list(reversed(self.spacing)), "interpolator": kernel}


_CUBES = (2.0, 2.0, 2.0)
#: In configuration E PyRadiomics can apply the range or the outlier rule, not both; its documentation gives the range
#: that stands for both. On the IBSI's grid the range is computed anew.
CONFIGURATIONS = (
    Configuration("dig. phantom", {"binWidth": 1}, planes=(False, True)),
    Configuration("config. A", {"binWidth": 25, "resegmentRange": [-500, 400]}, planes=(True,)),
    Configuration(
        "config. B", {"binCount": 32, "resegmentRange": [-500, 400]}, spacing=(0.0, 2.0, 2.0), planes=(True,)
    ),
    Configuration("config. C", {"binWidth": 25, "resegmentRange": [-1000, 400]}, spacing=_CUBES),
    Configuration("config. D", {"binCount": 32, "resegmentRange": [-3, 3], "resegmentMode": "sigma"}, spacing=_CUBES),
    Configuration(
        "config. E", {"binCount": 32, "resegmentRange": [-718, 400]}, spacing=_CUBES, spline=True, outliers=3.0
    ),
)


def digital_phantom() -> Scan:
    """IBSI's digital phantom: 80 voxels of 2 mm, 74 of them in the region (contributed by A. Zwanenburg, CC BY 4.0).

    Examples
    --------
    >>> phantom = digital_phantom()
    >>> phantom.image.shape, phantom.n_roi, phantom.image[phantom.roi].sum()
    ((4, 4, 5), 74, np.float64(159.0))
    """
    levels = np.array([[[0 if each == "-" else int(each) for each in row] for row in plane] for plane in _LEVELS])
    return Scan("dig. phantom", levels.astype(np.float64), levels > 0, _CUBES)


def ct_phantom(folder: Path) -> Scan:
    """IBSI's CT phantom from a copy of its data sets.

    Raises
    ------
    CaseError
        When the files are not there or cannot be read.
    """
    place = folder / "ibsi_1_ct_radiomics_phantom" / "nifti"
    files = place / "image" / "phantom.nii.gz", place / "mask" / "mask.nii.gz"
    return read_scan("CT phantom", *files, settings=ImagingSettings())


def on_ibsi_grid(scan: Scan, configuration: Configuration) -> tuple[Scan, dict[str, Any]]:
    """Resample as the IBSI does and return the settings that remain.

    The grid is aligned by the centre of the image, intensities are rounded to whole numbers, and a voxel belongs to
    the region from half coverage, by linear interpolation of the mask.
    """
    import SimpleITK

    old = np.array(scan.spacing)
    new = np.where(np.array(configuration.spacing) > 0, configuration.spacing, old)
    size = np.array(scan.image.shape)
    count = np.ceil(np.round(size * old / new, 6)).astype(int)
    origin = ((size - 1) * old - (count - 1) * new) / 2

    def resampled(values: NDArray[Any], kernel: int) -> NDArray[np.float64]:
        image = SimpleITK.GetImageFromArray(values.astype(np.float64))
        image.SetSpacing(old[::-1].tolist())
        tool = SimpleITK.ResampleImageFilter()
        tool.SetSize(count[::-1].tolist())
        tool.SetOutputSpacing(new[::-1].tolist())
        tool.SetOutputOrigin(origin[::-1].tolist())
        tool.SetInterpolator(kernel)
        tool.SetUseNearestNeighborExtrapolator(True)
        return np.asarray(SimpleITK.GetArrayFromImage(tool.Execute(image)))

    image = np.rint(resampled(scan.image, SimpleITK.sitkBSpline if configuration.spline else SimpleITK.sitkLinear))
    roi = resampled(scan.roi, SimpleITK.sitkLinear) >= 0.5 - 1e-9
    settings = dict(configuration.settings)
    if configuration.outliers is not None:
        settings["resegmentRange"] = _range(image[roi], configuration.outliers)
    return replace(scan, image=image, roi=roi, spacing=tuple(new.tolist())), settings


def _range(values: NDArray[np.float64], sigma: float) -> list[float]:
    """IBSI's configuration E: outliers of the voxels between -1000 and 400 HU."""
    kept = values[(values >= -1000) & (values <= 400)]
    reach = sigma * kept.std()
    return [max(-1000.0, float(kept.mean() - reach)), min(400.0, float(kept.mean() + reach))]
