"""Regions from the grid that they were drawn on to the grid of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.geometry import Grid, Numbering, numbering, size_text
from radfusion.imaging.segmentations.base import Drawn, Target
from radfusion.imaging.settings import ImagingSettings

__all__ = ["both_grids", "fitted", "pasted"]

_EXACT = 1e-4


def fitted(
    roi: NDArray[np.bool_], drawn: Grid, target: Target, *, path: Path, settings: ImagingSettings, partial: bool = False
) -> Drawn:
    """Put a region on the grid of an image.

    Parameters
    ----------
    roi : array of bool
        Region.
    drawn : Grid
        Where its pixels lie.
    target : Target
        The image.
    path : path
        Segmentation file, for messages.
    settings : ImagingSettings
        Tolerance, and whether to resample.
    partial : bool
        Whether this kind of file by its nature covers a part of the image only.

    Raises
    ------
    CaseError
        With both geometries, when they differ by more than the tolerance and resampling was not asked for.
    """
    image = target.grid
    if not (drawn.placed and image.placed and len(drawn.origin) == len(image.origin)):
        return _by_size(roi, drawn, target, path=path)
    found = numbering(drawn, image)
    aligned = found.apart <= settings.geometry_tolerance
    if aligned and (partial or settings.geometry == "resample" or _covers(found, drawn, image)):
        return _moved(roi, found, image)
    if settings.geometry == "resample":
        return _resampled(roi, found, image)
    raise CaseError(_refusal(found, drawn, target, path=path, settings=settings), stage="segmentation")


def _by_size(roi: NDArray[np.bool_], drawn: Grid, target: Target, *, path: Path) -> Drawn:
    """Without a place in one of the files the sizes are all that can be compared."""
    image = target.grid
    if _without_single(drawn.shape) != _without_single(image.shape):
        raise CaseError(
            f"{path.name}: is {size_text(drawn.shape)}, the image {target.path.name} is {size_text(image.shape)}; "
            "they must be equal",
            stage="segmentation",
        )
    roi = roi.reshape(image.shape)
    if not (drawn.placed or image.placed):
        return Drawn(roi)
    silent = "the image" if drawn.placed else "the segmentation"
    if drawn.placed and image.placed:
        return Drawn(
            roi, {"geometry": f"equal size; axes in space differ: {len(drawn.origin)} and {len(image.origin)}"}
        )
    return Drawn(roi, {"geometry": f"equal size; {silent} does not say where its pixels lie"})


def _without_single(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Size without a leading axis of one slice."""
    return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape


def _solid(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (1,) * (axes - len(shape)) + shape


def _covers(found: Numbering, drawn: Grid, image: Grid) -> bool:
    """Whether the pixels of both grids are the same ones, in whatever order."""
    turn, offset = found.whole()
    axes = len(offset)
    ends = np.stack([offset, turn @ (np.array(_solid(drawn.shape, axes)) - 1) + offset])
    last = np.array(_solid(image.shape, axes)) - 1
    return not ends.min(axis=0).any() and bool(np.array_equal(ends.max(axis=0), last))


def _moved(roi: NDArray[np.bool_], found: Numbering, image: Grid) -> Drawn:
    """Copy pixels that have a counterpart in the image."""
    turn, offset = found.whole()
    axes = len(offset)
    solid = roi.reshape(_solid(roi.shape, axes))
    order = np.abs(turn).argmax(axis=1)
    signs = turn[np.arange(axes), order]
    turned = solid.transpose(order)[tuple(slice(None, None, int(sign)) for sign in signs)]
    start = np.where(signs > 0, offset, offset - np.array(turned.shape) + 1)
    placed, outside = pasted(turned, start, _solid(image.shape, axes))
    facts = {"geometry": "same" if found.apart < _EXACT else f"up to {found.apart:.2g} pixels apart, within tolerance"}
    if not np.array_equal(turn, np.eye(axes)):
        facts["geometry"] += "; axes stored in another order or direction"
    if turned.shape[-2:] != placed.shape[-2:]:
        facts["geometry"] += f"; drawn on {size_text(turned.shape)}"
    return Drawn(placed.reshape(image.shape), facts, outside)


def pasted(roi: NDArray[np.bool_], start: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], float]:
    """Region within an image of that `shape`, its first pixel at `start`, and the share of it that falls outside.

    Examples
    --------
    >>> placed, outside = pasted(np.ones((2, 2), dtype=bool), np.array([-1, 1]), (2, 3))
    >>> placed.astype(int).tolist(), outside
    ([[0, 1, 1], [0, 0, 0]], 0.5)
    """
    placed = np.zeros(shape, dtype=np.bool_)
    stops = np.minimum(start + roi.shape, shape)
    inside = tuple(slice(max(int(a), 0), max(int(b), 0)) for a, b in zip(start, stops, strict=True))
    source = tuple(slice(box.start - int(a), box.stop - int(a)) for box, a in zip(inside, start, strict=True))
    if all(box.start < box.stop for box in inside):
        placed[inside] = roi[source]
    drawn = int(np.count_nonzero(roi))
    return placed, 1 - int(np.count_nonzero(placed)) / drawn if drawn else 0.0


