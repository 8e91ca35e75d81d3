"""Which column of a cohort table holds what, and the table in the words of the house."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from radfusion.core.cohort_table import cleaned
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import CohortError

__all__ = ["ROLES", "UNKNOWN", "CohortColumns", "Layout", "Role", "find_layout", "standardise"]

Role = Literal["training", "internal", "external", "prospective"]
ROLES: tuple[Role, ...] = ("training", "internal", "external", "prospective")
#: Words for an unknown centre or covariate. Elsewhere only an empty field is missing: a class may be called "none".
UNKNOWN = ("na", "nan", "none", "null", "n/a", "unknown")
#: What each kind of work needs a column for.
_STUDY = ("case", "patient", "image", "segmentation", "label", "set")
_EXTRACTION = ("image", "segmentation")


class CohortColumns(Settings):
    """Which column of the table holds what."""

    case: str = Field("case", description="identifier of the unit of analysis, unique but for several readers")
    patient: str = Field("patient", description="identifier of the patient: cases of a patient stay together")
    image: str = Field("image", description="image file, relative to the table")
    segmentation: str = Field("segmentation", description="segmentation file, relative to the table")
    label: str = Field("label", description="reference class")
    set: str | None = Field("set", description="which set the case belongs to; null when cohort.split decides")
    centre: str | None = Field("centre", description="hospital; null when the table has none")
    segmentation_label: str | None = Field(
        "segmentation_label", description="value or name of the case's structure in its segmentation, if there"
    )
    reader: str | None = Field("reader", description="who drew the segmentation, if there: one row per case and reader")


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes
    ----------
    columns : mapping of str to (str or None)
        Noun (``case``, ``patient``, ...) to column; None where the table has none.
    required : tuple of str
        Nouns that every row must state.
    batch : bool
        Whether it is a batch table of PyRadiomics.
    """

    columns: Mapping[str, str | None]
    required: tuple[str, ...] = _STUDY
    batch: bool = False


def find_layout(
    names: Sequence[str], columns: CohortColumns, *, path: Path, extraction: bool = False, images: bool = True
) -> Layout:
    """Find the columns of a table.

    A table with the columns ``Image`` and ``Mask`` (and none that the study names for them) is a batch table of
    PyRadiomics: ``Label`` is then the value in the mask, and ``ID``, if there, names the case.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    columns : CohortColumns
        What the study says.
    path : pathlib.Path
        The table, for messages.
    extraction : bool
        Features only: neither patient, label nor set is needed, and rows without identifier go by their number.
    images : bool
        Whether files are needed; a study of imported features reads none.

    Raises
    ------
    CohortError
        When columns are absent that are needed or were named.
    """
    wanted: dict[str, str | None] = columns.model_dump()
    batch = _is_batch(names, columns)
    if batch:
        wanted |= _batch_columns(names, columns)
    required = _EXTRACTION if extraction else tuple(noun for noun in _STUDY if wanted[noun] is not None)
    required = required if images else tuple(noun for noun in required if noun not in _EXTRACTION)
    absent = [
        f"no column {name!r} (for {noun}); {nearest(name, list(names))}{_hint(noun, batch=batch)}"
        for noun, name in wanted.items()
        if name is not None and name not in names and (noun in required or noun in columns.model_fields_set)
    ]
    if absent:
        raise CohortError(absent, file=path)
    return Layout({noun: name if name in names else None for noun, name in wanted.items()}, required, batch)


def standardise(table: pd.DataFrame, layout: Layout, sets: Mapping[str, str]) -> pd.DataFrame:
    """The table with a column per noun, the further columns behind, and None where a noun is missing.

    Parameters
    ----------
    table : pandas.DataFrame
        Text, indexed by row number.
    layout : Layout
        Which column holds what.
    sets : mapping of str to str
        Value of the set column to set.
    """
    frame = pd.DataFrame({"row": table.index})
    for noun, name in layout.columns.items():
        frame[noun] = table[name].map(cleaned).to_numpy() if name else ""
    for name in table.columns:
        if name not in layout.columns.values():
            own = name if name not in frame.columns else f"{name} (table)"
            frame[own] = table[name].map(cleaned).to_numpy()
    for noun in ("image", "segmentation"):
        named = layout.columns[noun]
        frame[noun] = table[named].map(_file_name).to_numpy() if named else ""
    frame["set"] = frame["set"].map(lambda value: sets.get(value, value))
    frame["segmentation_label"] = frame["segmentation_label"].map(_plain_number)
    for noun, other in (("case", frame["row"].astype(str)), ("patient", frame["case"])):
        if noun not in layout.required:
            frame[noun] = frame[noun].where(frame[noun] != "", other)
    if layout.batch:
        frame["case"] = _batch_cases(frame)
    nouns = list(layout.columns)
    missing = frame[nouns] == ""
    missing["centre"] |= frame["centre"].str.lower().isin(UNKNOWN)
    frame[nouns] = frame[nouns].astype(object).mask(missing, None)
    return frame


def _is_batch(names: Sequence[str], columns: CohortColumns) -> bool:
    named = {"image", "segmentation"} & columns.model_fields_set
    return not named and columns.segmentation not in names and {"image", "mask"} <= {name.lower() for name in names}


def _batch_columns(names: Sequence[str], columns: CohortColumns) -> dict[str, str | None]:
    """Columns as PyRadiomics names them, in any capitals; what the study names goes first.

    Only ``Label`` as PyRadiomics writes it is the value in the mask: ``label`` is the class in a table of ours.
    """
    written = {name.lower(): name for name in reversed(names)}
    found: dict[str, str | None] = {"image": written["image"], "segmentation": written["mask"]}
    for noun in ("patient", "set", "centre", "reader"):
        found[noun] = written.get(noun, getattr(columns, noun))
    if columns.case not in names:
        found["case"] = written.get("id")
    if "Label" in names and columns.label != "Label" and columns.segmentation_label not in names:
        found["segmentation_label"] = "Label"
    return {noun: name for noun, name in found.items() if noun not in columns.model_fields_set}


def _batch_cases(frame: pd.DataFrame) -> pd.Series[str]:
    """PyRadiomics lets several regions share an ``ID``: they become cases named by value in the mask, else by row."""
    shared = frame.duplicated(["case", "reader"], keep=False) & (frame["case"] != "")
    same = frame.duplicated(["case", "reader", "image", "segmentation", "segmentation_label"], keep=False)
    alone = ~frame.duplicated(["case", "reader", "segmentation_label"], keep=False)
    by_label = alone.groupby(frame["case"]).transform("all") & (frame["segmentation_label"] != "")
    ending = frame["segmentation_label"].where(by_label, "row " + frame["row"].astype(str))
    several = shared.groupby(frame["case"]).transform("any") & ~same
    return frame["case"].where(~several, frame["case"] + " " + ending)


def _file_name(text: str) -> str:
    """A file name without blanks at its ends, and with the separator of every other system."""
    return text.strip().strip("\ufeff\u200b").replace("\\", "/")


def _hint(noun: str, *, batch: bool) -> str:
    if batch and noun == "label":
        return "; in a batch table of PyRadiomics Label is the value in the mask: name the column of the class"
    return ""


def _plain_number(text: str) -> str:
    """Value of a structure without the decimals that programs add to a column with gaps."""
    return re.sub(r"^([0-9]+)\.0*$", r"\1", text)
