"""What commands show on a terminal: progress, summaries, how they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from radfusion.execution.progress import Progress

if TYPE_CHECKING:
    from radfusion.core.cohort import Cohort
    from radfusion.core.results import StudyResults

__all__ = ["MISTAKE", "TerminalProgress", "end_with_exclusions", "interruptible", "print_cohort", "print_summary"]

FINISHED_WITH_FAILURES, MISTAKE, INTERRUPTED = 1, 2, 130


class TerminalProgress(Progress):
    """Bars on a terminal, one line per tenth of a stage elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.stage, self.total, self.done, self.began = "", 0, 0, 0.0

    def start(self, stage: str, total: int) -> None:
        """Begin a stage."""
        self.stage, self.total, self.done, self.began = stage, total, 0, time.perf_counter()
        self._show()

    def advance(self, steps: int = 1) -> None:
        """Draw the bar anew, or print a line when another tenth is done."""
        tenth = self.done * 10 // max(1, self.total)
        self.done += steps
        if self.live or self.done * 10 // max(1, self.total) > tenth:
            self._show()

    def finish(self, note: str = "") -> None:
        """End the stage with its time."""
        seconds = time.perf_counter() - self.began
        self._line(f"{self.stage}: {note or 'done'} ({seconds:.1f} s)", last=True)

    def say(self, message: str) -> None:
        """Print a line of its own."""
        self._line(f"! {message}", last=True)

    def _show(self) -> None:
        filled = 20 * self.done // max(1, self.total)
        bar = f"[{'#' * filled}{'.' * (20 - filled)}]"
        self._line(f"{self.stage}: {bar} {self.done}/{self.total}", last=False)

    def _line(self, text: str, *, last: bool) -> None:
        end = "\n" if last or not self.live else ""
        print(f"\r\x1b[K{text}" if self.live else text, end=end, file=sys.stderr, flush=True)


def print_cohort(cohort: Cohort) -> None:
    """Cases, patients and classes of every set."""
    for name in cohort.sets:
        rows = cohort.of_set(name).frame
        classes = ", ".join(f"{label}: {(rows['label'] == label).sum()}" for label in cohort.classes)
        print(f"{name}: {len(rows)} cases of {rows['patient'].nunique()} patients ({classes})")


def print_summary(results: StudyResults) -> None:
    """What a run found, and first what it could not do."""
    from radfusion.core.deep_features import only_controls

    for source in results.sources:
        if not source.available:
            print(f"LEFT OUT: weights source {source.name!r}: {source.reason}")
    if only_controls(results.sources):
        print("NO PRETRAINED NETWORK: every deep feature comes from the untrained control 'random'")
    declared = results.study.settings["evaluation"]["primary"]
    if declared and not any(item.role == "primary" and item.p is not None for item in results.comparisons):
        print(f"PRIMARY COMPARISON NOT TESTED: {' against '.join(declared['models'])}, {declared['set']} set")
    print(f"final model, chosen on training folds: {results.final_model}")
    for estimate in results.estimates:
        if estimate.metric == "macro_auc" and estimate.model == results.final_model and estimate.value is not None:
            bounds = "" if estimate.low is None else f"{estimate.low:.3f}, {estimate.high:.3f}"
            interval = f" ({estimate.level:.0%} CI: {bounds})" if bounds else ""
            where = "training, out of fold" if estimate.set == "training" else estimate.set
            print(f"  macro AUC, {where}: {estimate.value:.3f}{interval}")


def end_with_exclusions(exclusions: list[tuple[str, str, str]]) -> None:
    """Name excluded cases (case, stage, reason); the exit code then says so."""
    if exclusions:
        print(f"{len(exclusions)} cases were excluded:", file=sys.stderr)
        for case, stage, reason in exclusions:
            print(f"  {case}: {stage}: {reason}", file=sys.stderr)
        raise typer.Exit(FINISHED_WITH_FAILURES)


@contextmanager
def interruptible() -> Iterator[None]:
    """An interruption ends with a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        print("\ninterrupted: finished work is in the cache; the same command goes on from there", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
