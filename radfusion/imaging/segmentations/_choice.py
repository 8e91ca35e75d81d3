"""Which structure of a segmentation is meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from radfusion.core.registry import nearest
from radfusion.errors import CaseError
from radfusion.imaging.segmentations.base import Structure

__all__ = ["choose", "listed"]

_SETTING = "imaging.segmentation_label"
_ORIGIN = f"of {_SETTING} or the table's segmentation_label"
_LISTED = 8


def choose(label: int | str | None, structures: Sequence[Structure], *, name: str) -> Structure:
    """Structure that a label means; None means the only one.

    Parameters
    ----------
    label : int, str or None
        Value or name; names are compared without regard to case.
    structures : sequence of Structure
        What the file holds.
    name : str
        Name of the file, for the message.

    Raises
    ------
    CaseError
        When there is none, or there are several.

    Examples
    --------
    >>> str(choose("liver", [Structure(1, ("Liver",)), Structure(2, ("Spleen",))], name="mask.dcm"))
    'Liver (1)'
    """
    if not structures:
        raise CaseError(f"{name}: nothing is segmented", stage="segmentation")
    if label is None:
        if len(structures) == 1:
            return structures[0]
        raise CaseError(
            f"{name}: holds {len(structures)} labels ({listed(structures)}); choose one with {_SETTING}",
            stage="segmentation",
        )
    meant = _meant(label, structures)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise CaseError(
            f"{name}: {len(meant)} structures have the label {label} {_ORIGIN}: {listed(meant)}; choose by "
            f"{'name' if isinstance(label, int) else 'value'}",
            stage="segmentation",
        )
    raise CaseError(
        f"{name}: no pixel has the label {label} {_ORIGIN}; {_present(label, structures)}", stage="segmentation"
    )


def _meant(label: int | str, structures: Sequence[Structure]) -> list[Structure]:
    """By value, by exact name, by name without regard to case, by value written as text; the first that finds any."""
    text, folded = str(label).strip(), str(label).strip().casefold()
    ways = (
        [each for each in structures if each.value == label],
        [each for each in structures if text in each.names],
        [each for each in structures if folded in {name.strip().casefold() for name in each.names}],
        [each for each in structures if text == str(each.value)],
    )
    return next((found for found in ways if found), [])


def _present(label: int | str, structures: Sequence[Structure]) -> str:
    names = [name for each in structures for name in each.names]
    if isinstance(label, str) and names:
        folded = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(label.casefold(), folded, n=1)
        return nearest(folded[close[0]] if close else label, names)
    return f"present: {listed(structures)}"


def listed(structures: Sequence[Structure]) -> str:
    """The first structures, for messages.

    Examples
    --------
    >>> listed([Structure(1), Structure(2, ("Spleen",))])
    '1, Spleen (2)'
    """
    shown = ", ".join(str(each) for each in structures[:_LISTED])
    return f"{shown}, ..." if len(structures) > _LISTED else shown
