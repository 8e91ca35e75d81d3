"""Slices of one volume: folders that hold a series, and frames of one file."""

import re
import shutil

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, generate_uid

from radfusion.core.hashing import file_hash
from radfusion.errors import CaseError
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
AXIAL = [1, 0, 0, 0, 1, 0]
OBLIQUE = [0.8, 0.6, 0, 0, 0, -1]
SERIES, OTHER = (generate_uid(entropy_srcs=[name]) for name in ("series", "other"))


@pytest.fixture
def volume():
    return np.random.default_rng(8).integers(0, 2000, (5, 7, 9), dtype=np.uint16)


@pytest.fixture
def write_slices(write_dicom, volume, tmp_path):
    """Function that writes slices at heights, named against their order, and returns their folder."""

    def write(heights, orientation=AXIAL, folder="series", changes=None, **elements):
        (tmp_path / folder).mkdir(exist_ok=True)
        along, down = np.reshape(orientation, (2, 3))
        for index, height in enumerate(heights):
            place = (np.array([3.0, 4, 5]) + height * np.cross(along, down)).tolist()
            stated = {
                "ImagePositionPatient": place,
                "ImageOrientationPatient": list(orientation),
                "PixelSpacing": [0.5, 0.75],
                "SeriesInstanceUID": SERIES,
                "SOPInstanceUID": generate_uid(entropy_srcs=[folder, str(index)]),
                "Modality": "CT",
                "SOPClassUID": CTImageStorage,
                "RescaleSlope": index + 1,
                "RescaleIntercept": -1000,
                **elements,
                **(changes or {}).get(index, {}),
            }
            write_dicom(volume[index], f"{folder}/{99 - index}.dcm", **stated)
        return tmp_path / folder

    return write


