"""Real files of one small film, written by the libraries that radiology uses."""

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)


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


UIDS = {name: generate_uid(entropy_srcs=[name]) for name in ("exam", "series", "frame", "other")}


def dicom_object(storage, **elements):
    """Header of a new DICOM object of the exam."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = storage
    uid = generate_uid(entropy_srcs=[str(storage), str(sorted(elements))])
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = uid
    header.StudyInstanceUID = UIDS["exam"]
    header.PatientName, header.PatientID = "Doe^Jane", "4711"
    return with_elements(header, **elements)


def with_elements(dataset, **elements):
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def item(**elements):
    return with_elements(Dataset(), **elements)


@pytest.fixture
def volume_grid():
    """An oblique stack: spacing (x, y, z), origin (x, y, z) and direction cosines by columns."""
    turn = SimpleITK.Euler3DTransform()
    turn.SetRotation(0.3, -0.2, 0.5)
    return (0.8, 0.7, 2.5), (-20.0, 31.5, 8.25), np.reshape(turn.GetMatrix(), (3, 3))


@pytest.fixture
def write_volume(tmp_path, volume_grid):
    """Function that writes (slices, rows, columns) as a volume, by default on the oblique stack."""

    def write(values, name="scan.nii.gz", spacing=None, origin=None, direction=None):
        image = SimpleITK.GetImageFromArray(np.asarray(values))
        image.SetSpacing(spacing or volume_grid[0])
        image.SetOrigin(volume_grid[1] if origin is None else tuple(map(float, origin)))
        image.SetDirection(np.ravel(volume_grid[2] if direction is None else direction).tolist())
        SimpleITK.WriteImage(image, str(tmp_path / name))
        return tmp_path / name

    return write


@pytest.fixture
def write_series(tmp_path, volume_grid):
    """Function that writes (slices, rows, columns) as a folder of DICOM slices of the oblique stack."""

    def write(values, name="series"):
        spacing, origin, direction = volume_grid
        (tmp_path / name).mkdir()
        for number, plane in enumerate(np.asarray(values, dtype=np.uint16)):
            header = dicom_object(
                CTImageStorage, Modality="CT", SeriesInstanceUID=UIDS["series"], FrameOfReferenceUID=UIDS["frame"],
                InstanceNumber=number + 1, PixelSpacing=[spacing[1], spacing[0]], SliceThickness=spacing[2],
                ImagePositionPatient=_decimal(origin + direction[:, 2] * number * spacing[2]),
                ImageOrientationPatient=_decimal([*direction[:, 0], *direction[:, 1]]),
                Rows=plane.shape[0], Columns=plane.shape[1], SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=0, PixelData=plane.tobytes(),
            )  # fmt: skip
            header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid(
                entropy_srcs=[str(number)]
            )
            header.save_as(tmp_path / name / f"{number:03d}.dcm", enforce_file_format=True)
        return tmp_path / name

    return write


def _decimal(numbers):
    """Numbers as text that DICOM allows: 16 characters."""
    return [f"{number:.10f}"[:16] for number in numbers]


@pytest.fixture
def to_patient(volume_grid):
    """Function that turns (column, row, slice) numbers into mm (x, y, z) of the oblique stack."""
    spacing, origin, direction = volume_grid
    return lambda numbers: np.asarray(origin) + (np.asarray(numbers) * spacing) @ direction.T


@pytest.fixture
def write_rtstruct(tmp_path):
    """Function that writes structures, name to contours in mm (x, y, z), as RTSTRUCT and returns its path."""

    def write(structures, name="rt.dcm", series=UIDS["series"], frame=UIDS["frame"], kind="CLOSED_PLANAR"):
        referenced = item(
            FrameOfReferenceUID=frame,
            RTReferencedStudySequence=[item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=series)])],
        )
        contours = [
            item(
                ReferencedROINumber=number,
                ContourSequence=[
                    item(
                        ContourGeometricType=kind, NumberOfContourPoints=len(each), ContourData=_decimal(np.ravel(each))
                    )
                    for each in drawn
                ],
            )
            for number, drawn in enumerate(structures.values(), start=1)
        ]
        named = [
            item(ROINumber=number, ROIName=each, ReferencedFrameOfReferenceUID=frame)
            for number, each in enumerate(structures, start=1)
        ]
        header = dicom_object(
            RTStructureSetStorage, Modality="RTSTRUCT", ROIContourSequence=contours, StructureSetROISequence=named,
            ReferencedFrameOfReferenceSequence=[referenced],
        )  # fmt: skip
        header.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


@pytest.fixture
def write_seg(tmp_path, volume_grid):
    """Function that writes segments, label to (slices, rows, columns), as DICOM-SEG, its frames shuffled."""

    def write(segments, name="seg.dcm", kind="BINARY", series=UIDS["series"], frame=UIDS["frame"], **elements):
        spacing, origin, direction = volume_grid
        planes = [
            (number, place, plane)
            for number, volume in enumerate(segments.values(), start=1)
            for place, plane in enumerate(volume)
            if np.any(plane)
        ]
        planes = [planes[each] for each in np.random.default_rng(5).permutation(len(planes))]
        frames = [
            item(
                SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
                PlanePositionSequence=[
                    item(ImagePositionPatient=_decimal(origin + direction[:, 2] * place * spacing[2]))
                ],
            )
            for number, place, _ in planes
        ]
        pixels = np.array([plane for _, _, plane in planes])
        bits = 1 if kind == "BINARY" else 8
        if kind == "LABELMAP":
            for each in frames:
                del each.SegmentIdentificationSequence
        shared = item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=_decimal([*direction[:, 0], *direction[:, 1]]))],
            PixelMeasuresSequence=[item(PixelSpacing=[spacing[1], spacing[0]], SliceThickness=spacing[2])],
        )
        header = dicom_object(
            SegmentationStorage if kind != "LABELMAP" else "1.2.840.10008.5.1.4.1.1.66.7", Modality="SEG",
            SegmentationType=kind, FrameOfReferenceUID=frame,
            SegmentSequence=[item(SegmentNumber=n, SegmentLabel=each) for n, each in enumerate(segments, start=1)],
            ReferencedSeriesSequence=[item(SeriesInstanceUID=series)], SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=frames, NumberOfFrames=len(frames), Rows=pixels.shape[1],
            Columns=pixels.shape[2], SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=bits,
            BitsStored=bits, HighBit=bits - 1, PixelRepresentation=0,
        )  # fmt: skip
        header.PixelData = pack_bits(pixels.astype(np.uint8)) if bits == 1 else pixels.astype(np.uint8).tobytes()
        if kind == "FRACTIONAL":
            header.SegmentationFractionalType, header.MaximumFractionalValue = "PROBABILITY", 200
        with_elements(header, **elements)
        header.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


@pytest.fixture
def outlines():
    """Function that outlines a (rows, columns) region along the sides of its pixels: rectangles of (column, row)."""

    def outline(plane):
        found = []
        for row, line in enumerate(np.asarray(plane, dtype=np.int8)):
            edges = np.flatnonzero(np.diff(line, prepend=0, append=0))
            for left, right in edges.reshape(-1, 2) - 0.5:
                found.append([(left, row - 0.5), (right, row - 0.5), (right, row + 0.5), (left, row + 0.5)])
        return np.array(found)

    return outline
