"""Repeated splits: what the chain of the final model would have reached on other random splits of the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash
from radfusion.core.results import RepeatedSplits
from radfusion.errors import UserError
from radfusion.execution.work import Stage, Workers
from radfusion.modelling.chains import Chain
from radfusion.modelling.fitting import UnstableIn, case_facts
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.fusion import combine
from radfusion.modelling.null import data_hash
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc

__all__ = ["RepeatedModel", "SplitTask", "patient_split", "repeated_splits", "split_auc"]

Mask = NDArray[np.bool_]
#: Share of cases that is held out where the study has no internal set to take it from.
HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class RepeatedModel:
    """The model whose chain is repeated.

    Attributes
    ----------
    model : str
        ``arm/classifier``.
    tables : tuple of FeatureTable
        Features of its arm; of every part after late fusion.
    chains : tuple of Chain
        Steps, classifier and chosen hyperparameters, one per table.
    rule : str or None
        How late fusion combines the parts.
    weights : mapping
        Of rules that have some: those of the final model, not fitted anew.
    """

    model: str
    tables: tuple[FeatureTable, ...]
    chains: tuple[Chain, ...]
    rule: str | None = None
    weights: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SplitTask:
    """One random split.

    Attributes
    ----------
    rows : tuple of Rows
        The pooled cases, once per part of the model.
    data : str
        Content hash of them.
    labels : TrainingLabels
        Of the pooled cases.
    within : (n,) array of bool
        Cases to fit on.
    unstable : frozenset of str or None
        Features that are unstable on those of them whose readings are known.
    final : RepeatedModel
        Without its tables.
    """

    rows: tuple[Rows, ...]
    data: str
    labels: TrainingLabels
    within: Mask
    unstable: frozenset[str] | None
    final: RepeatedModel


@dataclass(frozen=True)
class _Outcome:
    auc: float | None
    reason: str | None = None


def repeated_splits(
    final: RepeatedModel,
    cohort: Cohort,
    repeats: int,
    *,
    seed: int,
    workers: Workers | None = None,
    unstable: UnstableIn | None = None,
) -> RepeatedSplits | None:
    """Macro AUC of a model's chain on the held-out part of many random splits.

    Training and internal cases are pooled and split anew by patient, every class at the ratio of the study; the whole
    chain is fitted on one part, with the hyperparameters of the final model, and predicts the other. Without an
    internal set a fifth of the training cases is held out. External cases take no part.

    Parameters
    ----------
    final : RepeatedModel
        What is repeated.
    cohort : Cohort
        Labels, patients, sets.
    repeats : int
        Number of splits.
    seed : int
        Seed of the splits.
    workers : Workers, optional
        Executor, cache and progress.
    unstable : callable, optional
        Unstable features, measured on the training cases it is given.

    Returns
    -------
    RepeatedSplits or None
        Without the study's own split; None without repeats.

    References
    ----------
    1. An C, Park YW, Ahn SS, Han K, Kim H, Lee SK. Radiomics machine learning study with a small sample size: single
       random training-test set split may lead to unreliable results. PLoS One 2021;16(8):e0256152.
       doi:10.1371/journal.pone.0256152
    """
    if repeats == 0:
        return None
    sets = tuple(name for name in ("training", "internal") if name in cohort.sets)
    pool = _pooled(final.tables, cohort, sets)
    labels = TrainingLabels.from_rows(pool, cohort.classes)
    share = float((pool["set"] == "internal").mean()) if "internal" in sets else HELD_OUT
    facts = case_facts(cohort, pool)
    rows = tuple(Rows.from_frame(table.frame.loc[pool.index], facts) for table in final.tables)
    data = content_hash([data_hash(each) for each in rows])
    bare = RepeatedModel(final.model, (), final.chains, final.rule, final.weights)
    read = np.asarray(pool["set"] == "training")
    tasks = []
    for repeat in range(repeats):
        within = ~patient_split(labels, share, seed=[seed, repeat])
        known = unstable(list(pool.index[within & read])) if unstable else None
        tasks.append(SplitTask(rows, data, labels, within, known, bare))
    found = _SPLITS.over(tasks, workers or Workers())
    return _summary(final.model, sets, found, held=round(share * len(pool)), total=len(pool))


def _pooled(tables: Sequence[FeatureTable], cohort: Cohort, sets: Sequence[str]) -> pd.DataFrame:
    rows = cohort.frame[cohort.frame["set"].isin(sets)].sort_index()
    shared = np.all([rows.index.isin(table.frame.index) for table in tables], axis=0)
    return rows[shared]


def patient_split(labels: TrainingLabels, share: float, *, seed: int | list[int]) -> Mask:
    """Draw patients at random until every class gave its share of cases; a patient counts to its rarest class.

    Parameters
    ----------
    labels : TrainingLabels
        Of n cases.
    share : float
        Share of the cases to draw.
    seed : int or list of int
        Seed of the order of patients.

    Returns
    -------
    (n,) array of bool
        True for cases that were drawn; the cases of a patient go together.

    Examples
    --------
    >>> labels = TrainingLabels(np.array([0, 0, 1, 1, 0, 1]), np.arange(6), ("a", "b"))
    >>> drawn = patient_split(labels, 1 / 3, seed=1)
    >>> labels.take(drawn).counts()
    {'a': 1, 'b': 1}
    """
    rarity = np.argsort(np.argsort(np.bincount(labels.codes, minlength=len(labels.classes)), kind="stable"))
    patients, owner = np.unique(labels.patients, return_inverse=True)
    rarest = np.full(len(patients), len(labels.classes))
    np.minimum.at(rarest, owner, rarity[labels.codes])
    counts = np.bincount(owner)
    order = np.random.default_rng(seed).permutation(len(patients))
    drawn, owed = np.zeros(len(patients), dtype=bool), 0.0
    for patient in order[np.argsort(rarest[order], kind="stable")]:
        owed += share * counts[patient]
        if owed > counts[patient] / 2:
            drawn[patient] = True
            owed -= counts[patient]
    return np.asarray(drawn[owner])


def split_auc(task: SplitTask) -> _Outcome:
    """Macro AUC on the held-out part, or why the chain could not be fitted on the other."""
    final, labels, within = task.final, task.labels, task.within
    held = labels.take(~within)
    if min(held.counts().values()) == 0 or min(labels.take(within).counts().values()) == 0:
        return _Outcome(None, "a class is in one part only")
    pairs = zip(final.chains, task.rows, strict=True)
    try:
        stacked = [chain.held_out(rows, labels, within, unstable=task.unstable) for chain, rows in pairs]
        predicted = stacked[0] if final.rule is None else combine(np.stack(stacked), final.rule, final.weights)
    except UserError as error:
        return _Outcome(None, str(error))
    return _Outcome(macro_auc(held.codes, predicted))


def _summary(model: str, sets: tuple[str, ...], found: Sequence[_Outcome], *, held: int, total: int) -> RepeatedSplits:
    values = tuple(each.auc for each in found if each.auc is not None)
    low, median, high = map(float, np.percentile(values, [2.5, 50, 97.5])) if values else (None, None, None)
    reasons = [each.reason for each in found if each.auc is None]
    return RepeatedSplits(
        model=model,
        sets=sets,
        n_training=total - held,
        n_held=held,
        values=values,
        median=median,
        low=low,
        high=high,
        n_failed=len(reasons),
        reason=reasons[0] if reasons else None,
    )


def _key(task: SplitTask) -> list[Any]:
    final, labels = task.final, task.labels
    who = [labels.codes, labels.patients, labels.classes, task.within]
    unstable = None if task.unstable is None else sorted(task.unstable)
    return [task.data, who, unstable, [chain.key for chain in final.chains], final.rule, dict(final.weights)]


def _encode(outcome: _Outcome) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    return {}, {"auc": outcome.auc, "reason": outcome.reason}


def _decode(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> _Outcome:  # noqa: ARG001
    return _Outcome(**facts)


_SPLITS: Stage[SplitTask, _Outcome] = Stage("repeated splits", "modelling", split_auc, _key, _encode, _decode)
