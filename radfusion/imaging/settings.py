"""How files become scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from radfusion.core.settings import Settings

__all__ = ["STANDARD", "ImagingSettings", "RegionSettings", "Window"]


class Window(Settings):
    """A window of intensities, shown as 0 to 255."""

    centre: float = Field(description="centre in the unit of the image as read: Hounsfield units for CT")
    width: PositiveFloat = Field(description="width in the same unit")


class RegionSettings(Settings):
    """What becomes of regions in several parts."""

    keep: Literal["all", "largest"] = Field(
        default="all", description="parts of a region that are kept; parts that touch at a corner are one"
    )


class ImagingSettings(Settings):
    """How files become scans."""

    segmentation_label: int | str | None = Field(
        default=None,
        description="value or name of the region in the segmentation; null: the only structure that it holds",
    )
    segmentation_names: Mapping[str, int] = Field(
        default_factory=dict, description="names of the values of label maps, so that segmentation_label may be a name"
    )
    segmentation_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="share of a pixel (or probability) from which a fractional DICOM segmentation counts it as inside",
    )
    geometry: Literal["refuse", "resample"] = Field(
        default="refuse",
        description="what becomes of a segmentation that lies elsewhere than its image: the case is excluded, or it "
        "is put on the grid of the image by nearest neighbour",
    )
    geometry_tolerance: NonNegativeFloat = Field(
        default=0.1,
        description="pixels that a corner of a segmentation may lie away from the image's pixel centres: headers round "
        "by far less, and a shift of half a pixel moves a region",
    )
    region: RegionSettings = Field(
        default_factory=RegionSettings, description="what becomes of regions in several parts"
    )
    min_roi_pixels: PositiveInt = Field(default=32, description="pixels (voxels) that a region must have")
    spacing: Annotated[tuple[PositiveFloat, ...], Field(min_length=2, max_length=3)] | None = Field(
        default=None,
        description="distance between pixel centres in mm (rows, columns; volumes: slices first); "
        "null: what each file says. Overrides the files",
    )
    missing_spacing: Literal["pixels", "refuse"] = Field(
        default="pixels",
        description="what becomes of an image whose file states no spacing: sizes are counted in pixels, which is "
        "said, or the case is excluded",
    )
    magnification: Literal["detector", "patient"] = Field(
        default="detector",
        description="where the spacing of a projection holds: at the detector, as headers state it, or in the patient, "
        "divided by the magnification factor; a film that states none is then excluded. Calibrated spacing stays",
    )
    frame: PositiveInt | None = Field(
        default=None,
        description="which frame, counted from 1, of a DICOM file whose frames are not slices of one stack "
        "(cine, time points, tiles)",
    )
    window: Literal["none", "file"] | Window = Field(
        default="none",
        description="window of intensities, made 0 to 255: none; the first one that each DICOM file states; "
        "or centre and width for all",
    )
    padding: Literal["keep", "background"] = Field(
        default="keep",
        description="DICOM pixels that the header declares to be padding: kept as they are, or set to the lowest "
        "value of the others",
    )
    modality: str | None = Field(
        default=None, description="DICOM code of the modality where a file states none: CR, DX"
    )
    colour: Literal["luminance", "refuse"] = Field(
        default="luminance",
        description="what becomes of coloured pixels: ITU-R BT.601 luminance, or the case is excluded; "
        "files whose three channels are equal are grey",
    )
    max_pixels: PositiveInt = Field(default=2**28, description="size above which a file is refused before decoding")


STANDARD = ImagingSettings()
