"""One square region of an axial slice, as a file of every kind of segmentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

__all__ = ["REGION", "WRITERS", "write_slice"]

REGION = np.zeros((24, 30), dtype=np.uint8)
REGION[8:14, 10:20] = 1
CORNERS = [(9.5, 7.5), (19.5, 7.5), (19.5, 13.5), (9.5, 13.5)]  # columns, rows: the sides of the pixels
SERIES, FRAME = (generate_uid(entropy_srcs=[name]) for name in ("series of the slice", "frame of the slice"))
PLANE = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
SIZE = {"Rows": 24, "Columns": 30, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def save(path: Path, storage: str, **elements: object) -> Path:
    header = item(SOPClassUID=storage, SOPInstanceUID=generate_uid(entropy_srcs=[storage]), **elements)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = storage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(path, enforce_file_format=True)
    return path


def write_slice(folder: Path) -> Path:
    pixels = np.arange(24 * 30, dtype=np.uint16).reshape(24, 30)
    depth = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0}
    return save(
        folder / "slice.dcm", CTImageStorage, Modality="CT", SeriesInstanceUID=SERIES, FrameOfReferenceUID=FRAME,
        ImagePositionPatient=[0, 0, 0], PixelSpacing=[1, 1], PixelData=pixels.tobytes(), **PLANE, **SIZE, **depth,
    )  # fmt: skip


def label_map(folder: Path) -> Path:
    Image.fromarray(REGION * np.uint8(255)).save(folder / "mask.png")
    return folder / "mask.png"


def slicer(folder: Path) -> Path:
    image = SimpleITK.GetImageFromArray(REGION[None])
    for key, value in {"ID": "Segment_1", "Name": "square", "LabelValue": "1", "Layer": "0"}.items():
        image.SetMetaData(f"Segment0_{key}", value)
    SimpleITK.WriteImage(image, str(folder / "square.seg.nrrd"))
    return folder / "square.seg.nrrd"


def polygons(folder: Path) -> Path:
    # LabelMe counts from the corner of the first pixel.
    points = [[column + 0.5, row + 0.5] for column, row in CORNERS]
    drawn = {"shapes": [{"label": "square", "points": points, "shape_type": "polygon"}], "imagePath": "slice.dcm"}
    drawn |= {"version": "5.5.0", "imageHeight": 24, "imageWidth": 30}
    (folder / "square.json").write_text(json.dumps(drawn))
    return folder / "square.json"


def rtstruct(folder: Path) -> Path:
    series = item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=SERIES)])
    contour = item(
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=4,
        ContourData=[n for xy in CORNERS for n in (*xy, 0)],
    )
    return save(
        folder / "rt.dcm", RTStructureSetStorage, Modality="RTSTRUCT",
        ReferencedFrameOfReferenceSequence=[item(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=[series])],
        StructureSetROISequence=[item(ROINumber=1, ROIName="square", ReferencedFrameOfReferenceUID=FRAME)],
        ROIContourSequence=[item(ReferencedROINumber=1, ContourSequence=[contour])],
    )  # fmt: skip


def dicom_seg(folder: Path) -> Path:
    frame = item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])],
    )
    shared = item(
        PlaneOrientationSequence=[item(**PLANE)], PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=1)]
    )
    depth = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelRepresentation": 0, "NumberOfFrames": 1}
    return save(
        folder / "seg.dcm", SegmentationStorage, Modality="SEG", SegmentationType="BINARY", FrameOfReferenceUID=FRAME,
        SegmentSequence=[item(SegmentNumber=1, SegmentLabel="square")],
        ReferencedSeriesSequence=[item(SeriesInstanceUID=SERIES)], SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[frame], PixelData=pack_bits(REGION[None]), **SIZE, **depth,
    )  # fmt: skip


#: Name of a kind of segmentation to a function that writes one into a folder.
WRITERS: dict[str, Callable[[Path], Path]] = {
    "label map": label_map,
    "slicer": slicer,
    "polygons": polygons,
    "rtstruct": rtstruct,
    "dicom-seg": dicom_seg,
}
