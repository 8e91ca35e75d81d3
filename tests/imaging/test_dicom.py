"""DICOM films: intensities, spacing, facts; damaged and unfit files."""

import csv

import numpy as np
import pytest
from pydicom.uid import generate_uid

from radfusion.errors import CaseError
from radfusion.imaging.loading import probe, read_scan
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
PNG_MASK = ImagingSettings(min_roi_pixels=1)


@pytest.fixture
def grey():
    return np.random.default_rng(5).integers(0, 4096, (24, 30), dtype=np.uint16)


def test_a_film_with_its_facts(write_dicom, grey, mask_path):
    path = write_dicom(grey, KVP=70, Manufacturer="Maker", PixelSpacing=[0.2, 0.3], BitsStored=12, HighBit=11)
    scan = read_scan("a", path, mask_path, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, grey)
    assert (scan.modality, scan.spacing, scan.n_roi) == ("CR", (0.2, 0.3), 60)
    assert (scan.facts["kVp"], scan.facts["manufacturer"], scan.facts["spacing"]) == ("70", "Maker", "PixelSpacing")


def test_facts_identify_nobody(write_dicom, grey):
    path = write_dicom(grey, PatientBirthDate="19500101", InstitutionName="General Hospital", StudyDate="20200102")
    told = " ".join(read_scan("a", path, None, settings=SETTINGS).facts.values())
    assert not [word for word in ("Doe", "4711", "1950", "Hospital", "2020") if word in told]


def test_monochrome1_is_inverted_once_and_recorded(write_dicom, grey):
    path = write_dicom(4095 - grey, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    scan = read_scan("a", path, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, grey)
    assert scan.facts["inverted"] == "MONOCHROME1"


def test_signed_monochrome1_is_mirrored_about_minus_one_half(write_dicom):
    values = np.array([[-5, 0], [3, 7]], dtype=np.int16)
    path = write_dicom(values, PhotometricInterpretation="MONOCHROME1", PixelRepresentation=1)
    np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, -1.0 - values)


def test_rescaling_is_applied_once(write_dicom, grey):
    path = write_dicom(grey, RescaleSlope=2, RescaleIntercept=-1024)
    scan = read_scan("a", path, None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, 2.0 * grey - 1024)
    assert scan.facts["rescaled"] == "slope 2, intercept -1024"


def test_spacing_at_the_detector_is_used_and_said(write_dicom, grey):
    scan = read_scan("a", write_dicom(grey, ImagerPixelSpacing=[0.1, 0.1]), None, settings=SETTINGS)
    assert scan.spacing == (0.1, 0.1)
    assert scan.facts["spacing"].startswith("ImagerPixelSpacing: at the detector")


def test_pixel_spacing_goes_before_detector_spacing(write_dicom, grey):
    path = write_dicom(grey, ImagerPixelSpacing=[0.1, 0.1], PixelSpacing=[0.08, 0.08])
    assert read_scan("a", path, None, settings=SETTINGS).spacing == (0.08, 0.08)


def test_impossible_spacing_counts_as_none(write_dicom, grey):
    scan = read_scan("a", write_dicom(grey, PixelSpacing=[0, 0.1]), None, settings=SETTINGS)
    assert scan.spacing is None
    assert "positive" in scan.facts["spacing_refused"]


def test_colour_becomes_luminance(write_dicom):
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    elements = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    scan = read_scan("a", write_dicom(colours, **elements), None, settings=SETTINGS)
    np.testing.assert_allclose(scan.image, colours @ [0.299, 0.587, 0.114], atol=0.51)


def test_a_dicom_segmentation_is_read_as_stored(write_png, film, write_dicom, region):
    drawn = write_dicom(region.astype(np.uint8), "mask.dcm", PhotometricInterpretation="MONOCHROME1")
    assert read_scan("a", write_png(film), drawn, settings=SETTINGS).n_roi == 60


def test_a_file_without_preamble_is_read(write_dicom, grey, tmp_path):
    whole = write_dicom(grey).read_bytes()
    path = tmp_path / "bare.dcm"
    path.write_bytes(whole[132:])
    np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, grey)


UNFIT = {
    "holds 2 frames": {"NumberOfFrames": 2},
    "photometric interpretation PALETTE COLOR is not read; allowed: MONOCHROME1": {
        "PhotometricInterpretation": "PALETTE COLOR"
    },
    "DICOM segmentation objects are not read": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"},
    r"0 x 30 \(rows x columns\)": {"Rows": 0},
    "60000 x 60000 .* at most 268435456": {"Rows": 60000, "Columns": 60000},
    "bytes of pixel data is less than expected": {"Rows": 100},
}


@pytest.mark.parametrize("message", UNFIT)
def test_unfit_files_are_named(write_dicom, grey, message):
    path = write_dicom(grey, **UNFIT[message])
    with pytest.raises(CaseError, match=message) as caught:
        read_scan("a", path, None, settings=SETTINGS)
    assert caught.value.stage == "read"


def test_a_header_without_pixels_is_no_image(write_dicom, grey, tmp_path):
    from pydicom import dcmread

    header = dcmread(write_dicom(grey))
    del header.PixelData
    header.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    header.save_as(tmp_path / "empty.dcm")
    with pytest.raises(CaseError, match="holds no pixel data"):
        read_scan("a", tmp_path / "empty.dcm", None, settings=SETTINGS)


@pytest.mark.parametrize("kept", [0, 3, 100, 200, 700, 1500])
def test_a_file_cut_short_is_a_bad_case(write_dicom, grey, kept):
    path = write_dicom(grey)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CaseError, match=r"film\.dcm"):
        read_scan("a", path, None, settings=SETTINGS)


def test_deeply_nested_sequences_do_not_end_the_process(write_dicom, grey, tmp_path):
    nest = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"
    path = tmp_path / "nested.dcm"
    path.write_bytes(write_dicom(grey).read_bytes() + b"\xfc\xff\x40\x11SQ\x00\x00\xff\xff\xff\xff" + nest * 30000)
    with pytest.raises(CaseError, match=r"nested\.dcm"):
        read_scan("a", path, None, settings=SETTINGS)


@pytest.mark.data
def test_every_public_dicom_file_is_read_or_a_bad_case(shared):
    folder = shared / "data" / "dicom"
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    read, reasons = 0, {}
    for row in rows:
        path = folder / row["file"]
        try:
            scan = read_scan("a", path, None, settings=SETTINGS)
        except CaseError as error:
            reasons[path.name] = error.reason
            continue
        read += 1
        assert probe(path, None) is None
        if row["rows"]:
            assert scan.image.shape == (int(row["rows"]), int(row["cols"]))
    assert read >= 80
    assert all(name in reason and str(folder) not in reason for name, reason in reasons.items())
