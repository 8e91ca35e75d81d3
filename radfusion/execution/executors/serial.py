"""One task after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from radfusion.execution.executors.base import EXECUTORS, Executor, Outcome

__all__ = ["Serial"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@EXECUTORS.register("serial")
class Serial(Executor):
    """Runs tasks in this process; ``timeout`` cannot be kept here and is ignored.

    Examples
    --------
    >>> [outcome.value for outcome in Serial().map(abs, [-1, 2])]
    [1, 2]
    """

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        timeout: float | None = None,  # noqa: ARG002 - nothing can end a task of this process
        ahead: int | None = None,  # noqa: ARG002 - a task begins when its outcome is taken
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in order; see :meth:`Executor.map`."""
        for task in tasks:
            yield Outcome(function(task))
