"""The proof of a run: nobody was predicted by anything that saw the case, or another case of its patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from radfusion.core.cohort import Cohort
from radfusion.core.results import FittedRows, StudyResults
from radfusion.modelling.arms import ArmFit, ClassifierFit, LateFit, PartFit
from radfusion.modelling.rows import cases_hash

__all__ = ["LeakError", "fitted_rows", "prove", "with_rows"]

Arm = ArmFit | LateFit


class LeakError(RuntimeError):
    """Something was predicted by a model that knew it: an error of radfusion, never of a study."""


def with_rows(results: StudyResults, arms: Mapping[str, Arm], cohort: Cohort) -> StudyResults:
    """Results with the cases that everything was fitted on; selections and models name theirs."""
    rows = fitted_rows(arms, cohort)
    name_of = {each.sha256: each.name for each in rows}
    names = {name: _names(arm, arms, name_of) for name, arm in arms.items()}
    selections = [each.model_copy(update={"fitted_on": names[each.arm][0]}) for each in results.selections]
    models = [each.model_copy(update={"fitted_on": names[each.arm]}) for each in results.models]
    told = {"fitted_rows": rows, "selections": tuple(selections), "models": tuple(models)}
    return results.model_copy(update=told)


def prove(arms: Mapping[str, Arm], cohort: Cohort) -> None:
    """Look at every fit and every prediction of the arms.

    For each part of the training set: its steps recorded the same cases as its classifiers; all of them are training
    cases; neither they nor their patients are among those that the part predicts as unseen. Every out-of-fold
    prediction belongs to exactly one part, every other one to a case outside the training set, and probabilities inside
    a part to cases of it.

    Raises
    ------
    LeakError
        When one of these does not hold.
    """
    patients = dict(zip(map(str, cohort.frame.index), cohort.frame["patient"], strict=True))
    training = frozenset(cohort.frame.index[cohort.frame["set"] == "training"])
    for name, arm in arms.items():
        fitted = [arms[part] for part in arm.parts] if isinstance(arm, LateFit) else [arm]
        seen = [each.parts for each in fitted if isinstance(each, ArmFit)]
        for part in [] if isinstance(arm, LateFit) else arm.parts:
            _require_apart(name, part, patients=patients, training=training)
        for fit in arm.fits.values():
            _require_unseen(fit, seen, training)


def _require_apart(arm: str, part: PartFit, *, patients: Mapping[str, str], training: frozenset[str]) -> None:
    where = f"{arm}, {part.name}"
    seen, unseen = set(part.cases), set(part.unseen)
    if part.steps != {cases_hash(part.cases)}:
        raise LeakError(f"{where}: steps were fitted on other cases than classifiers")
    if not seen <= training:
        raise LeakError(f"{where}: fitted on {len(seen - training)} cases outside the training set")
    shared = {patients[case] for case in seen} & {patients[case] for case in unseen}
    if shared or seen & unseen:
        raise LeakError(
            f"{where}: predicts {len(seen & unseen)} cases and {len(shared)} patients that it was fitted on"
        )


def _require_unseen(fit: ClassifierFit, seen: Sequence[tuple[PartFit, ...]], training: frozenset[str]) -> None:
    held, others = set(fit.out_of_fold.frame.index), set(fit.predictions.frame.index) - training
    if not seen or not held <= training:
        raise LeakError(f"{fit.model}: out-of-fold predictions of cases that no part of the training set explains")
    for parts in seen:
        by_folds = [case for part in parts if part.level == "fold" for case in part.unseen]
        if len(by_folds) != len(set(by_folds)) or not held <= set(by_folds):
            raise LeakError(f"{fit.model}: a training case was predicted by no fold, or by several")
        if not others <= {case for part in parts if part.level == "full" for case in part.unseen}:
            raise LeakError(f"{fit.model}: a validation case is among those of the model's own training")
        folds = [part for part in parts if part.level == "fold"]
        for part, inside in zip(folds, fit.inside, strict=False):
            if not set(inside.frame.index) <= set(part.cases):
                raise LeakError(f"{fit.model}, {part.name}: probabilities of cases that should not be known there")


def fitted_rows(arms: Mapping[str, Arm], cohort: Cohort) -> tuple[FittedRows, ...]:
    """Every list of cases that something was fitted on, once; those of arms that lack cases name their arm."""
    patients = cohort.frame["patient"]
    found: dict[str, FittedRows] = {}
    for arm, part in _parts(arms.values()):
        digest = cases_hash(part.cases)
        if digest in found:
            continue
        taken = any(each.name == part.name for each in found.values())
        found[digest] = FittedRows(
            name=f"{part.name} ({arm})" if taken else part.name,
            n_cases=len(part.cases),
            n_patients=int(patients.loc[list(part.cases)].nunique()),
            sha256=digest,
            cases=tuple(sorted(part.cases)),
        )
    return tuple(found.values())


def _parts(arms: Iterable[Arm]) -> Iterator[tuple[str, PartFit]]:
    for arm in arms:
        if isinstance(arm, ArmFit):
            yield from ((arm.arm, part) for part in arm.parts)


def _names(arm: Arm, arms: Mapping[str, Arm], name_of: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the rows of an arm, without inner folds; of late fusion those of all its parts."""
    fitted = [arms[part] for part in arm.parts] if isinstance(arm, LateFit) else [arm]
    parts = [part for _, part in _parts(fitted) if part.level != "inner"]
    return tuple(dict.fromkeys(name_of[cases_hash(part.cases)] for part in parts))
