"""Fitting: every arm with every classifier, on the training set, by tasks that an executor may run anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.predictions import Predictions
from radfusion.core.results import SelectedFeature, Selection
from radfusion.errors import FeatureError
from radfusion.execution.work import Workers
from radfusion.modelling.arms import ArmFit, ClassifierFit, Level, PartFit
from radfusion.modelling.balancing import BalanceSettings
from radfusion.modelling.fits import FITTING, FitTask, Fitted, InnerFold
from radfusion.modelling.folds import INNER, TrainingLabels
from radfusion.modelling.preparation import PREPARATION, Preparation, PreparationTask, completed
from radfusion.modelling.rows import Rows
from radfusion.modelling.scores import macro_auc, with_shares
from radfusion.modelling.settings import ModellingSettings

__all__ = ["UnstableIn", "case_facts", "fit_arms", "selected_features", "training_rows"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Features that are unstable on the given training cases; None where that cannot be measured on them.
UnstableIn = Callable[[Sequence[str]], frozenset[str] | None]


def fit_arms(
    arms: Mapping[str, FeatureTable],
    cohort: Cohort,
    settings: ModellingSettings | None = None,
    *,
    seed: int,
    workers: Workers | None = None,
    unstable: UnstableIn | None = None,
) -> dict[str, ArmFit]:
    """Fit every classifier on every arm.

    All arms share one assignment of patients to folds. For every fold, the steps of the study, the search for
    hyperparameters and the classifier are fitted without it, and predict it; then once more on the whole training set,
    to predict every case. The order of cases and of columns changes nothing.

    Parameters
    ----------
    arms : mapping of str to FeatureTable
        Feature table of each arm (joined tables for early fusion). Rows of cases outside the cohort are not used.
    cohort : Cohort
        Labels, patients, sets, centres and covariates.
    settings : ModellingSettings, optional
        What to fit.
    seed : int
        Seed of folds, searches and estimators.
    workers : Workers, optional
        Executor, cache and progress.
    unstable : callable, optional
        Unstable features, measured on the cases it is given: those that a chain is fitted on.

    Returns
    -------
    dict of str to ArmFit
        In the order of `arms`; equal whatever the executor.

    Raises
    ------
    UserError
        When classes have too few training patients for the folds.
    FeatureError
        When an arm has no row for any training case, or no feature that varies among them.
    """
    settings, workers = settings or ModellingSettings(), workers or Workers()
    data = _arms(arms, cohort, settings, seed=seed) if arms else []
    tasks = [task for arm in data for task in _preparation_tasks(arm, settings, seed=seed, unstable=unstable)]
    prepared = iter(PREPARATION.over(tasks, workers))
    chains = [{key: next(prepared) for key in arm.fitted_on} for arm in data]
    work = [task for arm, of in zip(data, chains, strict=True) for task in _fit_tasks(arm, of, settings, seed=seed)]
    fitted = iter(FITTING.over(work, workers))
    return {
        arm.name: _arm_fit(
            arm,
            of,
            {name: [next(fitted) for _ in arm.parts] for name in settings.classifiers},
            balance=settings.balance,
        )
        for arm, of in zip(data, chains, strict=True)
    }


@dataclass(frozen=True, eq=False)
class _Part:
    """Training cases that a model is fitted on: all but those of a fold, or all.

    ``within`` are rows of the arm's training cases, ``inner`` the inner folds of those within (empty: none needed).
    """

    within: Mask
    inner: NDArray[np.intp]

    @property
    def inner_parts(self) -> list[Mask]:
        """Of each inner fold: the rows of the arm's training cases outside it and within the part."""
        masks = []
        for fold in np.unique(self.inner):
            mask = self.within.copy()
            mask[self.within] = self.inner != fold
            masks.append(mask)
        return masks


@dataclass(frozen=True, eq=False)
class _Arm:
    """Features and cohort rows of the cases of an arm, sorted by case, with the folds of its training cases."""

    name: str
    sources: tuple[str, ...]
    features: Rows
    rows: pd.DataFrame
    order: pd.Index
    labels: TrainingLabels
    folds: NDArray[np.intp]
    parts: tuple[_Part, ...]

    @property
    def training(self) -> Mask:
        """Rows of the training cases."""
        return np.asarray(self.rows["set"] == "training")

    @property
    def fitted_on(self) -> dict[bytes, Mask]:
        """Every set of training rows that steps are fitted on, once."""
        masks = [mask for part in self.parts for mask in (part.within, *part.inner_parts)]
        return {mask.tobytes(): mask for mask in masks}

    def predictions(self, rows: pd.DataFrame, values: Floats, model: str) -> Predictions:
        """Predictions of some rows, in the order of the cohort."""
        found = Predictions.from_arrays(rows, values, self.labels.classes, model)
        order = self.order[self.order.isin(rows.index)]
        return Predictions(found.frame.loc[order], found.classes, model)


