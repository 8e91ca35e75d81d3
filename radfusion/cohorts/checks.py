"""Rules for cohorts that are findings, not mistakes: roles of sets, size, readers, repeated images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from radfusion.cohorts._spelling import plain_spelling
from radfusion.cohorts.describe import describe_split
from radfusion.cohorts.duplicates import duplicate_findings
from radfusion.core.cohort import Cohort
from radfusion.core.results import AuditFinding
from radfusion.errors import CohortError

__all__ = ["check_cohort", "duplicate_findings", "require_files"]

#: Fewer cases of a class than this make an interval of little use.
FEW_CASES = 10
#: Names that a message lists.
_SHOWN = 5
_CONSENSUS = re.compile(r"consens|majority|panel|average|fused|staple", re.IGNORECASE)


def check_cohort(cohort: Cohort) -> list[AuditFinding]:
    """Findings on a cohort whose table is free of mistakes.

    Returns
    -------
    list of AuditFinding
        RF03 (patients in one set only, none under two names), RF15 (several cases per patient), RF18
        (external means another centre), RF22 (small classes), RF25 (who drew the segmentations).
    """
    return [
        _patients(cohort),
        *_shared_files(cohort),
        *_look_alikes(cohort),
        _clusters(cohort),
        _centres(cohort),
        _small_classes(cohort),
        _readers(cohort),
    ]


def require_files(cohort: Cohort) -> None:
    """Refuse a cohort none of whose images is there: the folder is wrong, not the cases.

    Raises
    ------
    CohortError
        Naming the folder that was looked in, and the first file.
    """
    cases = [str(case) for case in cohort.frame.index]
    if cases and not any(_is_there(cohort.image_path(case)) for case in cases):
        raise CohortError(
            [
                f"none of the {cohort.frame['image'].nunique()} image files is there; names start from the folder of "
                f"the table, {cohort.root}, and the first is {cohort.frame['image'].iloc[0]!r}"
            ]
        )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no system takes, a folder that may not be entered
        return False


def _patients(cohort: Cohort) -> AuditFinding:
    count = cohort.frame["patient"].nunique()
    message = f"Each of the {count} patients is in one set only; folds keep the cases of a patient together."
    evidence: dict[str, object] = {"n_patients": int(count)}
    if cohort.split is not None:
        drawn = describe_split(cohort.split)
        message += f" {drawn}"
        evidence |= {"split": dict(cohort.split), "drawn": drawn}
    return AuditFinding(code="RF03", verdict="pass", message=message, evidence=evidence)


def _shared_files(cohort: Cohort) -> list[AuditFinding]:
    """Files that two patients, or two cases with one region, share."""
    frame, found = cohort.frame, []
    films = frame.groupby("image", sort=False)["patient"].nunique()
    foreign = films.index[films > 1]
    if len(foreign):
        shown = _some(f"{Path(str(name)).name} ({films[name]} patients)" for name in foreign)
        message = f"Image files that cases of several patients share: {shown}."
        found.append(AuditFinding(code="RF03", verdict="warn", message=message, evidence={"files": len(foreign)}))
    same = [name for name in ("image", "segmentation", "segmentation_label") if name in frame]
    twice = frame[frame.duplicated(same, keep=False) & frame["image"].notna()]
    if len(twice):
        groups = [list(map(str, rows.index)) for _, rows in twice.groupby(same, sort=False, dropna=False)]
        shown = _some(" = ".join(group) for group in groups)
        message = f"Cases that share image and segmentation, so that their features are equal: {shown}."
        found.append(AuditFinding(code="RF15", verdict="warn", message=message, evidence={"groups": groups}))
    return found


def _look_alikes(cohort: Cohort) -> list[AuditFinding]:
    """Patients in two sets whose identifiers differ in capitals, separators or leading zeros only."""
    frame = cohort.frame
    plain = frame["patient"].map(plain_spelling)
    several = (frame.groupby(plain)["patient"].transform("nunique") > 1) & (
        frame.groupby(plain)["set"].transform("nunique") > 1
    )
    if not several.any():
        return []
    persons = frame[several].groupby(plain[several], sort=False)
    groups = [list(map(str, rows.drop_duplicates("patient").index)) for _, rows in persons]  # cases: no name leaves
    shown = _some(" and ".join(group) for group in groups)
    message = f"Patients in two sets that may be one person under two spellings; they are those of the cases {shown}."
    return [AuditFinding(code="RF03", verdict="warn", message=message, evidence={"cases": groups})]


def _clusters(cohort: Cohort) -> AuditFinding:
    several = int((cohort.frame["patient"].value_counts() > 1).sum())
    evidence = {"patients_with_several_cases": several}
    if several:
        message = f"{several} patients have several cases; intervals and tests are clustered by patient."
        return AuditFinding(code="RF15", verdict="pass", message=message, evidence=evidence)
    message = "Every patient has one case."
    return AuditFinding(code="RF15", verdict="not_applicable", message=message, evidence=evidence)


def _centres(cohort: Cohort) -> AuditFinding:
    frame = cohort.frame
    if "external" not in cohort.sets:
        return AuditFinding(code="RF18", verdict="not_applicable", message="The study has no external set.")
    training = set(frame.loc[frame["set"] == "training", "centre"].dropna())
    external = frame.loc[frame["set"] == "external", "centre"]
    shared = sorted(training & set(external.dropna()))
    if shared:
        message = f"The external set shares the centre {', '.join(shared)} with the training set: it is not external."
        return AuditFinding(code="RF18", verdict="fail", message=message, evidence={"shared": shared})
    unknown = {name: int(frame.loc[frame["set"] == name, "centre"].isna().sum()) for name in ("external", "training")}
    if any(unknown.values()):
        cases = " and ".join(f"{count} {name} cases" for name, count in unknown.items() if count)
        message = f"External cannot be proved: the centre is unknown for {cases}."
        return AuditFinding(code="RF18", verdict="warn", message=message, evidence=unknown)
    message = "No centre of the external set gave training cases."
    return AuditFinding(code="RF18", verdict="pass", message=message, evidence={"centres": sorted(set(external))})


def _small_classes(cohort: Cohort) -> AuditFinding:
    counts = Counter(zip(cohort.frame["set"], cohort.frame["label"], strict=True))
    small = [
        f"{name} set, class {label}: {counts[name, label]}"
        for name in cohort.sets
        for label in cohort.classes
        if counts[name, label] < FEW_CASES
    ]
    if not small:
        message = f"Every class has at least {FEW_CASES} cases in every set."
        return AuditFinding(code="RF22", verdict="pass", message=message)
    message = f"Fewer than {FEW_CASES} cases, so intervals are wide and may be unreliable: {'; '.join(small)}."
    return AuditFinding(code="RF22", verdict="warn", message=message, evidence={"small": small})


def _readers(cohort: Cohort) -> AuditFinding:
    """RF25: a validation set must be segmented as a new patient would be, by one reader and not by consensus."""
    if "reader" not in cohort.frame or cohort.frame["reader"].isna().all():
        message = "The table does not say who drew the segmentations."
        return AuditFinding(code="RF25", verdict="not_applicable", message=message)
    problems, counts = [], {}
    for name in cohort.sets:
        readers = cohort.of_set(name).frame["reader"].dropna().unique()
        counts[name] = len(readers)
        if name != "training" and any(_CONSENSUS.search(str(reader)) for reader in readers):
            problems.append(f"the {name} set was drawn in consensus, as no new patient will be")
        elif name != "training" and len(readers) > 1:
            problems.append(f"the {name} set was drawn by {len(readers)} readers")
    evidence = {"readers_by_set": counts, "readers": len(cohort.readers)}
    if problems:
        message = f"Segmentations of validation sets: {'; '.join(problems)}."
        return AuditFinding(code="RF25", verdict="warn", message=message, evidence=evidence)
    message = "Each validation set was segmented by one reader."
    return AuditFinding(code="RF25", verdict="pass", message=message, evidence=evidence)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "; ".join(listed[:_SHOWN]) + more
