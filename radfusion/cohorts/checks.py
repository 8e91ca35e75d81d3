"""Rules for cohorts that are findings, not mistakes: roles of sets, size, repeated images."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain

from radfusion.core.cohort import Cohort
from radfusion.core.hashing import file_hash
from radfusion.core.results import AuditFinding

__all__ = ["check_cohort"]

#: Fewer cases of a class than this make an interval of little use.
FEW_CASES = 10


def check_cohort(cohort: Cohort) -> list[AuditFinding]:
    """Findings on a cohort whose table is free of mistakes.

    Returns
    -------
    list of AuditFinding
        RF03 (patients and images in one set only), RF15 (several cases per patient), RF18 (external means another
        centre), RF22 (small classes).
    """
    return [_patients(cohort), _images(cohort), _clusters(cohort), _centres(cohort), _small_classes(cohort)]


def _patients(cohort: Cohort) -> AuditFinding:
    count = cohort.frame["patient"].nunique()
    message = f"Each of the {count} patients is in one set only; folds keep the cases of a patient together."
    return AuditFinding(code="RF03", verdict="pass", message=message, evidence={"n_patients": int(count)})


def _images(cohort: Cohort) -> AuditFinding:
    seen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    unread = 0
    for case, name in cohort.frame["set"].items():
        try:
            seen[file_hash(cohort.image_path(str(case)))][str(name)].append(str(case))
        except OSError:
            unread += 1
    across = [sorted(chain.from_iterable(sets.values())) for sets in seen.values() if len(sets) > 1]
    if not across:
        message = f"None of the {len(seen)} image files is used in two sets."
        message += f" {unread} could not be read." if unread else ""
        return AuditFinding(code="RF03", verdict="warn" if unread else "pass", message=message)
    shown = "; ".join(" = ".join(group[:3]) for group in across[:5])
    message = f"{len(across)} image files are identical in two sets, which inflates validation results: {shown}."
    return AuditFinding(code="RF03", verdict="fail", message=message, evidence={"groups": across})


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
