"""The simulated cohort and the study that is run on it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

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


def simulate(out: Path, asked: Mapping[str, Any], *, progress: Progress) -> Path:
    """Simulate a cohort and return its table.

    Parameters
    ----------
    out : pathlib.Path
        Folder to make.
    asked : mapping of str to Any
        Fields of :class:`SimulationSettings`, with those of its sizes under ``sizes``; None leaves a default.
    progress : Progress
        Listener.

    Raises
    ------
    UserError
        When a value is not allowed or the folder is not empty.
    """
    if asked.get("format", "png") not in {"png", "dicom"}:
        raise UserError(f"--format {asked['format']!r}: allowed are png and dicom")
    sizes = {name: value for name, value in asked.get("sizes", {}).items() if value is not None}
    given = {name: value for name, value in asked.items() if value is not None and name != "sizes"}
    try:
        settings = SimulationSettings.model_validate({**given, "sizes": sizes})
    except ValidationError as error:
        found = error.errors()[0]
        option = f"--{found['loc'][-1]} {found['input']!r}: " if found["loc"] else ""
        allowed = found["msg"].removeprefix("Value error, ").replace("Input should be", "allowed is")
        raise UserError(option + allowed) from error
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not an empty folder; choose a new one")
    return simulate_cohort(out, settings, progress=progress)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
