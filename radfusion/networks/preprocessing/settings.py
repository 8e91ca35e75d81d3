"""Settings of what a network is shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from radfusion.core.settings import Settings

__all__ = ["CropSettings"]


class CropSettings(Settings):
    """How the region of interest is shown to a network.

    Attributes
    ----------
    crop : {"square", "box", "image"}
        A square around the ROI (square in millimetres where the spacing is known), its tight box, or the whole image.
    margin : float
        Surroundings added on every side, in units of the longer side of the ROI's bounding box.
    outside : {"keep", "zero", "mean"}
        Leave pixels outside the ROI, make them black, or give them the mean grey level of the ROI.
    window : str or tuple of two float
        Intensities that become black and white: a rule, or the two intensities themselves.
    percentiles : tuple of two float
        Percentiles of the rules that need them.
    resize : {"stretch", "pad", "torchvision"}
        How the crop comes to the network's size; the last one cuts the centre out of the crop.
    short_side : int or None
        Short side before that cut; None for the one of the weights source.
    size : int or None
        Rows and columns of the result; None for the network's.
    slices : {"largest", "planes"} or int
        Of a volume: the slice with the largest ROI, that one with its neighbours (so many in all), or three planes.
    """

    crop: Literal["square", "box", "image"] = Field(
        "square", description="what is cut out: a square (in mm) around the ROI, its tight box, or the whole image"
    )
    margin: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="surroundings of the ROI on every side, in units of its longer side; none with crop image",
    )
    outside: Literal["keep", "zero", "mean"] = Field(
        "keep", description="keep pixels outside the ROI, make them black, or give them the mean grey level of the ROI"
    )
    window: Literal["auto", "full", "crop-percentile", "image-percentile", "file"] | tuple[float, float] = Field(
        "auto",
        description="intensities that become black and white: auto (8-bit images 0 to 255, others by percentiles of "
        "the crop), full (lowest and highest of the image), crop-percentile, image-percentile, file (the window that "
        "the DICOM file states), or [low, high] in the unit of the image",
    )
    percentiles: tuple[float, float] = Field(
        (1.0, 99.0), description="percentiles that become black and white, where the window is taken from percentiles"
    )
    resize: Literal["stretch", "pad", "torchvision"] = Field(
        "stretch",
        description="how the crop comes to the network's size, bilinear and antialiased: stretched to it; padded, "
        "which keeps the aspect; or as torchvision does, short side to short_side and then the centre",
    )
    short_side: int | None = Field(
        default=None,
        ge=32,
        le=2048,
        description="short side in pixels before the centre is cut out, with resize torchvision; null: the one that "
        "the weights were published with",
    )
    size: int | None = Field(
        default=None, ge=32, le=1024, description="rows and columns that the network is shown; null: the network's own"
    )
    slices: Literal["largest", "planes"] | Annotated[int, Field(ge=1, le=64)] = Field(
        "largest",
        description="of volumes: the slice with the largest ROI; a number of slices, that one and its nearest "
        "neighbours that hold the ROI; or three planes at right angles, each where the ROI is largest. Features are "
        "averaged over them; films are one picture whatever is asked",
    )

    @field_validator("window", mode="wrap")
    @classmethod
    def _rule_or_pair(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        allowed = "allowed: auto, full, crop-percentile, image-percentile, file, or [low, high] with low below high"
        try:
            window = handler(value)
        except ValidationError:
            raise ValueError(f"{value!r} is no window; {allowed}") from None
        if isinstance(window, tuple) and not window[0] < window[1]:
            raise ValueError(f"{value!r} is no window; {allowed}")
        return window

    @field_validator("slices", mode="wrap")
    @classmethod
    def _rule_or_number(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"{value!r} says no slices; allowed: largest, planes, or a number from 1 to 64") from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentiles [{low:g}, {high:g}]: two numbers from 0 to 100 are wanted, the lower first")
        if self.short_side is not None and self.resize != "torchvision":
            raise ValueError(f"short_side belongs to resize torchvision; resize is {self.resize}")
        if self.short_side is not None and self.size is not None and self.short_side < self.size:
            raise ValueError(f"short_side {self.short_side} is below the size {self.size} that is cut out of it")
        return self
