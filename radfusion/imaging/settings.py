"""How files become scans."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from radfusion.core.settings import Settings

__all__ = ["ImagingSettings"]


class ImagingSettings(Settings):
    """How files become scans."""

    segmentation_label: int | str | None = Field(
        default=None,
        description="value or name of the region in the segmentation; null: the only structure that it holds",
    )
    min_roi_pixels: PositiveInt = Field(default=32, description="pixels (voxels) that a region must have")
    spacing: Annotated[tuple[PositiveFloat, ...], Field(min_length=2, max_length=3)] | None = Field(
        default=None,
        description="distance between pixel centres in mm (rows, columns; volumes: slices first); "
        "null: what each file says. Overrides the files",
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
