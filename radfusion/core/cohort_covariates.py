"""Covariates: what a column of the table holds, in which unit, and whether every value is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from radfusion.core.cohort_columns import UNKNOWN
from radfusion.core.cohort_rows import of_rows
from radfusion.core.registry import nearest
from radfusion.core.settings import Settings

__all__ = ["Covariate", "Label", "covariate_mistakes", "covariate_values", "without_unknown"]

Kind = Literal["number", "category", "ordinal", "date", "yes-no"]
#: A label or level: YAML reads 0 as a number, the table holds text.
Label = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    WithJsonSchema({"type": ["string", "integer"]}, mode="validation"),
]
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ].*)?")
_YES_NO = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


class Covariate(Settings):
    """What a further column of the table holds."""

    type: Kind = Field(description="number, category, ordinal (levels in order), date (YYYY-MM-DD) or yes-no")
    unit: str | None = Field(None, description="unit of a number: years, g/cm²")
    levels: tuple[Label, ...] = Field((), description="allowed values; those of an ordinal from low to high")
    per: Literal["case", "patient"] = Field("case", description="patient: the same in every case of a patient")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.unit is not None and self.type != "number":
            raise ValueError(f"a {self.type} has no unit; a number has")
        if self.levels and self.type not in {"category", "ordinal"}:
            raise ValueError(f"a {self.type} has no levels; a category or an ordinal has")
        if self.type == "ordinal" and len(self.levels) < 2:
            raise ValueError("an ordinal needs its levels, from low to high")
        if len(set(self.levels)) < len(self.levels):
            raise ValueError(f"levels {', '.join(self.levels)}: each is named once")
        return self


def without_unknown(values: pd.Series[str], covariate: Covariate) -> pd.Series[str]:
    """The values as text, None where they are empty or a word for unknown (unless that word is a level)."""
    words = [word for word in UNKNOWN if word not in {level.lower() for level in covariate.levels}]
    return values.astype(object).mask(values.isna() | (values == "") | values.str.lower().isin(words), None)


def covariate_mistakes(frame: pd.DataFrame, covariates: Mapping[str, Covariate]) -> list[str]:
    """Declared columns that are absent and values that are not of the declared type, with their rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table in the words of the house, with ``row`` and ``patient``.
    covariates : mapping of str to Covariate
        What the study declares.
    """
    mistakes = []
    for name, covariate in covariates.items():
        if name not in frame.columns:
            mistakes.append(f"no column {name!r} (covariate); {nearest(name, [str(each) for each in frame.columns])}")
            continue
        values = without_unknown(frame[name], covariate).dropna()
        right = values.map(_test_of(covariate)).astype(bool)
        for value, rows in frame.loc[values[~right].index].groupby(name, sort=False)["row"]:
            mistakes.append(f"{of_rows(rows)}: {name} {value!r} {_demand(covariate, str(value))}")
        if covariate.per == "patient":
            mistakes += _patients_that_differ(frame.loc[values.index], name)
    return mistakes


def covariate_values(values: pd.Series[str], covariate: Covariate | None) -> pd.Series[Any]:
    """A covariate in its type.

    Parameters
    ----------
    values : pandas.Series
        Text without mistakes.
    covariate : Covariate or None
        Its declaration; None for a column that the study does not declare, which stays text.

    Returns
    -------
    pandas.Series
        Floats, categories (ordered for an ordinal), dates, nullable booleans, or text; missing where unknown.
    """
    if covariate is None:
        return values.astype(object).mask(values == "", None)
    known = without_unknown(values, covariate)
    if covariate.type == "number":
        return known.astype(float)
    if covariate.type == "date":
        return pd.to_datetime(known.str.slice(0, 10), format="%Y-%m-%d")
    if covariate.type == "yes-no":
        return known.str.lower().map(_YES_NO).astype("boolean")
    levels = list(covariate.levels) or sorted(known.dropna().unique())
    return known.astype(pd.CategoricalDtype(levels, ordered=covariate.type == "ordinal"))


def _test_of(covariate: Covariate) -> Callable[[str], bool]:
    if covariate.type == "number":
        return lambda value: _NUMBER.fullmatch(value) is not None
    if covariate.type == "date":
        return _is_date
    if covariate.type == "yes-no":
        return lambda value: value.lower() in _YES_NO
    return lambda value: not covariate.levels or value in covariate.levels


def _is_date(value: str) -> bool:
    written = _DATE.fullmatch(value)
    try:
        return written is not None and bool(date.fromisoformat(written[1]))
    except ValueError:
        return False


def _demand(covariate: Covariate, value: str) -> str:
    if covariate.type == "number":
        comma = _NUMBER.fullmatch(value.replace(",", ".", 1))
        return "is no number; write a decimal point" if comma else "is no number"
    if covariate.type == "date":
        return "is no date; write YYYY-MM-DD"
    if covariate.type == "yes-no":
        return "is neither yes nor no (true, false, 1, 0)"
    return f"is unknown; {nearest(value, list(covariate.levels))}"


def _patients_that_differ(frame: pd.DataFrame, name: str) -> Iterator[str]:
    several = frame.groupby("patient")[name].transform("nunique") > 1
    for patient, rows in frame[several].groupby("patient", sort=False):
        values = ", ".join(map(repr, rows[name].unique()))
        yield f"{of_rows(rows['row'])}: {name} of patient {patient!r} is {values}; a patient has one"
