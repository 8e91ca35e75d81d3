"""Table and truth of a simulated cohort, written line by line so that memory does not grow with them."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

__all__ = ["CohortFiles"]


class CohortFiles:
    """``cohort.csv`` and ``truth.json`` of a folder, to be used in a ``with`` statement.

    The truth is one JSON object: `head`, then ``films`` and ``latents``. The latents wait in a temporary file, as they
    come with the films and stand behind them.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are made.
    head : mapping of str to Any
        First entries of the truth.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        self.n_cases = self.n_films = 0
        self._open = ExitStack()
        self._table = self._open.enter_context((folder / "cohort.csv").open("w", encoding="utf-8", newline=""))
        self._truth = self._open.enter_context((folder / "truth.json").open("w", encoding="utf-8", newline=""))
        self._latents = self._open.enter_context(_scratch())
        self._truth.write(json.dumps(head, indent=1).removesuffix("\n}") + ',\n "films": {\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            self._truth.write('\n },\n "latents": {\n')
            self._latents.seek(0)
            shutil.copyfileobj(self._latents, self._truth)
            self._truth.write("\n }\n}\n")

    def add_film(self, name: str, truth: Mapping[str, Any]) -> None:
        """Add a film's entry of the truth."""
        self._truth.write(_entry(name, truth, first=self.n_films == 0))
        self.n_films += 1

    def add_case(self, rows: Sequence[Mapping[str, object]], case: str, latents: Mapping[str, float]) -> None:
        """Add a case's rows of the table and its latents."""
        writer = csv.DictWriter(self._table, list(rows[0]), lineterminator="\n")
        if self.n_cases == 0:
            writer.writeheader()
        writer.writerows(rows)
        self._latents.write(_entry(case, latents, first=self.n_cases == 0))
        self.n_cases += 1


def _scratch() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", newline="")


def _entry(name: str, value: Mapping[str, Any], *, first: bool) -> str:
    """Entry of an object that lies one level deep in a text of ``json.dumps(..., indent=1)``."""
    lines = json.dumps({name: value}, indent=1).splitlines()[1:-1]
    return ("" if first else ",\n") + "\n".join(f" {line}" for line in lines)
