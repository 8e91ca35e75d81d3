"""What a study says of its cohort table, and the cohort that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from radfusion.cohorts.splitting import SplitSettings, split_cohort
from radfusion.core.cohort import Cohort, CohortColumns, Covariate, Role
from radfusion.core.cohort_covariates import Label
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings
from radfusion.errors import CohortError

__all__ = ["CohortSettings", "read_cohort"]


class CohortSettings(Settings):
    """Where the cohort table is and what its columns and values mean."""

    table: Path = Field(description="CSV, Excel or Parquet file, relative to the study file")
    sheet: str | None = Field(None, description="sheet of an Excel workbook that has several")
    columns: CohortColumns = Field(CohortColumns(), description="which column of the table holds what")
    classes: tuple[Label, ...] = Field(min_length=2, description="labels of the table, in the order of the report")
    class_names: dict[str, str] = Field({}, description="label to the words used in the report")
    sets: dict[str, Role] = Field(
        {}, description="value in the set column to training, internal, external, prospective"
    )
    split: SplitSettings | None = Field(None, description="how cases get a set when the table has no set column")
    reader: str | None = Field(None, description="whose segmentations are used; the first of the table if not given")
    covariates: dict[str, Covariate] = Field({}, description="type and unit of further columns")
    duplicates: Literal["refuse", "exclude"] = Field(
        "refuse",
        description="films with equal pixels in two sets: refuse the study, or exclude those of the later set by name",
    )
    unit: str = Field("case", description="what a case is, in the singular: vertebra, lesion, radiograph")

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(f"classes {', '.join(classes)}: each is named once")
        return classes

    @model_validator(mode="after")
    def _named(self) -> Self:
        for label in self.class_names:
            if label not in self.classes:
                raise ValueError(f"class_names holds {label!r}; {nearest(label, list(self.classes))}")
        return self

    @model_validator(mode="after")
    def _has_sets(self) -> Self:
        if self.columns.set is None and self.split is None:
            raise ValueError("columns.set is null, so split must say how cases get a set")
        if self.split is not None and self.sets:
            raise ValueError("sets translates a set column, and split is for tables without one; keep one of them")
        return self


def read_cohort(settings: CohortSettings, path: Path, *, seed: int, images: bool = True) -> Cohort:
    """Read and check the cohort table of a study; share its cases out to sets when the table does not.

    Parameters
    ----------
    settings : CohortSettings
        What the study says.
    path : pathlib.Path
        The table.
    seed : int
        Seed of the study, for a split that names none.
    images : bool
        Whether every case needs an image and a segmentation.

    Raises
    ------
    CohortError
        With every mistake of the table.
    """
    columns = settings.columns
    read = Cohort.from_table if images else Cohort.without_images
    cohort = read(
        path,
        columns=columns.model_copy(update={"set": None}) if settings.split else columns,
        classes=settings.classes,
        sets=settings.sets,
        covariates=settings.covariates,
        sheet=settings.sheet,
    )
    if settings.reader is not None:
        cohort = cohort.with_reference(settings.reader)
    if settings.split is None:
        return cohort
    if {columns.set, f"{columns.set} (table)"} & set(cohort.covariates):
        sentence = f"has the set column {columns.set!r}, and cohort.split would make sets anew; remove split"
        raise CohortError([f"{sentence}, or write cohort.columns.set: null to pass the column over"], file=path)
    return split_cohort(cohort, settings.split, seed=seed)
