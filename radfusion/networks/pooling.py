"""From the activations of a layer to one number per channel: over the whole picture, or over a region of interest.

Every function takes tensors and returns tensors, so that a network with its pooling can be traced and exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Form", "area_shares", "average", "region_average"]

Form = Literal["channels first", "channels last", "tokens", "class token"]


def average(values: Tensor, *, form: Form, patches: int = 0) -> Tensor:
    """Mean of each channel over the picture; of tokens those of the patches, or the class token alone.

    Parameters
    ----------
    values : (n, channels, h, w), (n, h, w, channels) or (n, 1 + patches * patches, channels) tensor
        Activations.
    form : {"channels first", "channels last", "tokens", "class token"}
        How they lie.
    patches : int
        Rows and columns of the grid of patches, for tokens.

    Returns
    -------
    (n, channels) tensor
    """
    return values[:, 0] if form == "class token" else _as_grid(values, form, patches).mean(dim=(2, 3))


def region_average(values: Tensor, regions: Tensor, *, form: Form, patches: int = 0) -> Tensor:
    """Mean of each channel over the region of interest; over the picture where its region is empty.

    Each cell of the layer's grid weighs as much as the share of its area that the region covers; the class token, which
    lies nowhere, does not count.

    Parameters
    ----------
    values : tensor
        Activations, see :func:`average`.
    regions : (n, 1, rows, columns) tensor
        1 inside the region, 0 outside, on the pixels of the picture.
    form, patches
        See :func:`average`.

    Returns
    -------
    (n, channels) tensor

    Examples
    --------
    >>> import torch
    >>> values, region = torch.arange(4.0).view(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)
    >>> region[..., :2, 2] = 1
    >>> region_average(values, region, form="channels first")
    tensor([[1.]])
    """
    import torch

    grid = _as_grid(values, form, patches)
    shares = area_shares(regions, grid)
    shares = torch.where(shares.sum(dim=(2, 3), keepdim=True) > 0, shares, torch.ones_like(shares))
    weights = shares / shares.sum(dim=(2, 3), keepdim=True)
    return (grid * weights.to(grid.dtype)).sum(dim=(2, 3))


def area_shares(regions: Tensor, grid: Tensor) -> Tensor:
    """Share of each cell's area that a region covers.

    Parameters
    ----------
    regions : (n, 1, rows, columns) tensor
        1 inside, 0 outside.
    grid : (n, channels, h, w) tensor
        Its cells divide the picture into h times w equal parts.

    Returns
    -------
    (n, 1, h, w) tensor of float32
        0 to 1, exact also where the grid does not divide the pixels.
    """
    down = _overlaps(grid.shape[2], regions.shape[2], regions)
    across = _overlaps(grid.shape[3], regions.shape[3], regions)
    return down @ regions.float() @ across.transpose(0, 1)


def _as_grid(values: Tensor, form: Form, patches: int) -> Tensor:
    """As (n, channels, h, w)."""
    if form == "channels first":
        return values
    if form == "channels last":
        return values.permute(0, 3, 1, 2)
    channels = values[:, 1:].transpose(1, 2)
    return channels.reshape(*channels.shape[:2], patches, patches)


def _overlaps(cells: int, pixels: int, like: Tensor) -> Tensor:
    """Share of each cell (row) that each pixel (column) takes along one axis; rows sum to 1."""
    import torch

    width = pixels / cells
    starts = torch.arange(cells, device=like.device)[:, None] * width
    pixel = torch.arange(pixels, device=like.device)[None, :]
    ends = torch.minimum(starts + width, pixel + 1.0)
    return (ends - torch.maximum(starts, pixel.to(starts.dtype))).clamp(min=0.0) / width
