"""Sentences on what a network was shown and how its features were computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radfusion.report.wording import percent, plain

__all__ = ["TOLD_OF_PICTURES", "shown_sentence"]

_CUT = {
    "square": "a square around the region (square in millimetres where the spacing is known)",
    "box": "the region's tight box",
    "image": "the whole image",
}
_OUTSIDE = {
    "zero": ", pixels outside the region made black",
    "mean": ", pixels outside the region given its mean grey level",
}
_FLIPS = {
    "horizontal": "a picture and its left-right mirror image",
    "vertical": "a picture and its top-bottom mirror image",
    "both": "a picture and its three mirror images",
}

#: Settings that the sentence tells in words.
TOLD_OF_PICTURES = frozenset({"crop", "flips", "pooling", "interpolation", "channels"})


def shown_sentence(settings: Mapping[str, Any]) -> str:
    """What the network was shown, from the identity of a deep source; empty where it is not recorded.

    Examples
    --------
    >>> crop = {"crop": "square", "margin": 0.1, "outside": "keep", "window": "full", "resize": "pad", "size": 224}
    >>> print(shown_sentence({"crop": crop, "pooling": "global", "flips": "none"}))
    The network was shown a square around the region (square in millimetres where the spacing is known) with a margin of
    10.0% of its longer side; the lowest and highest intensity of the image became black and white; crops were padded to
    224 × 224 pixels (bilinear, antialiased), grey in all three channels; features are means over the picture.
    """
    crop = settings.get("crop")
    if not isinstance(crop, Mapping) or "crop" not in crop:
        return ""
    margin = "" if crop["crop"] == "image" else f" with a margin of {percent(crop['margin'])} of its longer side"
    parts = [
        f"{_CUT[crop['crop']]}{margin}{_OUTSIDE.get(crop['outside'], '')}",
        _slices(crop.get("slices", "largest")),
        f"{_window(crop)} became black and white",
        f"crops were {_resized(crop)} (bilinear, antialiased), grey in all three channels",
        f"features are means over {_places(settings)}",
    ]
    return f"The network was shown {'; '.join(part for part in parts if part)}."


def _slices(slices: str | int) -> str:
    if slices == "planes":
        return "of volumes three planes at right angles, each where the region is largest"
    if slices in ("largest", 1):
        return ""  # a film's only picture, and what anyone would expect of a volume
    return f"of volumes the slice with the largest region and its neighbours, {slices} in all where the region has them"


def _window(crop: Mapping[str, Any]) -> str:
    window = crop["window"]
    low, high = (plain(each) for each in crop.get("percentiles", (1.0, 99.0)))
    percentiles = f"percentiles {low} and {high}"
    words = {
        "auto": f"0 and 255 of 8-bit images and {percentiles} of the crop of others",
        "full": "the lowest and highest intensity of the image",
        "crop-percentile": f"{percentiles} of the crop",
        "image-percentile": f"{percentiles} of the image",
        "file": "the ends of the window that each DICOM file states",
    }
    return words[window] if isinstance(window, str) else f"the intensities {plain(window[0])} and {plain(window[1])}"


def _resized(crop: Mapping[str, Any]) -> str:
    size = f"{crop['size']} × {crop['size']} pixels"
    if crop["resize"] == "torchvision":
        return f"resized to a short side of {crop['short_side']} pixels and cut to the {size} of their centre"
    return f"{'padded' if crop['resize'] == 'pad' else 'stretched'} to {size}"


def _places(settings: Mapping[str, Any]) -> str:
    places = "the places inside the region" if settings.get("pooling") == "roi" else "the picture"
    views = _FLIPS.get(settings.get("flips", "none"))
    return places if views is None else f"{places}, averaged over {views}"
