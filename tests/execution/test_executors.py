"""Every executor keeps order; processes survive the death of a worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from radfusion.execution.executors import EXECUTORS, Processes, executor_named


def square(number: int) -> int:
    return number * number


def die_on_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_on_one(number: int) -> int:
    time.sleep(60 if number == 1 else 0)
    return number


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def touch(path: Path) -> None:
    path.touch()


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("name", list(EXECUTORS))
def test_outcomes_keep_the_order_of_the_tasks(name: str) -> None:
    outcomes = executor_named(name, 2).map(square, range(7))
    assert [outcome.value for outcome in outcomes] == [number**2 for number in range(7)]


@pytest.mark.parametrize("name", list(EXECUTORS))
def test_what_a_function_raises_reaches_the_caller(name: str) -> None:
    with pytest.raises(ValueError, match="no 5"):
        list(executor_named(name, 1).map(refuse, [5]))


@pytest.mark.parametrize("name", list(EXECUTORS))
def test_outcomes_that_nobody_takes_do_not_pile_up(name: str, tmp_path: Path) -> None:
    outcomes = executor_named(name, 2).map(touch, [tmp_path / str(number) for number in range(9)], ahead=2)
    assert [next(outcomes).error for _ in range(3)] == [None] * 3
    assert len(list(tmp_path.iterdir())) <= 3 + 2 * 2
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert len(list(tmp_path.iterdir())) == 9


def test_a_killed_worker_costs_its_own_task_only() -> None:
    outcomes = list(Processes(2).map(die_on_three, range(6)))
    assert [outcome.value for outcome in outcomes] == [0, 1, 2, None, 4, 5]
    assert "the worker process died" in (outcomes[3].error or "")


def test_a_task_over_its_time_is_an_error() -> None:
    outcomes = list(Processes(2).map(sleep_on_one, [0, 1, 2], timeout=5))
    assert [outcome.error for outcome in outcomes] == [None, "took longer than 5 s", None]


def test_workers_use_one_thread_each_and_the_environment_is_restored() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    assert [outcome.value for outcome in Processes(1).map(threads, [0])] == ["1"]
    assert os.environ.get("OMP_NUM_THREADS") == before
