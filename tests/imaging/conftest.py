"""Real files of one small film, written by the libraries that radiology uses."""

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid


@pytest.fixture
def film():
    """24 x 30 pixels of 8 bits; no two rows are alike."""
    return np.random.default_rng(3).integers(20, 230, (24, 30), dtype=np.uint8)


@pytest.fixture
def region():
    """60 pixels, away from the border."""
    roi = np.zeros((24, 30), dtype=bool)
    roi[8:14, 10:20] = True
    return roi


@pytest.fixture
def write_png(tmp_path):
    """Function that writes an array as PNG and returns its path."""

    def write(values, name="image.png", mode=None):
        picture = Image.fromarray(np.asarray(values))
        path = tmp_path / name
        (picture.convert(mode) if mode else picture).save(path)
        return path

    return write


@pytest.fixture
def mask_path(write_png, region):
    """Segmentation of the film, 255 inside."""
    return write_png(region.astype(np.uint8) * 255, "mask.png")


@pytest.fixture
def write_dicom(tmp_path):
    """Function that writes an array as DICOM with more header elements and returns its path."""

    def write(values, name="film.dcm", **elements):
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        header.SOPClassUID = ComputedRadiographyImageStorage
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
        header.Modality = "CR"
        header.PatientName = "Doe^Jane"
        header.PatientID = "4711"
        header.PhotometricInterpretation = "MONOCHROME2"
        header.SamplesPerPixel = 1
        header.Rows, header.Columns = values.shape[:2]
        header.BitsAllocated = values.dtype.itemsize * 8
        header.BitsStored = header.BitsAllocated
        header.HighBit = header.BitsStored - 1
        header.PixelRepresentation = 0
        header.PixelData = values.tobytes()
        for keyword, value in elements.items():
            setattr(header, keyword, value)
        path = tmp_path / name
        header.save_as(path, enforce_file_format=True)
        return path

    return write
