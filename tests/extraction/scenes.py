"""Images with regions, and PyRadiomics called by hand on them."""

import numpy as np
import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor

from radfusion.core.scan import Scan
from radfusion.extraction.engine import one_quiet_thread

FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")


def film(shape=(140, 150), seed=0):
    """Smooth noise in the range of 8 bits, whole numbers."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = SimpleITK.GetArrayFromImage(SimpleITK.SmoothingRecursiveGaussian(SimpleITK.GetImageFromArray(noise), 1.5))
    return np.rint(np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)))


def volume(shape=(30, 44, 46), seed=0):
    """Smooth noise in the range of soft tissue, whole numbers."""
    return np.stack([film(shape[1:], seed=seed + number) for number in range(shape[0])]) - 100


def ball(shape, centre, radius):
    """Round region with a hole, not symmetric in its last row."""
    grid = np.indices(shape)
    roi = sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True)) < radius**2
    roi[tuple(int(middle) for middle in centre)] = False
    return roi


def scan_of(image, roi, spacing=None, case="a"):
    return Scan(case=case, image=np.asarray(image, dtype=np.float64), roi=roi, spacing=spacing)


def itk_pair(scan, kind=np.float64):
    """Image and mask as SimpleITK reads them from files of a type of number."""
    pair = [SimpleITK.GetImageFromArray(values) for values in (scan.image.astype(kind), scan.roi.astype(np.uint8))]
    for image in pair:
        image.SetSpacing(tuple(reversed(scan.spacing or (1.0,) * scan.image.ndim)))
    return pair


def by_hand(scan, parameters, kind=np.float64):
    """Features of RadiomicsFeatureExtractor on the whole image, as its manual says."""
    with one_quiet_thread():
        extractor = RadiomicsFeatureExtractor(parameters)
        extractor.addProvenance(False)
        found = extractor.execute(*itk_pair(scan, kind))
    return {name: float(np.real(value)) for name, value in found.items()}


def assert_same(ours, theirs, rtol=1e-12):
    """Same names in the same order, same values; NaN where PyRadiomics has NaN.

    MCC is the square root of an eigenvalue of a matrix without symmetry: another order of sums moves it by 1e-12.
    """
    assert list(ours) == list(theirs)
    tolerance = np.array([max(rtol, 1e-9) if name.endswith("_MCC") else rtol for name in theirs])
    one, other = (np.array(list(values.values())) for values in (ours, theirs))
    both = np.isnan(one) & np.isnan(other)
    far = ~both & ~(np.abs(one - other) <= tolerance * np.abs(other))
    assert not far.any(), [(name, a, b) for name, a, b, bad in zip(theirs, one, other, far, strict=True) if bad][:5]