def _resampled(roi: NDArray[np.bool_], found: Numbering, image: Grid) -> Drawn:
    """Nearest neighbour, computed where the region can lie."""
    axes = len(found.offset)
    solid, shape = roi.reshape(_solid(roi.shape, axes)), _solid(image.shape, axes)
    facts = {"geometry": "resampled to the grid of the image, nearest neighbour"}
    placed = np.zeros(shape, dtype=np.bool_)
    if not solid.any():
        return Drawn(placed.reshape(image.shape), facts)
    points = found.matrix @ np.argwhere(solid).T + found.offset[:, None]
    within = ((points >= -0.5) & (points < np.array(shape)[:, None] - 0.5)).all(axis=0)
    # A pixel of the region reaches half its sides, in pixels of the image, beyond its centre.
    reach = np.abs(found.matrix).sum(axis=1) / 2
    first = np.clip(np.floor(points.min(axis=1) - reach), 0, shape).astype(int).tolist()
    stop = np.clip(np.ceil(points.max(axis=1) + reach) + 1, 0, shape).astype(int).tolist()
    box = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
    inverse = np.linalg.inv(found.matrix)
    for number in range(first[0], stop[0]):
        here = np.stack(np.meshgrid(number, *(np.arange(a, b) for a, b in zip(first[1:], stop[1:], strict=True)),
                                    indexing="ij"))[:, 0]  # fmt: skip
        where = np.tensordot(inverse, here - found.offset.reshape(-1, *[1] * (axes - 1)), axes=1)
        placed[number][box[1:]] = _nearest(solid, where)
    return Drawn(placed.reshape(image.shape), facts, float(1 - within.mean()))


def _nearest(roi: NDArray[np.bool_], where: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Values of the region at fractional pixel numbers; False outside of it."""
    numbers = np.floor(where + 0.5).astype(np.int64)
    size = np.reshape(roi.shape, (-1,) + (1,) * (where.ndim - 1))
    inside = ((numbers >= 0) & (numbers < size)).all(axis=0)
    values: NDArray[np.bool_] = inside & roi[tuple(np.clip(numbers, 0, size - 1))]
    return values


def both_grids(drawn: Grid, image: Grid) -> str:
    """Both geometries, for a message."""
    theirs = image.described()
    return "; ".join(f"{what} {stated} (image: {theirs[what]})" for what, stated in drawn.described().items())


def _refusal(found: Numbering, drawn: Grid, target: Target, *, path: Path, settings: ImagingSettings) -> str:
    image = target.grid
    head = f"{path.name}: lies elsewhere than the image {target.path.name}"
    if _without_single(drawn.shape) != _without_single(image.shape):
        head = (
            f"{path.name}: is {size_text(drawn.shape)}, the image {target.path.name} is {size_text(image.shape)}; "
            "they must be equal"
        )
    return (
        f"{head}: {both_grids(drawn, image)}; corners {found.shift(drawn.shape):.3g} pixels apart, at most "
        f"{settings.geometry_tolerance:g} (imaging.geometry_tolerance); imaging.geometry: resample puts it on the "
        "image's grid"
    )
