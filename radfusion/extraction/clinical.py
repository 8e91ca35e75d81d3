"""Clinical features: covariates of the cohort as numbers, so that they can stand beside those of images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.cohort_covariates import Covariate, covariate_values, without_unknown
from radfusion.core.features import FeatureTable
from radfusion.core.registry import nearest
from radfusion.errors import FeatureError

__all__ = ["SOURCE", "check_covariates", "clinical_table", "clinical_values"]

#: Name of the source and of its arm.
SOURCE = "clinical"


def check_covariates(names: Collection[str], declared: Mapping[str, Covariate]) -> None:
    """Check that covariates can be features.

    Parameters
    ----------
    names : collection of str
        Under ``features.clinical``.
    declared : mapping of str to Covariate
        Under ``cohort.covariates``.

    Raises
    ------
    ValueError
        When one is not declared, or is a date.

    Examples
    --------
    >>> check_covariates(["age", "bmd"], {"age": Covariate(type="number")})
    Traceback (most recent call last):
    ValueError: clinical: the covariate 'bmd' is not declared; write its type under cohort.covariates, for example \
bmd: {type: number}; declared: age
    """
    for name in names:
        if name not in declared:
            known = nearest(name, list(declared)).replace("known:", "declared:") if declared else "none is declared"
            example = f"write its type under cohort.covariates, for example {name}: {{type: number}}"
            raise ValueError(f"clinical: the covariate {name!r} is not declared; {example}; {known}")
        if declared[name].type == "date":
            raise ValueError(
                f"clinical: {name!r} is a date, which tells when a case was seen rather than what it is; "
                "write what is meant as a number, such as an age in years, into a column of its own"
            )


def clinical_table(cohort: Cohort, names: Collection[str]) -> FeatureTable:
    """Covariates as a feature table of the source ``clinical``.

    A number stays what it is, yes is 1 and no is 0, a level of an ordinal is its rank from 0. A category becomes one
    column for each level but the first, 1 where the case has it: ``clinical:site=hip``. What is unknown is missing.

    Parameters
    ----------
    cohort : Cohort
        Cases and declared covariates.
    names : collection of str
        Those that are features.

    Returns
    -------
    FeatureTable
        One row per case. The provenance says how each covariate is coded, and under ``unseen`` how many cases have a
        level that no training case has: their value is missing.

    Raises
    ------
    ValueError
        When a covariate is not declared, or is a date.
    FeatureError
        When all covariates are categories with one level.
    """
    check_covariates(names, cohort.covariate_types)
    training = cohort.of_set("training").frame
    coding = {name: _coding(training[name], cohort.covariate_types[name]) for name in names}
    values = clinical_values(cohort.frame, coding)
    if values.empty:
        raise FeatureError(
            f"features.clinical: no feature comes of {', '.join(names)}: training cases have one level; leave it out"
        )
    unseen = {name: counts for name in names if (counts := _unseen(cohort.frame[name], coding[name]))}
    return FeatureTable(values, {SOURCE: {"settings": {"covariates": coding}, "unseen": unseen}})


def clinical_values(rows: pd.DataFrame, coding: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Clinical features of cases, new ones too, coded as those of the training cases.

    Parameters
    ----------
    rows : pandas.DataFrame
        Text of each covariate, as in the cohort table; empty, None or a word for unknown where it is not known.
    coding : mapping of str to mapping
        Type, unit and levels of each covariate: ``settings.covariates`` of the provenance of a table.

    Returns
    -------
    pandas.DataFrame
        Float64 columns ``clinical:NAME`` or ``clinical:NAME=LEVEL``; NaN where the covariate or its level is unknown.

    Examples
    --------
    >>> coding = {"age": {"type": "number"}, "site": {"type": "category", "levels": ["hip", "spine"]}}
    >>> clinical_values(pd.DataFrame({"age": ["71", ""], "site": ["spine", "wrist"]}), coding)
       clinical:age  clinical:site=spine
    0          71.0                  1.0
    1           NaN                  NaN
    """
    columns: dict[str, pd.Series[Any]] = {}
    for name, told in coding.items():
        covariate = Covariate.model_validate(told)
        values = without_unknown(rows[name].astype(object), covariate)
        levels = pd.Index(covariate.levels)
        coded = values.isin(levels)
        if covariate.type == "category":
            columns |= {f"{SOURCE}:{name}={level}": (values == level).where(coded) for level in levels[1:]}
        elif covariate.type == "ordinal":
            ranks = levels.get_indexer(pd.Index(values)).astype(np.float64)
            columns[f"{SOURCE}:{name}"] = pd.Series(ranks, index=rows.index).where(coded)
        else:
            columns[f"{SOURCE}:{name}"] = covariate_values(values, covariate)
    numbers = {name: one.astype("Float64").to_numpy(np.float64, na_value=np.nan) for name, one in columns.items()}
    return pd.DataFrame(numbers, index=rows.index, dtype=np.float64)


def _coding(training: pd.Series[Any], covariate: Covariate) -> dict[str, Any]:
    """How a covariate is coded; a category without declared levels has those of the training cases."""
    levels = covariate.levels
    if covariate.type == "category" and not levels:
        levels = tuple(sorted(without_unknown(training, covariate).dropna().unique()))
    told = covariate.model_copy(update={"levels": levels}).model_dump(mode="json", exclude={"per"})
    return {key: value for key, value in told.items() if value}


def _unseen(values: pd.Series[Any], coding: Mapping[str, Any]) -> dict[str, int]:
    """Levels that are not coded, with the number of cases that have them."""
    covariate = Covariate.model_validate(coding)
    if covariate.type != "category":
        return {}
    known = without_unknown(values, covariate).dropna()
    counts = known[~known.isin(covariate.levels)].value_counts(sort=False)
    return {str(level): int(counts[level]) for level in sorted(counts.index)}
