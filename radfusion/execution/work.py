"""How the tasks of a stage are run: those found in the cache are not run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from radfusion.core.hashing import content_hash
from radfusion.errors import RunError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import Executor, Serial
from radfusion.execution.progress import Progress
from radfusion.execution.provenance import package_versions, source_revision

__all__ = ["Stage", "Workers"]

Task = TypeVar("Task")
Result = TypeVar("Result")
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Workers:
    """Who does the work and where it is remembered.

    Attributes
    ----------
    executor : Executor
        Where tasks run; in this process by default.
    cache : Cache or None
        Where results are kept.
    progress : Progress
        Listener.
    """

    executor: Executor = field(default_factory=Serial)
    cache: Cache | None = None
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Stage(Generic[Task, Result]):
    """One kind of task.

    Attributes
    ----------
    name : str
        What the listener is told.
    room : str
        Package of radfusion whose source the results depend on.
    run : callable
        Module-level function of one task.
    key : callable
        Everything of a task that its result depends on, as a value that can be hashed.
    encode, decode : callable
        Result to arrays and facts of a cache entry, and back.
    """

    name: str
    room: str
    run: Callable[[Task], Result]
    key: Callable[[Task], Any]
    encode: Callable[[Result], tuple[Arrays, Mapping[str, Any]]]
    decode: Callable[[Arrays, Mapping[str, Any]], Result]

    def over(self, tasks: Sequence[Task], workers: Workers) -> list[Result]:
        """Results of the tasks, in their order.

        A task whose worker died is given to another worker once, after the others.

        Raises
        ------
        RunError
            When the second worker died too. What the others made is in the cache.
        """
        workers.progress.start(self.name, len(tasks))
        keys = self._keys(tasks) if workers.cache else []
        done = self._remembered(keys, workers.cache) if workers.cache else {}
        if done:
            workers.progress.advance(len(done))
        todo = [position for position in range(len(tasks)) if position not in done]
        remembered = len(done)
        lost = self._run(tasks, todo, keys=keys, workers=workers, done=done)
        if lost := self._run(tasks, lost, keys=keys, workers=workers, done=done):
            raise RunError(
                f"{self.name}: workers died at {len(lost)} of {len(tasks)} tasks, twice (out of memory?); the others "
                "are kept: run the same command again, with fewer workers"
            )
        workers.progress.finish(f"{len(todo)} computed, {remembered} from cache")
        return [done[position] for position in range(len(tasks))]

    def _run(
        self,
        tasks: Sequence[Task],
        todo: Sequence[int],
        *,
        keys: Sequence[str],
        workers: Workers,
        done: dict[int, Result],
    ) -> list[int]:
        """Run tasks, keep what they give and return the positions of those that gave nothing."""
        lost = []
        outcomes = workers.executor.map(self.run, [tasks[position] for position in todo]) if todo else ()
        for position, outcome in zip(todo, outcomes, strict=True):
            if outcome.value is None:
                lost.append(position)
                continue
            if workers.cache:
                workers.cache.put(keys[position], *self.encode(outcome.value))
            done[position] = outcome.value
            workers.progress.advance()
        return lost

    def _keys(self, tasks: Sequence[Task]) -> list[str]:
        made_by = [package_versions(), source_revision(self.room)]
        return [content_hash(self.room, self.name, made_by, self.key(task)) for task in tasks]

    def _remembered(self, keys: Sequence[str], cache: Cache) -> dict[int, Result]:
        entries = {position: cache.get(key) for position, key in enumerate(keys)}
        return {position: self.decode(*entry) for position, entry in entries.items() if entry is not None}
