"""Label maps to regions of interest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.imaging.formats import Pixels

__all__ = ["label_map", "roi_of"]

_SETTING = "imaging.segmentation_label"
_LISTED = 8


def label_map(pixels: Pixels, name: str) -> NDArray[Any]:
    """Whole numbers of a segmentation file.

    Parameters
    ----------
    pixels : Pixels
        What the file holds.
    name : str
        Name of the file, for the message.

    Raises
    ------
    CaseError
        When the file has colours, fractions, NaN or infinite values.
    """
    labels = pixels.values
    if pixels.colour:
        if not (labels == labels[..., :1]).all():
            raise CaseError(
                f"{name}: is in colour; a segmentation holds one whole number per pixel", stage="segmentation"
            )
        labels = labels[..., 0]
    if not np.issubdtype(labels.dtype, np.integer):
        bad = int(np.count_nonzero(~np.isfinite(labels) | (labels != np.rint(labels))))
        if bad:
            raise CaseError(f"{name}: {bad} values of the segmentation are not whole numbers", stage="segmentation")
    return labels


def roi_of(labels: NDArray[Any], label: int | None, *, name: str) -> NDArray[np.bool_]:
    """Region that carries the label.

    Parameters
    ----------
    labels : array of whole numbers
        Label map; 0 is background.
    label : int or None
        Value of the region; None takes the only value that is not 0.
    name : str
        Name of the file, for the message.

    Returns
    -------
    roi : array of bool, same shape

    Raises
    ------
    CaseError
        When the label is absent, nothing is segmented, or several values stand without a choice among them.

    Examples
    --------
    >>> roi_of(np.array([[0, 255], [0, 255]]), None, name="mask.png").sum()
    np.int64(2)
    """
    roi: NDArray[np.bool_] = labels != 0 if label is None else labels == label
    inside = labels[roi]
    if inside.size == 0:
        raise CaseError(_absent(labels, label, name), stage="segmentation")
    if label is None and not (inside == inside[0]).all():
        values = np.unique(inside)
        raise CaseError(
            f"{name}: holds {values.size} labels ({_listed(values.tolist())}); choose one with {_SETTING}",
            stage="segmentation",
        )
    return roi


def _absent(labels: NDArray[Any], label: int | None, name: str) -> str:
    if label is None:
        return f"{name}: nothing is segmented, all values are 0"
    values = [value for value in np.unique(labels).tolist() if value != 0]
    present = f"present: {_listed(values)}" if values else "nothing is segmented, all values are 0"
    return f"{name}: no pixel has the label {label} of {_SETTING}; {present}"


def _listed(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:_LISTED])
    return f"{shown}, ..." if len(values) > _LISTED else shown
