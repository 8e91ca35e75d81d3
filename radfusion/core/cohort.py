"""The cohort: one row per case, with patient, label, set and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.cohort_columns import ROLES, CohortColumns, Layout, Role, find_layout, standardise
from radfusion.core.cohort_covariates import Covariate, covariate_mistakes, covariate_values
from radfusion.core.cohort_mistakes import table_mistakes
from radfusion.core.cohort_table import read_table
from radfusion.core.registry import nearest
from radfusion.errors import CohortError

__all__ = ["ROLES", "Cohort", "CohortColumns", "Covariate", "Role"]

_READING = ("case", "reader", "segmentation", "segmentation_label", "row")


@dataclass(frozen=True)
class Cohort:
    """Cases of a study.

    Attributes
    ----------
    frame : pandas.DataFrame
        Indexed by ``case``; columns ``patient``, ``image``, ``segmentation``, ``label``, ``set``, ``centre``,
        ``segmentation_label``, ``reader`` (None when unknown) and the covariates, all text as read; ``row`` is the row
        in the file (header is row 1).
    classes : tuple of str
        Classes in the order of the study.
    root : pathlib.Path
        Folder that relative file names start from.
    readings : pandas.DataFrame
        All segmentations of all readers, if the table names readers: ``case``, ``reader``, ``segmentation``,
        ``segmentation_label``, ``row``. ``frame`` holds that of the reference reader.
    covariate_types : mapping of str to Covariate
        Type and unit of the covariates that the study declares.
    split : mapping of str to object, optional
        How cases were shared out to sets, when the table has no set column: ``rule``, ``seed``, shares and counts.
    """

    frame: pd.DataFrame
    classes: tuple[str, ...]
    root: Path
    readings: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_READING)))
    covariate_types: Mapping[str, Covariate] = field(default_factory=dict)
    split: Mapping[str, Any] | None = None

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        *,
        columns: CohortColumns | None = None,
        classes: Sequence[str] | None = None,
        sets: Mapping[str, str] | None = None,
        covariates: Mapping[str, Covariate] | None = None,
        sheet: str | None = None,
    ) -> Cohort:
        """Read and check the cohort table of a study.

        Parameters
        ----------
        path : path
            CSV (UTF-8, commas), Excel workbook (.xlsx) or Parquet with a header; ours or PyRadiomics' batch table.
        columns : CohortColumns, optional
            Which column holds what.
        classes : sequence of str, optional
            The allowed labels in order; all labels of the table, sorted, when not given.
        sets : mapping of str to str, optional
            Value in the table to set name: ``{"train": "training"}``. Values must otherwise be set names.
        covariates : mapping of str to Covariate, optional
            Types of further columns.
        sheet : str, optional
            Sheet of a workbook with several.

        Raises
        ------
        CohortError
            With every mistake of the table: absent columns, missing or repeated case identifiers, missing patients,
            unknown labels or sets, values that are not of their type, one patient in two sets, a set with one class
            or one patient, an external set from a training centre.
        """
        path = Path(path)
        table = read_table(path, sheet)
        layout = find_layout(list(table.columns), columns or CohortColumns(), path=path)
        return _checked(standardise(table, layout, sets or {}), layout, path, classes=classes, covariates=covariates)

    @classmethod
    def without_images(
        cls,
        path: str | Path,
        *,
        columns: CohortColumns | None = None,
        classes: Sequence[str] | None = None,
        sets: Mapping[str, str] | None = None,
        covariates: Mapping[str, Covariate] | None = None,
        sheet: str | None = None,
    ) -> Cohort:
        """Read the cohort table of a study that reads no image: cases need neither an image nor a segmentation.

        Parameters
        ----------
        path : path
            As for :meth:`from_table`.
        columns : CohortColumns, optional
            Which column holds what.
        classes : sequence of str, optional
            The allowed labels in order.
        sets : mapping of str to str, optional
            Value in the table to set name.
        covariates : mapping of str to Covariate, optional
            Types of further columns.
        sheet : str, optional
            Sheet of a workbook with several.

        Raises
        ------
        CohortError
            With every mistake of the table.
        """
        path = Path(path)
        table = read_table(path, sheet)
        layout = find_layout(list(table.columns), columns or CohortColumns(), path=path, images=False)
        return _checked(standardise(table, layout, sets or {}), layout, path, classes=classes, covariates=covariates)

    #: The name it had when CSV was all that could be read.
    from_csv = from_table

    @classmethod
    def for_extraction(
        cls,
        path: str | Path,
        *,
        columns: CohortColumns | None = None,
        sheet: str | None = None,
        images: bool = True,
    ) -> Cohort:
        """Read a table for the extraction of features: it may lack identifiers, patients, labels and sets.

        Parameters
        ----------
        path : path
            CSV, Excel or Parquet; PyRadiomics' batch table is taken as it is.
        columns : CohortColumns, optional
            Which column holds what.
        sheet : str, optional
            Sheet of a workbook with several.
        images : bool
            Whether every case needs an image and a segmentation.

        Raises
        ------
        CohortError
            With every mistake of the table: absent columns, missing files, repeated case identifiers.
        """
        path = Path(path)
        table = read_table(path, sheet)
        asked = columns or CohortColumns()
        layout = find_layout(list(table.columns), asked, path=path, extraction=True, images=images)
        frame = standardise(table, layout, {})
        mistakes = table_mistakes(frame, (), layout)
        if mistakes:
            raise CohortError(mistakes, file=path)
        return _one_row_per_case(frame, tuple(sorted(frame["label"].dropna().unique())), path)

    @property
    def sets(self) -> tuple[Role, ...]:
        """Sets that have cases, in the order training, internal, external, prospective."""
        present = set(self.frame["set"])
        return tuple(role for role in ROLES if role in present)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that the nouns of the table do not use."""
        own = {"row", *CohortColumns.model_fields}
        return tuple(name for name in self.frame.columns if name not in own)

    @property
    def undeclared(self) -> tuple[str, ...]:
        """Covariates whose type the study does not declare; they stay text."""
        return tuple(name for name in self.covariates if name not in self.covariate_types)

    @property
    def readers(self) -> tuple[str, ...]:
        """Readers in the order of the table."""
        return tuple(self.readings["reader"].dropna().unique())

    def covariate(self, name: str) -> pd.Series[Any]:
        """A covariate in its declared type, indexed by case: floats, categories, dates, booleans or text."""
        return covariate_values(self.frame[name], self.covariate_types.get(name))

    def read_by(self, reader: str) -> Cohort:
        """The cases that a reader segmented, with that reader's segmentations.

        Parameters
        ----------
        reader : str
            One of `readers`.

        Raises
        ------
        CohortError
            When the table does not name the reader.
        """
        theirs = self._readings_of(reader)
        frame = self._with(theirs).frame
        return replace(self, frame=frame[frame.index.isin(theirs.index)])

    def with_reference(self, reader: str) -> Cohort:
        """All cases, with the segmentations of a reader wherever that reader drew one.

        Parameters
        ----------
        reader : str
            One of `readers`.

        Raises
        ------
        CohortError
            When the table does not name the reader.
        """
        return self._with(self._readings_of(reader))

    def of_set(self, *names: str) -> Cohort:
        """The cases of the named sets."""
        return self._restricted(self.frame[self.frame["set"].isin(names)])

    def without(self, cases: Sequence[str]) -> Cohort:
        """The cohort less the given cases."""
        return self._restricted(self.frame.drop(index=list(cases)))

    def image_path(self, case: str) -> Path:
        """Image file of a case."""
        return self.root / _at_home(self.frame.at[case, "image"])

    def segmentation_path(self, case: str) -> Path:
        """Segmentation file of a case."""
        return self.root / _at_home(self.frame.at[case, "segmentation"])

    def segmentation_label(self, case: str) -> int | str | None:
        """Value or name of the case's structure in its segmentation; None where the table does not say."""
        if "segmentation_label" not in self.frame.columns:
            return None
        stated = self.frame.at[case, "segmentation_label"]
        if stated is None:
            return None
        return int(str(stated)) if str(stated).isdecimal() else str(stated)

    def _readings_of(self, reader: str) -> pd.DataFrame:
        if reader not in self.readers:
            known = nearest(reader, list(self.readers)) if self.readers else "the table has no column of readers"
            raise CohortError([f"no reader {reader!r}; {known}"])
        return self.readings[self.readings["reader"] == reader].set_index("case")

    def _with(self, readings: pd.DataFrame) -> Cohort:
        frame = self.frame.copy()
        shared = frame.index[frame.index.isin(readings.index)]
        for name in _READING[1:]:
            frame.loc[shared, name] = readings.loc[shared, name]
        return replace(self, frame=frame)

    def _restricted(self, frame: pd.DataFrame) -> Cohort:
        return replace(self, frame=frame, readings=self.readings[self.readings["case"].isin(frame.index)])


def _checked(
    frame: pd.DataFrame,
    layout: Layout,
    path: Path,
    *,
    classes: Sequence[str] | None,
    covariates: Mapping[str, Covariate] | None,
) -> Cohort:
    known = tuple(classes) if classes else tuple(sorted(frame["label"].dropna().unique()))
    mistakes = [*table_mistakes(frame, known, layout), *covariate_mistakes(frame, covariates or {})]
    if mistakes:
        raise CohortError(mistakes, file=path)
    return replace(_one_row_per_case(frame, known, path), covariate_types=dict(covariates or {}))


def _one_row_per_case(frame: pd.DataFrame, classes: tuple[str, ...], path: Path) -> Cohort:
    """Cases with the segmentation of the first reader of the table, where that reader drew one."""
    first = frame.drop_duplicates("case").set_index("case")
    cohort = Cohort(first, classes, path.parent, frame.loc[frame["reader"].notna(), list(_READING)])
    return cohort.with_reference(cohort.readers[0]) if cohort.readers else cohort


def _at_home(name: object) -> Path:
    path = Path(str(name))
    return path.expanduser() if path.parts[:1] == ("~",) else path
