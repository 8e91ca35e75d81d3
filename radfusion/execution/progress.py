"""Progress of long work: an argument, silent by default."""

from __future__ import annotations

__all__ = ["Progress"]


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
