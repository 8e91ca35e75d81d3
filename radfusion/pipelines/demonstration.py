"""The simulated cohort and the study that is run on it."""

from __future__ import annotations

import shutil
from pathlib import Path

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.errors import RunError, UserError
from radfusion.execution.progress import Progress
from radfusion.pipelines.templates import copy_template

__all__ = ["prepare_demo", "simulate"]

#: Mark of a folder that a demonstration made: nothing is removed from a folder without it.
MARK = ".radfusion-demo"


def prepare_demo(out: Path, *, progress: Progress) -> Path:
    """Simulate the default cohort beside a copy of the ovf-fusion study and return the study file.

    Raises
    ------
    RunError
        When the folder holds what no demonstration made.
    """
    if out.exists() and not (out.is_dir() and ((out / MARK).exists() or not any(out.iterdir()))):
        raise RunError(f"{out} exists and no demonstration made it; choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    for part in ("cohort", "study.yaml"):
        _remove(out / part)
    simulate_cohort(out / "cohort", SimulationSettings(), progress=progress)
    return copy_template("ovf-fusion", out)


def simulate(out: Path, *, seed: int | None, file_format: str, progress: Progress) -> Path:
    """Simulate a cohort and return its table.

    Raises
    ------
    UserError
        When the format is unknown or the folder is not empty.
    """
    if file_format not in {"png", "dicom"}:
        raise UserError(f"--format {file_format!r}: allowed are png and dicom")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not an empty folder; choose a new one")
    if seed is not None and seed < 0:
        raise UserError(f"--seed {seed}: allowed are whole numbers from 0")
    settings = SimulationSettings.model_validate({"format": file_format, **({} if seed is None else {"seed": seed})})
    return simulate_cohort(out, settings, progress=progress)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
