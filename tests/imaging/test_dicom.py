"""DICOM films: intensities, spacing, facts; damaged and unfit files."""

import zlib

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

from radfusion.errors import CaseError
from radfusion.imaging.loading import read_scan
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
    assert (scan.facts["kVp"], scan.facts["manufacturer"]) == ("70", "Maker")
    assert scan.facts["spacing"].startswith("PixelSpacing: alone, the header does not say")


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
    scan = read_scan("a", path, None, settings=SETTINGS)
    assert scan.spacing == (0.08, 0.08)
    assert scan.facts["spacing"] == "PixelSpacing: calibrated (type not stated; 0.1 x 0.1 mm at the detector)"


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
    "positions of its 2 frames are not stated .* choose one with imaging.frame": {"NumberOfFrames": 2},
    "NumberOfFrames is -1": {"NumberOfFrames": -1},
    "photometric interpretation HSV is not read; allowed: MONOCHROME1": {"PhotometricInterpretation": "HSV"},
    "1 channels do not fit": {"PhotometricInterpretation": "RGB"},
    "is a DICOM segmentation object .* name it as the segmentation of a case": {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"
    },
    "is a DICOM segmentation object .Label Map": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.7"},
    "is a radiotherapy structure set .* segmentation of a case": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"},
    "rescale slope 0 and intercept 3 give no intensities": {"RescaleSlope": 0, "RescaleIntercept": 3},
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


DISTANCES = {"ImagerPixelSpacing": [0.1, 0.1], "DistanceSourceToDetector": 1800, "DistanceSourceToPatient": 1500}
IN_PATIENT = ImagingSettings(magnification="patient")


def test_spacing_at_the_detector_is_scaled_to_the_patient_on_request(write_dicom, grey):
    scan = read_scan("a", write_dicom(grey, **DISTANCES), None, settings=IN_PATIENT)
    np.testing.assert_allclose(scan.spacing, (0.1 / 1.2, 0.1 / 1.2))
    assert scan.facts["spacing"].startswith("ImagerPixelSpacing: divided by 1.2 (DistanceSourceToDetector")
    stated = write_dicom(grey, **DISTANCES, EstimatedRadiographicMagnificationFactor=1.25)
    np.testing.assert_allclose(read_scan("a", stated, None, settings=IN_PATIENT).spacing, (0.08, 0.08))


def test_spacing_that_is_equal_at_the_detector_is_scaled_and_calibrated_spacing_is_not(write_dicom, grey):
    equal = write_dicom(grey, **DISTANCES, PixelSpacing=[0.1, 0.1])
    np.testing.assert_allclose(read_scan("a", equal, None, settings=IN_PATIENT).spacing, (0.1 / 1.2, 0.1 / 1.2))
    fiducial = {"PixelSpacing": [0.07, 0.07], "PixelSpacingCalibrationType": "FIDUCIAL"}
    scan = read_scan("a", write_dicom(grey, **DISTANCES, **fiducial), None, settings=IN_PATIENT)
    assert scan.spacing == (0.07, 0.07)
    assert "calibrated (FIDUCIAL" in scan.facts["spacing"]


@pytest.mark.parametrize(
    ("message", "elements"),
    [
        ("states neither a magnification factor nor", {}),
        ("magnification of 0.5 .* is impossible; 1 to 10", {"EstimatedRadiographicMagnificationFactor": 0.5}),
    ],
)
def test_a_film_without_possible_magnification_is_no_case_of_the_patient_plane(write_dicom, grey, message, elements):
    path = write_dicom(grey, ImagerPixelSpacing=[0.1, 0.1], **elements)
    with pytest.raises(CaseError, match=message):
        read_scan("a", path, None, settings=IN_PATIENT)


def test_missing_spacing_is_said_or_refused(write_dicom, grey):
    path = write_dicom(grey, PixelAspectRatio=[4, 3])
    said = read_scan("a", path, None, settings=SETTINGS)
    assert said.spacing is None
    assert said.facts["spacing"].startswith("none, sizes are in pixels: none; PixelAspectRatio 4:3")
    with pytest.raises(CaseError, match=r"no spacing in mm .* imaging\.missing_spacing is refuse"):
        read_scan("a", path, None, settings=ImagingSettings(missing_spacing="refuse"))


