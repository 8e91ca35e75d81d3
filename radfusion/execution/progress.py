"""Progress of long work: an argument, silent by default."""

from __future__ import annotations

import logging
import time

__all__ = ["LoggedProgress", "Progress"]

log = logging.getLogger("radfusion")


class Progress:
    """Listener for the progress of long work; this one is silent.

    The command line passes one that draws bars. Stages follow each other: ``start``, any number of ``advance``,
    ``finish``.
    """

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of `total` steps."""

    def advance(self, steps: int = 1) -> None:
        """Report finished steps of the present stage."""

    def finish(self, note: str = "") -> None:
        """End the present stage, with a word on how it went."""

    def say(self, message: str) -> None:
        """Tell the user something that must not be missed."""


class LoggedProgress(Progress):
    """Passes everything on to another listener and keeps the ends of stages, with their times, in the log.

    Parameters
    ----------
    listener : Progress
        Who is told.
    """

    def __init__(self, listener: Progress) -> None:
        self.listener = listener
        self._stage, self._began = "", 0.0

    def start(self, stage: str, total: int) -> None:
        """Begin a stage."""
        self._stage, self._began = stage, time.perf_counter()
        self.listener.start(stage, total)

    def advance(self, steps: int = 1) -> None:
        """Report finished steps."""
        self.listener.advance(steps)

    def finish(self, note: str = "") -> None:
        """End the stage and log how it went."""
        log.info("%s: %s (%.1f s)", self._stage, note or "done", time.perf_counter() - self._began)
        self.listener.finish(note)

    def say(self, message: str) -> None:
        """Log what must not be missed."""
        log.warning(message)
        self.listener.say(message)