def training_rows(name: str, table: FeatureTable, cohort: Cohort) -> pd.DataFrame:
    """Cohort rows of the training cases that have features, sorted by case.

    Raises
    ------
    FeatureError
        When there is none.
    """
    rows = cohort.frame[(cohort.frame["set"] == "training") & cohort.frame.index.isin(table.frame.index)]
    if rows.empty:
        raise FeatureError(f"arm {name!r}: no training case has features")
    return rows.sort_index()


def case_facts(cohort: Cohort, rows: pd.DataFrame) -> pd.DataFrame:
    """What steps may ask of the cases: centre and covariates, never the label."""
    columns = [name for name in ("centre", *cohort.covariates) if name in rows.columns]
    return rows[columns]


def _arms(
    arms: Mapping[str, FeatureTable],
    cohort: Cohort,
    settings: ModellingSettings,
    *,
    seed: int,
) -> list[_Arm]:
    training = {name: training_rows(name, table, cohort) for name, table in arms.items()}
    used = {case for rows in training.values() for case in rows.index}
    rows = cohort.frame[cohort.frame.index.isin(used)].sort_index()
    dealt = TrainingLabels.from_rows(rows, cohort.classes).folds(settings.folds, seed=seed)
    shared = pd.Series(dealt, index=rows.index)
    result = []
    for name, table in arms.items():
        present = cohort.frame[cohort.frame.index.isin(table.frame.index)]
        ordered = present.sort_index()
        labels = TrainingLabels.from_rows(training[name], cohort.classes)
        folds = shared.loc[training[name].index].to_numpy(dtype=np.intp)
        # An arm whose excluded cases leave a shared fold without use gets folds of its own.
        folds = folds if _usable(folds, labels, settings.folds) else labels.folds(settings.folds, seed=seed)
        features = Rows.from_frame(table.frame.loc[ordered.index], case_facts(cohort, ordered))
        _require_variation(name, features.values[np.asarray(ordered["set"] == "training")])
        parts = _parts(labels, folds, settings, seed=seed, inner=settings.inner)
        result.append(_Arm(name, table.sources, features, ordered, present.index, labels, folds, parts))
    return result


def _require_variation(arm: str, values: Floats) -> None:
    """Refuse an arm of which no feature tells training cases apart."""
    known = values[:, ~np.isnan(values).all(axis=0)]
    if not (np.nanmax(known, axis=0) > np.nanmin(known, axis=0)).any():
        found = ("every", "is constant") if known.size else ("none", "has a finite value")
        raise FeatureError(
            f"arm {arm!r}: {found[0]} of its {values.shape[1]} features {found[1]} in the training cases, so that "
            "nothing can be learned from it: check how its features were made, or leave the source out"
        )


def _usable(folds: NDArray[np.intp], labels: TrainingLabels, n_folds: int) -> bool:
    filled = len(np.unique(folds)) == n_folds
    return filled and all(min(labels.take(folds != fold).counts().values()) > 0 for fold in range(n_folds))


def _parts(
    labels: TrainingLabels, folds: NDArray[np.intp], settings: ModellingSettings, *, seed: int, inner: bool
) -> tuple[_Part, ...]:
    """One per fold that is left out, then the whole training set, whose inner folds are the folds themselves."""
    none = np.empty(0, dtype=np.intp)
    found = []
    for fold in range(settings.folds):
        within = folds != fold
        dealt = labels.take(within).folds(settings.inner_folds, seed=seed, key=INNER) if inner else none
        found.append(_Part(within, dealt))
    return (*found, _Part(np.ones(len(folds), dtype=bool), folds if inner else none))


def _preparation_tasks(
    arm: _Arm, settings: ModellingSettings, *, seed: int, unstable: UnstableIn | None
) -> list[PreparationTask]:
    """One per set of rows that steps are fitted on. All share one array of values."""
    rows, steps = arm.features.take(arm.training), completed(settings.steps)
    cases = arm.rows.index[arm.training]
    return [
        PreparationTask(rows, arm.labels, mask, steps, unstable(list(cases[mask])) if unstable else None, seed)
        for mask in arm.fitted_on.values()
    ]


def _fit_tasks(
    arm: _Arm, chains: Mapping[bytes, Preparation], settings: ModellingSettings, *, seed: int
) -> list[FitTask]:
    training = arm.features.take(arm.training)
    prepared = []
    with threadpool_limits(1):  # sums of PCA depend on the number of threads in their last digits
        for part in arm.parts:
            chain, within = chains[part.within.tobytes()], training.take(part.within)
            wanted = arm.features if part.within.all() else training.take(~part.within)
            inner = tuple(
                InnerFold(chains[mask.tobytes()].of_rows(within), ~mask[part.within]) for mask in part.inner_parts
            )
            prepared.append((arm.labels.take(part.within), chain.of_rows(within), inner, chain.of_rows(wanted)))
    return [
        FitTask(name, settings.hyperparameters.get(name, {}), *each, settings.tuning, settings.balance, seed)
        for name in settings.classifiers
        for each in prepared
    ]


