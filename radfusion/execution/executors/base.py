"""What an executor is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from radfusion.core.registry import Registry

__all__ = ["EXECUTORS", "Executor", "Outcome", "executor_named"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of one task: a value, or the reason why its worker gave none."""

    value: Result | None
    error: str | None = None


class Executor(ABC):
    """Runs a function over tasks.

    A subclass defines :meth:`map`; functions are module-level and tasks are plain data, so that both travel to another
    process or machine.

    Parameters
    ----------
    workers : int, optional
        Number of workers; the executor's own choice when not given.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers

    @abstractmethod
    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        timeout: float | None = None,
        ahead: int | None = None,
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in the order of the tasks, each as soon as it and all before it are there.

        Parameters
        ----------
        function : callable
            Module-level function of one task.
        tasks : sequence
            Plain data.
        timeout : float, optional
            Seconds that one task may take; over it the outcome is an error.
        ahead : int, optional
            Tasks per worker that may be begun before an outcome is taken, so that large outcomes do not pile up; all of
            them when not given.

        Raises
        ------
        Exception
            What `function` raised. A worker that died or ran out of time is an outcome with ``error`` instead.
        """


EXECUTORS: Registry[type[Executor]] = Registry("executor")


def executor_named(name: str, workers: int | None = None) -> Executor:
    """Make the executor of that name.

    Raises
    ------
    UnknownNameError
        When there is none.
    """
    made: Any = EXECUTORS[name](workers)
    assert isinstance(made, Executor)
    return made
