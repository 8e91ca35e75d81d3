"""The three simulated hospitals: how each exposes, digitises and marks its films."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["CENTRES", "Centre"]

Corner = Literal["top left", "top right", "bottom left", "bottom right"]


@dataclass(frozen=True)
class Centre:
    """One hospital.

    Attributes
    ----------
    field_mm : float
        Length of spine that the film shows; the pixel spacing is this over the number of rows.
    blur_mm : float
        Standard deviation of the point spread.
    noise : float
        Standard deviation of the quantum noise at mid grey, as a share of the grey range.
    gamma : float
        Exponent of the display curve.
    kvp : int
        Tube voltage in kV.
    mas : int
        Tube current times exposure time in mAs, of a film of middling density.
    distance_mm : float
        From the source to the detector.
    magnification : float
        Size on the detector over size in the patient. Where it is not 1 the header states both spacings: that of the
        detector and that of the patient, corrected for it.
    maker, model : str
        Invented names of the device.
    photometric : {"MONOCHROME1", "MONOCHROME2"}
        How a DICOM file of this hospital stores grey values.
    corners : mapping of str to float
        Where the laterality marker lies, with the share of films.
    marker_rate : float
        Centre's departure from the mean frequency of markers, in log odds.
    marker_right : float
        Centre's departure from as many R as L, in log odds.
    framed : bool
        Whether the letter stands in a frame.
    """

    field_mm: float
    blur_mm: float
    noise: float
    gamma: float
    kvp: int
    mas: int
    distance_mm: float
    magnification: float
    maker: str
    model: str
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    corners: Mapping[Corner, float]
    marker_rate: float
    marker_right: float
    framed: bool


CENTRES: Mapping[str, Centre] = {
    "A": Centre(
        field_mm=212.0,
        blur_mm=0.36,
        noise=0.014,
        gamma=1.0,
        kvp=85,
        mas=32,
        distance_mm=1150.0,
        magnification=1.0,
        maker="Simulated Imaging",
        model="Flat 1",
        photometric="MONOCHROME2",
        corners={"bottom left": 0.85, "top left": 0.15},
        marker_rate=0.8,
        marker_right=-0.7,
        framed=False,
    ),
    "B": Centre(
        field_mm=224.0,
        blur_mm=0.44,
        noise=0.018,
        gamma=1.12,
        kvp=90,
        mas=40,
        distance_mm=1150.0,
        magnification=1.15,
        maker="Example Radiography",
        model="Plate 2",
        photometric="MONOCHROME2",
        corners={"top right": 0.8, "bottom right": 0.2},
        marker_rate=0.0,
        marker_right=0.7,
        framed=True,
    ),
    "C": Centre(
        field_mm=200.0,
        blur_mm=0.50,
        noise=0.020,
        gamma=0.92,
        kvp=80,
        mas=28,
        distance_mm=1000.0,
        magnification=1.0,
        maker="Invented Devices",
        model="Table 3",
        photometric="MONOCHROME1",
        corners={"bottom right": 0.6, "top left": 0.4},
        marker_rate=-0.8,
        marker_right=0.0,
        framed=False,
    ),
}