def _arm_fit(
    arm: _Arm,
    chains: Mapping[bytes, Preparation],
    fitted: Mapping[str, Sequence[Fitted]],
    *,
    balance: BalanceSettings,
) -> ArmFit:
    *in_folds, full = (chains[part.within.tobytes()] for part in arm.parts)
    signatures = tuple(preparation.names for preparation in in_folds)
    return ArmFit(
        arm=arm.name,
        sources=arm.sources,
        preparation=full,
        fold_signatures=signatures,
        selection=_selection(arm, full, signatures),
        fits={name: _classifier_fit(arm, name, results, balance=balance) for name, results in fitted.items()},
        parts=_part_fits(arm, chains),
    )


def _part_fits(arm: _Arm, chains: Mapping[bytes, Preparation]) -> tuple[PartFit, ...]:
    """What was fitted on which cases: on the whole training set, without each fold, without inner folds."""
    everyone = np.array(arm.features.cases, dtype=object)
    training = everyone[arm.training]

    def fit(name: str, within: Mask, unseen: NDArray[np.object_], *, level: Level) -> PartFit:
        return PartFit(name, tuple(training[within]), chains[within.tobytes()].fitted_on, tuple(unseen), level)

    *folds, full = arm.parts
    found = [fit("training", full.within, everyone[~arm.training], level="full")]
    names = [f"training without fold {number}" for number in range(1, len(folds) + 1)]
    found += [
        fit(name, part.within, training[~part.within], level="fold") for name, part in zip(names, folds, strict=True)
    ]
    for name, part in zip(names, folds, strict=True):
        for number, mask in enumerate(part.inner_parts, start=1):
            found.append(fit(f"{name} and inner fold {number}", mask, training[part.within & ~mask], level="inner"))
    return tuple(found)


def _selection(arm: _Arm, full: Preparation, signatures: Sequence[Sequence[str]]) -> Selection:
    signature = full.score
    found = Selection(
        arm=arm.name,
        fitted_on="training",
        n_cases=int(arm.training.sum()),
        steps=full.steps,
        signature=selected_features(full, signatures),
    )
    if signature is None:
        return found
    told = {"intercepts": signature.intercepts, "lambda_": signature.lambdas, "deviance": signature.deviance}
    return found.model_copy(update={**told, "coefficient_path": signature.path})


def selected_features(full: Preparation, signatures: Sequence[Sequence[str]]) -> tuple[SelectedFeature, ...]:
    """Signature of the whole training set, with the share of `signatures` (one per fold) that hold each feature."""
    fitted = full.score
    place = {name: column for column, name in enumerate(fitted.names)} if fitted else {}
    rows = fitted.coefficients if fitted else {}
    drawn = fitted.frequency if fitted else {}
    return tuple(
        SelectedFeature(
            feature=name,
            coefficients={of: float(row[place[name]]) for of, row in rows.items() if name in place},
            mean=float(mean),
            scale=float(scale),
            fold_frequency=sum(name in each for each in signatures) / max(1, len(signatures)),
            bootstrap_frequency=drawn.get(name),
        )
        for name, mean, scale in zip(full.names, *full.standard, strict=True)
    )


def _classifier_fit(arm: _Arm, name: str, results: Sequence[Fitted], *, balance: BalanceSettings) -> ClassifierFit:
    model, training = f"{arm.name}/{name}", arm.rows[arm.training]
    *in_folds, full = results
    out_of_fold = np.empty((len(training), len(arm.labels.classes)))
    for part, fitted in zip(arm.parts, in_folds, strict=False):
        shares = arm.labels.take(part.within).shares
        out_of_fold[~part.within] = with_shares(fitted.probabilities, shares, arm.labels.shares)
    return ClassifierFit(
        model=model,
        classifier=name,
        hyperparameters=full.hyperparameters,
        fold_hyperparameters=tuple(each.hyperparameters for each in in_folds),
        trials=full.trials,
        cv_macro_auc=macro_auc(arm.labels.codes, out_of_fold),
        out_of_fold=arm.predictions(training, out_of_fold, model),
        predictions=arm.predictions(arm.rows, full.probabilities, model),
        inside=tuple(
            arm.predictions(training[part.within], fitted.inside, model)
            for part, fitted in zip(arm.parts, results, strict=True)
            if fitted.inside is not None
        ),
        balance=balance,
    )
