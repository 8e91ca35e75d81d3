"""Simulated films and segmentations as files whose bytes depend on their content alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.cohorts._centres import Centre

__all__ = ["FilmFacts", "write_dicom", "write_png", "write_segmentation"]

DICOM_MAX = 4095
_IMPLEMENTATION = "2.25.177031908716347284019213907733120517"


@dataclass(frozen=True)
class FilmFacts:
    """What the header of a film says.

    Attributes
    ----------
    patient : str
        Invented identifier.
    age : int
        Years.
    sex : str
        ``"F"`` or ``"M"``.
    year : int
        Year of the film.
    centre : Centre
        Hospital.
    spacing : float
        Distance between pixel centres in mm, in the patient.
    mas : int
        Tube current times exposure time in mAs.
    marked : bool
        Whether a marker is burnt in.
    """

    patient: str
    age: int
    sex: str
    year: int
    centre: Centre
    spacing: float
    mas: int
    marked: bool


def write_png(path: Path, film: NDArray[np.floating[Any]]) -> None:
    """Write a film (grey values from 0 to 1) as an 8-bit PNG."""
    from PIL import Image

    Image.fromarray(_quantise(film, 255).astype(np.uint8)).save(path, format="PNG")


def write_segmentation(path: Path, region: NDArray[np.bool_]) -> None:
    """Write a region as a PNG of the size of the film, 255 inside and 0 outside."""
    from PIL import Image

    Image.fromarray(np.where(region, np.uint8(255), np.uint8(0))).save(path, format="PNG")


def write_dicom(path: Path, film: NDArray[np.floating[Any]], facts: FilmFacts) -> None:
    """Write a film (grey values from 0 to 1) as a 12-bit DICOM file of modality CR.

    The identifiers are invented; UIDs are derived from them, so the same film gives the same bytes.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

    header = Dataset()
    header.SOPClassUID = ComputedRadiographyImageStorage
    header.SOPInstanceUID = _uid(facts.patient, "film")
    header.StudyInstanceUID = _uid(facts.patient, "exam")
    header.SeriesInstanceUID = _uid(facts.patient, "series")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    header.file_meta = meta
    for keyword, value in {**_who(facts), **_how(facts), **_pixels(film, facts.centre.photometric)}.items():
        setattr(header, keyword, value)
    header.save_as(path, enforce_file_format=True)


def _who(facts: FilmFacts) -> dict[str, object]:
    empty = ("PatientName", "PatientBirthDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
    return {
        **dict.fromkeys(empty, ""),
        "PatientID": facts.patient,
        "PatientSex": facts.sex,
        "PatientAge": f"{facts.age:03d}Y",
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "simulated: no such patient exists",
        "StudyDate": f"{facts.year}0101",
    }


def _how(facts: FilmFacts) -> dict[str, object]:
    centre = facts.centre
    return {
        "Modality": "CR",
        "Manufacturer": centre.maker,
        "ManufacturerModelName": centre.model,
        "SoftwareVersions": "radfusion simulation",
        "BodyPartExamined": "SPINE",
        "ViewPosition": "LL",
        "PatientOrientation": ["P", "F"],
        "KVP": centre.kvp,
        "Exposure": facts.mas,
        "DistanceSourceToDetector": centre.distance_mm,
        **_geometry(facts.spacing, centre),
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "BurnedInAnnotation": "YES" if facts.marked else "NO",
    }


def _geometry(spacing: float, centre: Centre) -> dict[str, object]:
    """Spacing on the detector, and in the patient where the device corrects for magnification."""
    on_detector = round(spacing * centre.magnification, 4)
    stated: dict[str, object] = {"ImagerPixelSpacing": [on_detector, on_detector], "PixelSpacing": [spacing, spacing]}
    if centre.magnification == 1.0:
        return stated
    return {
        **stated,
        "PixelSpacingCalibrationType": "GEOMETRY",
        "DistanceSourceToPatient": round(centre.distance_mm / centre.magnification, 1),
        "EstimatedRadiographicMagnificationFactor": centre.magnification,
    }


def _pixels(film: NDArray[np.floating[Any]], photometric: str) -> dict[str, object]:
    grey = _quantise(film, DICOM_MAX)
    stored = DICOM_MAX - grey if photometric == "MONOCHROME1" else grey
    return {
        "Rows": film.shape[0],
        "Columns": film.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": photometric,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": (DICOM_MAX + 1) / 2,
        "WindowWidth": DICOM_MAX + 1,
        "PixelData": stored.astype("<u2").tobytes(),
    }


def _quantise(film: NDArray[np.floating[Any]], top: int) -> NDArray[np.float64]:
    grey: NDArray[np.float64] = np.rint(np.clip(film.astype(np.float64), 0.0, 1.0) * top)
    return grey


def _uid(*words: str) -> str:
    """UID of the root 2.25 (a 128-bit number), the same for the same words."""
    digest = hashlib.sha256("/".join(("radfusion simulation", *words)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
