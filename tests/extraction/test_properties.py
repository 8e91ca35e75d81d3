"""What features must do: formulas of known shapes, and what may not change when an image is moved or turned."""

import math

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from tests.extraction.scenes import FAMILIES, ball, film, scan_of, volume

SHAPE = (140, 150)
ROI = ball(SHAPE, (71, 76), 12)
SHAPES = Radiomics(feature_classes=("shape",))
PLAIN = Radiomics(bin_width=10.0, image_types=("original",))


def inside(shape, half_axes, spacing):
    """Ellipse or ellipsoid in mm around the middle of an image."""
    grid = np.indices(shape)
    parts = zip(grid, shape, spacing, half_axes, strict=True)
    return sum(((axis - (size - 1) / 2) * step / half) ** 2 for axis, size, step, half in parts) <= 1


def shape_of(roi, spacing):
    (found,) = SHAPES.extract([scan_of(np.zeros(roi.shape), roi, spacing)])
    return {name.split("_")[2]: value for name, value in found.items()}


FINE = pytest.approx
#: The outline runs along pixels or across their corners: over all directions that is so much longer than a curve.
STEPS = 8 * (math.sqrt(2) - 1) / math.pi


@pytest.mark.parametrize("radius", [15.0, 40.0])
@pytest.mark.parametrize("step", [0.5, 1.0])
def test_a_disc(radius, step):
    roi = inside((101, 101), (radius * step, radius * step), (step, step))
    found, mm = shape_of(roi, (step, step)), radius * step
    assert found["PixelSurface"] == FINE(np.count_nonzero(roi) * step**2, rel=1e-12)
    assert found["MeshSurface"] == FINE(math.pi * mm**2, rel=0.01)
    assert found["Perimeter"] == FINE(2 * math.pi * mm * STEPS, rel=0.025)
    assert found["MaximumDiameter"] == FINE(2 * mm + step, abs=1.5 * step)
    assert found["MajorAxisLength"] == FINE(2 * mm, rel=0.01)
    assert found["Elongation"] == FINE(1, abs=1e-9)
    assert found["Sphericity"] == FINE(1 / STEPS, rel=0.025)


def test_a_rectangle():
    roi = np.zeros((60, 90), dtype=bool)
    roi[10:30, 20:70] = True  # 20 x 50 pixels of 2 x 1 mm
    found = shape_of(roi, (2.0, 1.0))
    assert found["PixelSurface"] == FINE(2000, rel=1e-12)
    assert found["MeshSurface"] == FINE(2000 - 4 * (2 * 1) / 8, rel=1e-12)  # four corners are cut
    assert found["Perimeter"] == FINE(2 * (38 + 49) + 4 * math.hypot(1.0, 0.5), rel=1e-12)
    assert found["MajorAxisLength"] == FINE(4 * math.sqrt((50**2 - 1) / 12), rel=1e-12)
    assert found["Elongation"] == FINE(math.sqrt((20**2 - 1) * 4 / (50**2 - 1)), rel=1e-12)


def test_a_sphere():
    spacing, radius = (1.0, 0.5, 0.5), 10.0
    roi = inside((27, 51, 51), (radius,) * 3, spacing)
    found = shape_of(roi, spacing)
    assert found["VoxelVolume"] == FINE(np.count_nonzero(roi) * 0.25, rel=1e-12)
    assert found["MeshVolume"] == FINE(4 / 3 * math.pi * radius**3, rel=0.01)
    assert found["SurfaceArea"] == FINE(4 * math.pi * radius**2 * 1.1, rel=0.025)  # facets are steeper than the sphere
    assert found["Sphericity"] == FINE(1 / 1.1, rel=0.025)
    assert found["Maximum3DDiameter"] == FINE(2 * radius, rel=0.05)
    assert found["MajorAxisLength"] == FINE(4 * radius / math.sqrt(5), rel=0.01)


def test_an_ellipsoid():
    roi = inside((27, 47, 67), (10.0, 20.0, 30.0), (1.0, 1.0, 1.0))
    found = shape_of(roi, (1.0, 1.0, 1.0))
    assert found["MeshVolume"] == FINE(4 / 3 * math.pi * 10 * 20 * 30, rel=0.01)
    assert found["Elongation"] == FINE(20 / 30, rel=0.005)
    assert found["Flatness"] == FINE(10 / 30, rel=0.01)
    assert found["LeastAxisLength"] == FINE(4 * 10 / math.sqrt(5), rel=0.01)


def measured(radiomics, image, roi, spacing=None):
    (found,) = radiomics.extract([scan_of(image, roi, spacing)])
    return found


