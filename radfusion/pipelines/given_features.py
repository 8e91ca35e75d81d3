"""Feature tables of new cases: ours, or those of the program whose table the study imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.cohort_table import read_table
from radfusion.core.contract import InputContract, SourceContract
from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError
from radfusion.extraction.imported import TABLE_FORMATS, Imported
from radfusion.extraction.imported.reading import read_text

__all__ = ["given_features", "sources_in"]


def sources_in(file: Path, contract: InputContract) -> tuple[str, ...]:
    """Sources of a model that a feature table holds.

    Raises
    ------
    FeatureError
        When it holds none.
    """
    names = [source.name for source in contract.sources]
    columns = _columns(file)
    ours = tuple(name for name in names if any(column.startswith(f"{name}:") for column in columns))
    imported = tuple(source.name for source in contract.sources if "imported" in source.identity)
    if not ours and len(imported) != 1:
        wanted = " or ".join(f"{name}:..." for name in names)
        raise FeatureError(f"{file.name}: no column is a feature of the model; they are named {wanted}")
    return ours or imported


def given_features(files: Sequence[Path], contract: InputContract, cohort: Cohort) -> dict[str, FeatureTable]:
    """Feature tables by source.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Tables as ``radfusion extract`` writes them, or as the program wrote them whose table the study imported.
    contract : InputContract
        Of the model.
    cohort : Cohort
        The new cases.

    Raises
    ------
    FeatureError
        When a table cannot be read, holds no source of the model, or a case of it that another table holds, too.
    """
    found: dict[str, FeatureTable] = {}
    for file in files:
        for name in sources_in(file, contract):
            table = _table(file, name, contract=contract, cohort=cohort)
            found[name] = _below(found[name], table, file=file, source=name) if name in found else table
    return found


def _below(first: FeatureTable, second: FeatureTable, *, file: Path, source: str) -> FeatureTable:
    """Tables of one source, of different cases."""
    twice = [case for case in second.frame.index if case in first.frame.index]
    if twice:
        raise FeatureError(f"{file.name}: another table holds the source {source!r} of the case {twice[0]!r}, too")
    return FeatureTable(pd.concat([first.frame, second.frame]))


def _table(file: Path, name: str, *, contract: InputContract, cohort: Cohort) -> FeatureTable:
    if not any(column.startswith(f"{name}:") for column in _columns(file)):
        source = next(each for each in contract.sources if each.name == name)
        return _as_imported(file, source, contract=contract, cohort=cohort)
    return FeatureTable.from_parquet(file) if file.suffix.lower() == ".parquet" else FeatureTable.from_csv(file)


def _columns(file: Path) -> list[str]:
    if file.suffix.lower() == ".parquet":
        return [str(name) for name in FeatureTable.from_parquet(file).frame.columns]
    return [str(name) for name in read_table(file).columns]


def _as_imported(file: Path, source: SourceContract, *, contract: InputContract, cohort: Cohort) -> FeatureTable:
    """The features that the model needs, read as the study's table was read."""
    told = source.identity
    settings = Imported(name=source.name, file=file.absolute(), format=told["format"], case=told["case_column"])
    text = read_text(settings, Path(), cohort)
    needed = {each.feature for each in contract.features}
    names = TABLE_FORMATS[text.format].named(list(map(str, text.cells.columns)))
    taken = {column: f"{source.name}:{name}" for column, name in names.items() if f"{source.name}:{name}" in needed}
    cells = text.cells[list(taken)].replace("", np.nan)
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    wrong = (numbers.isna() & cells.notna()).any()
    if wrong.any():
        raise FeatureError(f"{file.name}: column {wrong.index[wrong][0]!r} holds what is no number")
    frame = numbers.astype(np.float64).rename(columns=taken).set_axis(pd.Index(text.cases, name=None))
    return FeatureTable(frame[frame.index.isin(cohort.frame.index)])