def test_a_slice_keeps_its_place_in_the_patient(write_dicom, grey):
    place = {"ImagePositionPatient": [-10, 20, 30], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
    scan = read_scan("a", write_dicom(grey, PixelSpacing=[0.2, 0.3], **place), None, settings=SETTINGS)
    assert scan.origin == (30.0, 20.0, -10.0)
    columns = np.reshape(scan.direction, (3, 3))[::-1, ::-1].T
    np.testing.assert_allclose(columns, [[0, 1, 0], [0, 0, -1], [-1, 0, 0]])


def test_a_crooked_orientation_is_no_place(write_dicom, grey):
    place = {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}
    scan = read_scan("a", write_dicom(grey, **place), None, settings=SETTINGS)
    assert (scan.origin, scan.direction) == ((), ())


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_and_below_the_stored_ones_are_masked(write_dicom, signed):
    values = np.random.default_rng(2).integers(-512, 512, (6, 8)) if signed else np.arange(48).reshape(6, 8) * 20
    junk = np.random.default_rng(4).integers(0, 16, (6, 8))
    stored = ((junk << 12) | ((values & 0x3FF) << 2) | (junk & 3)).astype(np.uint16)
    path = write_dicom(stored, BitsStored=10, HighBit=11, PixelRepresentation=int(signed))
    np.testing.assert_array_equal(read_scan("a", path, None, settings=SETTINGS).image, values)


def test_a_window_of_the_file_is_applied_on_request(write_dicom, grey):
    window = {"WindowCenter": [2048, 9], "WindowWidth": [1000, 9], "RescaleSlope": 1, "RescaleIntercept": 0}
    scan = read_scan("a", write_dicom(grey, **window), None, settings=ImagingSettings(window="file"))
    expected = np.clip(((grey - 2047.5) / 999 + 0.5) * 255, 0, 255)
    np.testing.assert_allclose(scan.image, expected)
    assert scan.facts["window"].startswith("of the file, LINEAR, centre 2048, width 1000")


def test_the_window_of_an_inverted_film_holds_for_what_the_file_stores(write_dicom, grey):
    elements = {"WindowCenter": 2048, "WindowWidth": 1000, "BitsStored": 12, "HighBit": 11}
    shown = ImagingSettings(window="file")
    plain = read_scan("a", write_dicom(grey, **elements), None, settings=shown)
    inverted = write_dicom(grey, PhotometricInterpretation="MONOCHROME1", **elements)
    np.testing.assert_allclose(read_scan("a", inverted, None, settings=shown).image, 255 - plain.image)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", [None, "LINEAR_EXACT"])
def test_a_window_that_is_not_applied_is_stated_for_the_intensities_of_the_scan(write_dicom, grey, photometric, shape):
    elements = {"WindowCenter": 2048, "WindowWidth": 1000, "BitsStored": 12, "HighBit": 11}
    elements |= {"PhotometricInterpretation": photometric} | ({"VOILUTFunction": shape} if shape else {})
    path = write_dicom(grey, **elements)
    scan = read_scan("a", path, None, settings=SETTINGS)
    low, high = map(float, scan.facts["stated_window"].split(" to "))
    applied = read_scan("a", path, None, settings=ImagingSettings(window="file"))
    np.testing.assert_allclose(np.clip((scan.image - low) / (high - low), 0, 1) * 255, applied.image)
    assert "stated_window" not in applied.facts


def test_a_window_that_is_no_straight_line_is_not_stated(write_dicom, grey):
    for odd in ({"VOILUTFunction": "SIGMOID"}, {"WindowWidth": 1}):
        path = write_dicom(grey, **{"WindowCenter": 2048, "WindowWidth": 1000, **odd})
        assert "stated_window" not in read_scan("a", path, None, settings=SETTINGS).facts


def test_a_window_of_the_study_holds_for_every_format(write_dicom, write_png, film):
    settings = ImagingSettings.model_validate({"window": {"centre": 100, "width": 50}})
    expected = np.clip(((film - 100.0) / 50 + 0.5) * 255, 0, 255)
    for path in (write_dicom(film), write_png(film)):
        np.testing.assert_allclose(read_scan("a", path, None, settings=settings).image, expected)


def test_a_window_that_is_not_there_is_no_window(write_dicom, write_png, grey, film):
    shown = ImagingSettings(window="file")
    with pytest.raises(CaseError, match=r"imaging\.window is file, but the header states none"):
        read_scan("a", write_dicom(grey), None, settings=shown)
    with pytest.raises(CaseError, match="only DICOM files state a window"):
        read_scan("a", write_png(film), None, settings=shown)


def test_padding_is_counted_and_on_request_made_background(write_dicom, grey):
    stored = np.maximum(grey, 100)
    stored[:, :4], stored[0, :] = 3, 1
    path = write_dicom(stored, PixelPaddingValue=1, PixelPaddingRangeLimit=3)
    count = 24 * 4 + 26
    kept = read_scan("a", path, None, settings=SETTINGS)
    assert (kept.facts["padded_pixels"], kept.image.min()) == (f"{count}, kept", 1)
    filled = read_scan("a", path, None, settings=ImagingSettings(padding="background"))
    assert filled.image.min() == stored[1:, 4:].min()
    np.testing.assert_array_equal(filled.image[1:, 4:], stored[1:, 4:])


def test_palette_colours_are_looked_up(write_dicom, film):
    table = np.arange(256, dtype=np.uint16)
    elements = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, values in {"Red": table, "Green": table, "Blue": table}.items():
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{colour}PaletteColorLookupTableData"] = values.tobytes()
    scan = read_scan("a", write_dicom(film, **elements), None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, film)
    assert scan.facts["rescaled"] == "palette colours looked up"


def test_a_chosen_frame_is_read_and_said(write_dicom, grey):
    frames = np.stack([grey, grey + 1, grey + 2])
    path = write_dicom(frames, NumberOfFrames=3, Rows=24, Columns=30)
    scan = read_scan("a", path, None, settings=ImagingSettings(frame=2))
    np.testing.assert_array_equal(scan.image, grey + 1)
    assert scan.facts["frame"] == "2 of 3"
    with pytest.raises(CaseError, match=r"has 3 frames; imaging\.frame is 4"):
        read_scan("a", path, None, settings=ImagingSettings(frame=4))


def test_a_deflated_header_that_grows_without_end_is_refused(write_dicom, grey, tmp_path):
    header = dcmread(write_dicom(grey))
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    header.save_as(tmp_path / "deflated.dcm")
    np.testing.assert_array_equal(read_scan("a", tmp_path / "deflated.dcm", None, settings=SETTINGS).image, grey)
    whole = (tmp_path / "deflated.dcm").read_bytes()
    start = 144 + dcmread(tmp_path / "deflated.dcm").file_meta.FileMetaInformationGroupLength
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 24)
    body = b"".join(stream.compress(zeros) for _ in range(65)) + stream.flush()
    (tmp_path / "bomb.dcm").write_bytes(whole[:start] + body)
    with pytest.raises(CaseError, match=r"bomb\.dcm: inflates to more than 1073741824 bytes"):
        read_scan("a", tmp_path / "bomb.dcm", None, settings=SETTINGS)