def differing(one, other, rtol):
    return {name for name in one if one[name] != pytest.approx(other[name], rel=rtol, abs=1e-9, nan_ok=True)}


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_a_film_by_right_angles_changes_neither_plain_features_nor_the_laplacian(turns):
    one = measured(PLAIN, film(), ROI)
    other = measured(PLAIN, np.rot90(film(), turns), np.rot90(ROI, turns))
    assert not differing(one, other, 1e-9)
    laplacian = Radiomics(bin_count=32, image_types=("log",), feature_classes=("firstorder",))
    one, other = (measured(laplacian, np.rot90(film(), turn), np.rot90(ROI, turn)) for turn in (0, turns))
    assert not differing(one, other, 1e-4)


def test_swapping_rows_and_columns_swaps_the_mixed_bands_of_the_wavelet():
    """A turn is not enough: coif1 is not symmetric, so it sees a film from the other side differently."""
    wavelet = Radiomics(bin_width=10.0, image_types=("wavelet",), feature_classes=("firstorder", "ngtdm", "glszm"))
    one, other = measured(wavelet, film(), ROI), measured(wavelet, film().T, ROI.T)
    for name, value in one.items():
        band, rest = name.split("_", 1)
        turned = {"wavelet-LH": "wavelet-HL", "wavelet-HL": "wavelet-LH"}.get(band, band)
        assert other[f"{turned}_{rest}"] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


def test_turning_a_volume_changes_nothing_but_the_names_of_diameters():
    image, roi = volume((40, 40, 40)), ball((40, 40, 40), (18, 20, 22), 6)
    one = measured(PLAIN, image, roi, (1.0, 1.0, 1.0))
    other = measured(PLAIN, np.rot90(image, axes=(0, 2)), np.rot90(roi, axes=(0, 2)), (1.0, 1.0, 1.0))
    assert differing(one, other, 1e-9) <= {
        f"original_shape_Maximum2DDiameter{plane}" for plane in ("Slice", "Column", "Row")
    }


@pytest.mark.parametrize("shift", [(0, 17), (-23, 8)])
def test_moving_image_and_region_together_changes_nothing(shift):
    """Filters too, as long as the image around the region moves along: it is rolled, and the region is far inside."""
    wide = np.pad(film(), 60, mode="reflect")
    roi = np.pad(ROI, 60)
    radiomics = Radiomics(bin_width=10.0, log_sigma=(1.0,), feature_classes=FAMILIES)
    one = measured(radiomics, wide, roi)
    other = measured(radiomics, np.roll(wide, shift, (0, 1)), np.roll(roi, shift, (0, 1)))
    assert not differing(one, other, 1e-5)


def test_an_offset_of_intensity_changes_no_texture_with_a_fixed_number_of_levels():
    radiomics = Radiomics(bin_count=32, image_types=("original",), feature_classes=FAMILIES)
    one, other = measured(radiomics, film(), ROI), measured(radiomics, film() + 512, ROI)
    moved = {
        "10Percentile", "90Percentile", "Energy", "Maximum", "Mean", "Median", "Minimum", "RootMeanSquared",
        "TotalEnergy",
    }  # fmt: skip
    assert differing(one, other, 1e-9) == {f"original_firstorder_{name}" for name in moved}


def test_a_factor_of_intensity_changes_no_texture_with_a_fixed_number_of_levels():
    radiomics = Radiomics(bin_count=32, image_types=("original",), feature_classes=("glcm", "glszm", "gldm"))
    assert not differing(measured(radiomics, film(), ROI), measured(radiomics, film() * 4, ROI), 1e-9)


def test_an_offset_by_whole_bins_changes_no_texture_with_a_fixed_width():
    radiomics = Radiomics(bin_width=16.0, image_types=("original",), feature_classes=("glcm", "ngtdm", "glrlm"))
    assert not differing(measured(radiomics, film(), ROI), measured(radiomics, film() + 160, ROI), 1e-9)


LABELS = {"1": (1, np.uint8), "255": (255, np.uint8), "700": (700, np.uint16)}
ENDINGS = (".png", ".tif", ".nii", ".nii.gz", ".nrrd", ".mha")


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_features_depend_on_neither_format_nor_label(ending, label, tmp_path):
    value, kind = LABELS[label]
    image, mask = tmp_path / f"image{ending}", tmp_path / f"mask{ending}"
    for path, pixels in ((image, film().astype(np.uint8)), (mask, (ROI * value).astype(kind))):
        if ending in (".png", ".tif"):
            Image.fromarray(pixels).save(path)
        else:
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path))
    scan = read_scan("a", image, mask, settings=ImagingSettings(segmentation_label=value))
    (found,) = PLAIN.extract([scan])
    assert not differing(measured(PLAIN, film(), ROI), found, 1e-12)