def reason(path, **settings):
    """Why a file or folder is refused."""
    with pytest.raises(CaseError) as caught:
        read_scan("a", path, None, settings=ImagingSettings(**settings))
    assert caught.value.stage == "read"
    return caught.value.reason


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE])
def test_a_folder_is_read_as_gdcm_reads_it(write_slices, orientation):
    folder = write_slices([10, 2.5, 0, 7.5, 5], orientation)
    scan = read_scan("a", folder, None, settings=SETTINGS)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = SimpleITK.ReadImage(names)
    np.testing.assert_array_equal(scan.image, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(scan.spacing, image.GetSpacing()[::-1])
    np.testing.assert_allclose(scan.origin, image.GetOrigin()[::-1], atol=1e-9)
    np.testing.assert_allclose(scan.direction, np.reshape(image.GetDirection(), (3, 3))[::-1, ::-1].ravel(), atol=1e-9)


def test_slices_are_sorted_by_position_and_rescaled_each(write_slices, volume):
    folder = write_slices([10, 7.5, 0, 2.5, 5])
    scan = read_scan("a", folder, None, settings=SETTINGS)
    order = [2, 3, 4, 1, 0]
    np.testing.assert_array_equal(scan.image, [volume[each] * (each + 1.0) - 1000 for each in order])
    assert (scan.spacing, scan.origin) == ((2.5, 0.5, 0.75), (5.0, 4.0, 3.0))
    assert scan.facts["slices"] == "5 slices every 2.5 mm by position"
    assert scan.facts["rescaled"] == "differs between slices"


def test_a_range_along_the_series_is_a_fact(write_slices):
    currents = {index: {"XRayTubeCurrent": 100 + index} for index in range(5)}
    scan = read_scan("a", write_slices(range(5), changes=currents, KVP=120), None, settings=SETTINGS)
    assert (scan.facts["tube_current_mA"], scan.facts["kVp"]) == ("100 to 104", "120")


def test_what_is_no_slice_is_left_out_and_said(write_slices, write_dicom, volume):
    folder = write_slices(range(5))
    localiser = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": OTHER}
    write_dicom(volume[0], "series/scout.dcm", **localiser)
    write_dicom(volume[0], "series/rt.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", SeriesInstanceUID=OTHER)
    (folder / "notes.txt").write_text("read me")
    (folder / ".hidden").write_text("")
    scan = read_scan("a", folder, None, settings=SETTINGS)
    assert scan.image.shape == (5, 7, 9)
    assert scan.facts["left_out"] == "1 RT Structure Set Storage, 1 localiser, 1 not DICOM"


REFUSED = {
    r"not evenly spaced, gaps of 1 mm \(3 times\), 2 mm \(1 times\); is a slice missing": {"heights": [0, 1, 2, 4, 5]},
    "5 slices lie at 4 positions; one volume is wanted": {"heights": [0, 1, 2, 2, 3]},
    "differ in orientation, by 1 in": {"changes": {2: {"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}}},
    r"shift sideways by up to 0.\d+ mm .a tilted gantry": {"changes": {4: {"ImagePositionPatient": [3.3, 4, 9]}}},
    "differ in pixel spacing: 2 different pairs": {"changes": {1: {"PixelSpacing": [0.6, 0.75]}}},
    "1 of 5 slices do not say where in the patient": {"changes": {1: {"ImagePositionPatient": []}}},
    "holds 2 series, of 4, 1 images; a folder with one series": {"changes": {1: {"SeriesInstanceUID": OTHER}}},
    "differ in photometric interpretation: 4 MONOCHROME2, 1 MONO": {
        "changes": {1: {"PhotometricInterpretation": "MONOCHROME1"}}
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_one_volume_is_refused_with_the_numbers(write_slices, message):
    told = reason(write_slices(**{"heights": [0, 1, 2, 3, 4], **REFUSED[message]}))
    assert told.startswith("series: ")
    assert SERIES not in told
    assert re.search(message, told)


def test_slices_of_two_sizes_are_refused(write_slices, write_dicom):
    folder = write_slices([0, 1, 2])
    small = np.zeros((4, 4), dtype=np.uint16)
    place = {"ImagePositionPatient": [3, 4, 8], "ImageOrientationPatient": AXIAL, "PixelSpacing": [0.5, 0.75]}
    write_dicom(small, "series/small.dcm", SeriesInstanceUID=SERIES, **place)
    assert "3 of 7 x 9 (rows x columns), 1 of 4 x 4 (rows x columns)" in reason(folder)


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    (tmp_path / "folder" / "notes.txt").write_text("nothing")
    told = reason(tmp_path / "folder")
    assert "holds no DICOM image but 1 not DICOM and 1 folders, which are not searched" in told


def test_a_damaged_slice_is_named(write_slices):
    folder = write_slices(range(5))
    cut = folder / "97.dcm"
    cut.write_bytes(cut.read_bytes()[:-20])
    assert "97.dcm" in reason(folder)
    cut.write_bytes(b"")
    assert "97.dcm" in reason(folder)


def test_one_slice_in_a_folder_is_a_film_with_its_place(write_slices, volume):
    folder = write_slices([4])
    scan = read_scan("a", folder, None, settings=SETTINGS)
    assert (scan.image.shape, scan.spacing, scan.origin) == ((7, 9), (0.5, 0.75), (9.0, 4.0, 3.0))


def test_the_name_under_which_a_folder_is_remembered_follows_names_and_contents(write_slices, tmp_path):
    folder = write_slices(range(3))
    before = file_hash(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert file_hash(tmp_path / "copy") == before
    (folder / "99.dcm").rename(folder / "98a.dcm")
    assert file_hash(folder) != before


@pytest.fixture
def write_frames(write_dicom, volume):
    """Function that writes an enhanced file with a functional group per frame."""

    def write(heights, slopes=None, **elements):
        shared, orientation, measures = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient, measures.PixelSpacing = AXIAL, [0.5, 0.75]
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
        frames = []
        for height, slope in zip(heights, slopes or [1] * len(heights), strict=True):
            group, position, rescale = Dataset(), Dataset(), Dataset()
            position.ImagePositionPatient = [3, 4, 5 + height]
            rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, -5, "US"
            group.PlanePositionSequence = Sequence([position])
            group.PixelValueTransformationSequence = Sequence([rescale])
            frames.append(group)
        stated = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1",
            "Rows": 7,
            "Columns": 9,
            "NumberOfFrames": len(heights),
            "SharedFunctionalGroupsSequence": Sequence([shared]),
            "PerFrameFunctionalGroupsSequence": Sequence(frames),
        }
        return write_dicom(volume[: len(heights)], "enhanced.dcm", **stated | elements)

    return write


def test_frames_become_slices_by_position_each_with_its_rescaling(write_frames, volume):
    scan = read_scan("a", write_frames([4, 2, 0], [1, 2, 3]), None, settings=SETTINGS)
    np.testing.assert_array_equal(scan.image, [volume[2] * 3.0 - 5, volume[1] * 2.0 - 5, volume[0] - 5.0])
    assert (scan.spacing, scan.origin, len(scan.direction)) == ((2.0, 0.5, 0.75), (5.0, 4.0, 3.0), 9)


def test_frames_at_one_position_are_refused_or_one_is_chosen(write_frames, volume):
    path = write_frames([0, 0, 2, 2])
    assert "4 frames lie at 2 positions" in reason(path)
    scan = read_scan("a", path, None, settings=ImagingSettings(frame=3))
    np.testing.assert_array_equal(scan.image, volume[2] - 5.0)
    assert (scan.spacing, scan.origin) == ((0.5, 0.75), (7.0, 4.0, 3.0))


def test_groups_of_fewer_frames_than_promised_are_refused(write_frames, volume):
    path = write_frames([0, 2, 4])
    header = dcmread(path)
    header.PerFrameFunctionalGroupsSequence = header.PerFrameFunctionalGroupsSequence[:2]
    header.save_as(path)
    assert "holds 3 frames, but functional groups of 2" in reason(path)


@pytest.mark.data
@pytest.mark.parametrize(
    "folder",
    [
        "ibsi/ibsi_1_ct_radiomics_phantom/dicom/image",
        "dicom/dcmqi/ct-3slice",
        "dicom/rt-utils/mock_data",
        "dicom/rt-utils/oriented_data",
        "dicom/pydicom/dicomdirtests/98892001/CT5N",
    ],
)
def test_real_series_are_read_as_gdcm_reads_them(shared, folder):
    path = shared / "data" / folder
    scan = read_scan("a", path, None, settings=SETTINGS)
    image = SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    np.testing.assert_array_equal(scan.image, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(scan.spacing, image.GetSpacing()[::-1], rtol=1e-7)
    np.testing.assert_allclose(scan.origin, image.GetOrigin()[::-1], atol=1e-9)
    axes = np.reshape(image.GetDirection(), (3, 3))[::-1, ::-1]
    np.testing.assert_allclose(scan.direction, axes.ravel(), atol=1e-6)


@pytest.mark.data
def test_the_ct_phantom_is_the_same_in_dicom_and_nifti(shared):
    folder = shared / "data" / "ibsi" / "ibsi_1_ct_radiomics_phantom"
    series = read_scan("a", folder / "dicom" / "image", None, settings=SETTINGS)
    nifti = read_scan("a", folder / "nifti" / "image" / "phantom.nii.gz", None, settings=SETTINGS)
    np.testing.assert_array_equal(series.image, nifti.image)
    for what in ("spacing", "origin", "direction"):
        np.testing.assert_allclose(getattr(series, what), getattr(nifti, what), atol=1e-4)


@pytest.mark.data
def test_frames_of_the_digital_phantom_lie_across_its_nifti_twin(shared):
    folder = shared / "data" / "ibsi" / "ibsi_1_digital_phantom"
    frames = read_scan("a", folder / "dicom_deprecated" / "image", None, settings=SETTINGS)
    nifti = read_scan("a", folder / "nifti" / "image" / "phantom.nii.gz", None, settings=SETTINGS)
    assert frames.direction == (0, -1, 0, 1, 0, 0, 0, 0, 1)
    np.testing.assert_array_equal(frames.image.transpose(1, 0, 2), nifti.image)
