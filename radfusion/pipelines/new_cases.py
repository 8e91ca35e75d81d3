"""New cases as a cohort: what a model asks of each, and whether it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.cohort import Cohort, CohortColumns
from radfusion.core.cohort_columns import UNKNOWN
from radfusion.core.cohort_covariates import Covariate, covariate_mistakes
from radfusion.core.contract import CaseWarning, InputContract
from radfusion.core.registry import nearest
from radfusion.core.results import Exclusion
from radfusion.errors import CohortError, UserError

__all__ = ["NEW_CASE", "cohort_of_one", "read_new_cases", "unknown_levels", "unusable_cases"]

#: What a case is called whose identifier nobody gave.
NEW_CASE = "new case"


def cohort_of_one(
    contract: InputContract,
    image: Path,
    segmentation: Path,
    *,
    label: int | str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Cohort:
    """A cohort of one case.

    Parameters
    ----------
    contract : InputContract
        What the model asks.
    image, segmentation : pathlib.Path
        Files of the case.
    label : int or str, optional
        Value or name of its structure in the segmentation.
    facts : mapping of str to str, optional
        ``centre`` and covariates, as a cohort table would hold them.

    Raises
    ------
    UserError
        When the model asks for something that is not given, does not ask for something that is, or a covariate is not
        of its type.
    """
    told = dict(facts or {})
    _check_told(contract, told)
    files = {"image": str(image.absolute()), "segmentation": str(segmentation.absolute())}
    nouns = dict.fromkeys(name for name in CohortColumns.model_fields if name != "case")
    stated = {"segmentation_label": None if label is None else str(label)}
    row: dict[str, Any] = {"row": 1, **nouns, "patient": NEW_CASE, **files, **stated, **told}
    frame = pd.DataFrame(row, index=pd.Index([NEW_CASE], name="case"), dtype=object)
    return _typed(contract, Cohort(frame, (), Path()), file=image)


def read_new_cases(contract: InputContract, table: Path, *, images: bool) -> Cohort:
    """A cohort table of new cases, which needs neither labels nor sets.

    Parameters
    ----------
    contract : InputContract
        What the model asks.
    table : pathlib.Path
        The table.
    images : bool
        Whether every case needs an image and a segmentation.

    Raises
    ------
    CohortError
        With every mistake of the table; covariates that the model asks for are among its columns.
    """
    columns = CohortColumns.model_validate(contract.columns if images else _without_files(contract.columns))
    return _typed(contract, Cohort.for_extraction(table, columns=columns, images=images), file=table)


def unusable_cases(contract: InputContract, cohort: Cohort) -> Iterator[Exclusion]:
    """Cases of which the model's steps are not told what they need, or something that no training case had."""
    for case, row in cohort.frame.iterrows():
        for name, accepted in contract.asks.items():
            value = row[name]
            if value is None or str(value).strip().lower() in {"", *UNKNOWN}:
                reason = f"no {name} is given, which the model adjusts for"
            elif accepted and str(value) not in accepted:
                reason = f"no training case has the {name} {str(value)!r}, which the model adjusts for"
            else:
                continue
            known = f"; known: {', '.join(accepted)}" if accepted else ""
            yield Exclusion(case=str(case), stage="covariate" if name != "centre" else name, reason=reason + known)


def unknown_levels(contract: InputContract, row: Mapping[str, Any]) -> Iterator[CaseWarning]:
    """The centre and categories of a case that no training case had.

    Parameters
    ----------
    contract : InputContract
        Of the model.
    row : mapping of str to object
        Row of the cohort.
    """
    centre = row["centre"]
    if contract.centres and centre not in contract.centres:
        message = f"no training case is of the centre {str(centre)!r}: the case is not adjusted for its centre"
        yield CaseWarning(kind="centre", message=message)
    for name, covariate in contract.covariates.items():
        value = row[name]
        if covariate.type == "category" and value and str(value) not in covariate.levels:
            message = f"{name} is {str(value)!r}, which no training case had; known: {', '.join(covariate.levels)}"
            yield CaseWarning(kind="covariate", message=message)


def _without_files(columns: Mapping[str, str]) -> dict[str, str]:
    return {noun: name for noun, name in columns.items() if noun in ("case", "centre")}


def _check_told(contract: InputContract, told: Mapping[str, str]) -> None:
    asked = [*contract.covariates, *(["centre"] if "centre" in contract.asks else [])]
    for name in told:
        if name not in asked:
            known = nearest(name, asked) if asked else "it asks for neither a centre nor covariates"
            raise UserError(f"the model does not ask for {name!r}; {known}")
    for name in asked:
        if name not in told:
            option = "--centre NAME" if name == "centre" else f"--covariate {name}=VALUE"
            raise UserError(f"the model asks for {name!r} ({_in_words(contract, name)}) of every case: {option}")


def _in_words(contract: InputContract, name: str) -> str:
    if name == "centre":
        return f"one of {', '.join(contract.centres)}"
    covariate = contract.covariates[name]
    unit = f" in {covariate.unit}" if covariate.unit else ""
    return f"{covariate.type}{unit}" + (f": {', '.join(covariate.levels)}" if covariate.levels else "")


def _typed(contract: InputContract, cohort: Cohort, *, file: Path) -> Cohort:
    asked = contract.covariates
    mistakes = covariate_mistakes(cohort.frame, {name: _of_any_level(each) for name, each in asked.items()})
    if "centre" in contract.asks and cohort.frame["centre"].isna().all():
        column, known = contract.columns.get("centre", "centre"), ", ".join(contract.centres)
        mistakes.append(f"no case has a centre, which the model adjusts for: add a column {column!r}; known: {known}")
    if mistakes:
        raise CohortError(mistakes, file=file.name)
    return replace(cohort, covariate_types=dict(asked))


def _of_any_level(covariate: Covariate) -> Covariate:
    """A category that no training case had is warned of; it is no mistake."""
    return covariate.model_copy(update={"levels": ()}) if covariate.type == "category" else covariate
