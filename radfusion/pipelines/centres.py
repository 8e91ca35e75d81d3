"""How well features tell the centres of a cohort apart: what a model could learn instead of the disease."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.pretraining import CentreResult
from radfusion.evaluation import one_vs_rest_auc
from radfusion.modelling.classifiers import fit_classifier, probabilities
from radfusion.modelling.folds import TrainingLabels

__all__ = ["tell_centres_apart"]

Floats = NDArray[np.float64]

#: Penalty of the logistic classifier on standardised features: strong, as there are more features than cases.
PENALTY = {"C": 0.01}


def tell_centres_apart(
    cohort: Cohort, tables: Mapping[str, FeatureTable], *, folds: int, seed: int, level: float = 0.95
) -> tuple[tuple[CentreResult, ...], str | None]:
    """Macro AUC of a cross-validated logistic classifier of the centre, per source; or why there is none.

    Training cases where several centres gave some, else all cases. Patients stay together; centres with fewer patients
    than folds are left out. An area of 0.5 says that the features do not show the centre. A higher one may also come
    from centres that treat other patients.

    Parameters
    ----------
    cohort : Cohort
        Cases with their centres.
    tables : mapping of str to FeatureTable
        By source.
    folds : int
        Number of folds.
    seed : int
        Seed of the folds.
    level : float
        Confidence level.

    Returns
    -------
    tuple of CentreResult, and str or None
    """
    for of_set, part in (("training", cohort.of_set("training")), ("all", cohort)):
        rows = _of_large_centres(part.frame, folds)
        if rows["centre"].nunique() > 1:
            shared = rows.assign(label=rows["centre"].astype(str), set=of_set)
            told = partial(_told_apart, rows=shared, folds=folds, seed=seed, level=level)
            return tuple(told(source, table) for source, table in tables.items()), None
    known = cohort.frame["centre"].dropna().nunique()
    return (), f"{known} centres are named; two with {folds} or more patients each are needed"


def _of_large_centres(rows: pd.DataFrame, patients: int) -> pd.DataFrame:
    """Rows of the centres that have so many patients."""
    numbers = rows.dropna(subset=["centre"]).groupby("centre")["patient"].nunique()
    return rows[rows["centre"].isin(numbers.index[numbers >= patients])]


def _told_apart(
    source: str, table: FeatureTable, *, rows: pd.DataFrame, folds: int, seed: int, level: float
) -> CentreResult:
    centres = tuple(sorted(rows["label"].unique()))
    labels = TrainingLabels.from_rows(rows, centres)
    values = table.frame.loc[rows.index].to_numpy(dtype=np.float64)
    fold_of = labels.folds(folds, seed=seed)
    likely = np.empty((len(rows), len(centres)))
    for fold in range(folds):
        left_out = fold_of == fold
        train, test = _standardised(values[~left_out], values[left_out])
        fitted = fit_classifier("logistic", train, labels.take(~left_out), hyperparameters=PENALTY, seed=seed)
        likely[left_out] = probabilities(fitted, test)
    found = one_vs_rest_auc(
        rows["label"], likely, centres, level=level, patients=rows["patient"].to_numpy(dtype=object)
    )[-1]
    named = found.model_copy(update={"model": source, "set": rows["set"].iloc[0]})
    return CentreResult(source=source, centres=centres, estimate=named)


def _standardised(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Both by the mean and spread of the first; what is missing or never changes becomes 0."""
    spread = np.nanstd(train, axis=0)
    spread[~(spread > 0)] = np.inf
    mean = np.nanmean(train, axis=0)
    return np.nan_to_num((train - mean) / spread), np.nan_to_num((test - mean) / spread)
