"""The input contract: what a fitted model asks of a new case, and what is unusual about one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from radfusion import __version__
from radfusion.core.cohort import Cohort
from radfusion.core.cohort_covariates import Covariate
from radfusion.core.contract import CaseWarning, ClassFacts, FeatureRange, InputContract, SourceContract
from radfusion.core.features import FeatureTable
from radfusion.modelling.preparation import Preparation

__all__ = ["merged_contract", "range_warnings", "training_contract"]

_LINE = 1e-9  # relative to the range: rounding of a stored number is no excess


def training_contract(
    model: str, preparation: Preparation, table: FeatureTable, *, cohort: Cohort, rows: pd.DataFrame
) -> InputContract:
    """The contract of one fitted part.

    Parameters
    ----------
    model : str
        ``arm/classifier``.
    preparation : Preparation
        Its fitted steps.
    table : FeatureTable
        Raw features that it was fitted on.
    cohort : Cohort
        Classes and covariates.
    rows : pandas.DataFrame
        Cohort rows of the training cases.
    """
    asks = preparation.asks
    inputs = list(preparation.inputs)
    needed = {name.split(":", 1)[0] for name in inputs}
    return InputContract(
        radfusion=__version__,
        model=model,
        classes=tuple(_class_facts(rows, label) for label in cohort.classes),
        n_cases=len(rows),
        n_patients=int(rows["patient"].nunique()),
        sources=tuple(_source(name, table) for name in table.sources if name in needed),
        features=tuple(_range(name, table.frame.loc[rows.index, name]) for name in inputs),
        missing=_missing(preparation),
        asks=asks,
        centres=tuple(sorted(rows["centre"].dropna().unique())) if "centre" in asks else (),
        covariates={name: _covariate(name, cohort, rows) for name in asks if name != "centre"},
    )


def merged_contract(model: str, contracts: Sequence[InputContract]) -> InputContract:
    """The contract of a fusion of parts: all that any of them asks.

    Parts may have been fitted on different cases; the larger numbers are told.
    """
    largest = max(contracts, key=lambda each: each.n_cases)
    features = {feature.feature: feature for each in contracts for feature in each.features}
    sources = {source.name: source for each in contracts for source in each.sources}
    covariates = {name: asked for each in contracts for name, asked in each.covariates.items()}
    return largest.model_copy(
        update={
            "model": model,
            "features": tuple(features.values()),
            "sources": tuple(sources.values()),
            "covariates": covariates,
            "missing": "; ".join(dict.fromkeys(each.missing for each in contracts)),
            "centres": tuple(sorted({centre for each in contracts for centre in each.centres})),
            "asks": _all_asks([each.asks for each in contracts]),
        }
    )


def range_warnings(contract: InputContract, row: Mapping[str, float]) -> Iterator[CaseWarning]:
    """Features of a case that are missing, or outside the range of the training cases.

    Parameters
    ----------
    contract : InputContract
        Of the model.
    row : mapping of str to float
        Raw features of the case.
    """
    for known in contract.features:
        value = float(row[known.feature])
        if not np.isfinite(value):
            message = f"{known.feature} is missing; {known.missing:.1%} of the training cases lacked it"
            yield CaseWarning(kind="missing", feature=known.feature, message=message)
        elif known.minimum is not None and known.maximum is not None:
            yield from _outside(known, value, within=(known.minimum, known.maximum))


def _all_asks(asks: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """What any part must be told; of accepted values those that every part accepts."""
    merged: dict[str, tuple[str, ...]] = {}
    for name, accepted in (pair for each in asks for pair in each.items()):
        before = merged.get(name, ())
        both = tuple(value for value in accepted if value in before) if before and accepted else before or accepted
        merged[name] = both
    return merged


def _outside(known: FeatureRange, value: float, *, within: tuple[float, float]) -> Iterator[CaseWarning]:
    low, high = within
    width = high - low
    excess = max(low - value, value - high)
    if excess <= _LINE * max(width, abs(low), abs(high)):
        return
    beyond = excess / width if width > 0 else None
    by = "of which all have the same value" if beyond is None else f"by {beyond:.1%} of their range"
    yield CaseWarning(
        kind="outside-training-range",
        feature=known.feature,
        message=f"{known.feature} is {value:.6g}, outside the training cases' {low:.6g} to {high:.6g}, {by}",
        value=value,
        minimum=low,
        maximum=high,
        beyond=beyond,
    )


def _class_facts(rows: pd.DataFrame, label: str) -> ClassFacts:
    own = rows[rows["label"] == label]
    return ClassFacts(label=label, name=label, n_cases=len(own), n_patients=int(own["patient"].nunique()))


def _source(name: str, table: FeatureTable) -> SourceContract:
    return SourceContract(name=name, identity=dict(table.provenance.get(name, {})))


def _range(name: str, values: pd.Series[float]) -> FeatureRange:
    numbers = values.to_numpy(dtype=np.float64)
    known = numbers[np.isfinite(numbers)]
    quantiles = np.quantile(known, [0.0, 0.01, 0.5, 0.99, 1.0]).tolist() if known.size else [None] * 5
    minimum, p1, median, p99, maximum = quantiles
    share = (numbers.size - known.size) / max(1, numbers.size)
    return FeatureRange(feature=name, minimum=minimum, p1=p1, median=median, p99=p99, maximum=maximum, missing=share)


def _missing(preparation: Preparation) -> str:
    fills = dict.fromkeys(str(step.settings.get("fill")) for step in preparation.steps if step.name == "missing")
    what = " or ".join(fills) or "median"
    return f"a value that is missing or not finite is replaced by the {what} of the training cases"


def _covariate(name: str, cohort: Cohort, rows: pd.DataFrame) -> Covariate:
    """As the study declares it, with the levels of the training cases where it names none; else as its values look."""
    values = rows[name].dropna().astype(str)
    if name in cohort.covariate_types:
        declared = cohort.covariate_types[name]
    else:
        declared = Covariate(type="number" if pd.to_numeric(values, errors="coerce").notna().all() else "category")
    if declared.type != "category" or declared.levels:
        return declared
    return declared.model_copy(update={"levels": tuple(sorted(values.unique()))})