@pytest.mark.data
def test_lossless_jpeg_and_twelve_bits_are_decoded_without_gpl_plug_ins(shared):
    folder = shared / "data" / "dicom"
    path = folder / "pydicom-data" / "bad_sequence.dcm"
    scan = read_scan("a", path, None, settings=SETTINGS)
    image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(scan.image, image[0])
    twelve = read_scan("a", folder / "pydicom" / "JPGExtended.dcm", None, settings=SETTINGS)
    assert (twelve.image.shape, twelve.image.max()) == ((1024, 256), 264)


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_expb"]
)
def test_every_lossless_coding_gives_the_same_pixels(shared, name):
    folder = shared / "data" / "dicom" / "pydicom"
    plain = read_scan("a", folder / "MR_small.dcm", None, settings=SETTINGS)
    coded = read_scan("a", folder / f"{name}.dcm", None, settings=SETTINGS)
    np.testing.assert_array_equal(coded.image, plain.image)
    assert (coded.spacing, coded.origin, coded.direction) == (plain.spacing, plain.origin, plain.direction)


@pytest.mark.parametrize(("signed", "kind", "stated"), [(1, "US", 0x10000 - 2000), (0, "SS", -2000)])
def test_padding_may_be_stated_in_the_other_sign(write_dicom, signed, kind, stated):
    stored = np.arange(20, dtype=np.int16).reshape(4, 5)
    stored[0, 0] = -2000
    path = write_dicom(stored, PixelRepresentation=signed)
    header = dcmread(path)
    header.add_new("PixelPaddingValue", kind, stated)
    header.save_as(path)
    filled = read_scan("a", path, None, settings=ImagingSettings(padding="background"))
    assert (filled.image[0, 0], filled.facts["padded_pixels"]) == (1, "1, set to the lowest value of the others")
