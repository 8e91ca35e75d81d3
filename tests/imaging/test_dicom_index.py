"""Every public DICOM file is read as its index says, or refused with a reason that says what it is."""

import csv
import re
import warnings

import numpy as np
import pytest
from pydicom import dcmread

from radfusion.errors import CaseError
from radfusion.imaging.formats import format_of
from radfusion.imaging.loading import CaseFiles, read_scan, read_scans
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
NO_IMAGE = (
    r"not an image; (it holds no pixels|they hold no pixels|name it as the segmentation|name the folder)"
    r"|holds no image: neither|holds no pixel data|neither its content nor its suffix"
)
# What the index decodes and a study cannot use as it is, by SOP class.
UNFIT = {
    "Segmentation Storage": "name it as the segmentation of a case",
    "1.2.840.10008.5.1.4.1.1.66.7": "name it as the segmentation of a case",
    "VL Whole Slide Microscopy Image Storage": "are tiles of a slide .* choose one with imaging.frame",
}
SEQUENCE = "frames are not stated .* choose one with imaging.frame"
# Read although the index's decoders could not: GDCM finds the end of the frame.
ALSO_READ = {"pydicom/JPEG-lossy.dcm": (1024, 256)}


def rows(shared):
    with (shared / "data" / "dicom" / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def decoded_shape(row):
    """Shape of the index's decoded array, or None."""
    found = re.match(r"ok \(([\d, ]+)\)", row["decode"])
    return tuple(int(each) for each in found.group(1).split(",")) if found else None


def expected_refusal(row, shape):
    """Pattern of the reason, or None for a file that must be read."""
    if row["read"] == "nrrd" or row["file"] in ALSO_READ:
        return None
    if row["decode"] == "no pixel data":
        return NO_IMAGE
    if shape is None:
        return "cannot be read as DICOM|holds no image|name it as the segmentation"
    frames = int(row["frames"]) if row["frames"].isdigit() else 1
    in_time = frames > 1 and row["sop_class"] != "RT Dose Storage"
    return UNFIT.get(row["sop_class"]) or (SEQUENCE if in_time else None)


@pytest.mark.data
def test_every_row_of_the_index_is_read_or_refused_as_it_must(shared):
    wrong = []
    for row in rows(shared):
        path = shared / "data" / "dicom" / row["file"]
        shape = decoded_shape(row)
        pattern = expected_refusal(row, shape)
        try:
            pixels = format_of(path).read(path)
            scan = read_scan("a", path, None, settings=SETTINGS)
        except CaseError as error:
            named = path.name in error.reason and str(shared) not in error.reason
            if pattern is None or not named or not re.search(pattern, error.reason):
                wrong.append((row["file"], error.reason))
            continue
        colour = 3 if pixels.colour else None
        grey = shape[:-1] if shape is not None and len(shape) == pixels.values.ndim and colour else shape
        as_promised = shape is None or scan.image.shape == grey
        if pattern is not None or not as_promised or not np.isfinite(scan.image).all():
            wrong.append((row["file"], f"read as {scan.image.shape}"))
    assert wrong == []


@pytest.mark.data
def test_one_frame_of_what_is_no_stack_may_be_chosen(shared):
    chosen = ImagingSettings(frame=2)
    wrong = []
    for row in rows(shared):
        shape = decoded_shape(row)
        frames = int(row["frames"]) if row["frames"].isdigit() else 1
        if shape is None or frames < 2 or "Segmentation" in row["sop_class"] or row["sop_class"].endswith("66.7"):
            continue
        scan = read_scan("a", shared / "data" / "dicom" / row["file"], None, settings=chosen)
        if scan.image.shape != shape[1:3] or scan.facts["frame"] != f"2 of {frames}":
            wrong.append(row["file"])
    assert wrong == []


@pytest.mark.data
def test_integer_pixels_are_those_of_the_index_before_rescaling(shared):
    wrong = []
    for row in rows(shared):
        found = re.match(r"ok \((\d+), (\d+)\) [<>]?(u?int\d+|[iu]\d)", row["decode"])
        path = shared / "data" / "dicom" / row["file"]
        if found is None or "SEG" in row["modality"] or row["photometric"] == "PALETTE COLOR":
            continue
        labels = format_of(path).read_labels(path)
        kind = np.dtype(found.group(3))
        if labels.values.dtype.kind != kind.kind or labels.values.dtype.itemsize != kind.itemsize:
            wrong.append((row["file"], str(labels.values.dtype)))
    assert wrong == []


def secrets(path):
    """Texts of a header that tell who, where or when, and that no maker's name contains."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(path, force=True, stop_before_pixels=True)
        words = ("PatientName", "PatientID", "StudyDate", "StationName", "DeviceSerialNumber", "StudyInstanceUID")
        return [str(header.get(word)) for word in words if len(str(header.get(word, ""))) > 3]


@pytest.mark.data
def test_no_fact_of_a_real_file_tells_who_or_when(shared):
    told = []
    for row in rows(shared)[::3]:
        path = shared / "data" / "dicom" / row["file"]
        (scan,) = read_scans([CaseFiles("a", str(path))], settings=SETTINGS)
        if row["read"] != "nrrd" and not isinstance(scan, CaseError):
            told += [path.name for secret in secrets(path) if secret in " ".join(scan.facts.values())]
    assert told == []
