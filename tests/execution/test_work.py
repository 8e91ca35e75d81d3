"""A stage keeps what finishes, tries lost tasks once more, and stops with a sentence."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from radfusion.errors import RunError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import Processes
from radfusion.execution.provenance import source_revision
from radfusion.execution.work import Stage, Workers


def die_once(task: tuple[int, str]) -> int:
    number, mark = task
    if number == 2 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(task: tuple[int, str]) -> int:
    if task[0] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task[0]


def encode(value: int) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    return {}, {"value": value}


def stage(function: object) -> Stage[tuple[int, str], int]:
    return Stage("count", "execution", function, list, encode, lambda _, facts: facts["value"])  # type: ignore[arg-type]


def test_a_task_whose_worker_died_is_given_to_another(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path / "mark")) for number in range(4)]
    assert stage(die_once).over(tasks, Workers(Processes(2), Cache(tmp_path / "cache"))) == [0, 1, 2, 3]


def test_a_task_that_kills_twice_ends_the_stage_and_the_others_are_kept(tmp_path: Path) -> None:
    tasks = [(number, "") for number in range(4)]
    cache = Cache(tmp_path / "cache")
    with pytest.raises(RunError, match="workers died at 1 of 4 tasks, twice"):
        stage(die_always).over(tasks, Workers(Processes(2), cache))
    assert len(list((tmp_path / "cache").rglob("*.entry"))) == 3


def test_the_revision_of_a_package_follows_its_source() -> None:
    assert source_revision("modelling") != source_revision("imaging")
    assert source_revision("modelling") == source_revision("modelling")
