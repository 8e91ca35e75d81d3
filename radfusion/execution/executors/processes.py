"""A pool of processes that survives the death of a worker."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from radfusion.execution.executors.base import EXECUTORS, Executor, Outcome

__all__ = ["Processes"]

Task = TypeVar("Task")
Result = TypeVar("Result")

#: One thread inside each worker, parallelism outside: mixed settings were up to 20 times slower.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@EXECUTORS.register("processes")
class Processes(Executor):
    """Runs tasks in worker processes, by default one per processor.

    A worker that dies or exceeds the time limit costs its own task only. Workers are spawned, so a script that uses
    this executor needs the usual ``if __name__ == "__main__":`` guard.
    """

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        timeout: float | None = None,
        ahead: int | None = None,
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in order; see :meth:`Executor.map`."""
        workers = min(self.workers or available_processors(), max(1, len(tasks)))
        with _one_thread_each(), ProcessPool(workers, context=multiprocessing.get_context("spawn")) as pool:
            begun = (pool.schedule(function, args=[task], timeout=timeout) for task in tasks)
            pending = deque(islice(begun, len(tasks) if ahead is None else max(1, ahead) * workers))
            done = False
            try:
                while pending:
                    outcome = _outcome(pending.popleft(), timeout)
                    pending.extend(islice(begun, 1))
                    yield outcome
                done = True
            finally:
                if not done:  # interrupted, or a task raised: the others are not waited for
                    pool.stop()  # type: ignore[no-untyped-call]


def available_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(future: Any, timeout: float | None) -> Outcome[Any]:
    try:
        return Outcome(future.result())
    except concurrent.futures.TimeoutError:
        return Outcome(None, f"took longer than {timeout:g} s" if timeout else "timed out")
    except ProcessExpired as error:
        return Outcome(None, f"the worker process died (exit code {error.exitcode})")


class _one_thread_each:  # noqa: N801 - reads as a verb in a with statement
    """Spawned workers inherit the environment: their libraries see these variables before they start threads."""

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
