"""What a study says of a feature table that another program made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from radfusion.core.settings import Settings
from radfusion.extraction.imported.formats import TABLE_FORMATS

__all__ = ["ChosenColumns", "Imported"]


class ChosenColumns(Settings):
    """Which columns become features: names, or patterns with ``*`` and ``?``."""

    include: tuple[str, ...] = Field(
        (), description="only these; a column named in full is taken whatever it is called"
    )
    exclude: tuple[str, ...] = Field((), description="never these")


def _chosen(value: Any) -> Any:
    """A bare list names the columns that are included."""
    return {"include": value} if isinstance(value, list | tuple) else value


class Imported(Settings):
    """A table of features that another program extracted.

    Examples
    --------
    >>> entry = Imported(name="scores", kind="deep", file="HarvardRT.csv", case="id", columns=["logit_0", "logit_1"])
    >>> entry.source, entry.columns.include, [path.name for path in entry.paths.values()]
    ('scores', ('logit_0', 'logit_1'), ['HarvardRT.csv'])
    """

    name: str = Field(
        "radiomics", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="source; stands in features and arms"
    )
    kind: Literal["radiomics", "deep", "other"] = Field("radiomics", description="what the features are")
    file: Path | None = Field(None, description="CSV (gzipped, too), Excel or Parquet, relative to the study file")
    files: tuple[Path, ...] | dict[str, Path] = Field(
        (), description="several tables, one below the other; as a mapping, NAME stands before each case: NAME-1"
    )
    sheet: str | None = Field(None, description="sheet of an Excel workbook that has several")
    format: str = Field("auto", description="auto, " + ", ".join(TABLE_FORMATS))
    case: str | None = Field(None, description="column that holds the case; the format's own when not given")
    columns: Annotated[ChosenColumns, BeforeValidator(_chosen)] = Field(
        ChosenColumns(), description="names or patterns of columns, or {include: [...], exclude: [...]}"
    )

    @field_validator("format")
    @classmethod
    def _known(cls, name: str) -> str:
        if name != "auto" and name not in TABLE_FORMATS:
            raise ValueError(f"{TABLE_FORMATS.unknown(name)}, auto")
        return name

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (not self.files):
            raise ValueError("write file, or files for several tables")
        return self

    @property
    def source(self) -> str:
        """Prefix of the feature names, unique in a study."""
        return self.name

    @property
    def paths(self) -> dict[str, Path]:
        """Tables by what stands before their cases; by number where nothing does."""
        if isinstance(self.files, dict):
            return dict(self.files)
        listed = (self.file,) if self.file is not None else self.files
        return {str(number): path for number, path in enumerate(listed)}

    @property
    def prefixed(self) -> bool:
        """Whether the names of the tables stand before their cases."""
        return isinstance(self.files, dict) and bool(self.files)

    def without_paths(self) -> Self:
        """The same with bare file names: where files lie is nobody's business."""
        if isinstance(self.files, dict):
            return self.model_copy(update={"files": {name: Path(path.name) for name, path in self.files.items()}})
        files = tuple(Path(path.name) for path in self.files)
        return self.model_copy(update={"file": self.file and Path(self.file.name), "files": files})
